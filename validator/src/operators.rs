//! What all engines have to agree on about operators, beyond what the specification says. Engines ask while they
//! translate. Invariant: a program costs the same fuel and computes the same bits in each of them.

use lithe_parser::Operator as O;

/// Floats that an operator results in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Floats {
    /// One of 32 bits.
    F32,
    /// One of 64 bits.
    F64,
    /// Four of 32 bits.
    F32x4,
    /// Two of 64 bits.
    F64x2,
}

/// Whether an operator costs no fuel: it does nothing of its own.
pub fn costs_nothing(op: &O<'_>) -> bool {
    matches!(
        op,
        O::Nop
            | O::Drop
            | O::Block { .. }
            | O::Loop { .. }
            | O::Unreachable
            | O::Return
            | O::Else
            | O::End
            | O::Catch { .. }
            | O::CatchAll
            | O::Delegate { .. }
    )
}

/// What an operator results in whose NaNs the host chooses; deterministic code makes them canonical (Core
/// specification, appendix "Profiles").
pub fn chosen_nans(op: &O<'_>) -> Option<Floats> {
    Some(match op {
        O::F32Add
        | O::F32Sub
        | O::F32Mul
        | O::F32Div
        | O::F32Min
        | O::F32Max
        | O::F32Sqrt
        | O::F32Ceil
        | O::F32Floor
        | O::F32Trunc
        | O::F32Nearest
        | O::F32DemoteF64 => Floats::F32,
        O::F64Add
        | O::F64Sub
        | O::F64Mul
        | O::F64Div
        | O::F64Min
        | O::F64Max
        | O::F64Sqrt
        | O::F64Ceil
        | O::F64Floor
        | O::F64Trunc
        | O::F64Nearest
        | O::F64PromoteF32 => Floats::F64,
        O::F32x4Add
        | O::F32x4Sub
        | O::F32x4Mul
        | O::F32x4Div
        | O::F32x4Min
        | O::F32x4Max
        | O::F32x4Sqrt
        | O::F32x4Ceil
        | O::F32x4Floor
        | O::F32x4Trunc
        | O::F32x4Nearest
        | O::F32x4DemoteF64x2Zero
        | O::F32x4RelaxedMadd
        | O::F32x4RelaxedNmadd
        | O::F32x4RelaxedMin
        | O::F32x4RelaxedMax => Floats::F32x4,
        O::F64x2Add
        | O::F64x2Sub
        | O::F64x2Mul
        | O::F64x2Div
        | O::F64x2Min
        | O::F64x2Max
        | O::F64x2Sqrt
        | O::F64x2Ceil
        | O::F64x2Floor
        | O::F64x2Trunc
        | O::F64x2Nearest
        | O::F64x2PromoteLowF32x4
        | O::F64x2RelaxedMadd
        | O::F64x2RelaxedNmadd
        | O::F64x2RelaxedMin
        | O::F64x2RelaxedMax => Floats::F64x2,
        _ => return None,
    })
}

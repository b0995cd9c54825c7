//! Canonical NaNs for deterministic code (Core specification, appendix "Profiles"): an operation follows each
//! operator whose NaN result the host chooses.

use lithe_parser::Operator as O;

use crate::op::{Class, Op};

use super::{Translator, stack::Place};

/// The operation that makes the result of an operator canonical, when the host chooses its NaNs.
fn canonical(op: &O<'_>) -> Option<Op> {
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
        | O::F32DemoteF64 => Op::CanonicalF32,
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
        | O::F64PromoteF32 => Op::CanonicalF64,
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
        | O::F32x4RelaxedMax => Op::CanonicalF32x4,
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
        | O::F64x2RelaxedMax => Op::CanonicalF64x2,
        _ => return None,
    })
}

impl Translator<'_> {
    /// Makes the result of the operator just translated canonical, where the host chooses its NaNs.
    pub(super) fn canonicalize(&mut self, op: &O<'_>) {
        let Some(op) = canonical(op) else { return };
        let value = self.pop();
        debug_assert_eq!(value.place, Place::Own);
        let class = match op {
            Op::CanonicalF32 => Some(Class::F32),
            Op::CanonicalF64 => Some(Class::F64),
            _ => None,
        };
        self.result(op, [0, value.slot, 0, 0], value.wide, class);
    }
}

//! Canonical NaNs for deterministic code (Core specification, appendix "Profiles"): a selection follows each
//! operator whose NaN result the host chooses. Invariant: these are the operators for which the interpreter does so.

use cranelift_codegen::ir::{
    InstBuilder, Type,
    condcodes::FloatCC,
    types::{F32, F32X4, F64, F64X2},
};
use lithe_parser::Operator as O;

use super::Translator;

/// The bits of the canonical NaN.
const NAN32: u32 = 0x7fc0_0000;
const NAN64: u64 = 0x7ff8_0000_0000_0000;

/// The type of an operator's result, when the host chooses its NaNs.
fn chosen(op: &O<'_>) -> Option<Type> {
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
        | O::F32DemoteF64 => F32,
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
        | O::F64PromoteF32 => F64,
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
        | O::F32x4RelaxedMax => F32X4,
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
        | O::F64x2RelaxedMax => F64X2,
        _ => return None,
    })
}

impl Translator<'_> {
    /// Makes the result of the operator just translated canonical, where the host chooses its NaNs.
    pub(super) fn canonicalize(&mut self, op: &O<'_>) {
        if !self.env.target.deterministic {
            return;
        }
        let Some(ty) = chosen(op) else { return };
        let value = self.pop_lanes(ty);
        let nan = self.b.ins().fcmp(FloatCC::Unordered, value, value);
        if ty.is_vector() {
            let canonical = if ty == F32X4 {
                u128::from(NAN32) * 0x1_0000_0001_0000_0001_0000_0001
            } else {
                u128::from(NAN64) * 0x1_0000_0000_0000_0001
            };
            let canonical = self.vector_const(ty, canonical.to_le_bytes());
            let nan = self.lanes(nan, ty);
            let value = self.b.ins().bitselect(nan, canonical, value);
            self.push_vector(value);
        } else {
            let canonical = match ty {
                F32 => self.b.ins().f32const(f32::from_bits(NAN32)),
                _ => self.b.ins().f64const(f64::from_bits(NAN64)),
            };
            let value = self.b.ins().select(nan, canonical, value);
            self.push(value);
        }
    }
}

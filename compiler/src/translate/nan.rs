//! Canonical NaNs for deterministic code (Core specification, appendix "Profiles"): a selection follows each
//! operator whose NaN result the host chooses.

use cranelift_codegen::ir::{
    InstBuilder,
    condcodes::FloatCC,
    types::{F32, F32X4, F64, F64X2},
};
use lithe_parser::Operator as O;
use lithe_validator::{Floats, chosen_nans};

use super::Translator;

/// The bits of the canonical NaN.
const NAN32: u32 = 0x7fc0_0000;
const NAN64: u64 = 0x7ff8_0000_0000_0000;

impl Translator<'_> {
    /// Makes the result of the operator just translated canonical, where the host chooses its NaNs.
    pub(super) fn canonicalize(&mut self, op: &O<'_>) {
        if !self.env.target.deterministic {
            return;
        }
        let ty = match chosen_nans(op) {
            None => return,
            Some(Floats::F32) => F32,
            Some(Floats::F64) => F64,
            Some(Floats::F32x4) => F32X4,
            Some(Floats::F64x2) => F64X2,
        };
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

//! Canonical NaNs for deterministic code (Core specification, appendix "Profiles"): an operation follows each
//! operator whose NaN result the host chooses.

use lithe_parser::Operator as O;
use lithe_validator::{Floats, chosen_nans};

use crate::op::{Class, Op};

use super::{Translator, stack::Place};

impl Translator<'_> {
    /// Makes the result of the operator just translated canonical, where the host chooses its NaNs.
    pub(super) fn canonicalize(&mut self, op: &O<'_>) {
        let Some(floats) = chosen_nans(op) else { return };
        let value = self.pop();
        debug_assert_eq!(value.place, Place::Own);
        let (op, class) = match floats {
            Floats::F32 => (Op::CanonicalF32, Some(Class::F32)),
            Floats::F64 => (Op::CanonicalF64, Some(Class::F64)),
            Floats::F32x4 => (Op::CanonicalF32x4, None),
            Floats::F64x2 => (Op::CanonicalF64x2, None),
        };
        self.result(op, [0, value.slot, 0, 0], value.wide, class);
    }
}

//! A validated body to CLIF in one forward pass. The driver calls it once per function. Invariant: where code is
//! reachable, `stack` has exactly the values of the specification's operand stack.
//!
//! ```text
//! control   blocks, labels, branches        numeric  scalar arithmetic and conversions
//! calls     functions and tables            simd     vectors
//! memory    linear memories                 atomic   atomic accesses
//! ```

mod lanes;
mod nan;
mod numeric;
mod simd;

use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, TrapCode, Value};
use cranelift_frontend::FunctionBuilder;
use lithe_types::TrapKind;

use crate::env::Env;

/// How the bytes of values stand in casts, on every machine.
const LITTLE: MemFlagsData = MemFlagsData::new().with_endianness(Endianness::Little);

/// A function under translation.
pub(crate) struct Translator<'a> {
    pub env: &'a Env<'a>,
    pub b: FunctionBuilder<'a>,
    /// The operand stack. References to functions are I64, other references I32, vectors I8X16.
    pub stack: Vec<Value>,
}

impl Translator<'_> {
    pub(crate) fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    /// The top of the stack; validation proves that there is one.
    pub(crate) fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or(Value::from_u32(0))
    }

    /// The two topmost values, the lower one first.
    pub(crate) fn pop2(&mut self) -> (Value, Value) {
        let b = self.pop();
        (self.pop(), b)
    }

    /// Traps when `condition` is not zero.
    pub(crate) fn trap_if(&mut self, condition: Value, kind: TrapKind) {
        self.b.ins().trapnz(condition, TrapCode::unwrap_user(kind as u8));
    }
}

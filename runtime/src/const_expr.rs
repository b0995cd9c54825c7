//! Evaluation of constant expressions (Core specification, section 4.6.3). Called at instantiation.

use alloc::vec::Vec;

use lithe_parser::{ConstExpr, ConstOp};

use crate::{Func, Global};

/// What a constant expression may refer to: globals and functions created so far.
pub(crate) struct Env<'a> {
    pub(crate) globals: &'a [*mut Global],
    pub(crate) funcs: &'a [*mut Func],
}

impl Env<'_> {
    /// The value as slots, or the name of an operator that is not evaluated.
    pub(crate) fn eval(&self, expr: &ConstExpr) -> Result<[u64; 2], &'static str> {
        if let ConstExpr::One(op) = expr {
            return self.operand(op).ok_or("a malformed constant expression");
        }
        let mut stack: Vec<[u64; 2]> = Vec::new();
        for op in expr.ops() {
            if let Some(value) = self.operand(op) {
                stack.push(value);
                continue;
            }
            let (Some([b, _]), Some([a, _])) = (stack.pop(), stack.pop()) else {
                return Err("a malformed constant expression");
            };
            let (a32, b32) = (a as u32, b as u32);
            let value = match op {
                ConstOp::I32Add => u64::from(a32.wrapping_add(b32)),
                ConstOp::I32Sub => u64::from(a32.wrapping_sub(b32)),
                ConstOp::I32Mul => u64::from(a32.wrapping_mul(b32)),
                ConstOp::I64Add => a.wrapping_add(b),
                ConstOp::I64Sub => a.wrapping_sub(b),
                ConstOp::I64Mul => a.wrapping_mul(b),
                ConstOp::Other(name) => return Err(name),
                _ => return Err("a malformed constant expression"),
            };
            stack.push([value, 0]);
        }
        stack.pop().ok_or("a malformed constant expression")
    }

    /// The value of an operator that takes no operands.
    fn operand(&self, op: &ConstOp) -> Option<[u64; 2]> {
        Some(match *op {
            ConstOp::I32Const(value) => [u64::from(value as u32), 0],
            ConstOp::I64Const(value) => [value as u64, 0],
            ConstOp::F32Const(bits) => [u64::from(bits), 0],
            ConstOp::F64Const(bits) => [bits, 0],
            ConstOp::V128Const(bits) => bits,
            ConstOp::RefNull => [0, 0],
            // SAFETY: validation proves the index, and globals live as long as the store.
            ConstOp::GlobalGet(index) => unsafe { (**self.globals.get(index as usize)?).value },
            ConstOp::RefFunc(index) => [*self.funcs.get(index as usize)? as usize as u64, 0],
            _ => return None,
        })
    }
}

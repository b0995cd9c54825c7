//! Operators to CLIF. Those with more to it stand in files of their own; code that cannot be reached is skipped but
//! for its block structure.

use cranelift_codegen::ir::InstBuilder;
use lithe_parser::Operator as O;
use lithe_types::TrapKind;
use lithe_validator::costs_nothing;

use super::{TranslateError, Translator};

impl Translator<'_> {
    pub(super) fn operator(&mut self, op: &O<'_>) -> Result<(), TranslateError> {
        if self.dead > 0 {
            match op {
                O::Block { .. }
                | O::Loop { .. }
                | O::If { .. }
                | O::TryTable { .. }
                | O::Try { .. } => self.dead += 1,
                O::Else if self.dead == 1 => self.else_(),
                O::End if self.dead == 1 => self.end(),
                O::Catch { .. } | O::CatchAll | O::Delegate { .. } if self.dead == 1 => {
                    self.exception(op);
                }
                O::End | O::Delegate { .. } => self.dead -= 1,
                _ => {}
            }
            return Ok(());
        }
        if !costs_nothing(op) {
            self.charge();
        }
        match op {
            O::Nop => {}
            O::Unreachable => {
                self.mark_cold();
                self.trap(TrapKind::Unreachable);
                self.unreachable();
            }
            O::Block { blockty } => self.block(blockty),
            O::Loop { blockty } => self.loop_(blockty),
            O::If { blockty } => self.if_(blockty),
            O::Else => self.else_(),
            O::End => self.end(),
            O::Br { relative_depth } => self.br(*relative_depth),
            O::BrIf { relative_depth } => self.br_if(*relative_depth),
            O::BrTable { targets } => self.br_table(targets),
            O::Return => {
                self.return_();
                self.unreachable();
            }
            O::Drop => {
                self.pop();
            }
            O::Select | O::TypedSelect { .. } => {
                let condition = self.pop();
                let (a, b) = self.pop2();
                let value = self.b.ins().select(condition, a, b);
                self.push(value);
            }
            O::LocalGet { local_index } => {
                let value = self.local(*local_index);
                self.push(value);
            }
            O::LocalSet { local_index } => {
                let value = self.pop();
                self.set_local(*local_index, value);
            }
            O::LocalTee { local_index } => {
                let value = self.pop();
                self.set_local(*local_index, value);
                self.push(value);
            }
            _ if self.numeric(op)
                || self.access(op)
                || self.simd(op)
                || self.atomic(op)
                || self.call_operator(op)
                || self.entity(op)
                || self.whole_memory(op)
                || self.exception(op)
                || self.gc(op) => {}
            _ => return Err(TranslateError::Unsupported(self.offset)),
        }
        Ok(())
    }
}

//! Calls of every kind to operations. A callee finds its arguments at the end of its caller's operands.

use lithe_parser::Operator as O;
use lithe_runtime::layout::HEADER_SLOTS;
use lithe_types::FuncType;

use crate::op::Op;

use super::{Translator, ops::both};

impl Translator<'_> {
    /// Translates a call; `false` when the operator is none.
    pub(super) fn calls(&mut self, op: &O<'_>) -> bool {
        match op {
            O::Call { function_index } => self.call(*function_index),
            O::ReturnCall { function_index } => self.return_call(*function_index),
            O::CallIndirect { type_index, table_index } => {
                let index = self.pop_slot();
                let Some(ty) = self.module.func_type(*type_index) else { return true };
                let sp = self.arguments(ty);
                self.emit_imm(Op::CallIndirect, sp, index, *table_index as i32);
                self.cells.push(self.signature(*type_index));
                self.results_of(ty);
            }
            O::ReturnCallIndirect { type_index, table_index } => {
                let index = self.pop_slot();
                let Some(ty) = self.module.func_type(*type_index) else { return true };
                let [first, count, own] = self.tail_arguments(ty);
                self.emit(Op::ReturnCallIndirect, [first, count, own, index]);
                self.cells.push(self.signature(*type_index));
                self.cells.push(u64::from(*table_index));
                self.return_from(ty, first);
            }
            O::CallRef { type_index } => {
                let callee = self.pop_slot();
                let Some(ty) = self.module.func_type(*type_index) else { return true };
                let sp = self.arguments(ty);
                self.emit(Op::CallRef, [sp, callee, 0, 0]);
                self.results_of(ty);
            }
            O::ReturnCallRef { type_index } => {
                let callee = self.pop_slot();
                let Some(ty) = self.module.func_type(*type_index) else { return true };
                let [first, count, own] = self.tail_arguments(ty);
                self.emit(Op::ReturnCallRef, [first, count, own, callee]);
                self.return_from(ty, first);
            }
            _ => return false,
        }
        true
    }

    /// The canonical id of a type; the upper half says whether it can have subtypes.
    fn signature(&self, type_index: u32) -> u64 {
        let open = !self.module.types[type_index as usize].is_final;
        both(self.code.types()[type_index as usize], u32::from(open))
    }

    /// Brings the arguments to where the callee expects them and pops them; gives the callee's slot 0.
    fn arguments(&mut self, ty: &FuncType) -> i16 {
        self.own_top(ty.params.len());
        for _ in 0..ty.params.len() {
            self.pop();
        }
        let sp = self.height + ty.param_slots() + HEADER_SLOTS as u32;
        self.max_height = self.max_height.max(sp);
        sp as i16
    }

    /// Pushes what a call returned.
    fn results_of(&mut self, ty: &FuncType) {
        self.forget();
        for ty in &ty.results {
            self.push(ty.slots() == 2);
        }
        self.forget();
    }

    /// First argument, argument slots, and the running function's parameter slots, for a tail call.
    fn tail_arguments(&mut self, ty: &FuncType) -> [i16; 3] {
        self.arguments(ty);
        [self.height as i16, ty.param_slots() as i16, self.ty.param_slots() as i16]
    }

    /// Returns what a host function, tail-called, wrote from slot `first` on.
    fn return_from(&mut self, ty: &FuncType, first: i16) {
        debug_assert_eq!(first, self.height as i16);
        self.outside_tries();
        self.results_of(ty);
        self.return_();
        self.unreachable();
    }

    fn call(&mut self, func: u32) {
        let Some(ty) = self.module.type_of_func(func) else { return };
        let sp = self.arguments(ty);
        match func.checked_sub(self.module.imported_funcs) {
            Some(own) => {
                self.emit(Op::Call, [sp, 0, 0, 0]);
                self.cells.push(core::ptr::from_ref(&self.slots[own as usize]) as usize as u64);
            }
            None => {
                self.emit_imm(Op::CallImported, sp, 0, func as i32);
            }
        }
        self.results_of(ty);
    }

    fn return_call(&mut self, func: u32) {
        let Some(ty) = self.module.type_of_func(func) else { return };
        let [first, count, own] = self.tail_arguments(ty);
        match func.checked_sub(self.module.imported_funcs) {
            Some(defined) => {
                self.emit(Op::ReturnCall, [first, count, own, 0]);
                let slot = core::ptr::from_ref(&self.slots[defined as usize]);
                self.cells.push(slot as usize as u64);
                self.unreachable();
            }
            None => {
                self.emit(Op::ReturnCallImported, [first, count, own, 0]);
                self.cells.push(u64::from(func));
                self.return_from(ty, first);
            }
        }
    }
}

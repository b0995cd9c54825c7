//! Accesses to memories with operations of their own for each place that address and value stand in. Called by
//! `ops` for scalar loads and stores, and asked where an access goes.

use lithe_parser::{MemArg, MemArgTarget};

use crate::op::{Class, Load, Op, Store};

use super::{
    Translator,
    stack::{Place, Value},
};

/// The memory of an access. Access to arrays is a proposal that no feature of Lithe enables.
pub(super) fn memory_of(memarg: &MemArg) -> u32 {
    match memarg.target {
        MemArgTarget::Memory(index) => index,
        MemArgTarget::Array(_) => 0,
    }
}

impl Translator<'_> {
    /// Whether other threads may access the memory of an access.
    pub(super) fn shared(&self, memarg: &MemArg) -> bool {
        self.module.memories[memory_of(memarg) as usize].shared
    }

    /// Whether an access can use the registers of memory 0.
    pub(super) fn near(&self, memarg: &MemArg) -> bool {
        memory_of(memarg) == 0
            && !self.module.memories[0].is64
            && !self.module.memories[0].shared
            && u32::try_from(memarg.offset).is_ok()
    }

    /// The addition that gave an address, taken back: its form and operand cell.
    fn take_sum(&mut self, address: Value, offset: u64, imm: bool) -> Option<(usize, u64)> {
        let last = self.last.as_ref().filter(|_| address.place == Place::Own)?;
        let short = u16::try_from(offset).is_ok();
        let form = match last.op {
            Op::I32AddSS if short => 0,
            Op::I32AddSI if imm => 1,
            Op::I32AddAS if short => 2,
            Op::I32AddAI if imm => 3,
            _ => return None,
        };
        let (_, operands) = self.take_last(address.slot)?;
        Some((form, operands))
    }

    pub(super) fn load(&mut self, op: &Load, memarg: MemArg) {
        let address = self.pop();
        let near = self.near(&memarg);
        if near && let Some((form, operands)) = self.take_sum(address, memarg.offset, true) {
            let field = |k: u32| (operands >> (16 * k)) as i16;
            let code = op.sums[form];
            if form % 2 == 0 {
                let offset = memarg.offset as i16;
                return self.result(code, [0, field(1), field(2), offset], false, Some(op.result));
            }
            self.result_imm(code, field(1), (operands >> 32) as i32, Some(op.result));
            self.cells.push(memarg.offset);
            return;
        }
        let address = self.slot_of(address);
        if near {
            let form = usize::from(self.in_acc(Class::Int, address));
            self.result_imm(op.forms[form], address, memarg.offset as i32, Some(op.result));
        } else {
            let operands = [0, address, memory_of(&memarg) as i16, 0];
            let form = 2 + usize::from(self.shared(&memarg));
            self.result(op.forms[form], operands, false, Some(op.result));
            self.cells.push(memarg.offset);
        }
    }

    pub(super) fn store(&mut self, op: &Store, memarg: MemArg) {
        let (value, address) = (self.pop(), self.pop());
        if !self.near(&memarg) {
            let (address, value) = (self.slot_of(address), self.slot_of(value));
            let form = 5 + usize::from(self.shared(&memarg));
            self.emit(op.forms[form], [address, value, memory_of(&memarg) as i16, 0]);
            self.cells.push(memarg.offset);
            return;
        }
        let offset = memarg.offset as i32;
        // A value that was computed comes after its address: only others leave the sum as the last operation.
        if value.place != Place::Own
            && let Some((form, operands)) = self.take_sum(address, memarg.offset, false)
        {
            let field = |k: u32| (operands >> (16 * k)) as i16;
            let (a, b, short) = (field(1), field(2), memarg.offset as i16);
            if let Place::Const(bits) = value.place {
                self.emit(op.sums[form + 1], [a, b, 0, short]);
                self.cells.push(bits);
            } else {
                let value = self.slot_of(value);
                self.emit(op.sums[form], [a, b, value, short]);
            }
            return;
        }
        if let Place::Const(bits) = value.place {
            let address = self.slot_of(address);
            let form = if self.in_acc(Class::Int, address) { 4 } else { 3 };
            self.emit_imm(op.forms[form], address, 0, offset);
            self.cells.push(bits);
            return;
        }
        let (address, value) = (self.slot_of(address), self.slot_of(value));
        let form = if self.in_acc(Class::Int, value) {
            1
        } else if self.in_acc(Class::Int, address) {
            2
        } else {
            0
        };
        self.emit_imm(op.forms[form], address, value, offset);
    }
}

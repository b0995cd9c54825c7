//! Writing cells, and what is known about the code just written. Invariant: `accs` names only slots whose
//! value really is in that accumulator when execution reaches the end of the code.

use crate::{
    dispatch,
    op::{Class, Op},
};

use super::Translator;

/// The operation at the end of the code, while its result may still get another destination.
pub(super) struct Last {
    pub at: usize,
    pub op: Op,
    pub dst: i16,
    /// The accumulators before it.
    pub before: [Option<i16>; 3],
}

/// An operand cell of four fields.
fn fields(fields: [i16; 4]) -> u64 {
    fields.iter().rev().fold(0, |cell, field| cell << 16 | u64::from(*field as u16))
}

/// An operand cell of two fields and an immediate.
fn fields_imm(a: i16, b: i16, imm: i32) -> u64 {
    fields([a, b, 0, 0]) | u64::from(imm as u32) << 32
}

impl Translator<'_> {
    /// Writes an operation and gives its position.
    pub(super) fn emit(&mut self, op: Op, operands: [i16; 4]) -> usize {
        self.start(op, fields(operands))
    }

    /// Writes an operation with an immediate and gives its position.
    pub(super) fn emit_imm(&mut self, op: Op, a: i16, b: i16, imm: i32) -> usize {
        self.start(op, fields_imm(a, b, imm))
    }

    fn start(&mut self, op: Op, operands: u64) -> usize {
        let at = self.cells.len();
        if let Some(map) = &mut self.map {
            map.push((at as u32 - 1, self.offset));
        }
        self.cells.push(dispatch::word(op, self.config.threaded));
        if op.format().2 > 1 {
            self.cells.push(operands);
        }
        self.previous = self.last.take();
        at
    }

    /// Notes that the operation at `at` wrote its result to `dst` and, with a class, to that accumulator.
    pub(super) fn wrote(&mut self, at: usize, op: Op, dst: i16, class: Option<Class>) {
        let before = self.accs;
        self.clobber(dst);
        if let Some(class) = class {
            self.accs[class as usize] = Some(dst);
        }
        self.last = Some(Last { at, op, dst, before });
    }

    /// Notes that slot `dst` changed.
    pub(super) fn clobber(&mut self, dst: i16) {
        for acc in &mut self.accs {
            if *acc == Some(dst) {
                *acc = None;
            }
        }
    }

    /// Notes that the accumulator of `class` holds the value of `slot`, which no other one holds.
    pub(super) fn hold(&mut self, class: Class, slot: i16) {
        self.accs[class as usize] = Some(slot);
    }

    /// Notes that control may arrive here from elsewhere, or that anything may have happened.
    pub(super) fn forget(&mut self) {
        self.accs = [None; 3];
        self.last = None;
        self.previous = None;
    }

    /// Whether the accumulator of `class` holds the value of `slot`.
    pub(super) fn in_acc(&self, class: Class, slot: i16) -> bool {
        self.accs[class as usize] == Some(slot)
    }

    /// Gives the last operation another destination, if its result was in `slot`. Whoever asks owns the only
    /// value in that slot.
    pub(super) fn redirect(&mut self, slot: i16, to: i16) -> bool {
        let Some(last) = self.last.as_mut().filter(|last| last.dst == slot) else { return false };
        let cell = &mut self.cells[last.at + 1];
        *cell = *cell & !0xffff | u64::from(to as u16);
        last.dst = to;
        let held = self.accs.map(|acc| acc == Some(slot));
        self.clobber(to);
        for (acc, held) in self.accs.iter_mut().zip(held) {
            if held {
                *acc = Some(to);
            }
        }
        true
    }

    /// Takes the last operation back, if its result was in `slot`. The one before it is the last one then.
    pub(super) fn take_last(&mut self, slot: i16) -> Option<(Last, u64)> {
        let last = self.last.take_if(|last| last.dst == slot)?;
        let operands = self.cells[last.at + 1];
        self.cells.truncate(last.at);
        if let Some(map) = &mut self.map {
            map.truncate(map.partition_point(|(cell, _)| (*cell as usize) < last.at - 1));
        }
        self.accs = last.before;
        self.last = self.previous.take();
        Some((last, operands))
    }

    /// Replaces the last operation by another of the same format.
    pub(super) fn replace_last(&mut self, op: Op) {
        if let Some(last) = &mut self.last {
            last.op = op;
            self.cells[last.at] = dispatch::word(op, self.config.threaded);
        }
    }

    /// Begins a region of operators that are charged together.
    pub(super) fn begin_region(&mut self, check: bool) {
        if self.config.fuel {
            let op = if check { Op::FuelCheck } else { Op::Fuel };
            self.fuel_at = Some(self.emit_imm(op, 0, 0, 0));
        }
    }

    /// Charges one operator to the current region.
    pub(super) fn charge(&mut self) {
        if let Some(at) = self.fuel_at {
            self.cells[at + 1] += 1 << 32;
        }
    }
}

//! The symbolic operand stack. A value stands in its own slot, still in a local, or is a constant; it moves
//! to its own slot only when something needs it there. Invariant: a local that is written holds no values
//! of the stack any more.

use crate::op::{Class, Op};

use super::{Translator, control::Control};

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// In its own slot.
    Own,
    /// In the slot of a local, which has this index.
    Local(i16, u32),
    /// Nowhere: it is known.
    Const(u64),
}

/// A value of the operand stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub place: Place,
    /// Its own slot, given by its position.
    pub slot: i16,
    /// Whether it takes two slots.
    pub wide: bool,
}

impl Translator<'_> {
    fn push_value(&mut self, place: Place, wide: bool) -> i16 {
        let slot = self.height as i16;
        self.values.push(Value { place, slot, wide });
        self.height += if wide { 2 } else { 1 };
        self.max_height = self.max_height.max(self.height);
        if let Place::Local(_, index) = place {
            self.in_locals += 1;
            self.locals[index as usize].values += 1;
        }
        slot
    }

    /// Pushes a value that the next operation writes to the slot given.
    pub(super) fn push(&mut self, wide: bool) -> i16 {
        self.push_value(Place::Own, wide)
    }

    pub(super) fn push_const(&mut self, bits: u64) {
        self.push_value(Place::Const(bits), false);
    }

    pub(super) fn push_local(&mut self, index: u32) {
        let local = self.locals[index as usize];
        self.push_value(Place::Local(local.slot, index), local.wide);
    }

    /// Pushes a value again that was just popped.
    pub(super) fn push_again(&mut self, value: Value) {
        self.push_value(value.place, value.wide);
    }

    /// Pops a value. Validation proves that there is one.
    pub(super) fn pop(&mut self) -> Value {
        let value = self.values.pop().unwrap_or(Value { place: Place::Own, slot: 0, wide: false });
        self.height = value.slot as u32;
        self.left_local(value.place);
        value
    }

    /// Notes that a value stands in its local no more.
    fn left_local(&mut self, place: Place) {
        if let Place::Local(_, index) = place {
            self.in_locals -= 1;
            self.locals[index as usize].values -= 1;
        }
    }

    /// Drops values down to the state that `control` began with.
    pub(super) fn truncate(&mut self, control: &Control) {
        while self.values.len() > control.values {
            self.pop();
        }
        self.height = control.base;
    }

    /// The slot that a popped value can be read from; a constant is written to its own slot first.
    pub(super) fn slot_of(&mut self, value: Value) -> i16 {
        match value.place {
            Place::Own => value.slot,
            Place::Local(slot, _) => slot,
            Place::Const(bits) => {
                self.constant(value.slot, bits);
                value.slot
            }
        }
    }

    /// A popped value that stands in a slot; a constant is written to its own.
    pub(super) fn readable(&mut self, value: Value) -> Value {
        self.slot_of(value);
        match value.place {
            Place::Const(_) => Value { place: Place::Own, ..value },
            _ => value,
        }
    }

    fn constant(&mut self, dst: i16, bits: u64) {
        let signed = bits as i32;
        let (op, at) = if signed as u64 == bits {
            (Op::Const, self.emit_imm(Op::Const, dst, 0, signed))
        } else if u64::from(bits as u32) == bits {
            (Op::ConstU, self.emit_imm(Op::ConstU, dst, 0, signed))
        } else {
            let at = self.emit(Op::Const64, [dst, 0, 0, 0]);
            self.cells.push(bits);
            (Op::Const64, at)
        };
        self.wrote(at, op, dst, Some(Class::Int));
    }

    /// Copies a value to `dst`.
    pub(super) fn copy(&mut self, dst: i16, value: Value) {
        let src = match value.place {
            Place::Const(bits) => return self.constant(dst, bits),
            Place::Own => value.slot,
            Place::Local(slot, _) => slot,
        };
        if src == dst {
            return;
        }
        if value.wide {
            let at = self.emit(Op::CopyV, [dst, src, 0, 0]);
            self.clobber(dst + 1);
            self.wrote(at, Op::CopyV, dst, None);
        } else {
            let at = self.emit(Op::Copy, [dst, src, 0, 0]);
            self.wrote(at, Op::Copy, dst, Some(Class::Int));
        }
    }

    /// Brings the value at stack position `index` to its own slot.
    fn own(&mut self, index: usize) {
        let value = self.values[index];
        if value.place != Place::Own {
            self.copy(value.slot, value);
            self.left_local(value.place);
            self.values[index].place = Place::Own;
        }
    }

    /// Brings the top `count` values to their own slots.
    pub(super) fn own_top(&mut self, count: usize) {
        for index in self.values.len().saturating_sub(count)..self.values.len() {
            self.own(index);
        }
    }

    /// Brings every value that stands in a local to its own slot: code that follows may run more than once,
    /// or not at all, and may write the local. Going down from the top until all are found keeps the cost
    /// in proportion to what was pushed since the last time.
    pub(super) fn own_locals(&mut self) {
        let mut index = self.values.len();
        while self.in_locals > 0 && index > 0 {
            index -= 1;
            if matches!(self.values[index].place, Place::Local(..)) {
                self.own(index);
            }
        }
    }

    /// Makes a value the new value of a local.
    pub(super) fn set_local(&mut self, index: u32, value: Value) {
        let local = self.locals[index as usize];
        let slot = local.slot;
        if value.place == Place::Local(slot, index) {
            return;
        }
        if local.values > 0 {
            let mut at = self.values.len();
            while self.locals[index as usize].values > 0 && at > 0 {
                at -= 1;
                if self.values[at].place == Place::Local(slot, index) {
                    self.own(at);
                }
            }
        } else if value.place == Place::Own && self.redirect(value.slot, slot) {
            if value.wide {
                self.clobber(slot + 1);
            }
            return;
        }
        self.copy(slot, value);
    }
}

//! Values of the host that objects of the heap refer to by number. [`super::Heap`] adds them, the marker notes
//! those whose object lives, and the end of a collection takes the others out. Invariant: a number means the same
//! value for as long as an object with that number can be reached.

use alloc::{boxed::Box, vec::Vec};
use core::any::Any;

/// A host value.
pub(super) type Value = Box<dyn Any + Send + Sync>;

/// Host values of one heap at most.
const MAX_EXTERNALS: usize = 1 << 20;

enum Slot {
    Used(Value),
    /// The next free slot.
    Free(Option<u32>),
}

/// The host values of a heap.
pub(super) struct Externals {
    slots: Vec<Slot>,
    free: Option<u32>,
    /// One bit for each slot: whether its object was marked. All zero between collections.
    pub(super) marks: Vec<u64>,
    /// The value added last, whose object may still have to be allocated.
    newest: Option<u32>,
}

impl Externals {
    pub(super) const fn new() -> Externals {
        Externals { slots: Vec::new(), free: None, marks: Vec::new(), newest: None }
    }

    /// Whether no further value can be kept.
    pub(super) fn is_full(&self) -> bool {
        self.free.is_none() && self.slots.len() >= MAX_EXTERNALS
    }

    /// Keeps `value`, or gives `None` when there are too many.
    pub(super) fn add(&mut self, value: Value) -> Option<u32> {
        let number = match self.free {
            Some(number) => {
                let slot = self.slots.get_mut(number as usize)?;
                let Slot::Free(next) = *slot else { return None };
                *slot = Slot::Used(value);
                self.free = next;
                number
            }
            None if self.slots.len() >= MAX_EXTERNALS => return None,
            None => {
                self.slots.push(Slot::Used(value));
                self.marks.resize(self.slots.len().div_ceil(64), 0);
                self.slots.len() as u32 - 1
            }
        };
        self.newest = Some(number);
        Some(number)
    }

    /// The value with this number.
    pub(super) fn value(&self, number: u32) -> Option<&(dyn Any + Send + Sync)> {
        match self.slots.get(number as usize)? {
            Slot::Used(value) => Some(&**value),
            Slot::Free(_) => None,
        }
    }

    /// Lets the value added last survive the coming sweep: its object may be what room is made for.
    pub(super) fn spare_newest(&mut self) {
        if let Some(number) = self.newest {
            mark(&mut self.marks, number);
        }
    }

    /// Takes out the values without a mark and clears the marks.
    pub(super) fn sweep(&mut self) -> Vec<Value> {
        let mut dead = Vec::new();
        for (number, slot) in (0..).zip(&mut self.slots) {
            if is_marked(&self.marks, number) || matches!(slot, Slot::Free(_)) {
                continue;
            }
            if let Slot::Used(value) = core::mem::replace(slot, Slot::Free(self.free)) {
                self.free = Some(number);
                dead.push(value);
            }
        }
        self.marks.fill(0);
        self.newest = None;
        dead
    }
}

/// Notes that the object of the external with this number lives.
pub(super) fn mark(marks: &mut [u64], number: u32) {
    if let Some(word) = marks.get_mut(number as usize / 64) {
        *word |= 1 << (number % 64);
    }
}

fn is_marked(marks: &[u64], number: u32) -> bool {
    marks.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 != 0)
}

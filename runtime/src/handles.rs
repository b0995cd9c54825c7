//! References in the hands of the host. Each has an entry here, so the collector finds what it refers to; the
//! host holds the entry's number. Entries made inside a scope are gone when the scope ends. Invariant: a number
//! whose generation is not that of its entry refers to nothing.

use alloc::vec::Vec;

/// A reference that the host holds: an entry's number and generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rooted {
    index: u32,
    generation: u64,
}

/// The references of one store that the host holds.
pub(crate) struct Handles {
    /// Slot and generation by number; entries at and above `len` are free.
    entries: Vec<(u64, u64)>,
    len: usize,
    /// Never comes around: it grows by one with each scope.
    generation: u64,
}

impl Handles {
    pub(crate) const fn new() -> Handles {
        Handles { entries: Vec::new(), len: 0, generation: 0 }
    }

    /// Keeps what `slot` refers to alive.
    pub(crate) fn add(&mut self, slot: u64) -> Rooted {
        let generation = self.generation;
        match self.entries.get_mut(self.len) {
            Some(entry) => *entry = (slot, generation),
            None => self.entries.push((slot, generation)),
        }
        self.len += 1;
        Rooted { index: self.len as u32 - 1, generation }
    }

    /// The slot that the host holds, unless its scope ended.
    pub(crate) fn slot(&self, handle: Rooted) -> Option<u64> {
        let (slot, generation) = self.entries[..self.len].get(handle.index as usize)?;
        (*generation == handle.generation).then_some(*slot)
    }

    /// The end of the entries, to be given back to [`Handles::leave`].
    pub(crate) fn enter(&self) -> usize {
        self.len
    }

    /// Lets go of all entries made since `mark`.
    pub(crate) fn leave(&mut self, mark: usize) {
        if mark < self.len {
            self.len = mark;
            self.generation += 1;
        }
    }

    /// The slots that are held.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u64> {
        self.entries[..self.len].iter().map(|(slot, _)| *slot)
    }
}

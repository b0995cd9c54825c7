//! [`Table`]: the descriptor numbers of a guest.
//!
//! Invariant: a new descriptor gets the lowest free number, as POSIX programs expect, and there are
//! never more descriptors than the limit, so a guest that never closes gets `mfile`.

use crate::Errno;
use crate::descriptor::{Descriptor, Dir};
use crate::rights::Rights;

#[derive(Debug)]
pub(crate) struct Table {
    slots: Vec<Option<Descriptor>>,
    /// No slot below this one is free.
    lowest_free: usize,
    limit: usize,
}

impl Table {
    pub fn new(limit: u32) -> Table {
        Table { slots: Vec::new(), lowest_free: 0, limit: limit as usize }
    }

    /// Fails with `mfile` if [`insert`](Table::insert) would; for callers whose way to a descriptor
    /// has effects that cannot be undone.
    pub fn reserve(&mut self) -> Result<(), Errno> {
        while self.slots.get(self.lowest_free).is_some_and(Option::is_some) {
            self.lowest_free += 1;
        }
        if self.lowest_free < self.limit { Ok(()) } else { Err(Errno::Mfile) }
    }

    /// Gives `descriptor` the lowest free number.
    pub fn insert(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        self.reserve()?;
        let fd = self.lowest_free;
        match self.slots.get_mut(fd) {
            Some(slot) => *slot = Some(descriptor),
            None => self.slots.push(Some(descriptor)),
        }
        u32::try_from(fd).map_err(|_| Errno::Mfile)
    }

    pub fn get(&self, fd: u32) -> Result<&Descriptor, Errno> {
        self.slots.get(fd as usize).and_then(Option::as_ref).ok_or(Errno::Badf)
    }

    pub fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        self.slots.get_mut(fd as usize).and_then(Option::as_mut).ok_or(Errno::Badf)
    }

    /// The directory `fd`, which must have `rights`.
    pub fn dir(&self, fd: u32, rights: Rights) -> Result<&Dir, Errno> {
        let descriptor = self.get(fd)?;
        let dir = descriptor.dir()?;
        descriptor.require(rights)?;
        Ok(dir)
    }

    pub fn remove(&mut self, fd: u32) -> Result<Descriptor, Errno> {
        let slot = self.slots.get_mut(fd as usize).ok_or(Errno::Badf)?;
        let descriptor = slot.take().ok_or(Errno::Badf)?;
        self.lowest_free = self.lowest_free.min(fd as usize);
        Ok(descriptor)
    }

    /// Moves `from` over `to`, closing what `to` was; both must be open.
    pub fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.get(from)?;
        self.get(to)?;
        if from != to {
            let descriptor = self.remove(from)?;
            *self.get_mut(to)? = descriptor;
        }
        Ok(())
    }
}

//! [`Table`]: the descriptor numbers of a guest, which its threads share.
//!
//! Invariant: a new descriptor gets the lowest free number, as POSIX programs expect, and there are
//! never more descriptors than the limit, so a guest that never closes gets `mfile`. The lock is held to
//! look numbers up, never while a call works with what they stand for.

use std::sync::{Arc, Mutex};

use crate::Errno;
use crate::descriptor::{Descriptor, Dir, Object, lock};
use crate::rights::Rights;

#[derive(Debug)]
pub(crate) struct Table {
    slots: Mutex<Slots>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Slots {
    slots: Vec<Option<Arc<Descriptor>>>,
    /// No slot below this one is free.
    lowest_free: usize,
    /// How many slots are not free.
    open: usize,
    /// How many more were promised.
    reserved: usize,
}

/// The promise of a number; given back unless it is used.
pub(crate) struct Reserved<'t>(&'t Table);

impl Reserved<'_> {
    /// Gives `descriptor` the lowest free number.
    pub fn insert(self, descriptor: Descriptor) -> Result<u32, Errno> {
        let mut slots = lock(&self.0.slots);
        while slots.slots.get(slots.lowest_free).is_some_and(Option::is_some) {
            slots.lowest_free += 1;
        }
        let (fd, descriptor) = (slots.lowest_free, Some(Arc::new(descriptor)));
        match slots.slots.get_mut(fd) {
            Some(slot) => *slot = descriptor,
            None => slots.slots.push(descriptor),
        }
        slots.open += 1;
        u32::try_from(fd).map_err(|_| Errno::Mfile)
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        lock(&self.0.slots).reserved -= 1;
    }
}

/// A place among a guest's descriptors that something takes which has no number.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Table>);

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.0.slots).reserved -= 1;
    }
}

impl Table {
    pub fn new(limit: u32) -> Table {
        Table { slots: Mutex::default(), limit: limit as usize }
    }

    /// Promises a number, or fails with `mfile`; for callers whose way to a descriptor has effects that
    /// cannot be undone.
    pub fn reserve(&self) -> Result<Reserved<'_>, Errno> {
        self.count()?;
        Ok(Reserved(self))
    }

    /// Counts something as one of the guest's descriptors, or fails with `mfile`.
    pub fn seat(self: &Arc<Table>) -> Result<Seat, Errno> {
        self.count()?;
        Ok(Seat(self.clone()))
    }

    fn count(&self) -> Result<(), Errno> {
        let mut slots = lock(&self.slots);
        if slots.open + slots.reserved >= self.limit {
            return Err(Errno::Mfile);
        }
        slots.reserved += 1;
        Ok(())
    }

    /// The granted directories, in the order of their numbers.
    pub fn preopens(&self) -> Vec<Arc<Dir>> {
        let preopen = |slot: &Option<Arc<Descriptor>>| match &slot.as_ref()?.object {
            Object::Dir(dir) if dir.preopen => Some(dir.clone()),
            _ => None,
        };
        lock(&self.slots).slots.iter().filter_map(preopen).collect()
    }

    /// Gives `descriptor` the lowest free number.
    pub fn insert(&self, descriptor: Descriptor) -> Result<u32, Errno> {
        self.reserve()?.insert(descriptor)
    }

    pub fn get(&self, fd: u32) -> Result<Arc<Descriptor>, Errno> {
        lock(&self.slots).get(fd)
    }

    /// The directory `fd`, which must have `rights`.
    pub fn dir(&self, fd: u32, rights: Rights) -> Result<Arc<Dir>, Errno> {
        let descriptor = self.get(fd)?;
        let dir = descriptor.dir()?;
        descriptor.require(rights)?;
        Ok(dir.clone())
    }

    /// Frees a number. What it stood for is closed when the last call that works with it is done.
    pub fn remove(&self, fd: u32) -> Result<Arc<Descriptor>, Errno> {
        lock(&self.slots).remove(fd)
    }

    /// Moves `from` over `to`, closing what `to` was; both must be open.
    pub fn renumber(&self, from: u32, to: u32) -> Result<(), Errno> {
        let mut slots = lock(&self.slots);
        slots.get(from)?;
        slots.get(to)?;
        if from != to {
            let descriptor = slots.remove(from)?;
            let replaced = slots.slots[to as usize].replace(descriptor);
            drop(slots);
            // Closing may take its time.
            drop(replaced);
        }
        Ok(())
    }
}

impl Slots {
    fn get(&self, fd: u32) -> Result<Arc<Descriptor>, Errno> {
        self.slots.get(fd as usize).cloned().flatten().ok_or(Errno::Badf)
    }

    fn remove(&mut self, fd: u32) -> Result<Arc<Descriptor>, Errno> {
        let slot = self.slots.get_mut(fd as usize).ok_or(Errno::Badf)?;
        let descriptor = slot.take().ok_or(Errno::Badf)?;
        self.lowest_free = self.lowest_free.min(fd as usize);
        self.open -= 1;
        Ok(descriptor)
    }
}

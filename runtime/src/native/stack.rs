//! The stack that a store's guests run on: a mapping with a guard below it. Invariant: `low..top` is readable and
//! writable, and the [`GUARD`] bytes below it are neither.

use core::ptr;
use std::sync::{Mutex, PoisonError};

use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap,
};

use crate::{
    LimitError,
    abi::{FRAME_BYTES, Traps},
};

/// Bytes of the guard; code touches every stretch of this size of a larger frame.
pub(super) const GUARD: usize = 64 << 10;
/// Stacks are made of whole pages of every supported machine.
const PAGE: usize = 64 << 10;

/// Bytes at the top of a spare stack that stay in memory.
const KEPT: usize = 1 << 20;

/// Stacks that nobody uses. What they hold is of no meaning to whoever comes next.
static SPARES: Mutex<Vec<GuestStack>> = Mutex::new(Vec::new());

/// A guest's stack.
pub(super) struct GuestStack {
    map: *mut u8,
    /// The lowest usable address.
    low: usize,
    /// Where it counts as used up.
    limit: usize,
    /// Where the frames begin, a multiple of 16.
    top: usize,
    /// One past the last byte of the mapping.
    end: usize,
    traps: Traps,
}

impl GuestStack {
    /// A stack of so many bytes, for code that notices its end in this way.
    pub fn new(bytes: usize, traps: Traps) -> Result<GuestStack, LimitError> {
        let refused = || LimitError::no_memory("the stack of native code", bytes);
        // A function that checks has its frame in place when it does, and calls the runtime.
        let below = match traps {
            Traps::Checks => FRAME_BYTES as usize + PAGE,
            Traps::Signals => 0,
        };
        let bytes = bytes.checked_next_multiple_of(16).ok_or_else(refused)?;
        let usable = bytes.checked_add(below).ok_or_else(refused)?;
        let open = usable.checked_next_multiple_of(PAGE).ok_or_else(refused)?;
        let all = open.checked_add(GUARD).ok_or_else(refused)?;
        let mut spares = SPARES.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |spare: &GuestStack| {
            (spare.traps, spare.top - spare.low, spare.end - spare.low) == (traps, usable, open)
        };
        if let Some(at) = spares.iter().rposition(fits) {
            return Ok(spares.swap_remove(at));
        }
        drop(spares);
        let flags = MapFlags::PRIVATE.union(MapFlags::NORESERVE);
        let access = MprotectFlags::READ.union(MprotectFlags::WRITE);
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing.
        let map = unsafe { mmap_anonymous(ptr::null_mut(), all, ProtFlags::empty(), flags) };
        let map = map.map_err(|_| refused())?.cast::<u8>();
        let low = map as usize + GUARD;
        let stack =
            GuestStack { map, low, limit: low + below, top: low + usable, end: low + open, traps };
        // SAFETY: the range is the upper part of the mapping just made.
        unsafe { mprotect(map.add(GUARD).cast(), open, access) }.map_err(|_| refused())?;
        Ok(stack)
    }

    /// Keeps the stack for another store, unless there are so many already.
    pub fn retire(self, limit: usize) {
        if let Some(deep) = (self.top - self.low).checked_sub(KEPT).filter(|deep| *deep > 0) {
            // SAFETY: the range is accessible, and nothing runs on the stack any more. A failure keeps more in memory.
            let _ =
                unsafe { madvise(self.low as *mut _, deep & !(PAGE - 1), Advice::LinuxDontNeed) };
        }
        let mut spares = SPARES.lock().unwrap_or_else(PoisonError::into_inner);
        if spares.len() < limit {
            spares.push(self);
        }
    }

    /// Where the frames begin, a multiple of 16.
    pub fn top(&self) -> usize {
        self.top
    }

    /// How code that runs here notices the end.
    pub fn traps(&self) -> Traps {
        self.traps
    }

    /// The lowest usable address.
    pub fn low(&self) -> usize {
        self.low
    }

    /// Whether an address is one of the guard.
    pub fn guards(&self, address: usize) -> bool {
        (self.map as usize..self.low).contains(&address)
    }

    /// The address that the stack pointer is not to fall below: in code that checks for itself, and when the guest
    /// is entered.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

// SAFETY: a stack belongs to whoever has the record.
unsafe impl Send for GuestStack {}

impl Drop for GuestStack {
    fn drop(&mut self) {
        // SAFETY: the mapping belongs to this stack, on which nothing runs any more. A failure leaks it.
        let _ = unsafe { munmap(self.map.cast(), self.end - self.map as usize) };
    }
}

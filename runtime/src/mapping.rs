//! The address space of a memory: a reservation that never moves while native code uses it. `memory` lives in one. When
//! its store ends it may go back to its module (`image`), whose next instance takes it as if it were new. Invariant: `committed` bytes from the base on
//! and `below` bytes before it are readable and writable, nothing else is; what nobody has written is zero, or what the
//! module's image has there.

use core::{ops::Range, ptr};

use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap,
};

use crate::{
    Shared,
    image::Slot,
    pagemap::{self, Stretch},
};

/// Memories are made accessible in pieces of this size, a multiple of the page of every supported machine.
pub(crate) const PAGE: usize = 1 << 16;

/// Written bytes that a spare mapping keeps in memory; what is more goes back to the system.
const KEPT: usize = 1 << 20;

/// Calls a function for each stretch of a range that was written, or gives `false`.
type Written = fn(Range<usize>, &mut dyn FnMut(Stretch)) -> bool;

/// A reservation.
pub(crate) struct Mapping {
    start: *mut u8,
    /// Accessible bytes before the base, whole pages.
    pub below: usize,
    /// Bytes from the base on.
    pub reserved: usize,
    /// Those of them that are accessible.
    pub committed: usize,
    /// Where it goes when its store ends.
    pub home: Option<Home>,
}

/// A module that a mapping belongs to.
pub(crate) struct Home {
    pub slot: Shared<Slot>,
    /// Bytes that were accessible when the instance began.
    pub first: usize,
    /// Whether the module's image is mapped.
    pub imaged: bool,
}

// SAFETY: a mapping belongs to whoever has the record.
unsafe impl Send for Mapping {}

impl Mapping {
    /// A reservation of so many bytes, and so many below, whole pages, which are accessible.
    pub fn new(reserved: usize, below: usize) -> Option<Mapping> {
        let flags = MapFlags::PRIVATE.union(MapFlags::NORESERVE);
        let all = reserved.checked_add(below)?;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), all, ProtFlags::empty(), flags) };
        let start = start.ok()?.cast::<u8>();
        let mapping = Mapping { start, below, reserved, committed: 0, home: None };
        mapping.open(0..below).then_some(mapping)
    }

    /// The first byte of the memory.
    pub fn base(&self) -> *mut u8 {
        self.start.wrapping_add(self.below)
    }

    /// Makes a range of the mapping accessible, counted from its start.
    fn open(&self, range: Range<usize>) -> bool {
        let flags = MprotectFlags::READ.union(MprotectFlags::WRITE);
        let start = self.start.wrapping_add(range.start);
        // SAFETY: the range lies within the mapping, and what nobody has written is zero.
        range.is_empty() || unsafe { mprotect(start.cast(), range.len(), flags) }.is_ok()
    }

    /// Makes at least `len` bytes from the base on accessible; there are as many.
    pub fn commit(&mut self, len: usize) -> bool {
        if len <= self.committed {
            return true;
        }
        let end = len.next_multiple_of(PAGE).min(self.reserved);
        let done = self.open(self.below + self.committed..self.below + end);
        if done {
            self.committed = end;
        }
        done
    }

    /// Moves a memory with nothing below to a larger mapping.
    pub fn enlarge(&mut self, len: usize) -> bool {
        let moved = len.checked_next_multiple_of(PAGE).and_then(|size| Mapping::new(size, 0));
        let Some(mut moved) = moved.filter(|_| self.below == 0) else { return false };
        if !moved.commit(len) {
            return false;
        }
        // SAFETY: so many bytes are accessible in both mappings, which are different ones.
        unsafe { ptr::copy_nonoverlapping(self.base(), moved.base(), self.committed) };
        *self = moved;
        true
    }

    /// Makes it what it was when its instance began. `None` when it cannot be, and the mapping is gone.
    pub fn renew(self) -> Option<Mapping> {
        self.renew_by(pagemap::written)
    }

    /// The same, asking somebody else than the kernel.
    fn renew_by(mut self, written: Written) -> Option<Mapping> {
        let home = self.home.as_ref()?;
        let image = home.slot.image().filter(|_| home.imaged);
        let (first, base) = (home.first, self.base() as usize);
        let all = self.start as usize..base + self.committed;
        let mut kept = 0;
        let mut dropped = true;
        let mut forget = |range: Range<usize>| {
            // SAFETY: the range lies within the accessible part of the mapping, which nobody else refers to; it is then
            // as it was when it was mapped.
            let done =
                unsafe { madvise(range.start as *mut _, range.len(), Advice::LinuxDontNeed) };
            dropped &= done.is_ok();
        };
        let told = written(all.clone(), &mut |stretch| {
            let range = stretch.start as usize..stretch.end as usize;
            if !stretch.is_present() || kept + range.len() > KEPT {
                return forget(range);
            }
            kept += range.len();
            // SAFETY: the range lies within the accessible part of the mapping, which nobody else refers to.
            let bytes =
                unsafe { core::slice::from_raw_parts_mut(range.start as *mut u8, range.len()) };
            match image {
                Some(image) => image.restore(bytes, range.start.wrapping_sub(base) as isize),
                None => bytes.fill(0),
            }
        });
        if !told {
            forget(all);
        }
        if !dropped {
            return None;
        }
        if self.committed > first {
            let start = self.base().wrapping_add(first).cast();
            // SAFETY: as above. What was grown is zero, and is made accessible when it is grown again.
            let closed = unsafe { mprotect(start, self.committed - first, MprotectFlags::empty()) };
            closed.ok()?;
            self.committed = first;
        }
        Some(self)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping belongs to this record, and is not used afterwards. A failure leaks it.
        let _ = unsafe { munmap(self.start.cast(), self.below + self.reserved) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: usize = 64 * PAGE;

    /// A mapping that was grown and written to everywhere, and made as new.
    fn renewed(written: Written) -> Mapping {
        let slot = Shared::default();
        let mut mapping = Slot::mapping(Some(&slot), LEN, PAGE).unwrap();
        assert!(mapping.commit(3 * PAGE));
        mapping.home.as_mut().unwrap().first = mapping.committed;
        assert!(mapping.commit(40 * PAGE));
        // SAFETY: so many bytes are accessible from the start of the mapping on.
        unsafe { mapping.start.write_bytes(0xaa, 41 * PAGE) };
        mapping.renew_by(written).unwrap()
    }

    fn is_zero(mapping: &Mapping) -> bool {
        let len = mapping.below + mapping.committed;
        // SAFETY: so many bytes are accessible from the start of the mapping on, and nobody writes them.
        unsafe { core::slice::from_raw_parts(mapping.start, len) }.iter().all(|byte| *byte == 0)
    }

    #[test]
    fn mappings_are_emptied_whatever_the_kernel_tells() {
        for written in [pagemap::written as Written, |_, _| false] {
            let mut mapping = renewed(written);
            assert_eq!(mapping.committed, 3 * PAGE);
            assert!(is_zero(&mapping));
            assert!(mapping.commit(40 * PAGE));
            assert!(is_zero(&mapping));
        }
        // A kernel that tells of nothing would leave everything.
        assert!(!is_zero(&renewed(|_, _| true)));
    }
}

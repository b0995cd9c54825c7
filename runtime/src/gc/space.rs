//! The memory of a heap: one reservation that holds the objects and, behind them, the tables of the collector.
//! [`super::Heap`] makes it at the first allocation. Invariant: it never moves, all of it can be read and
//! written until it is dropped, and bytes that nobody wrote since they were handed out are zero or garbage,
//! never uninitialized.
//!
//! ```text
//! [ objects : size ][ starts : size / 64 ][ marks : size / 64 ][ lines : size / LINE / 8 ]
//! ```

use alloc::vec::Vec;
use core::ptr;

use super::lines::{LINE, Run};

/// Sizes of heaps are multiples of this, so that each table is whole words.
const GRAIN: usize = 64 << 10;
/// Bytes of a heap at most: references have 32 bits, and ends of runs must fit as well.
pub(super) const MAX_BYTES: usize =
    if cfg!(target_pointer_width = "64") { (u32::MAX as usize) - GRAIN + 1 } else { 1 << 30 };
/// When the machine refuses a reservation, smaller ones are tried, down to this many bytes.
#[cfg(feature = "std")]
const MIN_BYTES: usize = 1 << 20;
/// Without `std` a heap is a buffer of at most this many bytes.
#[cfg(not(feature = "std"))]
const MAX_BUFFER: usize = 1 << 20;
#[cfg(not(feature = "std"))]
const MIN_BYTES: usize = GRAIN;
/// What is given back to the machine, and counted as committed, is counted in these.
const BLOCK: u32 = 32 << 10;
/// A heap that grows beyond this asks for huge pages: marking is a fifth to a half faster with them.
const HUGE_FROM: u32 = 16 << 20;

/// A reservation and what of it is in use.
pub(super) struct Space {
    base: *mut u8,
    size: usize,
    /// Blocks that were handed out since they were last given back to the machine, a bit each.
    touched: Vec<u64>,
    committed: u64,
    /// End of the last touched block.
    high: u32,
}

// SAFETY: the reservation belongs to the space alone, like the contents of a box.
unsafe impl Send for Space {}

/// The parts of a space while no object is allocated.
pub(super) struct Parts<'a> {
    /// The objects.
    pub heap: &'a [u32],
    /// One bit for every 8 bytes: where an object starts.
    pub starts: &'a mut [u64],
    /// One bit for every 8 bytes: which objects are marked. All zero between collections.
    pub marks: &'a mut [u64],
    /// One bit for every line: whether it is in use.
    pub lines: &'a mut [u64],
}

impl Space {
    pub(super) const fn new() -> Space {
        Space { base: ptr::null_mut(), size: 0, touched: Vec::new(), committed: 0, high: 0 }
    }

    /// Bytes for objects; 0 until [`Space::reserve`] succeeds.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The first byte.
    pub(super) fn base(&self) -> *mut u8 {
        self.base
    }

    /// The bitmap of starts, for the engines.
    pub(super) fn starts(&self) -> *mut u64 {
        self.base.wrapping_add(self.size).cast()
    }

    /// Bytes of blocks that were handed out and not given back.
    pub(super) fn committed(&self) -> u64 {
        self.committed
    }

    /// Reserves what a heap of `limit` bytes needs, less when the machine refuses that. Called once.
    pub(super) fn reserve(&mut self, limit: usize) -> bool {
        let mut size = limit.min(MAX_BYTES).next_multiple_of(GRAIN);
        #[cfg(not(feature = "std"))]
        {
            size = size.min(MAX_BUFFER);
        }
        loop {
            if let Some(base) = map(total(size)) {
                self.base = base;
                self.size = size;
                self.touched.resize(size.div_ceil(BLOCK as usize).div_ceil(64), 0);
                return true;
            }
            if size <= MIN_BYTES {
                return false;
            }
            size = (size / 2).next_multiple_of(GRAIN);
        }
    }

    /// The objects and the tables.
    pub(super) fn parts(&mut self) -> Parts<'_> {
        if self.base.is_null() {
            return Parts { heap: &[], starts: &mut [], marks: &mut [], lines: &mut [] };
        }
        let words = self.size / 512;
        let starts = self.starts();
        // SAFETY: the four ranges lie in the reservation one after the other, are initialized and aligned (the
        // base to 16, the size to 64 KiB), and are reached through this borrow only: engines run, and bump
        // through the view, only while nobody borrows the heap.
        unsafe {
            let marks = starts.add(words);
            let lines = marks.add(words);
            Parts {
                heap: core::slice::from_raw_parts(self.base.cast(), self.size / 4),
                starts: core::slice::from_raw_parts_mut(starts, words),
                marks: core::slice::from_raw_parts_mut(marks, words),
                lines: core::slice::from_raw_parts_mut(lines, line_words(self.size)),
            }
        }
    }

    /// Notes that objects may be written to `run` from now on.
    pub(super) fn touch(&mut self, run: Run) {
        for block in run.start / BLOCK..run.end.div_ceil(BLOCK) {
            let Some(word) = self.touched.get_mut(block as usize / 64) else { return };
            let bit = 1 << (block % 64);
            if *word & bit == 0 {
                *word |= bit;
                self.committed += u64::from(BLOCK);
            }
        }
        let high = self.high.max(run.end.next_multiple_of(BLOCK));
        if self.high < HUGE_FROM && high >= HUGE_FROM {
            self.use_huge_pages();
        }
        self.high = high;
    }

    #[cfg(all(feature = "std", target_os = "linux"))]
    fn use_huge_pages(&mut self) {
        use rustix::mm::{Advice, madvise};
        let (at, len) = (self.base.wrapping_add(HUGE_FROM as usize), total(self.size));
        // SAFETY: the range is the rest of the reservation, and advice changes no contents. A machine without huge
        // pages refuses it, which harms nothing.
        let _ = unsafe { madvise(at.cast(), len - HUGE_FROM as usize, Advice::LinuxHugepage) };
    }

    #[cfg(not(all(feature = "std", target_os = "linux")))]
    fn use_huge_pages(&mut self) {}

    /// End of the part that may have been written.
    pub(super) fn high(&self) -> u32 {
        self.high
    }

    /// Gives the touched blocks inside of `run` back to the machine, the last ones first, until `budget` bytes
    /// are used up. Their contents are lost.
    pub(super) fn release(&mut self, run: Run, budget: &mut u64) {
        let (first, mut end) = (run.start.div_ceil(BLOCK), run.end / BLOCK);
        while first < end && *budget > 0 {
            let mut start = end;
            while first < start && *budget > 0 && self.is_touched(start - 1) {
                start -= 1;
                *budget = budget.saturating_sub(u64::from(BLOCK));
            }
            if start == end {
                end -= 1;
                continue;
            }
            if !self.discard(start * BLOCK, (end - start) * BLOCK) {
                return;
            }
            for block in start..end {
                self.touched[block as usize / 64] &= !(1 << (block % 64));
            }
            self.committed -= u64::from((end - start) * BLOCK);
            end = start;
        }
    }

    fn is_touched(&self, block: u32) -> bool {
        self.touched.get(block as usize / 64).is_some_and(|word| word >> (block % 64) & 1 != 0)
    }

    #[cfg(all(feature = "std", target_os = "linux"))]
    fn discard(&mut self, start: u32, len: u32) -> bool {
        use rustix::mm::{Advice, madvise};
        let at = self.base.wrapping_add(start as usize);
        // SAFETY: the range lies in the reservation, no object in it is alive, and new ones are written before
        // they are read; pages that come back are zero, so initialized.
        unsafe { madvise(at.cast(), len as usize, Advice::LinuxDontNeed) }.is_ok()
    }

    #[cfg(not(all(feature = "std", target_os = "linux")))]
    fn discard(&mut self, _start: u32, _len: u32) -> bool {
        false
    }

    /// Overwrites a range that holds no live object.
    pub(super) fn poison(&mut self, run: Run) {
        if run.start >= run.end || run.end as usize > self.size {
            return;
        }
        // SAFETY: the range lies in the reservation, and nobody else borrows it.
        unsafe {
            let at = self.base.add(run.start as usize);
            ptr::write_bytes(at, 0xDB, (run.end - run.start) as usize);
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        if !self.base.is_null() {
            unmap(self.base, total(self.size));
        }
    }
}

fn line_words(size: usize) -> usize {
    (size / LINE as usize).div_ceil(64)
}

/// Bytes of a heap of `size` bytes with its tables.
fn total(size: usize) -> usize {
    size + 2 * (size / 64) + 8 * line_words(size)
}

#[cfg(feature = "std")]
fn map(bytes: usize) -> Option<*mut u8> {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
    let flags = MapFlags::PRIVATE.union(MapFlags::NORESERVE);
    let access = ProtFlags::READ.union(ProtFlags::WRITE);
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing.
    unsafe { mmap_anonymous(ptr::null_mut(), bytes, access, flags) }.ok().map(<*mut _>::cast)
}

#[cfg(feature = "std")]
fn unmap(base: *mut u8, bytes: usize) {
    // SAFETY: `map` made this mapping with this size, and its owner is going away.
    // A failure to unmap leaks the reservation and harms nothing else.
    let _ = unsafe { rustix::mm::munmap(base.cast(), bytes) };
}

#[cfg(not(feature = "std"))]
fn map(bytes: usize) -> Option<*mut u8> {
    let layout = core::alloc::Layout::from_size_align(bytes, 16).ok()?;
    // SAFETY: the layout is at least one grain large.
    let base = unsafe { alloc::alloc::alloc_zeroed(layout) };
    (!base.is_null()).then_some(base)
}

#[cfg(not(feature = "std"))]
fn unmap(base: *mut u8, bytes: usize) {
    let Ok(layout) = core::alloc::Layout::from_size_align(bytes, 16) else { return };
    // SAFETY: `map` allocated it with this layout, and its owner is going away.
    unsafe { alloc::alloc::dealloc(base, layout) };
}

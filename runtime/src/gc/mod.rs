//! The garbage-collected heap of a store: a reservation that 32-bit references index, allocated from by bumping
//! a cursor and collected by marking (design section 6). Engines bump through [`HeapView`]; when that fails they
//! leave, and the store calls [`Heap::make_room`]. Invariant: every object lies between `base` and the end of
//! the heap, begins with a header whose type id tells its size, and has its bit in the bitmap of starts.
//!
//! ```text
//! [ type id | 0 ]       struct, see `shape`
//! [ type id | length ]  array, see `shape`
//! [ EXTERN | number ]   a value of the host, by its number among the heap's externals
//! [ EXN | slots ]       an exception: the address of its tag (8 bytes), then its payload as slots
//! ```

mod externals;
mod heap;
mod lines;
mod mark;
mod plan;
mod space;
#[cfg(test)]
mod tests;

pub(crate) use heap::Heap;
pub(crate) use mark::Marker;
pub(crate) use plan::EXN_PAYLOAD;

/// The type id in the header of a host value.
pub const EXTERN: u32 = u32::MAX;
/// The type id in the header of an exception.
pub const EXN: u32 = u32::MAX - 1;

/// What engines see of the heap. Part of [`crate::Vm`].
#[repr(C)]
pub struct HeapView {
    /// First byte of the heap; references are offsets from here. Null until something is allocated.
    pub base: *mut u8,
    /// Where the next object begins, a multiple of 8.
    pub cursor: u32,
    /// Where the free run that `cursor` is in ends.
    pub limit: u32,
    /// The bitmap of object starts: one bit for every 8 bytes of the heap.
    pub starts: *mut u64,
}

/// Why an object could not be allocated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeapError {
    /// The object alone is larger than the heap may be.
    TooLarge,
    /// The heap is full of objects that can be reached, or the machine gives no more memory.
    Exhausted,
}

/// Figures about a heap.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct HeapStats {
    /// How often the heap was collected.
    pub collections: u64,
    /// Nanoseconds that all collections took together; 0 without `std`.
    pub pause: u64,
    /// Nanoseconds that the longest collection took; 0 without `std`.
    pub longest_pause: u64,
    /// Bytes of all objects ever allocated.
    pub allocated: u64,
    /// Bytes of the objects that the last collection found to be alive.
    pub live: u64,
    /// Bytes of memory that the heap holds.
    pub committed: u64,
    /// Bytes from the heap's start to the end of the last part in use.
    pub used: u64,
}

impl HeapStats {
    const ZERO: HeapStats = HeapStats {
        collections: 0,
        pause: 0,
        longest_pause: 0,
        allocated: 0,
        live: 0,
        committed: 0,
        used: 0,
    };
}

impl HeapView {
    pub(crate) const EMPTY: HeapView = HeapView {
        base: core::ptr::null_mut(),
        cursor: 0,
        limit: 0,
        starts: core::ptr::null_mut(),
    };

    /// Takes `bytes` (a multiple of 8) from the free run and gives the new object's offset. The caller writes the
    /// header and every field that holds a reference before anything else is allocated.
    ///
    /// # Safety
    /// This is the view of a live heap.
    #[inline(always)]
    pub unsafe fn bump(&mut self, bytes: u32) -> Option<u32> {
        let at = self.cursor;
        if self.limit - at < bytes {
            return None;
        }
        self.cursor = at + bytes;
        // SAFETY: the free run lies within the heap, whose bitmap has a bit for each of its 8 bytes.
        unsafe {
            let word = self.starts.add(at as usize / 512);
            *word |= 1 << (at / 8 % 64);
        }
        Some(at)
    }

    /// The address of byte `offset` of the heap.
    ///
    /// # Safety
    /// `offset` lies within an object of this heap.
    #[inline(always)]
    pub unsafe fn at<T>(&self, offset: u32) -> *mut T {
        // SAFETY: as the caller promises.
        unsafe { self.base.add(offset as usize).cast() }
    }
}

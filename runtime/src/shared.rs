//! Shared memories (the threads proposal): bytes that several stores refer to. A store's record of one holds a
//! `Shared<SharedMemory>`; the embedding API hands it from store to store. Invariant: the bytes never move,
//! `base..base + len` stays accessible as long as the memory lives, and all accesses are those of `racy`.

use core::sync::atomic::{AtomicUsize, Ordering};

use lithe_types::MemoryType;

use crate::{LimitError, Memory, OutOfBounds, StoreLimits, racy, sync::Lock};

/// A linear memory that several stores may refer to.
pub struct SharedMemory {
    base: *mut u8,
    len: AtomicUsize,
    max_len: usize,
    ty: MemoryType,
    guarded: bool,
    /// Owns the bytes and makes more of them accessible. Nothing reads them through it.
    owner: Lock<Memory>,
    #[cfg(feature = "std")]
    parking: crate::parking::Parking,
}

// SAFETY: the pointer leads to bytes that the memory owns and that are only accessed atomically.
#[cfg(feature = "std")]
unsafe impl Send for SharedMemory {}
// SAFETY: as for Send.
#[cfg(feature = "std")]
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// A zeroed memory of its minimum size. Address space for its maximum is reserved where there is enough;
    /// else it grows less far. With a guard, native code that traps by signals can use it.
    pub fn new(
        ty: MemoryType,
        limits: &StoreLimits,
        guard: bool,
    ) -> Result<SharedMemory, LimitError> {
        let owner = Memory::fixed(ty, limits, guard)?;
        Ok(SharedMemory {
            base: owner.base,
            len: AtomicUsize::new(owner.len),
            max_len: owner.max_len,
            ty,
            guarded: owner.guarded,
            owner: Lock::new(owner),
            #[cfg(feature = "std")]
            parking: Default::default(),
        })
    }

    /// The type, with the minimum as declared.
    pub fn ty(&self) -> MemoryType {
        self.ty
    }

    pub(crate) fn guarded(&self) -> bool {
        self.guarded
    }

    /// The first byte.
    pub fn base(&self) -> *mut u8 {
        self.base
    }

    /// Size in bytes. Other threads may grow the memory at any time.
    pub fn size(&self) -> usize {
        self.len.load(Ordering::SeqCst)
    }

    /// Size in pages.
    pub fn pages(&self) -> u64 {
        self.size() as u64 >> self.ty.page_log2
    }

    /// Bytes that growing never exceeds.
    pub fn max_len(&self) -> usize {
        self.max_len
    }

    /// Grows by `delta` pages, to at most `most` bytes, and gives the old size in pages, or `None` when that
    /// is refused.
    pub fn grow(&self, delta: u64, most: usize) -> Option<u64> {
        self.owner.with(|owner| {
            let wanted = owner.pages().checked_add(delta)?.checked_mul(1 << self.ty.page_log2)?;
            if delta > 0 && wanted > most as u64 {
                return None;
            }
            let old = owner.grow(delta)?;
            self.len.store(owner.len, Ordering::SeqCst);
            Some(old)
        })
    }

    /// The address of `offset`, when `len` bytes from there on lie within the memory.
    fn place(&self, offset: usize, len: usize) -> Result<*mut u8, OutOfBounds> {
        match offset.checked_add(len) {
            // SAFETY: the offset is within the memory, which is one allocation.
            Some(end) if end <= self.size() => Ok(unsafe { self.base.add(offset) }),
            _ => Err(OutOfBounds),
        }
    }

    /// Copies bytes from `offset` on into `buffer`. Other threads may write them at the same time.
    pub fn read(&self, offset: usize, buffer: &mut [u8]) -> Result<(), OutOfBounds> {
        let from = self.place(offset, buffer.len())?;
        // SAFETY: the range lies within the memory.
        unsafe { racy::read(from, buffer) };
        Ok(())
    }

    /// Copies `bytes` to `offset`.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let to = self.place(offset, bytes.len())?;
        // SAFETY: the range lies within the memory.
        unsafe { racy::write(to, bytes) };
        Ok(())
    }

    /// Waits until another thread notifies `offset`, if the value there is `expected`.
    ///
    /// # Safety
    /// The place of a `T` at `offset` lies within the memory and is aligned.
    #[cfg(feature = "std")]
    pub unsafe fn wait<T: racy::Word>(
        &self,
        offset: usize,
        expected: T,
        nanoseconds: i64,
        signal: &crate::Shared<crate::Signal>,
    ) -> crate::parking::Waited {
        self.parking.wait(offset, nanoseconds, signal, || {
            // SAFETY: as the caller promises.
            unsafe { T::atomic_load(self.base.add(offset).cast()) == expected }
        })
    }

    /// Notifies at most `count` of the threads that wait at `offset`, and gives their number.
    #[cfg(feature = "std")]
    pub fn notify(&self, offset: usize, count: u32) -> u32 {
        self.parking.notify(offset, count)
    }
}

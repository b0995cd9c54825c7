//! Linear memories (Core specification, section 4.2.8). With `std` a memory is a reservation of address
//! space that never moves; where the kernel refuses one, or without `std`, it is a buffer that may move when
//! it grows. The record of a shared memory refers to bytes that it does not own. Invariant: `base..base + len`
//! is readable and writable, and new bytes are zero.
//!
//! ```text
//! [ below: readable and writable ][ memory up to its size ][ reserved: any access faults ... ]
//!                                 ^ base                   ^ base + len
//! ```

use core::ptr::NonNull;

use lithe_types::MemoryType;

use crate::{LimitError, Memory, Shared, SharedMemory, StoreLimits};
#[cfg(feature = "std")]
use crate::{
    image::Slot,
    mapping::{Mapping, PAGE},
};

/// An access to a memory from the host that is not within its size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfBounds;

impl core::fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the range is not within the memory's size")
    }
}

impl core::error::Error for OutOfBounds {}

/// Bytes of address space reserved for a memory that declares no smaller maximum.
#[cfg(feature = "std")]
const RESERVATION: usize =
    if cfg!(target_pointer_width = "64") { (4u64 << 30) as usize } else { 64 << 20 };

/// Bytes from the base of a guarded memory on that native code reaches: an address, and an offset of 31 bits.
#[cfg(feature = "std")]
pub(crate) fn reach(ty: &MemoryType) -> usize {
    usize::try_from(crate::abi::address_space(ty) + (1 << 31)).map_or(0, |bytes| bytes + PAGE)
}

/// What is wanted of a memory beside its size.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wants<'a> {
    /// Accesses beyond its size fault, up to `reach`, where its type can have that.
    pub guard: bool,
    /// So many accessible bytes below its base, which then never moves.
    pub below: usize,
    /// The module whose first memory it is.
    #[cfg(feature = "std")]
    pub home: Option<&'a Shared<Slot>>,
    #[cfg(not(feature = "std"))]
    pub home: core::marker::PhantomData<&'a ()>,
}

impl Wants<'_> {
    /// What is wanted of a memory of this type.
    fn of(self, ty: &MemoryType) -> Self {
        Wants { guard: self.guard && crate::abi::has_guard(ty), ..self }
    }
}

/// What the bytes of a memory live in.
pub(crate) enum Backing {
    /// A reservation.
    #[cfg(feature = "std")]
    Reserved(Mapping),
    /// A buffer on the heap.
    Heap(alloc::vec::Vec<u8>),
    /// Elsewhere: a shared memory. The record's `len` is a size that it once had.
    Shared(Shared<SharedMemory>),
}

impl Memory {
    /// A zeroed memory of its minimum size.
    pub(crate) fn new(
        ty: MemoryType,
        limits: &StoreLimits,
        wants: Wants<'_>,
    ) -> Result<Memory, LimitError> {
        if ty.shared {
            let shared = SharedMemory::new(ty, limits, wants.guard)?;
            return Memory::refer(Shared::new(shared), limits);
        }
        let mut memory = Memory::empty(ty, limits)?;
        let min = memory.len;
        memory.reserve(min, wants.of(&ty))?;
        memory.begin(min)
    }

    /// A record of a shared memory.
    pub(crate) fn refer(
        shared: Shared<SharedMemory>,
        limits: &StoreLimits,
    ) -> Result<Memory, LimitError> {
        let (len, cap) = (shared.size(), limits.memory_bytes);
        if len > cap {
            return Err(LimitError::size("a memory", len as u128, cap as u128, "bytes"));
        }
        Ok(Memory {
            base: shared.base(),
            len,
            ty: shared.ty(),
            max_len: shared.max_len().min(cap),
            guarded: shared.guarded(),
            backing: Backing::Shared(shared),
        })
    }

    /// A memory that will not move when it grows, for the bytes of a shared one.
    pub(crate) fn fixed(
        ty: MemoryType,
        limits: &StoreLimits,
        guard: bool,
    ) -> Result<Memory, LimitError> {
        let mut memory = Memory::empty(ty, limits)?;
        let min = memory.len;
        let wants = Wants { guard, ..Wants::default() }.of(&ty);
        if wants.guard {
            memory.reserve(min, wants)?;
        } else if !memory.reserve_all(min) {
            return Err(LimitError::no_memory("a memory", min));
        }
        memory.begin(min)
    }

    /// A memory without bytes whose `len` is the minimum that it shall have.
    fn empty(ty: MemoryType, limits: &StoreLimits) -> Result<Memory, LimitError> {
        let bytes = |pages: u64| u128::from(pages) << ty.page_log2;
        let cap = limits.memory_bytes.min(isize::MAX as usize) as u128;
        let min = bytes(ty.limits.min);
        if min > cap {
            return Err(LimitError::size("a memory", min, cap, "bytes"));
        }
        // A size in pages fits the address type, so one-byte pages do not reach the end of the address space.
        let address_space =
            if ty.is64 { u128::from(u64::MAX) } else { bytes(u32::MAX.into()).min(1 << 32) };
        let max = ty.limits.max.map_or(address_space, bytes).min(address_space).min(cap);
        Ok(Memory {
            base: NonNull::dangling().as_ptr(),
            len: min as usize,
            ty,
            max_len: max as usize,
            guarded: false,
            backing: Backing::Heap(alloc::vec::Vec::new()),
        })
    }

    /// Makes the first `min` bytes accessible.
    fn begin(mut self, min: usize) -> Result<Memory, LimitError> {
        self.len = 0;
        if !self.resize(min) {
            return Err(LimitError::no_memory("a memory", min));
        }
        #[cfg(feature = "std")]
        if let Backing::Reserved(Mapping { committed, home: Some(home), .. }) = &mut self.backing {
            home.first = *committed;
        }
        Ok(self)
    }

    /// The shared memory that this record refers to.
    pub fn shared(&self) -> Option<&Shared<SharedMemory>> {
        match &self.backing {
            Backing::Shared(shared) => Some(shared),
            _ => None,
        }
    }

    /// Size in bytes. That of a shared memory may have changed since `len` was set.
    pub fn size(&self) -> usize {
        self.shared().map_or(self.len, |shared| shared.size())
    }

    /// Size in pages.
    pub fn pages(&self) -> u64 {
        (self.size() as u64) >> self.ty.page_log2
    }

    /// Sets `len` to the size.
    pub fn refresh(&mut self) {
        self.len = self.size();
    }

    /// Grows by `delta` pages and gives the old size in pages, or `None` when that is refused.
    pub fn grow(&mut self, delta: u64) -> Option<u64> {
        if let Backing::Shared(shared) = &self.backing {
            let old = shared.grow(delta, self.max_len);
            self.refresh();
            return old;
        }
        let old = self.pages();
        let new = old.checked_add(delta)?;
        let len = usize::try_from(new).ok()?.checked_mul(1 << self.ty.page_log2)?;
        (len <= self.max_len && self.resize(len)).then_some(old)
    }

    /// The bytes; `None` when the memory is shared.
    pub fn bytes(&self) -> Option<&[u8]> {
        // SAFETY: `base..base + len` is accessible (module invariant), and `&self` excludes writers: guest
        // code only runs while its store is borrowed mutably, and other threads only reach shared memories.
        let bytes = || unsafe { core::slice::from_raw_parts(self.base, self.len) };
        self.shared().is_none().then(bytes)
    }

    /// The bytes, writable; `None` when the memory is shared.
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        match self.shared() {
            // SAFETY: as in `bytes`, with `&mut self`.
            None => Some(unsafe { core::slice::from_raw_parts_mut(self.base, self.len) }),
            Some(_) => None,
        }
    }

    /// Copies bytes from `offset` on into `buffer`.
    pub fn read(&self, offset: usize, buffer: &mut [u8]) -> Result<(), OutOfBounds> {
        if let Some(shared) = self.shared() {
            return shared.read(offset, buffer);
        }
        let end = offset.checked_add(buffer.len()).ok_or(OutOfBounds)?;
        let source = self.bytes().and_then(|bytes| bytes.get(offset..end));
        buffer.copy_from_slice(source.ok_or(OutOfBounds)?);
        Ok(())
    }

    /// Copies `bytes` to `offset`.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), OutOfBounds> {
        if let Some(shared) = self.shared() {
            return shared.write(offset, bytes);
        }
        let end = offset.checked_add(bytes.len()).ok_or(OutOfBounds)?;
        let target = self.bytes_mut().and_then(|memory| memory.get_mut(offset..end));
        target.ok_or(OutOfBounds)?.copy_from_slice(bytes);
        Ok(())
    }

    #[cfg(feature = "std")]
    fn reserve(&mut self, min: usize, wants: Wants<'_>) -> Result<(), LimitError> {
        if !wants.guard && wants.below == 0 {
            self.reserve_one_of(&[self.max_len.min(RESERVATION).max(min), min], wants.home);
            return Ok(());
        }
        let refused = |bytes| LimitError::no_memory("the address space of a memory", bytes);
        let mut reserved = self.max_len;
        if wants.guard {
            let most = usize::try_from(crate::abi::address_space(&self.ty)).unwrap_or(usize::MAX);
            if min > most {
                let (min, most) = (min as u128, most as u128);
                return Err(LimitError::size("a memory with a guard", min, most, "bytes"));
            }
            self.max_len = self.max_len.min(most);
            reserved = reach(&self.ty);
        }
        let mut reserved = reserved.checked_next_multiple_of(PAGE).ok_or_else(|| refused(min))?;
        let below = wants.below.next_multiple_of(PAGE);
        let all = reserved.checked_add(below).ok_or_else(|| refused(reserved))?;
        let mapping = loop {
            if let Some(mapping) = Slot::mapping(wants.home, reserved, below) {
                break mapping;
            }
            // Without a guard, less will do: the memory then grows less.
            if wants.guard || reserved <= min {
                return Err(refused(all));
            }
            reserved = (reserved / 2).max(min).next_multiple_of(PAGE);
        };
        if !wants.guard {
            self.max_len = self.max_len.min(reserved);
        }
        self.guarded = wants.guard;
        self.live_in(mapping);
        Ok(())
    }

    #[cfg(feature = "std")]
    fn live_in(&mut self, mapping: Mapping) {
        self.base = mapping.base();
        self.backing = Backing::Reserved(mapping);
    }

    /// Reserves the maximum, or else what there is, and lowers the maximum to that. Whether there is enough
    /// for `min` bytes.
    #[cfg(feature = "std")]
    fn reserve_all(&mut self, min: usize) -> bool {
        let max = self.max_len;
        self.reserve_one_of(&[max, max.min(RESERVATION).max(min), min], None);
        self.max_len = match &self.backing {
            Backing::Reserved(mapping) => max.min(mapping.reserved),
            _ => 0,
        };
        self.max_len >= min
    }

    #[cfg(not(feature = "std"))]
    fn reserve_all(&mut self, min: usize) -> bool {
        let Backing::Heap(bytes) = &mut self.backing else { return false };
        for size in [self.max_len, min] {
            if bytes.try_reserve_exact(size).is_ok() {
                self.max_len = size;
                self.base = bytes.as_mut_ptr();
                return true;
            }
        }
        false
    }

    #[cfg(feature = "std")]
    fn reserve_one_of(&mut self, sizes: &[usize], home: Option<&Shared<Slot>>) {
        let sizes = sizes.iter().take_while(|size| **size > 0);
        let mapping = sizes.copied().find_map(|reserved| Slot::mapping(home, reserved, 0));
        if let Some(mapping) = mapping {
            self.live_in(mapping);
        }
    }

    /// Without address space to reserve, no native code runs, and nothing is wanted.
    #[cfg(not(feature = "std"))]
    fn reserve(&mut self, _min: usize, _wants: Wants<'_>) -> Result<(), LimitError> {
        Ok(())
    }

    /// Makes `len` bytes accessible; `len` never shrinks.
    fn resize(&mut self, len: usize) -> bool {
        match &mut self.backing {
            #[cfg(feature = "std")]
            Backing::Reserved(mapping) => {
                if len > mapping.reserved {
                    if !mapping.enlarge(len) {
                        return false;
                    }
                    self.base = mapping.base();
                } else if !mapping.commit(len) {
                    return false;
                }
            }
            Backing::Heap(bytes) => {
                if bytes.try_reserve_exact(len - bytes.len()).is_err() {
                    return false;
                }
                bytes.resize(len, 0);
                if len > 0 {
                    self.base = bytes.as_mut_ptr();
                }
            }
            Backing::Shared(_) => return false,
        }
        self.len = len;
        true
    }

    /// Gives the bytes back: to the module that keeps them for its next instance, at most so many memories, or to the
    /// system. Nothing uses the memory any more.
    #[cfg(feature = "std")]
    pub(crate) fn retire(&mut self, limit: usize) {
        self.base = NonNull::dangling().as_ptr();
        self.len = 0;
        let backing = Backing::Heap(alloc::vec::Vec::new());
        if let Backing::Reserved(mapping) = core::mem::replace(&mut self.backing, backing) {
            Slot::keep(mapping, limit);
        }
    }
}

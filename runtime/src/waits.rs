//! `memory.atomic.wait` and `memory.atomic.notify` (the threads proposal), which engines call out of line. The lists
//! of waiters belong to the shared memories. SAFETY of all functions: the records live as long as their store, in
//! which nothing runs meanwhile.

use lithe_types::TrapKind;

use crate::{Memory, Vm, racy::Word};

/// The place in a memory at an address, which must be aligned.
unsafe fn place<T>(memory: *mut Memory, address: u64) -> Result<usize, TrapKind> {
    let bytes = size_of::<T>() as u64;
    if !address.is_multiple_of(bytes) {
        return Err(TrapKind::UnalignedAtomic);
    }
    let end = address.checked_add(bytes).ok_or(TrapKind::MemoryOutOfBounds)?;
    // SAFETY: as the caller promises. Another thread may have grown a shared memory.
    unsafe {
        if end > (*memory).len as u64 {
            (&mut *memory).refresh();
        }
        match end <= (*memory).len as u64 {
            true => Ok(address as usize),
            false => Err(TrapKind::MemoryOutOfBounds),
        }
    }
}

/// Wakes at most `count` threads that wait at an address, and gives their number. Nobody waits at a memory that is
/// not shared.
///
/// # Safety
/// As the file's first paragraph says.
#[inline(never)]
pub unsafe fn notify(memory: *mut Memory, address: u64, count: u32) -> Result<u32, TrapKind> {
    // SAFETY: as the caller promises.
    let place = unsafe { place::<u32>(memory, address)? };
    #[cfg(feature = "std")]
    // SAFETY: as the caller promises.
    if let Some(shared) = unsafe { (*memory).shared() } {
        return Ok(shared.notify(place, count));
    }
    let _ = (place, count);
    Ok(0)
}

/// Waits at an address that holds `expected`, and gives the number of how that ended; `None` when the store was
/// interrupted. Without `std` there is nobody who could notify, so a wait that would sleep is a trap.
///
/// # Safety
/// As the file's first paragraph says.
#[inline(never)]
pub unsafe fn wait<T: Word>(
    vm: *mut Vm,
    memory: *mut Memory,
    address: u64,
    expected: T,
    nanoseconds: i64,
) -> Result<Option<u32>, TrapKind> {
    // SAFETY: as the caller promises.
    let (place, shared) = unsafe { (place::<T>(memory, address)?, (*memory).shared().cloned()) };
    let shared = shared.ok_or(TrapKind::ExpectedShared)?;
    #[cfg(feature = "std")]
    // SAFETY: as the caller promises; the place is within the memory, and aligned.
    unsafe {
        use crate::parking::Waited;
        let signal = (*vm).signal.clone();
        match shared.wait(place, expected, nanoseconds, &signal) {
            Waited::Interrupted => Ok(None),
            end => Ok(Some(end as u32)),
        }
    }
    #[cfg(not(feature = "std"))]
    {
        let _ = (vm, nanoseconds);
        // SAFETY: the place is within the memory, and aligned.
        match unsafe { T::atomic_load(shared.base().add(place).cast()) } == expected {
            true => Err(TrapKind::Interrupt),
            false => Ok(Some(1)),
        }
    }
}

//! Atomic operations (the threads proposal). On shared memories they are sequentially consistent; a memory that
//! is not shared has one thread, and plain accesses do. SAFETY of all functions: the module invariant of `regs`;
//! an access happens only after its checks of alignment and bounds.

use lithe_runtime::{Memory, Vm, racy::Word, waits};
use lithe_types::TrapKind;

use super::memory::{memory, place_in};
use crate::regs::{Flow, Regs, Stop};

/// Where an atomic access goes.
struct Place<T> {
    at: *mut T,
    /// Whether other threads may access it.
    shared: bool,
}

/// The place of a `T` at `address` plus `offset`, which must be aligned.
#[inline(always)]
unsafe fn aligned<T>(memory: *mut Memory, address: u64, offset: u64) -> Result<Place<T>, TrapKind> {
    // SAFETY: module invariant.
    unsafe {
        let effective = address.checked_add(offset).ok_or(TrapKind::MemoryOutOfBounds)?;
        if effective % size_of::<T>() as u64 != 0 {
            return Err(TrapKind::UnalignedAtomic);
        }
        let at = place_in::<T, true>(memory, address, offset);
        let at = at.ok_or(TrapKind::MemoryOutOfBounds)?;
        Ok(Place { at, shared: (*memory).ty.shared })
    }
}

/// Address in field 1, memory in field 2.
#[inline(always)]
pub(crate) unsafe fn load<T: Word + Into<u64>>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let place = match aligned::<T>(memory(r, r.field(2) as usize), r.get(1), r.cell(2)) {
            Ok(place) => place,
            Err(kind) => return kind.into(),
        };
        let value = match place.shared {
            true => T::atomic_load(place.at),
            false => place.at.read_unaligned(),
        };
        r.set(value.into());
        r.next(3)
    }
}

/// Address in field 0, value in field 1, memory in field 2.
#[inline(always)]
pub(crate) unsafe fn store<T: Word>(r: &mut Regs, truncate: impl FnOnce(u64) -> T) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let place = match aligned::<T>(memory(r, r.field(2) as usize), r.get(0), r.cell(2)) {
            Ok(place) => place,
            Err(kind) => return kind.into(),
        };
        let value = truncate(r.get(1));
        match place.shared {
            true => T::atomic_store(place.at, value),
            false => place.at.write_unaligned(value),
        }
        r.next(3)
    }
}

/// Address in field 1, value in field 2, memory in field 3. `plain` gives the new value from the old one.
#[inline(always)]
pub(crate) unsafe fn rmw<T: Word + Into<u64>>(
    r: &mut Regs,
    truncate: impl FnOnce(u64) -> T,
    atomic: unsafe fn(*mut T, T) -> T,
    plain: impl FnOnce(T, T) -> T,
) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let place = match aligned::<T>(memory(r, r.field(3) as usize), r.get(1), r.cell(2)) {
            Ok(place) => place,
            Err(kind) => return kind.into(),
        };
        let value = truncate(r.get(2));
        let old = if place.shared {
            atomic(place.at, value)
        } else {
            let old = place.at.read_unaligned();
            place.at.write_unaligned(plain(old, value));
            old
        };
        r.set(old.into());
        r.next(3)
    }
}

/// Address in field 1, the value expected in field 2, the new one in field 3, memory in field 4. Only the low
/// bits of what is expected count.
#[inline(always)]
pub(crate) unsafe fn cmpxchg<T: Word + Into<u64>>(
    r: &mut Regs,
    truncate: impl Fn(u64) -> T,
) -> Flow {
    // SAFETY: module invariant; the format has a fifth field, the first one of the next cell.
    unsafe {
        let place = match aligned::<T>(memory(r, r.field(4) as usize), r.get(1), r.cell(3)) {
            Ok(place) => place,
            Err(kind) => return kind.into(),
        };
        let (expected, value) = (truncate(r.get(2)), truncate(r.get(3)));
        let old = if place.shared {
            T::atomic_cmpxchg(place.at, expected, value)
        } else {
            let old = place.at.read_unaligned();
            if old == expected {
                place.at.write_unaligned(value);
            }
            old
        };
        r.set(old.into());
        r.next(4)
    }
}

/// # Safety
/// As for the other bodies.
#[inline(always)]
pub(crate) unsafe fn fence(r: &mut Regs) -> Flow {
    core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
    // SAFETY: module invariant.
    unsafe { r.next(1) }
}

/// Address in field 1, count in field 2, memory in field 3.
#[inline(always)]
pub(crate) unsafe fn notify(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let memory = memory(r, r.field(3) as usize);
        match wake(memory, r.get(1), r.cell(2), r.get(2) as u32) {
            Ok(count) => {
                r.set(u64::from(count));
                r.next(3)
            }
            Err(kind) => kind.into(),
        }
    }
}

#[inline(never)]
unsafe fn wake(
    memory: *mut Memory,
    address: u64,
    offset: u64,
    count: u32,
) -> Result<u32, TrapKind> {
    let address = address.checked_add(offset).ok_or(TrapKind::MemoryOutOfBounds)?;
    // SAFETY: the memory lives as long as the store.
    unsafe { waits::notify(memory, address, count) }
}

/// Address in field 1, the value expected in field 2, nanoseconds in field 3, memory in field 4.
#[inline(always)]
pub(crate) unsafe fn wait<T: Word>(r: &mut Regs, truncate: impl FnOnce(u64) -> T) -> Flow {
    // SAFETY: module invariant; the format has a fifth field, the first one of the next cell.
    unsafe {
        let memory = memory(r, r.field(4) as usize);
        let (expected, time) = (truncate(r.get(2)), r.get(3) as i64);
        match sleep((*r.inst).vm, memory, r.get(1), r.cell(3), expected, time) {
            Ok(end) => {
                r.set(u64::from(end));
                r.next(4)
            }
            Err(reason) => Flow::Leave(reason),
        }
    }
}

/// Waits, and gives the number of how that ended or why execution leaves. An interrupted wait begins again when
/// execution is resumed.
#[inline(never)]
unsafe fn sleep<T: Word>(
    vm: *mut Vm,
    memory: *mut Memory,
    address: u64,
    offset: u64,
    expected: T,
    nanoseconds: i64,
) -> Result<u32, u32> {
    let Some(address) = address.checked_add(offset) else {
        return Err(TrapKind::MemoryOutOfBounds as u32);
    };
    // SAFETY: the records live as long as the store, and nothing runs in it meanwhile.
    match unsafe { waits::wait(vm, memory, address, expected, nanoseconds) } {
        Ok(Some(end)) => Ok(end),
        Ok(None) => Err(Stop::Signal as u32),
        Err(kind) => Err(kind as u32),
    }
}

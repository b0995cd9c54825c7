//! Linear memories. SAFETY of all functions: see the module above.

use lithe_types::TrapKind;

use super::{Context, take_interrupt};
use crate::{bulk, waits};

const OUT: TrapKind = TrapKind::MemoryOutOfBounds;

pub(super) unsafe extern "C" fn memory_len(context: Context, memory: u32) -> u64 {
    // SAFETY: see the module above.
    unsafe {
        let memory = context.memory(memory);
        (&mut *memory).refresh();
        (*memory).len as u64
    }
}

pub(super) unsafe extern "C" fn memory_grow(context: Context, memory: u32, delta: u64) -> u64 {
    // SAFETY: see the module above.
    unsafe { bulk::memory_grow(context.vm(), context.memory(memory), delta).unwrap_or(u64::MAX) }
}

pub(super) unsafe extern "C" fn memory_fill(
    context: Context,
    memory: u32,
    start: u64,
    value: u32,
    len: u64,
) {
    // SAFETY: see the module above.
    unsafe {
        context.check(bulk::memory_fill(context.memory(memory), start, value as u8, len), OUT);
    }
}

pub(super) unsafe extern "C" fn memory_copy(
    context: Context,
    to: u32,
    from: u32,
    d: u64,
    s: u64,
    len: u64,
) {
    // SAFETY: see the module above.
    unsafe {
        let (to, from) = (context.memory(to), context.memory(from));
        context.check(bulk::memory_copy(to, from, d, s, len), OUT);
    }
}

pub(super) unsafe extern "C" fn memory_init(
    context: Context,
    to: u32,
    segment: u32,
    d: u64,
    s: u32,
    len: u32,
) {
    // SAFETY: see the module above.
    unsafe {
        let (instance, to) = (context.instance(), context.memory(to));
        context.check(bulk::memory_init(instance, to, segment as usize, d, s, len), OUT);
    }
}

pub(super) unsafe extern "C" fn data_drop(context: Context, segment: u32) {
    // SAFETY: see the module above.
    unsafe { bulk::data_drop(context.instance(), segment as usize) }
}

/// The number of how a wait ended.
unsafe fn waited(context: Context, end: Result<Option<u32>, TrapKind>) -> u32 {
    // SAFETY: see the module above.
    unsafe {
        match end {
            Ok(Some(end)) => return end,
            Ok(None) => context.trap(take_interrupt(context.vm())),
            Err(kind) => context.trap(kind),
        }
    }
    0
}

pub(super) unsafe extern "C" fn wait32(
    context: Context,
    memory: u32,
    address: u64,
    expected: u32,
    nanoseconds: u64,
) -> u32 {
    // SAFETY: see the module above.
    unsafe {
        let (vm, memory) = (context.vm(), context.memory(memory));
        waited(context, waits::wait(vm, memory, address, expected, nanoseconds as i64))
    }
}

pub(super) unsafe extern "C" fn wait64(
    context: Context,
    memory: u32,
    address: u64,
    expected: u64,
    nanoseconds: u64,
) -> u32 {
    // SAFETY: see the module above.
    unsafe {
        let (vm, memory) = (context.vm(), context.memory(memory));
        waited(context, waits::wait(vm, memory, address, expected, nanoseconds as i64))
    }
}

pub(super) unsafe extern "C" fn notify(
    context: Context,
    memory: u32,
    address: u64,
    count: u32,
) -> u32 {
    // SAFETY: see the module above.
    unsafe {
        match waits::notify(context.memory(memory), address, count) {
            Ok(woken) => woken,
            Err(kind) => {
                context.trap(kind);
                0
            }
        }
    }
}

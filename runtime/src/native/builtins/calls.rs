//! Stopping, throwing, calling functions without native code, and comparing their types. SAFETY of all functions: see
//! the module above.

use core::{ptr::NonNull, slice, sync::atomic::Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind};

use lithe_types::TrapKind;

use super::Context;
use crate::{
    Func, Tag, Vm,
    native::{
        call::{Cause, HostStatus},
        unwind,
    },
};

pub(super) unsafe extern "C" fn trap(context: Context, kind: u32) {
    let kind = u8::try_from(kind).ok().and_then(TrapKind::from_code);
    // SAFETY: see the module above.
    unsafe { context.trap(kind.unwrap_or(TrapKind::Unreachable)) }
}

pub(super) unsafe extern "C" fn func(context: Context, index: u32) -> u64 {
    // SAFETY: see the module above.
    unsafe { (*context.instance()).func(index) as usize as u64 }
}

pub(super) unsafe extern "C" fn throw(context: Context, exception: u32) {
    let exception = u64::from(exception);
    // SAFETY: see the module above.
    unsafe {
        match exception {
            0 => context.trap(TrapKind::NullReference),
            _ => unwind::throw(context.vm(), exception, Cause::Thrown(exception)),
        }
    }
}

/// Makes an exception, after making room for it when it has to.
unsafe fn exception(vm: *mut Vm, tag: NonNull<Tag>, payload: &[u64]) -> Result<u64, Cause> {
    // SAFETY: see the module above. The payload lies on the guest's stack, where the collector finds it.
    unsafe {
        if let Some(exception) = (*vm).new_exception(tag, payload) {
            return Ok(exception);
        }
        let (store, room, top) = ((*vm).native.store, (*vm).room, (*vm).sp);
        // What the collector frees may be values of the host, whose ends are the host's own code.
        let made = catch_unwind(AssertUnwindSafe(|| (*store).make_room(room, top)));
        made.map_err(Cause::Panicked)?.map_err(|error| Cause::Trap(error.into()))?;
        let exception = (*vm).new_exception(tag, payload);
        exception.ok_or(Cause::Trap(TrapKind::HeapExhausted))
    }
}

pub(super) unsafe extern "C" fn throw_new(context: Context, tag: u32, payload: u64) {
    // SAFETY: see the module above. The slots hold a payload of the tag.
    unsafe {
        let vm = context.vm();
        let Some(tag) = NonNull::new(*(*context.instance()).tags.add(tag as usize)) else {
            return context.trap(TrapKind::NullReference);
        };
        let count = tag.as_ref().signature.param_slots() as usize;
        let payload = slice::from_raw_parts(payload as usize as *const u64, count);
        match exception(vm, tag, payload) {
            Ok(exception) => unwind::throw(vm, exception, Cause::Thrown(exception)),
            Err(cause) => (*vm).native.stop(cause),
        }
    }
}

/// Takes the request to stop.
///
/// # Safety
/// See the module above.
pub(in crate::native) unsafe fn take_interrupt(vm: *mut Vm) -> TrapKind {
    // SAFETY: see the module above.
    let signal = unsafe { &(*vm).signal };
    signal.word.store(0, Ordering::Relaxed);
    TrapKind::Interrupt
}

pub(super) unsafe extern "C" fn interrupted(context: Context) {
    // SAFETY: see the module above.
    unsafe {
        let vm = context.vm();
        let signal = &(*vm).signal;
        if signal.word.load(Ordering::Relaxed) != 0 {
            context.trap(take_interrupt(vm));
        }
    }
}

pub(super) unsafe extern "C" fn refuel(context: Context) {
    // SAFETY: see the module above.
    unsafe {
        let vm = context.vm();
        if (*vm).fuel < 0 {
            (*vm).fuel = 0;
            return context.trap(TrapKind::OutOfFuel);
        }
        (*vm).fuel_rest = (*vm).fuel & -crate::abi::FUEL_PART;
    }
}

pub(super) unsafe extern "C" fn call(context: Context, func: u64, slots: u64) {
    // SAFETY: see the module above. The callback's data is what its function expects.
    unsafe {
        let vm = context.vm();
        let func = func as usize as *mut Func;
        let (Some(func), Some(caller)) = (NonNull::new(func), NonNull::new(context.instance()))
        else {
            return context.trap(TrapKind::NullFunction);
        };
        let host = (*vm).native.host;
        let slots = slots as usize as *mut u64;
        let serve = || (host.call)(host.data, func, caller, slots);
        match catch_unwind(AssertUnwindSafe(serve)) {
            Ok(HostStatus::Done) => {}
            Ok(HostStatus::Failed) => (*vm).native.stop(Cause::Host),
            Ok(HostStatus::Thrown(exception)) => unwind::throw(vm, exception, Cause::Host),
            Err(panic) => (*vm).native.stop(Cause::Panicked(panic)),
        }
    }
}

pub(super) unsafe extern "C" fn is_subtype(context: Context, sub: u32, sup: u32) -> u32 {
    // SAFETY: see the module above.
    unsafe { (*context.instance()).code.registry().is_subtype(sub, sup).into() }
}

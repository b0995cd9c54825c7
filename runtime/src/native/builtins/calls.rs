//! Stopping, throwing, calling functions without native code, and comparing their types. SAFETY of all functions: see
//! the module above.

use core::{ptr::NonNull, sync::atomic::Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind};

use lithe_types::TrapKind;

use super::Context;
use crate::{
    Func, Vm,
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

/// Takes the request to stop.
///
/// # Safety
/// See the module above.
pub(super) unsafe fn stop(vm: *mut Vm) -> TrapKind {
    // SAFETY: see the module above.
    unsafe { (*vm).signal.store(0, Ordering::Relaxed) };
    TrapKind::Interrupt
}

pub(super) unsafe extern "C" fn interrupted(context: Context) {
    // SAFETY: see the module above.
    unsafe {
        let vm = context.vm();
        if (*vm).signal.load(Ordering::Relaxed) != 0 {
            context.trap(stop(vm));
        }
    }
}

pub(super) unsafe extern "C" fn out_of_fuel(context: Context) {
    // SAFETY: see the module above.
    unsafe {
        (*context.vm()).fuel = 0;
        context.trap(TrapKind::OutOfFuel);
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

//! Finding the handler of an exception in native frames (Core specification, section 4.4.10 "Throwing an
//! exception"). The calls into the runtime that throw use it. Frames have no registers to restore: the code at a
//! handler expects the stack pointer, the frame pointer, the context and the exception, nothing else.

use core::sync::atomic::Ordering;

use super::{
    call::Cause,
    entry::{GO_ON, LAND, Landing},
    trace::Walk,
};
use crate::{Instance, Vm, abi, artifact};

/// Throws an exception in the innermost activation: it goes on at the handler, or is left for the reason that
/// `uncaught` gives.
///
/// # Safety
/// The activation is in a call into the runtime. `exception` refers to an exception of the store.
pub(super) unsafe fn throw(vm: *mut Vm, exception: u64, uncaught: Cause) {
    // SAFETY: the state of execution and the activation's record live until the call comes back.
    unsafe {
        let entry = (*vm).native.entry;
        match landing(vm, exception) {
            Some(landing) => {
                (*entry).landing = landing;
                let pending = &(*entry).pending;
                // Who made it leave meanwhile has the last word.
                let _ = pending.compare_exchange(GO_ON, LAND, Ordering::Relaxed, Ordering::Relaxed);
            }
            None => (*vm).native.stop(uncaught),
        }
    }
}

/// # Safety
/// As for [`throw`].
unsafe fn landing(vm: *mut Vm, exception: u64) -> Option<Landing> {
    // SAFETY: texts of frames live; a handler of compiled code says the truth about its frame, and the context that
    // it leads to is one of a live instance.
    unsafe {
        let tag = (*vm).exception_tag(exception);
        let entry = &*(*vm).native.entry;
        for frame in Walk::new(entry) {
            let text = &*frame.text;
            for handler in text.artifact.handlers(text.offset(frame.pc)) {
                let sp = frame.fp.wrapping_sub(handler.frame as usize);
                let word = sp.wrapping_add(handler.context as usize);
                if sp < entry.exit_sp || word > frame.fp {
                    continue;
                }
                let context = *(word as *const *mut u8);
                let instance = *context.offset(abi::INSTANCE as isize).cast::<*mut Instance>();
                let catches = handler.tag == artifact::NONE
                    || *(*instance).tags.add(handler.tag as usize) == tag;
                if catches {
                    return Some(Landing {
                        pc: text.address(handler.target) as usize,
                        sp,
                        fp: frame.fp,
                        context: context as usize,
                        payload: [exception, context as usize as u64],
                    });
                }
            }
        }
        None
    }
}

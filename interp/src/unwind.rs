//! Finding the handler of an exception (Core specification, section 4.4.10 "Throwing an exception"). The
//! driver calls it. First the frames of the activation are searched without changing anything; only when one
//! catches, the state of execution becomes that of its landing pad. What does not throw pays nothing.

use core::sync::atomic::Ordering;

use lithe_runtime::{
    CodeHeader, CodeSlot, Instance, Vm,
    layout::{HEADER_CODE, HEADER_INSTANCE, HEADER_IP, HEADER_SP},
};

use crate::handlers::{self, Landing};

/// A frame, and the operation in it that is running.
struct Frame {
    ip: *const u64,
    /// Whether `ip` follows the operation: that is so in every frame but one that throws itself.
    after: bool,
    sp: *mut u64,
    instance: *mut Instance,
}

/// Makes `vm` continue at the innermost handler of `exception`, with the payload in its slots; false when no
/// frame of the innermost activation has one, and then nothing is changed. `after` tells whether `vm.ip`
/// follows the operation that throws.
///
/// # Safety
/// Execution of `vm` stopped at an operation that throws, or at a call of a host function. `exception` refers to
/// an exception of the store.
pub(crate) unsafe fn unwind(vm: *mut Vm, exception: u64, after: bool) -> bool {
    // SAFETY: the state of execution lives as long as the store; frames are as `Frame::parent` says.
    unsafe {
        let tag = (*vm).exception_tag(exception);
        let mut frame = Frame { ip: (*vm).ip, after, sp: (*vm).sp, instance: (*vm).instance };
        while !frame.sp.is_null() {
            let instance = frame.instance;
            let has_tag = |index: u32| *(*instance).tags.add(index as usize) == tag;
            if let Some((ops, landing)) = frame.handler(has_tag) {
                (*vm).ip = ops.add(landing.pad as usize);
                (*vm).sp = frame.sp;
                (*vm).instance = instance;
                land(vm, exception, landing);
                return true;
            }
            frame = frame.parent();
        }
        false
    }
}

/// Writes what a landing pad expects.
///
/// # Safety
/// The landing pad is one of the function whose frame begins at `vm.sp`, for the exception's tag.
unsafe fn land(vm: *mut Vm, exception: u64, landing: Landing) {
    // SAFETY: the translator reserved the slots, as many as the tag's type has.
    unsafe {
        let sp = (*vm).sp;
        if let Some(slot) = landing.payload {
            let payload = (*vm).exception_payload(exception);
            let target = sp.offset(slot.into());
            core::ptr::copy_nonoverlapping(payload.as_ptr(), target, payload.len());
        }
        if let Some(slot) = landing.reference {
            *sp.offset(slot.into()) = exception;
        }
    }
}

impl Frame {
    /// Where this frame catches an exception, with the function's first operation. `has_tag` tells whether the
    /// exception's tag has an index in the frame's instance.
    ///
    /// # Safety
    /// The frame is one of a stopped activation.
    unsafe fn handler(&self, has_tag: impl Fn(u32) -> bool) -> Option<(*const u64, Landing)> {
        // SAFETY: the frame's function runs, so its slot leads to its translation for good; the table of
        // handlers begins with its own length.
        unsafe {
            let slot = *self.sp.offset(HEADER_CODE) as usize as *const CodeSlot;
            let header: *const CodeHeader = (*slot).0.load(Ordering::Acquire);
            let handlers = (*header).handlers as usize;
            if handlers == 0 {
                return None;
            }
            let ops = header.cast::<u64>().add(1);
            let table = ops.add(handlers);
            let table = core::slice::from_raw_parts(table.add(1), *table as usize);
            let cell = (self.ip as usize - ops as usize) / size_of::<u64>();
            let at = cell as u32 - u32::from(self.after);
            handlers::find(table, at, has_tag).map(|landing| (ops, landing))
        }
    }

    /// The frame that called this one; its `sp` is null when that is the host.
    ///
    /// # Safety
    /// The frame is one of a stopped activation.
    unsafe fn parent(&self) -> Frame {
        // SAFETY: a header precedes every frame, and its words were written by the call.
        unsafe {
            Frame {
                ip: *self.sp.offset(HEADER_IP) as usize as *const u64,
                after: true,
                sp: *self.sp.offset(HEADER_SP) as usize as *mut u64,
                instance: *self.sp.offset(HEADER_INSTANCE) as usize as *mut Instance,
            }
        }
    }
}

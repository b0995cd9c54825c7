//! Throwing (Core specification, section 4.4.10). An exception leaves the interpreter; the driver finds its
//! handler. SAFETY of all functions: the module invariant of `regs`; tag indices are validated, and tags live
//! as long as the store.

use core::ptr::NonNull;

use lithe_runtime::Instance;
use lithe_types::TrapKind;

use crate::regs::{Flow, Regs, Stop};

/// Field 0 is the first slot of the payload, the immediate the tag's index.
#[inline(always)]
pub(crate) unsafe fn throw(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe { Flow::Leave(create(r.inst, r.imm() as u32, r.slot(0))) }
}

/// Makes an exception and gives the reason to stop.
#[cold]
#[inline(never)]
unsafe fn create(inst: *mut Instance, tag: u32, payload: *const u64) -> u32 {
    // SAFETY: the payload stands in as many slots as the parameters of the tag's type take.
    unsafe {
        let vm = (*inst).vm;
        let tag = NonNull::new_unchecked(*(*inst).tags.add(tag as usize));
        let count = tag.as_ref().signature.param_slots() as usize;
        let payload = core::slice::from_raw_parts(payload, count);
        match (*vm).new_exception(tag, payload) {
            Some(exception) => {
                (*vm).exception = exception;
                Stop::Throw as u32
            }
            None => Stop::Room as u32,
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn throw_ref(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file; a slot of type `exnref` is null or an exception of the store.
    unsafe {
        let exception = r.get(0);
        if exception == 0 {
            return TrapKind::NullReference.into();
        }
        (*(*r.inst).vm).exception = exception;
        Flow::Leave(Stop::Throw as u32)
    }
}

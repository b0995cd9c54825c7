//! Calls (Core specification, section 4.4.10). A callee's frame begins at the outgoing arguments, so a call
//! writes four header slots and copies nothing. SAFETY of all functions: the module invariant of `regs`; a
//! frame has room for the arguments and header of every call it makes.

use core::sync::atomic::Ordering;

use lithe_runtime::{
    CodeSlot, Func, Instance,
    layout::{HEADER_CODE, HEADER_INSTANCE, HEADER_IP, HEADER_SLOTS, HEADER_SP},
};
use lithe_types::TrapKind;

use crate::regs::{Flow, Regs, Stop};

/// The caller of a new frame, as its header tells.
struct Return {
    ip: *const u64,
    sp: *mut u64,
    inst: *mut Instance,
}

/// Starts the function of `slot` in the current instance with slot 0 at `sp`.
#[inline(always)]
unsafe fn enter(r: &mut Regs, slot: *const CodeSlot, sp: *mut u64, back: Return) -> Flow {
    // SAFETY: module invariant; the slot's translation lives as long as its module, and the header's four
    // slots below `sp` belong to the caller's frame.
    unsafe {
        let code = (*slot).0.load(Ordering::Acquire);
        r.sp = sp;
        *r.header(HEADER_CODE) = slot as usize as u64;
        *r.header(HEADER_INSTANCE) = back.inst as usize as u64;
        *r.header(HEADER_SP) = back.sp as usize as u64;
        *r.header(HEADER_IP) = back.ip as usize as u64;
        r.ip = (*code).ops.as_ptr();
        let free = (*(*r.inst).vm).stack_end as usize - sp as usize;
        if free < (*code).frame_slots as usize * 8 {
            return TrapKind::StackExhausted.into();
        }
        for i in 0..(*code).zero_slots as usize {
            *sp.add(i) = 0;
        }
        if r.signaled() {
            return Flow::Leave(Stop::Signal as u32);
        }
        Flow::Next
    }
}

/// Calls `func`, of whatever kind, with slot 0 of its frame at `sp`.
#[inline(always)]
unsafe fn call_func(r: &mut Regs, func: *mut Func, sp: *mut u64, cells: usize) -> Flow {
    // SAFETY: module invariant; functions live as long as the store.
    unsafe {
        if (*func).instance.is_null() {
            return call_host(r, func, sp, cells, Stop::Host);
        }
        let back = Return { ip: r.ip.add(cells), sp: r.sp, inst: r.inst };
        switch(r, (*func).instance);
        enter(r, (*func).code, sp, back)
    }
}

/// Leaves for a call of a host function.
#[inline(always)]
unsafe fn call_host(r: &mut Regs, func: *mut Func, sp: *mut u64, cells: usize, stop: Stop) -> Flow {
    // SAFETY: module invariant; functions live as long as the store.
    unsafe {
        let vm = (*r.inst).vm;
        (*vm).callee = func;
        (*vm).args = sp.sub(HEADER_SLOTS + (*func).param_slots as usize);
        r.ip = r.ip.add(cells);
        Flow::Leave(stop as u32)
    }
}

/// Makes `inst` the running instance.
#[inline(always)]
unsafe fn switch(r: &mut Regs, inst: *mut Instance) {
    if inst != r.inst {
        r.inst = inst;
        // SAFETY: instances live as long as the store.
        unsafe { r.reload_memory() };
    }
}

#[inline(always)]
pub(crate) unsafe fn call(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let slot = r.cell(2) as usize as *const CodeSlot;
        let back = Return { ip: r.ip.add(3), sp: r.sp, inst: r.inst };
        enter(r, slot, r.slot(0), back)
    }
}

#[inline(always)]
pub(crate) unsafe fn call_imported(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file; the function index is validated.
    unsafe {
        let func = *(*r.inst).funcs.add(r.imm() as u32 as usize);
        call_func(r, func, r.slot(0), 2)
    }
}

/// The function at `index` of a table, when its type is or declares `ty`.
#[inline(always)]
unsafe fn resolve(r: &Regs, table: u32, index: u64, ty: u64) -> Result<*mut Func, TrapKind> {
    // SAFETY: the table index is validated, and elements are null or live functions.
    unsafe {
        let table = *(*r.inst).tables.add(table as usize);
        if index >= (*table).len as u64 {
            return Err(TrapKind::UndefinedElement);
        }
        let func = *(*table).base.add(index as usize) as usize as *mut Func;
        if func.is_null() {
            return Err(TrapKind::UninitializedElement);
        }
        if u64::from((*func).ty) != ty & u64::from(u32::MAX) && !declares(r.inst, func, ty) {
            return Err(TrapKind::IndirectCallTypeMismatch);
        }
        Ok(func)
    }
}

/// The slow half of a signature check; the upper half of `ty` says whether subtypes can exist. Takes no
/// reference to the registers, which would force them into memory.
#[cold]
#[inline(never)]
unsafe fn declares(inst: *mut Instance, func: *mut Func, ty: u64) -> bool {
    // SAFETY: instances and functions live as long as the store.
    unsafe { ty >> 32 != 0 && (*inst).code.registry().is_subtype((*func).ty, ty as u32) }
}

#[inline(always)]
pub(crate) unsafe fn call_indirect(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        match resolve(r, r.imm() as u32, r.get(1), r.cell(2)) {
            Ok(func) => call_func(r, func, r.slot(0), 3),
            Err(kind) => kind.into(),
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn call_ref(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file; a typed reference is null or a live function.
    unsafe {
        let func = r.get(1) as usize as *mut Func;
        if func.is_null() {
            return TrapKind::NullFunction.into();
        }
        call_func(r, func, r.slot(0), 2)
    }
}

/// Replaces the running frame by the callee's. Field 0 is the first argument, field 1 the argument slots,
/// field 2 the parameter slots of the running function.
#[inline(always)]
unsafe fn replace(r: &mut Regs, slot: *const CodeSlot, inst: *mut Instance) -> Flow {
    // SAFETY: the header is read before the arguments are moved over it. They move towards lower addresses
    // or, when the callee has more of them, within the operands of this frame, which has room for them.
    unsafe {
        let (from, count) = (r.slot(0), r.field(1) as usize);
        let back = Return {
            ip: *r.header(HEADER_IP) as usize as *const u64,
            sp: *r.header(HEADER_SP) as usize as *mut u64,
            inst: *r.header(HEADER_INSTANCE) as usize as *mut Instance,
        };
        let base = r.sp.sub(HEADER_SLOTS + r.field(2) as usize);
        core::ptr::copy(from, base, count);
        switch(r, inst);
        enter(r, slot, base.add(count + HEADER_SLOTS), back)
    }
}

/// A tail call of `func`. A host function is called from this frame; the operation that follows returns.
#[inline(always)]
unsafe fn replace_by(r: &mut Regs, func: *mut Func, cells: usize) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        if (*func).instance.is_null() {
            let sp = r.slot(0).add(r.field(1) as usize + HEADER_SLOTS);
            return call_host(r, func, sp, cells, Stop::TailHost);
        }
        replace(r, (*func).code, (*func).instance)
    }
}

#[inline(always)]
pub(crate) unsafe fn return_call(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let slot = r.cell(2) as usize as *const CodeSlot;
        replace(r, slot, r.inst)
    }
}

#[inline(always)]
pub(crate) unsafe fn return_call_imported(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file; the function index is validated.
    unsafe {
        let func = *(*r.inst).funcs.add(r.cell(2) as usize);
        replace_by(r, func, 3)
    }
}

#[inline(always)]
pub(crate) unsafe fn return_call_indirect(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        match resolve(r, r.cell(3) as u32, r.get(3), r.cell(2)) {
            Ok(func) => replace_by(r, func, 4),
            Err(kind) => kind.into(),
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn return_call_ref(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file; a typed reference is null or a live function.
    unsafe {
        let func = r.get(3) as usize as *mut Func;
        if func.is_null() {
            return TrapKind::NullFunction.into();
        }
        replace_by(r, func, 2)
    }
}

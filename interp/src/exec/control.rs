//! Copies, constants, branches and returns (Core specification, section 4.4.8). SAFETY of all functions: the
//! module invariant of `regs`; a jump's distance leads to an operation of the same function.

use lithe_runtime::layout::{HEADER_INSTANCE, HEADER_IP, HEADER_SP};
use lithe_types::TrapKind;

use crate::regs::{Flow, Regs, Stop};

/// # Safety
/// None needed; unsafe like every other body.
#[inline(always)]
pub(crate) unsafe fn stop(_: &mut Regs, reason: Stop) -> Flow {
    Flow::Leave(reason as u32)
}

/// # Safety
/// None needed; unsafe like every other body.
#[inline(always)]
pub(crate) unsafe fn trap(_: &mut Regs, kind: TrapKind) -> Flow {
    kind.into()
}

/// Charges the operators of the region that begins here; `CHECK` marks function entries and loop headers.
#[inline(always)]
pub(crate) unsafe fn fuel<const CHECK: bool>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of `regs`; the state of execution lives as long as the store.
    unsafe {
        let vm = (*r.inst).vm;
        let cost = i64::from(r.imm());
        if CHECK && (*vm).fuel < cost {
            return Flow::Leave(Stop::Fuel as u32);
        }
        (*vm).fuel = (*vm).fuel.saturating_sub(cost);
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn copy(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of `regs`.
    unsafe {
        let value = r.get(1);
        r.set(value);
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn copy_v128(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of `regs`.
    unsafe {
        let value = r.get_v128(1);
        r.set_v128(value);
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn const_signed(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of `regs`.
    unsafe {
        let value = r.imm() as u64;
        r.set(value);
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn const_unsigned(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of `regs`.
    unsafe {
        let value = u64::from(r.imm() as u32);
        r.set(value);
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn const_64(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of `regs`.
    unsafe {
        let value = r.cell(2);
        r.set(value);
        r.next(3)
    }
}

#[inline(always)]
pub(crate) unsafe fn const_v128(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of `regs`.
    unsafe {
        let value = crate::simd::V128([r.cell(2), r.cell(3)]);
        r.set_v128(value);
        r.next(4)
    }
}

#[inline(always)]
pub(crate) unsafe fn select<const ACC: bool>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of `regs`.
    unsafe {
        let condition = if ACC { r.acc } else { r.get(3) };
        let (a, b) = (r.get(1), r.get(2));
        r.set(if condition as u32 != 0 { a } else { b });
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn select_v128(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of `regs`.
    unsafe {
        let value = if r.get(3) as u32 != 0 { r.get_v128(1) } else { r.get_v128(2) };
        r.set_v128(value);
        r.next(2)
    }
}

/// Where the condition of a branch stands.
pub(crate) trait Cond {
    unsafe fn holds(r: &Regs) -> bool;
}

/// In the slot of field 0.
pub(crate) struct SlotCond;
/// In the accumulator.
pub(crate) struct AccCond;

impl Cond for SlotCond {
    #[inline(always)]
    unsafe fn holds(r: &Regs) -> bool {
        // SAFETY: module invariant of `regs`.
        unsafe { r.get(0) as u32 != 0 }
    }
}

impl Cond for AccCond {
    #[inline(always)]
    unsafe fn holds(r: &Regs) -> bool {
        r.acc as u32 != 0
    }
}

/// Goes to the branch's target when `taken`, else `cells` on. A back-edge looks at the signal.
#[inline(always)]
pub(crate) unsafe fn branch<const BACK: bool>(r: &mut Regs, taken: bool, cells: usize) -> Flow {
    // SAFETY: module invariant of `regs`.
    unsafe {
        if !taken {
            return r.next(cells);
        }
        r.ip = r.ip.offset(r.imm() as isize);
        if BACK && r.signaled() {
            return Flow::Leave(Stop::Signal as u32);
        }
        Flow::Next
    }
}

#[inline(always)]
pub(crate) unsafe fn br<const BACK: bool>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of `regs`.
    unsafe { branch::<BACK>(r, true, 2) }
}

#[inline(always)]
pub(crate) unsafe fn br_if<C: Cond, const WANTED: bool, const BACK: bool>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of `regs`.
    unsafe { branch::<BACK>(r, C::holds(r) == WANTED, 2) }
}

/// The distances follow the operation, two to a cell; the last one is the default.
#[inline(always)]
pub(crate) unsafe fn br_table(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of `regs`; the table has `imm + 1` entries.
    unsafe {
        let index = (r.get(0) as u32).min(r.imm() as u32);
        let distance = *r.ip.add(2).cast::<i32>().add(index as usize);
        r.ip = r.ip.offset(distance as isize);
        Flow::Next
    }
}

/// Leaves the frame; gives the caller's `sp` after restoring its instance.
#[inline(always)]
unsafe fn leave(r: &mut Regs) -> *mut u64 {
    // SAFETY: a header precedes every frame, and its words were written by the call.
    unsafe {
        r.ip = *r.header(HEADER_IP) as usize as *const u64;
        let inst = *r.header(HEADER_INSTANCE) as usize as *mut _;
        let sp = *r.header(HEADER_SP) as usize as *mut u64;
        if inst != r.inst {
            r.inst = inst;
            r.reload_memory();
        }
        sp
    }
}

#[inline(always)]
pub(crate) unsafe fn return_0(r: &mut Regs) -> Flow {
    // SAFETY: as in `leave`.
    unsafe {
        r.sp = leave(r);
        Flow::Next
    }
}

/// One result; the immediate is its place, counted from this frame.
#[inline(always)]
pub(crate) unsafe fn return_1<const ACC: bool>(r: &mut Regs) -> Flow {
    // SAFETY: as in `leave`; the results replace the arguments and may overlap the header, which is read first.
    unsafe {
        let value = if ACC { r.acc } else { r.get(0) };
        let place = r.sp.offset(r.imm() as isize);
        r.sp = leave(r);
        *place = value;
        Flow::Next
    }
}

/// Several result slots from the slot of field 0 on.
#[inline(always)]
pub(crate) unsafe fn return_n(r: &mut Regs) -> Flow {
    // SAFETY: as in `return_1`.
    unsafe {
        let (from, count) = (r.slot(0), r.field(1) as usize);
        let place = r.sp.offset(r.imm() as isize);
        r.sp = leave(r);
        core::ptr::copy(from, place, count);
        Flow::Next
    }
}

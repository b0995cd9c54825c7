//! Wide arithmetic (the proposal of that name): 128-bit sums, differences and products of 64-bit halves. The
//! lower half comes first, in operands and results. SAFETY of all functions: the module invariant of `regs`;
//! the two slots from field 0 on belong to the results, and operands are read before either is written.

use crate::regs::{Flow, Regs};

/// Writes both halves to the two slots of field 0; the upper one also stands in the accumulator.
#[inline(always)]
unsafe fn set(r: &mut Regs, value: u128) {
    // SAFETY: module invariant.
    unsafe {
        let place = r.slot(0);
        *place = value as u64;
        *place.add(1) = (value >> 64) as u64;
        r.acc = (value >> 64) as u64;
    }
}

/// An operator on two 128-bit numbers, which stand in fields 1 to 4.
#[inline(always)]
pub(crate) unsafe fn numbers(r: &mut Regs, f: impl FnOnce(u128, u128) -> u128) -> Flow {
    // SAFETY: module invariant; the format has a fifth field, the first one of the next cell.
    unsafe {
        let number = |low, high| u128::from(r.get(low)) | u128::from(r.get(high)) << 64;
        let (a, b) = (number(1, 2), number(3, 4));
        set(r, f(a, b));
        r.next(3)
    }
}

/// An operator on two 64-bit numbers, which stand in fields 1 and 2.
#[inline(always)]
pub(crate) unsafe fn halves(r: &mut Regs, f: impl FnOnce(u64, u64) -> u128) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let (a, b) = (r.get(1), r.get(2));
        set(r, f(a, b));
        r.next(2)
    }
}

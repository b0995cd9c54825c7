//! Vector operations (Core specification, section 4.4.3), generic over the functions of `simd`. Operands are
//! pairs of slots. SAFETY of all functions: the module invariant of `regs`.

use lithe_types::TrapKind;

use super::memory::{Plain, place_at, place_of, read, write};
use crate::{
    regs::{Flow, Regs, Scalar},
    simd::V128,
};

const OUT: TrapKind = TrapKind::MemoryOutOfBounds;

#[inline(always)]
pub(crate) unsafe fn unary(r: &mut Regs, f: impl FnOnce(V128) -> V128) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        r.set_v128(f(r.get_v128(1)));
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn binary(r: &mut Regs, f: impl FnOnce(V128, V128) -> V128) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        r.set_v128(f(r.get_v128(1), r.get_v128(2)));
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn ternary(r: &mut Regs, f: impl FnOnce(V128, V128, V128) -> V128) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        r.set_v128(f(r.get_v128(1), r.get_v128(2), r.get_v128(3)));
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn shift(r: &mut Regs, f: impl FnOnce(V128, u32) -> V128) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        r.set_v128(f(r.get_v128(1), r.get(2) as u32));
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn test(r: &mut Regs, f: impl FnOnce(V128) -> u32) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        f(r.get_v128(1)).set(r);
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn splat<T: Scalar>(r: &mut Regs, f: impl FnOnce(T) -> V128) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        r.set_v128(f(T::from_slot(r.get(1))));
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn extract<T: Scalar>(r: &mut Regs, f: impl FnOnce(V128, u8) -> T) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        f(r.get_v128(1), r.field(2) as u8).set(r);
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn replace<T: Scalar>(r: &mut Regs, f: impl FnOnce(V128, u8, T) -> V128) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        r.set_v128(f(r.get_v128(1), r.field(3) as u8, T::from_slot(r.get(2))));
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn shuffle(r: &mut Regs, f: impl FnOnce(V128, V128, [u8; 16]) -> V128) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let lanes = V128([r.cell(2), r.cell(3)]);
        r.set_v128(f(r.get_v128(1), r.get_v128(2), lanes.into()));
        r.next(4)
    }
}

/// A load that reads a `T` and makes a vector of it.
#[inline(always)]
pub(crate) unsafe fn load<T: Plain, const SHARED: bool>(
    r: &mut Regs,
    f: impl FnOnce(T) -> V128,
) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let Some(place) = place_of::<T, SHARED>(r) else { return OUT.into() };
        r.set_v128(f(read::<T, SHARED>(place)));
        r.next(3)
    }
}

/// Field 3 holds the lane and, from bit 4 on, the memory.
#[inline(always)]
pub(crate) unsafe fn load_lane<T: Plain, U: Scalar + From<T>, const SHARED: bool>(
    r: &mut Regs,
    f: impl FnOnce(V128, u8, U) -> V128,
) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let both = r.field(3) as u16;
        let place = place_at::<T, SHARED>(r, usize::from(both >> 4), r.get(1), r.cell(2));
        let Some(place) = place else { return OUT.into() };
        let value = U::from(read::<T, SHARED>(place));
        r.set_v128(f(r.get_v128(2), (both & 15) as u8, value));
        r.next(3)
    }
}

/// Field 0 is the address, field 1 the vector, field 2 the memory, field 3 the lane.
#[inline(always)]
pub(crate) unsafe fn store_lane<T: Plain + TryFrom<U>, U: Scalar, const SHARED: bool>(
    r: &mut Regs,
    f: impl FnOnce(V128, u8) -> U,
) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let place = place_at::<T, SHARED>(r, r.field(2) as usize, r.get(0), r.cell(2));
        let Some(place) = place else { return OUT.into() };
        // A lane extracted without sign fits the type of the lane.
        if let Ok(value) = T::try_from(f(r.get_v128(1), r.field(3) as u8)) {
            write::<T, SHARED>(place, value);
        }
        r.next(3)
    }
}

//! Arrays (Core specification, section 4.4.5). SAFETY of all functions: as in `gc`; an element is reached only
//! after its index was compared with the length.

use lithe_runtime::{
    Instance, Vm,
    arrays::{self, ArrayType, Segment},
    objects::fill,
};
use lithe_types::TrapKind;

use super::{
    gc::{HEADER, ROOM, at},
    memory::{Plain, Word},
};
use crate::{
    regs::{Flow, Regs, Scalar},
    simd::V128,
};

const NULL_ARRAY: TrapKind = TrapKind::NullArray;
const OUT: TrapKind = TrapKind::ArrayOutOfBounds;

/// Where array and index of an access stand.
pub(crate) trait Element {
    unsafe fn operands(r: &Regs) -> (u64, u32);
}

macro_rules! elements {
    ($($(#[$doc:meta])* $name:ident |$r:ident| $array:expr, $index:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;
        impl Element for $name {
            #[inline(always)]
            unsafe fn operands($r: &Regs) -> (u64, u32) {
                // SAFETY: module invariant of this file.
                unsafe { ($array, $index as u32) }
            }
        }
    )*};
}

elements! {
    /// Both in slots.
    EltSS |r| r.get(1), r.get(2);
    /// The index in the accumulator.
    EltSA |r| r.get(1), r.acc;
    /// The index an immediate.
    EltSI |r| r.get(1), r.imm();
    /// The array in the accumulator, the index an immediate.
    EltAI |r| r.acc, r.imm();
}

/// The place of an element.
#[inline(always)]
unsafe fn element<T>(r: &Regs, array: u64, index: u32) -> Result<*mut T, TrapKind> {
    // SAFETY: the reference is null or an array of such elements; the index is compared with its length.
    unsafe {
        if array == 0 {
            return Err(NULL_ARRAY);
        }
        let len = *at::<u32>(r, array + 4);
        // The deliberate fault reads and writes the place after the last element: the fuzz target `run` must find it.
        if index >= len && !(cfg!(lithe_fault_gc) && index == len) {
            return Err(OUT);
        }
        Ok(at::<T>(r, array + HEADER as u64).add(index as usize))
    }
}

#[inline(always)]
pub(crate) unsafe fn array_get<T: Plain, U: Scalar, E: Element>(
    r: &mut Regs,
    f: impl FnOnce(T) -> U,
) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let (array, index) = E::operands(r);
        match element::<T>(r, array, index) {
            Ok(place) => {
                f(place.read()).set(r);
                r.next(2)
            }
            Err(kind) => kind.into(),
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn array_get_v128(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        match element::<V128>(r, r.get(1), r.get(2) as u32) {
            Ok(place) => {
                r.set_v128(place.read_unaligned());
                r.next(2)
            }
            Err(kind) => kind.into(),
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn array_set<T: Plain + From<Word>>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        match element::<T>(r, r.get(0), r.get(1) as u32) {
            Ok(place) => {
                place.write(T::from(Word::new(r.get(2))));
                r.next(2)
            }
            Err(kind) => kind.into(),
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn array_set_v128(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        match element::<V128>(r, r.get(0), r.get(1) as u32) {
            Ok(place) => {
                place.write_unaligned(r.get_v128(2));
                r.next(2)
            }
            Err(kind) => kind.into(),
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn array_len(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let array = r.get(1);
        if array == 0 {
            return NULL_ARRAY.into();
        }
        let len = *at::<u32>(r, array + 4);
        r.set(u64::from(len));
        r.next(2)
    }
}

/// The value in field 1, the length in field 2.
#[inline(always)]
pub(crate) unsafe fn array_new(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let (ty, len) = (ArrayType(r.cell(2)), r.get(2) as u32);
        let array = arrays::new((*r.inst).vm, ty, len);
        if array == 0 {
            return ROOM;
        }
        fill(at(r, u64::from(array) + HEADER as u64), ty.log2(), r.slot(1), len as usize);
        r.set(u64::from(array));
        r.next(3)
    }
}

#[inline(always)]
pub(crate) unsafe fn array_new_default(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let (ty, len) = (ArrayType(r.cell(2)), r.get(1) as u32);
        let array = arrays::new((*r.inst).vm, ty, len);
        if array == 0 {
            return ROOM;
        }
        let bytes = (len as usize) << ty.log2();
        at::<u8>(r, u64::from(array) + HEADER as u64).write_bytes(0, bytes);
        r.set(u64::from(array));
        r.next(3)
    }
}

/// The elements in the slots from that of field 1 on, as many as the immediate says.
#[inline(always)]
pub(crate) unsafe fn array_new_fixed(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let (ty, len) = (ArrayType(r.cell(2)), r.imm() as u32);
        let array = arrays::new((*r.inst).vm, ty, len);
        if array == 0 {
            return ROOM;
        }
        arrays::write(at(r, u64::from(array) + HEADER as u64), ty.log2(), r.slot(1), len as usize);
        r.set(u64::from(array));
        r.next(3)
    }
}

/// The start in field 1, the length in field 2; the second cell is the segment.
#[inline(always)]
pub(crate) unsafe fn array_new_from<S: Segment>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let (ty, segment) = (ArrayType(r.cell(2)), r.cell(3) as usize);
        let (start, len) = (r.get(1) as u32, r.get(2) as u32);
        match arrays::new_from::<S>(r.inst, ty, segment, start, len) {
            Ok(0) => ROOM,
            Ok(array) => {
                r.set(u64::from(array));
                r.next(4)
            }
            Err(kind) => kind.into(),
        }
    }
}

#[inline(always)]
fn done(r: &mut Regs, result: Result<(), TrapKind>, cells: usize) -> Flow {
    match result {
        // SAFETY: module invariant of `regs`.
        Ok(()) => unsafe { r.next(cells) },
        Err(kind) => kind.into(),
    }
}

/// Array, start, value, length; the cell is the size of an element.
#[inline(always)]
pub(crate) unsafe fn array_fill(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let (log2, len) = (r.cell(2) as u32, r.get(3) as u32);
        let (array, start) = (r.get(0) as u32, r.get(1) as u32);
        let result = arrays::fill((*r.inst).vm, array, start, r.slot(2), len, log2);
        done(r, result, 3)
    }
}

/// Target, its start, source, its start and length in the slots from field 0 on; the immediate is the size of an
/// element.
#[inline(always)]
pub(crate) unsafe fn array_copy(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let result = copy((*r.inst).vm, r.slot(0), r.imm() as u32);
        done(r, result, 2)
    }
}

#[inline(never)]
unsafe fn copy(vm: *mut Vm, operands: *const u64, log2: u32) -> Result<(), TrapKind> {
    // SAFETY: module invariant of this file; the operation has five operands.
    unsafe {
        let operand = |k: usize| *operands.add(k) as u32;
        let (to, from) = ([operand(0), operand(1)], [operand(2), operand(3)]);
        arrays::copy(vm, to, from, operand(4), log2)
    }
}

/// Array, its start, the segment's start, length; the cell is the segment and the size of an element.
#[inline(always)]
pub(crate) unsafe fn array_init<S: Segment>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let starts = [r.get(1) as u32, r.get(2) as u32];
        let result = init::<S>(r.inst, r.cell(2), r.get(0), starts, r.get(3) as u32);
        done(r, result, 3)
    }
}

#[inline(never)]
unsafe fn init<S: Segment>(
    inst: *mut Instance,
    cell: u64,
    array: u64,
    starts: [u32; 2],
    len: u32,
) -> Result<(), TrapKind> {
    // SAFETY: module invariant of this file.
    unsafe {
        let (segment, log2) = (cell as u32 as usize, (cell >> 32) as u32);
        arrays::init::<S>(inst, [array as u32, starts[0]], segment, starts[1], len, log2)
    }
}

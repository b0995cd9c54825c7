//! Arrays (Core specification, section 4.4.5). SAFETY of all functions: as in `gc`; an element is reached only
//! after its index was compared with the length.

use lithe_runtime::{Instance, Repr, Vm, objects::fill};
use lithe_types::TrapKind;

use super::{
    gc::{HEADER, ROOM, allocate, at},
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

/// How the elements of an array type are stored, with its canonical id: the cell of operations that make arrays.
#[derive(Clone, Copy)]
pub(crate) struct ArrayType(pub u64);

impl ArrayType {
    pub(crate) fn new(id: u32, repr: Repr) -> ArrayType {
        ArrayType(u64::from(id) | u64::from(repr.log2()) << 32)
    }

    fn log2(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// A new array with its header written; null and the wanted bytes noted when there is no room.
#[inline(never)]
unsafe fn new_array(vm: *mut Vm, ty: ArrayType, len: u32) -> u32 {
    // SAFETY: the state of execution lives as long as the store; the object was just made.
    unsafe {
        let bytes = (HEADER as u64 + (u64::from(len) << ty.log2())).next_multiple_of(8);
        let Some(offset) = u32::try_from(bytes).ok().and_then(|bytes| allocate(vm, bytes)) else {
            (*vm).room = bytes;
            return 0;
        };
        *(*vm).heap.at::<[u32; 2]>(offset) = [ty.0 as u32, len];
        offset
    }
}

/// The value in field 1, the length in field 2.
#[inline(always)]
pub(crate) unsafe fn array_new(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let (ty, len) = (ArrayType(r.cell(2)), r.get(2) as u32);
        let array = new_array((*r.inst).vm, ty, len);
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
        let array = new_array((*r.inst).vm, ty, len);
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
        let array = new_array((*r.inst).vm, ty, len);
        if array == 0 {
            return ROOM;
        }
        elements(at(r, u64::from(array) + HEADER as u64), ty.log2(), r.slot(1), len as usize);
        r.set(u64::from(array));
        r.next(3)
    }
}

/// Writes `len` elements of 2^`log2` bytes from slots.
#[inline(never)]
unsafe fn elements(place: *mut u8, log2: u32, slots: *const u64, len: usize) {
    // SAFETY: the caller checked that so many elements are there and as many slots.
    unsafe {
        match log2 {
            4 => core::ptr::copy_nonoverlapping(slots.cast::<u8>(), place, 16 * len),
            3 => core::ptr::copy_nonoverlapping(slots.cast::<u8>(), place, 8 * len),
            2 => (0..len).for_each(|i| *place.cast::<u32>().add(i) = *slots.add(i) as u32),
            1 => (0..len).for_each(|i| *place.cast::<u16>().add(i) = *slots.add(i) as u16),
            _ => (0..len).for_each(|i| *place.add(i) = *slots.add(i) as u8),
        }
    }
}

/// What elements are taken from: the bytes of a data segment, or the slots of an element segment.
pub(crate) trait Segment: Sized {
    /// Where `len` elements of 2^`log2` bytes begin, `start` being the first of the segment's units.
    unsafe fn range(
        inst: *mut Instance,
        segment: usize,
        start: u32,
        len: u32,
        log2: u32,
    ) -> Result<*const Self, TrapKind>;

    /// Writes elements to an array.
    unsafe fn write(source: *const Self, place: *mut u8, log2: u32, len: usize);
}

impl Segment for u8 {
    unsafe fn range(
        inst: *mut Instance,
        segment: usize,
        start: u32,
        len: u32,
        log2: u32,
    ) -> Result<*const u8, TrapKind> {
        // SAFETY: the segment's index is validated; the instance lives as long as the store.
        let bytes = unsafe { lithe_runtime::bulk::data(inst, segment) };
        let end = u64::from(start) + (u64::from(len) << log2);
        match end <= bytes.len() as u64 {
            true => Ok(bytes[start as usize..].as_ptr()),
            false => Err(TrapKind::MemoryOutOfBounds),
        }
    }

    unsafe fn write(source: *const u8, place: *mut u8, log2: u32, len: usize) {
        // SAFETY: both ranges were checked; a segment is no part of the heap.
        unsafe { core::ptr::copy_nonoverlapping(source, place, len << log2) };
    }
}

impl Segment for u64 {
    unsafe fn range(
        inst: *mut Instance,
        segment: usize,
        start: u32,
        len: u32,
        _log2: u32,
    ) -> Result<*const u64, TrapKind> {
        // SAFETY: the segment's index is validated; the instance lives as long as the store.
        let items = unsafe { &(&(*inst).elements)[segment] };
        let end = u64::from(start) + u64::from(len);
        match end <= items.len() as u64 {
            true => Ok(items[start as usize..].as_ptr()),
            false => Err(TrapKind::TableOutOfBounds),
        }
    }

    unsafe fn write(source: *const u64, place: *mut u8, log2: u32, len: usize) {
        // SAFETY: both ranges were checked.
        unsafe { elements(place, log2, source, len) };
    }
}

/// The start in field 1, the length in field 2; the second cell is the segment.
#[inline(always)]
pub(crate) unsafe fn array_new_from<S: Segment>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let (ty, segment) = (ArrayType(r.cell(2)), r.cell(3) as usize);
        match new_from::<S>(r.inst, ty, segment, r.get(1) as u32, r.get(2) as u32) {
            Ok(0) => ROOM,
            Ok(array) => {
                r.set(u64::from(array));
                r.next(4)
            }
            Err(kind) => kind.into(),
        }
    }
}

#[inline(never)]
unsafe fn new_from<S: Segment>(
    inst: *mut Instance,
    ty: ArrayType,
    segment: usize,
    start: u32,
    len: u32,
) -> Result<u32, TrapKind> {
    // SAFETY: the source lies within the segment, the target is the new array.
    unsafe {
        let source = S::range(inst, segment, start, len, ty.log2())?;
        let array = new_array((*inst).vm, ty, len);
        if array != 0 {
            let place = (*(*inst).vm).heap.at(array + HEADER as u32);
            S::write(source, place, ty.log2(), len as usize);
        }
        Ok(array)
    }
}

/// The place of `len` elements of 2^`log2` bytes from element `start` of an array.
unsafe fn range(
    vm: *mut Vm,
    array: u64,
    start: u32,
    len: u32,
    log2: u32,
) -> Result<*mut u8, TrapKind> {
    // SAFETY: the reference is null or an array; the end is compared with its length.
    unsafe {
        if array == 0 {
            return Err(NULL_ARRAY);
        }
        let have = *(*vm).heap.at::<u32>(array as u32 + 4);
        if u64::from(start) + u64::from(len) > u64::from(have) {
            return Err(OUT);
        }
        let first: *mut u8 = (*vm).heap.at(array as u32 + HEADER as u32);
        Ok(first.add((start as usize) << log2))
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
        let result = fill_range((*r.inst).vm, r.get(0), r.get(1) as u32, r.slot(2), len, log2);
        done(r, result, 3)
    }
}

#[inline(never)]
unsafe fn fill_range(
    vm: *mut Vm,
    array: u64,
    start: u32,
    value: *const u64,
    len: u32,
    log2: u32,
) -> Result<(), TrapKind> {
    // SAFETY: the range was checked.
    unsafe {
        fill(range(vm, array, start, len, log2)?, log2, value, len as usize);
        Ok(())
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
    // SAFETY: the operation has five operands; both ranges are checked; they may overlap.
    unsafe {
        let operand = |k: usize| *operands.add(k);
        let len = operand(4) as u32;
        let target = range(vm, operand(0), operand(1) as u32, len, log2)?;
        let source = range(vm, operand(2), operand(3) as u32, len, log2)?;
        core::ptr::copy(source, target, (len as usize) << log2);
        Ok(())
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
    // SAFETY: both ranges are checked.
    unsafe {
        let log2 = (cell >> 32) as u32;
        let target = range((*inst).vm, array, starts[0], len, log2)?;
        let source = S::range(inst, cell as u32 as usize, starts[1], len, log2)?;
        S::write(source, target, log2, len as usize);
        Ok(())
    }
}

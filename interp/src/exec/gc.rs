//! Structs, arrays, `i31` and casts (Core specification, sections 4.4.2 to 4.4.4). SAFETY of all functions: the
//! module invariant of `regs`; validation proves that a reference is null, an `i31` or an object of the wanted
//! type, so only null and lengths are checked. An operation that finds no room leaves before it has changed
//! anything, and is executed again when the store has made room.

use lithe_runtime::{Instance, Repr, Shape, Vm, objects};
use lithe_types::TrapKind;

use super::memory::Plain;
use crate::{
    regs::{Flow, Regs, Scalar, Stop},
    simd::V128,
};

const NULL_STRUCT: TrapKind = TrapKind::NullStruct;
const NULL_ARRAY: TrapKind = TrapKind::NullArray;
const OUT: TrapKind = TrapKind::ArrayOutOfBounds;

/// Bytes of an object's header.
const HEADER: usize = lithe_runtime::HEADER_BYTES as usize;

/// What a reference is tested for, as a cell of an operation says.
#[derive(Clone, Copy)]
pub(crate) struct Test(pub u64);

/// The kinds of tests.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A struct or array of a canonical type, or of a subtype.
    Defined,
    /// A function of a canonical type, or of a subtype.
    Func,
    /// Any reference that is not null.
    Any,
    /// An `i31`, struct or array.
    Eq,
    I31,
    Struct,
    Array,
    /// Only null.
    None,
}

impl Test {
    /// A test against type `id`, which has `depth` supertypes; both are 0 where the kind needs none.
    pub(crate) fn new(kind: Kind, nullable: bool, id: u32, depth: usize) -> Test {
        let upper = u64::from(kind as u8) | u64::from(nullable) << 8 | (depth as u64) << 16;
        Test(u64::from(id) | upper << 32)
    }

    fn id(self) -> u32 {
        self.0 as u32
    }

    fn kind(self) -> u8 {
        (self.0 >> 32) as u8
    }

    fn nullable(self) -> bool {
        self.0 >> 40 & 1 != 0
    }

    fn depth(self) -> usize {
        (self.0 >> 48) as usize
    }
}

/// The address of byte `offset` of the heap.
#[inline(always)]
unsafe fn at<T>(r: &Regs, offset: u64) -> *mut T {
    // SAFETY: the offset is that of an object, or within one.
    unsafe { (*(*r.inst).vm).heap.base.add(offset as usize).cast() }
}

/// Whether a reference passes a test.
#[inline(always)]
unsafe fn passes(r: &Regs, reference: u64, test: Test) -> bool {
    // SAFETY: module invariant of this file.
    unsafe {
        if reference == 0 {
            return test.nullable();
        }
        if test.kind() == Kind::Defined as u8 {
            if reference & 1 != 0 {
                return false;
            }
            let id = *at::<u32>(r, reference);
            return id == test.id() || declares((*r.inst).vm, id, test);
        }
        passes_slow(r.inst, reference, test)
    }
}

/// Whether type `id` of an object is a subtype of the test's.
#[inline(never)]
unsafe fn declares(vm: *mut Vm, id: u32, test: Test) -> bool {
    // SAFETY: the largest ids are those of objects without a defined type; all others have shapes.
    unsafe {
        id < objects::FIRST_SPECIAL
            && (&(*vm).shape(id).supers).get(test.depth()) == Some(&test.id())
    }
}

#[inline(never)]
unsafe fn passes_slow(inst: *mut Instance, reference: u64, test: Test) -> bool {
    // SAFETY: a reference to a function is tested against types of functions only, all others against the others.
    unsafe {
        let kind = test.kind();
        if kind == Kind::Func as u8 {
            let func = reference as usize as *const lithe_runtime::Func;
            let shape = (*(*inst).vm).shape((*func).ty);
            return shape.supers.get(test.depth()) == Some(&test.id());
        }
        if kind == Kind::Any as u8 || kind == Kind::None as u8 {
            return kind == Kind::Any as u8;
        }
        match (*(*inst).vm).object(reference) {
            objects::Object::I31(_) => kind == Kind::Eq as u8 || kind == Kind::I31 as u8,
            objects::Object::Defined(id) => match (*(*inst).vm).shape(id).kind {
                lithe_runtime::ShapeKind::Struct => {
                    kind == Kind::Eq as u8 || kind == Kind::Struct as u8
                }
                _ => kind == Kind::Eq as u8 || kind == Kind::Array as u8,
            },
            _ => false,
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn ref_test(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let passes = passes(r, r.get(1), Test(r.cell(2)));
        r.set(u64::from(passes));
        r.next(3)
    }
}

#[inline(always)]
pub(crate) unsafe fn ref_cast<const ACC: bool>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let reference = if ACC { r.acc } else { r.get(0) };
        match passes(r, reference, Test(r.cell(2))) {
            true => r.next(3),
            false => TrapKind::CastFailure.into(),
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn br_on_cast<const WANTED: bool, const BACK: bool>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let passes = passes(r, r.get(0), Test(r.cell(2)));
        super::control::branch::<BACK>(r, passes == WANTED, 3)
    }
}

#[inline(always)]
pub(crate) unsafe fn ref_i31(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let value = (r.get(1) as u32) << 1 | 1;
        r.set(u64::from(value));
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn i31_get<const SIGNED: bool>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let value = r.get(1) as u32;
        if value == 0 {
            return TrapKind::NullI31.into();
        }
        r.set(u64::from(if SIGNED { (value as i32 >> 1) as u32 } else { value >> 1 }));
        r.next(2)
    }
}

/// Takes room for an object, or notes how much is wanted.
#[inline(always)]
unsafe fn allocate(vm: *mut Vm, bytes: u32) -> Option<u32> {
    // SAFETY: the state of execution lives as long as the store.
    unsafe {
        let at = (*vm).heap.bump(bytes);
        if at.is_none() {
            (*vm).room = u64::from(bytes);
        }
        at
    }
}

const ROOM: Flow = Flow::Leave(Stop::Room as u32);

/// The header of a struct with type id and size as in cell `k`.
#[inline(always)]
unsafe fn new_struct(r: &Regs, k: usize) -> Option<(u32, *mut u8)> {
    // SAFETY: the object was just made.
    unsafe {
        let cell = r.cell(k);
        let offset = allocate((*r.inst).vm, (cell >> 32) as u32)?;
        let object: *mut u8 = at(r, u64::from(offset));
        *object.cast::<u64>() = u64::from(cell as u32);
        Some((offset, object))
    }
}

/// Fields of any representation, given in the slots from that of field 1 on; the first cell is the shape.
#[inline(always)]
pub(crate) unsafe fn struct_new(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file; shapes live as long as the module.
    unsafe {
        let Some((offset, object)) = new_struct(r, 3) else { return ROOM };
        fields(object, r.cell(2) as usize as *const Shape, r.slot(1));
        r.set(u64::from(offset));
        r.next(4)
    }
}

#[inline(never)]
unsafe fn fields(object: *mut u8, shape: *const Shape, mut slots: *const u64) {
    // SAFETY: the object has this shape, and the slots hold its fields' values in order.
    unsafe {
        for field in &(*shape).fields {
            let wide = field.repr == Repr::V128;
            let value = [*slots, if wide { *slots.add(1) } else { 0 }];
            objects::store(object.add(field.offset as usize), field.repr, value);
            slots = slots.add(1 + usize::from(wide));
        }
    }
}

/// Fields of four bytes each, as many as the immediate says, in the slots from that of field 1 on.
#[inline(always)]
pub(crate) unsafe fn struct_new_words(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let Some((offset, object)) = new_struct(r, 2) else { return ROOM };
        let (slots, count) = (r.slot(1), r.imm() as usize);
        for i in 0..count {
            *object.add(HEADER).cast::<u32>().add(i) = *slots.add(i) as u32;
        }
        r.set(u64::from(offset));
        r.next(3)
    }
}

#[inline(always)]
pub(crate) unsafe fn struct_new_default(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file; the size is that of the object just made.
    unsafe {
        let Some((offset, object)) = new_struct(r, 2) else { return ROOM };
        let words = (r.cell(2) >> 32) as usize / 8;
        for i in 1..words {
            *object.cast::<u64>().add(i) = 0;
        }
        r.set(u64::from(offset));
        r.next(3)
    }
}

/// The place of a field whose offset is the immediate.
#[inline(always)]
unsafe fn field<T>(r: &Regs, reference: u64) -> Option<*mut T> {
    // SAFETY: the reference is null or an object that has this field.
    unsafe { (reference != 0).then(|| at(r, reference + u64::from(r.imm() as u32))) }
}

#[inline(always)]
pub(crate) unsafe fn struct_get<T: Plain, U: Scalar, const ACC: bool>(
    r: &mut Regs,
    f: impl FnOnce(T) -> U,
) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let reference = if ACC { r.acc } else { r.get(1) };
        let Some(place) = field::<T>(r, reference) else { return NULL_STRUCT.into() };
        f(place.read()).set(r);
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn struct_get_v128(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let Some(place) = field::<V128>(r, r.get(1)) else { return NULL_STRUCT.into() };
        r.set_v128(place.read_unaligned());
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn struct_set<T: Plain + From<super::memory::Word>, const ACC: bool>(
    r: &mut Regs,
) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let value = if ACC { r.acc } else { r.get(1) };
        let Some(place) = field::<T>(r, r.get(0)) else { return NULL_STRUCT.into() };
        place.write(T::from(super::memory::Word::new(value)));
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn struct_set_v128(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let Some(place) = field::<V128>(r, r.get(0)) else { return NULL_STRUCT.into() };
        place.write_unaligned(r.get_v128(1));
        r.next(2)
    }
}

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
pub(crate) unsafe fn array_set<T: Plain + From<super::memory::Word>>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        match element::<T>(r, r.get(0), r.get(1) as u32) {
            Ok(place) => {
                place.write(T::from(super::memory::Word::new(r.get(2))));
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

/// Writes `len` elements of 2^`log2` bytes: the value in `value`.
#[inline(never)]
unsafe fn fill(place: *mut u8, log2: u32, value: *const u64, len: usize) {
    // SAFETY: the caller checked that so many elements are there; wide elements are aligned to 8 bytes.
    unsafe {
        match log2 {
            0 => place.write_bytes(*value as u8, len),
            1 => core::slice::from_raw_parts_mut(place.cast(), len).fill(*value as u16),
            2 => core::slice::from_raw_parts_mut(place.cast(), len).fill(*value as u32),
            3 => core::slice::from_raw_parts_mut(place.cast(), len).fill(*value),
            _ => {
                let value = [*value, *value.add(1)];
                core::slice::from_raw_parts_mut(place.cast::<[u64; 2]>(), len).fill(value);
            }
        }
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

/// `len` elements of 2^`log2` bytes from byte `start` of a data segment.
unsafe fn data_range(
    inst: *mut Instance,
    segment: usize,
    start: u32,
    len: u32,
    log2: u32,
) -> Result<*const u8, TrapKind> {
    // SAFETY: the segment's index is validated; the instance lives as long as the store.
    let bytes = unsafe { super::memory::segment(inst, segment) };
    let end = u64::from(start) + (u64::from(len) << log2);
    match end <= bytes.len() as u64 {
        true => Ok(bytes[start as usize..].as_ptr()),
        false => Err(TrapKind::MemoryOutOfBounds),
    }
}

/// `len` elements from element `start` of an element segment.
unsafe fn element_range(
    inst: *mut Instance,
    segment: usize,
    start: u32,
    len: u32,
) -> Result<*const u64, TrapKind> {
    // SAFETY: the segment's index is validated; the instance lives as long as the store.
    let items = unsafe { &(&(*inst).elements)[segment] };
    let end = u64::from(start) + u64::from(len);
    match end <= items.len() as u64 {
        true => Ok(items[start as usize..].as_ptr()),
        false => Err(TrapKind::TableOutOfBounds),
    }
}

/// The start in field 1, the length in field 2; the second cell is the segment.
#[inline(always)]
pub(crate) unsafe fn array_new_data(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let ty = ArrayType(r.cell(2));
        let made = new_from_data(r.inst, ty, r.cell(3) as usize, r.get(1) as u32, r.get(2) as u32);
        match made {
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
unsafe fn new_from_data(
    inst: *mut Instance,
    ty: ArrayType,
    segment: usize,
    start: u32,
    len: u32,
) -> Result<u32, TrapKind> {
    // SAFETY: the source lies within the segment, the target is the new array.
    unsafe {
        let source = data_range(inst, segment, start, len, ty.log2())?;
        let array = new_array((*inst).vm, ty, len);
        if array != 0 {
            let place: *mut u8 = (*(*inst).vm).heap.at(array + HEADER as u32);
            core::ptr::copy_nonoverlapping(source, place, (len as usize) << ty.log2());
        }
        Ok(array)
    }
}

/// The start in field 1, the length in field 2; the second cell is the segment.
#[inline(always)]
pub(crate) unsafe fn array_new_elem(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let ty = ArrayType(r.cell(2));
        let made = new_from_elem(r.inst, ty, r.cell(3) as usize, r.get(1) as u32, r.get(2) as u32);
        match made {
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
unsafe fn new_from_elem(
    inst: *mut Instance,
    ty: ArrayType,
    segment: usize,
    start: u32,
    len: u32,
) -> Result<u32, TrapKind> {
    // SAFETY: the source lies within the segment, the target is the new array.
    unsafe {
        let source = element_range(inst, segment, start, len)?;
        let array = new_array((*inst).vm, ty, len);
        if array != 0 {
            let place = (*(*inst).vm).heap.at(array + HEADER as u32);
            elements(place, ty.log2(), source, len as usize);
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
pub(crate) unsafe fn array_init_data(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let starts = [r.get(1) as u32, r.get(2) as u32];
        let result = init_data(r.inst, r.cell(2), r.get(0), starts, r.get(3) as u32);
        done(r, result, 3)
    }
}

#[inline(never)]
unsafe fn init_data(
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
        let source = data_range(inst, cell as u32 as usize, starts[1], len, log2)?;
        core::ptr::copy_nonoverlapping(source, target, (len as usize) << log2);
        Ok(())
    }
}

/// Array, its start, the segment's start, length; the cell is the segment and the size of an element.
#[inline(always)]
pub(crate) unsafe fn array_init_elem(r: &mut Regs) -> Flow {
    // SAFETY: module invariant of this file.
    unsafe {
        let starts = [r.get(1) as u32, r.get(2) as u32];
        let result = init_elem(r.inst, r.cell(2), r.get(0), starts, r.get(3) as u32);
        done(r, result, 3)
    }
}

#[inline(never)]
unsafe fn init_elem(
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
        let source = element_range(inst, cell as u32 as usize, starts[1], len)?;
        elements(target, log2, source, len as usize);
        Ok(())
    }
}

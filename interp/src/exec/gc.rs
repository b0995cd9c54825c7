//! Structs, `i31` and casts (Core specification, section 4.4.5). SAFETY of all functions: the
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

/// Bytes of an object's header.
pub(super) const HEADER: usize = lithe_runtime::HEADER_BYTES as usize;

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
pub(super) unsafe fn at<T>(r: &Regs, offset: u64) -> *mut T {
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
        if test.kind() == Kind::I31 as u8 {
            return reference & 1 != 0;
        }
        passes_slow(r.inst, reference, test)
    }
}

/// Whether type `id` of an object is a subtype of the test's.
#[inline(never)]
unsafe fn declares(vm: *mut Vm, id: u32, test: Test) -> bool {
    // SAFETY: the largest ids are those of objects without a defined type; all others have shapes.
    unsafe {
        id < objects::FIRST_SPECIAL && (*vm).shape(id).supers.get(test.depth()) == Some(&test.id())
    }
}

#[inline(never)]
unsafe fn passes_slow(inst: *mut Instance, reference: u64, test: Test) -> bool {
    // SAFETY: a reference to a function is tested against types of functions only, all others against the others.
    unsafe {
        let kind = test.kind();
        if kind == Kind::Func as u8 {
            let func = reference as usize as *const lithe_runtime::Func;
            return (*inst).code.registry().is_subtype((*func).ty, test.id());
        }
        if kind == Kind::Any as u8 || kind == Kind::None as u8 {
            return kind == Kind::Any as u8;
        }
        match (*(*inst).vm).object(reference) {
            objects::Object::I31(_) => kind == Kind::Eq as u8,
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

/// Takes room for an object, or notes how much is wanted.
#[inline(always)]
pub(super) unsafe fn allocate(vm: *mut Vm, bytes: u32) -> Option<u32> {
    // SAFETY: the state of execution lives as long as the store.
    unsafe {
        let at = (*vm).heap.bump(bytes);
        if at.is_none() {
            (*vm).room = u64::from(bytes);
        }
        at
    }
}

pub(super) const ROOM: Flow = Flow::Leave(Stop::Room as u32);

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

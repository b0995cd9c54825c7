//! Memory operations (Core specification, sections 4.4.7 and 4.4.9). Accesses to memory 0 with 32-bit
//! addresses use the registers; all others, and all to shared memories, find their memory through the instance.
//! SAFETY of all functions: the module invariant of `regs`; an access happens only after its bounds check. What
//! other threads may access at the same time is accessed through `racy` only.

use lithe_runtime::{Memory, bulk, racy::Word as Racy};
use lithe_types::TrapKind;

use super::numeric::Form;
use crate::{
    regs::{Flow, Regs, Scalar},
    simd::V128,
};

/// What is read from or written to a memory. Every bit pattern is a value.
pub(crate) trait Plain: Copy {
    /// Reads from a memory that other threads may access.
    unsafe fn read_shared(place: *const Self) -> Self;
    /// Writes to a memory that other threads may access.
    unsafe fn write_shared(place: *mut Self, value: Self);
}

macro_rules! plain {
    ($($ty:ident)*) => {$(
        impl Plain for $ty {
            #[inline(always)]
            unsafe fn read_shared(place: *const $ty) -> $ty {
                // SAFETY: module invariant.
                unsafe { Racy::load(place) }
            }
            #[inline(always)]
            unsafe fn write_shared(place: *mut $ty, value: $ty) {
                // SAFETY: module invariant.
                unsafe { Racy::store(place, value) }
            }
        }
    )*};
}

plain! { u8 u16 u32 u64 }

impl Plain for V128 {
    #[inline(always)]
    unsafe fn read_shared(place: *const V128) -> V128 {
        let place = place.cast::<u64>();
        // SAFETY: module invariant.
        unsafe { V128([Racy::load(place), Racy::load(place.add(1))]) }
    }
    #[inline(always)]
    unsafe fn write_shared(place: *mut V128, value: V128) {
        let place = place.cast::<u64>();
        // SAFETY: module invariant.
        unsafe {
            Racy::store(place, value.0[0]);
            Racy::store(place.add(1), value.0[1]);
        }
    }
}

/// Reads from a place that was found; `SHARED` says whether other threads may access it.
#[inline(always)]
pub(super) unsafe fn read<T: Plain, const SHARED: bool>(place: *mut T) -> T {
    // SAFETY: module invariant.
    unsafe {
        match SHARED {
            false => place.read_unaligned(),
            true => T::read_shared(place),
        }
    }
}

/// Writes to a place that was found; `SHARED` as for [`read`].
#[inline(always)]
pub(super) unsafe fn write<T: Plain, const SHARED: bool>(place: *mut T, value: T) {
    // SAFETY: module invariant.
    unsafe {
        match SHARED {
            false => place.write_unaligned(value),
            true => T::write_shared(place, value),
        }
    }
}

const OUT: TrapKind = TrapKind::MemoryOutOfBounds;

/// The place of a `T` at 32-bit address `address` plus the operation's offset in memory 0.
#[inline(always)]
unsafe fn place<T>(r: &Regs, address: u64) -> Option<*mut T> {
    // SAFETY: module invariant.
    unsafe { near(r, address as u32, r.imm() as u32) }
}

/// The place of a `T` at 32-bit address `address` plus `offset` in memory 0.
#[inline(always)]
unsafe fn near<T>(r: &Regs, address: u32, offset: u32) -> Option<*mut T> {
    // SAFETY: the sum has at most 33 bits, and the end of the access is compared with the size.
    unsafe {
        let effective = u64::from(address) + u64::from(offset);
        // The deliberate fault forgets how wide the access is: the fuzz target `run` must find it.
        let size = if cfg!(lithe_fault) { 0 } else { size_of::<T>() as u64 };
        if effective + size > r.len as u64 {
            return None;
        }
        Some(r.mem.add(effective as usize).cast())
    }
}

/// The memory with index `index`.
#[inline(always)]
pub(super) unsafe fn memory(r: &Regs, index: usize) -> *mut Memory {
    // SAFETY: memory indices are validated.
    unsafe { *(*r.inst).memories.add(index) }
}

/// The place of a `T` at 64-bit address `address` plus `offset` in memory `index`, which is shared when `SHARED`
/// says so.
#[inline(always)]
pub(super) unsafe fn place_at<T, const SHARED: bool>(
    r: &Regs,
    index: usize,
    address: u64,
    offset: u64,
) -> Option<*mut T> {
    // SAFETY: module invariant.
    unsafe { place_in::<T, SHARED>(memory(r, index), address, offset) }
}

/// The place of a `T` at 64-bit address `address` plus `offset` in a memory, which may be shared only when
/// `SHARED` says so.
#[inline(always)]
pub(super) unsafe fn place_in<T, const SHARED: bool>(
    memory: *mut Memory,
    address: u64,
    offset: u64,
) -> Option<*mut T> {
    // SAFETY: the memory lives as long as the store; the end of the access is compared with its size.
    unsafe {
        let end = address.checked_add(offset)?.checked_add(size_of::<T>() as u64)?;
        if end > (*memory).len as u64 && !(SHARED && reaches(memory, end)) {
            return None;
        }
        Some((*memory).base.add((end as usize) - size_of::<T>()).cast())
    }
}

/// Whether `end` lies within a memory that another thread may have grown.
#[cold]
#[inline(never)]
unsafe fn reaches(memory: *mut Memory, end: u64) -> bool {
    // SAFETY: the memory lives as long as the store, and no reference to it exists.
    unsafe {
        (*memory).ty.shared && {
            (*memory).refresh();
            end <= (*memory).len as u64
        }
    }
}

/// The place that the fields of a generic access name: address in field 1, memory in field 2.
#[inline(always)]
pub(super) unsafe fn place_of<T, const SHARED: bool>(r: &Regs) -> Option<*mut T> {
    // SAFETY: module invariant.
    unsafe { place_at::<T, SHARED>(r, r.field(2) as usize, r.get(1), r.cell(2)) }
}

#[inline(always)]
pub(crate) unsafe fn load<T: Plain, U: Scalar, const ACC: bool>(
    r: &mut Regs,
    f: impl FnOnce(T) -> U,
) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let address = if ACC { r.acc } else { r.get(1) };
        let Some(place) = place::<T>(r, address) else { return OUT.into() };
        f(place.read_unaligned()).set(r);
        r.next(2)
    }
}

/// The offset of an access whose address is a sum: in field 3, or in a cell of its own where an immediate
/// takes that field's place.
#[inline(always)]
unsafe fn sum_offset<F: Form<u32>>(r: &Regs) -> u32 {
    // SAFETY: module invariant.
    unsafe { if !F::IMM { u32::from(r.field(3) as u16) } else { r.cell(2) as u32 } }
}

/// A load whose address is the sum of two operands, modulo 2^32.
#[inline(always)]
pub(crate) unsafe fn load_sum<T: Plain, U: Scalar, F: Form<u32>>(
    r: &mut Regs,
    f: impl FnOnce(T) -> U,
) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let (a, b) = F::operands(r);
        let place = near::<T>(r, a.wrapping_add(b), sum_offset::<F>(r));
        let Some(place) = place else { return OUT.into() };
        f(place.read_unaligned()).set(r);
        r.next(if F::IMM { 3 } else { 2 })
    }
}

/// A store whose address is the sum of two operands, modulo 2^32; the value is in field 2 or immediate.
#[inline(always)]
pub(crate) unsafe fn store_sum<T: Plain + From<Word>, F: Form<u32>, const IMM: bool>(
    r: &mut Regs,
) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let (a, b) = F::operands(r);
        let place = near::<T>(r, a.wrapping_add(b), u32::from(r.field(3) as u16));
        let Some(place) = place else { return OUT.into() };
        let value = if IMM { r.cell(2) } else { r.get(2) };
        place.write_unaligned(T::from(Word(value)));
        r.next(if IMM { 3 } else { 2 })
    }
}

#[inline(always)]
pub(crate) unsafe fn load_at<T: Plain, U: Scalar, const SHARED: bool>(
    r: &mut Regs,
    f: impl FnOnce(T) -> U,
) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let Some(place) = place_of::<T, SHARED>(r) else { return OUT.into() };
        f(read::<T, SHARED>(place)).set(r);
        r.next(3)
    }
}

#[inline(always)]
pub(crate) unsafe fn load_v128(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let Some(place) = place::<V128>(r, r.get(1)) else { return OUT.into() };
        r.set_v128(place.read_unaligned());
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn load_v128_at<const SHARED: bool>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let Some(place) = place_of::<V128, SHARED>(r) else { return OUT.into() };
        r.set_v128(read::<V128, SHARED>(place));
        r.next(3)
    }
}

/// Where the address and the value of a store stand.
pub(crate) trait Operands {
    const CELLS: usize;
    unsafe fn operands(r: &Regs) -> (u64, u64);
}

macro_rules! operands {
    ($($(#[$doc:meta])* $name:ident $cells:literal |$r:ident| $address:expr, $value:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;
        impl Operands for $name {
            const CELLS: usize = $cells;
            #[inline(always)]
            unsafe fn operands($r: &Regs) -> (u64, u64) {
                // SAFETY: module invariant.
                unsafe { ($address, $value) }
            }
        }
    )*};
}

operands! {
    /// Both in slots.
    Slots 2 |r| r.get(0), r.get(1);
    /// The value in the accumulator.
    SlotAcc 2 |r| r.get(0), r.acc;
    /// The address in the accumulator.
    AccSlot 2 |r| r.acc, r.get(1);
    /// The value an immediate.
    SlotImm 3 |r| r.get(0), r.cell(2);
    /// The address in the accumulator, the value an immediate.
    AccImm 3 |r| r.acc, r.cell(2);
}

macro_rules! truncate {
    ($($ty:ident)*) => {$(
        impl From<Word> for $ty {
            #[inline(always)]
            fn from(word: Word) -> $ty {
                word.0 as $ty
            }
        }
    )*};
}

/// The low bytes of a slot.
pub(crate) struct Word(u64);

impl Word {
    #[inline(always)]
    pub(crate) fn new(slot: u64) -> Word {
        Word(slot)
    }
}

truncate! { u8 u16 u32 u64 }

#[inline(always)]
pub(crate) unsafe fn store<T: Plain + From<Word>, O: Operands>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let (address, value) = O::operands(r);
        let Some(place) = place::<T>(r, address) else { return OUT.into() };
        place.write_unaligned(T::from(Word(value)));
        r.next(O::CELLS)
    }
}

/// A store to any memory: address in field 0, value in field 1, memory in field 2.
#[inline(always)]
pub(crate) unsafe fn store_at<T: Plain + From<Word>, const SHARED: bool>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let place = place_at::<T, SHARED>(r, r.field(2) as usize, r.get(0), r.cell(2));
        let Some(place) = place else { return OUT.into() };
        write::<T, SHARED>(place, T::from(Word(r.get(1))));
        r.next(3)
    }
}

#[inline(always)]
pub(crate) unsafe fn store_v128(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let Some(place) = place::<V128>(r, r.get(0)) else { return OUT.into() };
        place.write_unaligned(r.get_v128(1));
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn store_v128_at<const SHARED: bool>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let place = place_at::<V128, SHARED>(r, r.field(2) as usize, r.get(0), r.cell(2));
        let Some(place) = place else { return OUT.into() };
        write::<V128, SHARED>(place, r.get_v128(1));
        r.next(3)
    }
}

#[inline(always)]
pub(crate) unsafe fn memory_size(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let pages = (*memory(r, r.imm() as u32 as usize)).pages();
        r.set(pages);
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn memory_grow(r: &mut Regs) -> Flow {
    // SAFETY: module invariant; the registers of memory 0 are read again, which may be this memory.
    unsafe {
        let old = grow(r.inst, memory(r, r.imm() as u32 as usize), r.get(1));
        r.reload_memory();
        r.set(old);
        r.next(2)
    }
}

#[inline(never)]
unsafe fn grow(inst: *mut lithe_runtime::Instance, memory: *mut Memory, delta: u64) -> u64 {
    // SAFETY: the records live as long as the store, and nothing else refers to them.
    unsafe {
        let failed = if (*memory).ty.is64 { u64::MAX } else { u64::from(u32::MAX) };
        bulk::memory_grow((*inst).vm, memory, delta).unwrap_or(failed)
    }
}

#[inline(always)]
pub(crate) unsafe fn memory_fill(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        match bulk::memory_fill(memory(r, r.cell(2) as usize), r.get(0), r.get(1) as u8, r.get(2)) {
            Some(()) => r.next(3),
            None => OUT.into(),
        }
    }
}

/// The cell holds the destination memory in its lower and the source memory in its upper half.
#[inline(always)]
pub(crate) unsafe fn memory_copy(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let both = r.cell(2);
        let to = memory(r, both as u32 as usize);
        let from = memory(r, (both >> 32) as usize);
        match bulk::memory_copy(to, from, r.get(0), r.get(1), r.get(2)) {
            Some(()) => r.next(3),
            None => OUT.into(),
        }
    }
}

/// The cell holds the memory in its lower and the segment in its upper half.
#[inline(always)]
pub(crate) unsafe fn memory_init(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let both = r.cell(2);
        let to = memory(r, both as u32 as usize);
        let segment = (both >> 32) as usize;
        match bulk::memory_init(r.inst, to, segment, r.get(0), r.get(1) as u32, r.get(2) as u32) {
            Some(()) => r.next(3),
            None => OUT.into(),
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn data_drop(r: &mut Regs) -> Flow {
    // SAFETY: the segment index is validated.
    unsafe {
        bulk::data_drop(r.inst, r.imm() as u32 as usize);
        r.next(2)
    }
}

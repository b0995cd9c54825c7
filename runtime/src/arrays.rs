//! Making arrays and changing many of their elements (Core specification, section 4.4.5). Engines call these out of
//! line. SAFETY of all functions: the state of execution and the instance live as long as their store, which is not
//! borrowed elsewhere; segment indices are validated; a reference is null or an array whose elements have the size
//! that is said. Where there is no room for an array, nothing has changed, and [`Vm::room`] tells what is wanted.

use lithe_types::TrapKind;

use crate::{HEADER_BYTES, Instance, Repr, Vm, bulk, objects};

const OUT: TrapKind = TrapKind::ArrayOutOfBounds;

/// An array type, as engines hand it on: its canonical id, and above it the logarithm of an element's size.
#[derive(Clone, Copy)]
pub struct ArrayType(pub u64);

impl ArrayType {
    /// The type with this id, whose elements are stored like this.
    pub fn new(id: u32, repr: Repr) -> ArrayType {
        ArrayType(u64::from(id) | u64::from(repr.log2()) << 32)
    }

    /// The canonical id.
    pub fn id(self) -> u32 {
        self.0 as u32
    }

    /// The base-2 logarithm of an element's size.
    pub fn log2(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// A new array of `len` elements with its header written; 0 when there is no room.
///
/// # Safety
/// As the file's first paragraph says. The elements are written before anything else is allocated.
#[inline(never)]
pub unsafe fn new(vm: *mut Vm, ty: ArrayType, len: u32) -> u32 {
    // SAFETY: as the caller promises; the object was just made.
    unsafe {
        let bytes = (u64::from(HEADER_BYTES) + (u64::from(len) << ty.log2())).next_multiple_of(8);
        let offset = u32::try_from(bytes).ok().and_then(|bytes| (*vm).heap.bump(bytes));
        let Some(offset) = offset else {
            (*vm).room = bytes;
            return 0;
        };
        *(*vm).heap.at::<[u32; 2]>(offset) = [ty.id(), len];
        offset
    }
}

/// Writes `len` elements of 2^`log2` bytes from slots.
///
/// # Safety
/// So many elements are at `place`, and the slots that they take at `slots`.
#[inline(never)]
pub unsafe fn write(place: *mut u8, log2: u32, slots: *const u64, len: usize) {
    // SAFETY: as the caller promises.
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
pub trait Segment: Sized {
    /// Where `len` elements of 2^`log2` bytes begin, `start` being the first of the segment's units.
    ///
    /// # Safety
    /// As the file's first paragraph says.
    unsafe fn range(
        instance: *mut Instance,
        segment: usize,
        start: u32,
        len: u32,
        log2: u32,
    ) -> Result<*const Self, TrapKind>;

    /// Writes elements to an array.
    ///
    /// # Safety
    /// So many elements are at `place` and at `source`.
    unsafe fn write(source: *const Self, place: *mut u8, log2: u32, len: usize);
}

impl Segment for u8 {
    unsafe fn range(
        instance: *mut Instance,
        segment: usize,
        start: u32,
        len: u32,
        log2: u32,
    ) -> Result<*const u8, TrapKind> {
        // SAFETY: as the caller promises.
        let bytes = unsafe { bulk::data(instance, segment) };
        let end = u64::from(start) + (u64::from(len) << log2);
        match end <= bytes.len() as u64 {
            true => Ok(bytes[start as usize..].as_ptr()),
            false => Err(TrapKind::MemoryOutOfBounds),
        }
    }

    unsafe fn write(source: *const u8, place: *mut u8, log2: u32, len: usize) {
        // SAFETY: as the caller promises; a segment is no part of the heap.
        unsafe { core::ptr::copy_nonoverlapping(source, place, len << log2) };
    }
}

impl Segment for u64 {
    unsafe fn range(
        instance: *mut Instance,
        segment: usize,
        start: u32,
        len: u32,
        _log2: u32,
    ) -> Result<*const u64, TrapKind> {
        // SAFETY: as the caller promises.
        let items = unsafe { &(&(*instance).elements)[segment] };
        let end = u64::from(start) + u64::from(len);
        match end <= items.len() as u64 {
            true => Ok(items[start as usize..].as_ptr()),
            false => Err(TrapKind::TableOutOfBounds),
        }
    }

    unsafe fn write(source: *const u64, place: *mut u8, log2: u32, len: usize) {
        // SAFETY: as the caller promises.
        unsafe { write(place, log2, source, len) };
    }
}

/// A new array with elements from a segment; 0 when there is no room.
///
/// # Safety
/// As the file's first paragraph says.
#[inline(never)]
pub unsafe fn new_from<S: Segment>(
    instance: *mut Instance,
    ty: ArrayType,
    segment: usize,
    start: u32,
    len: u32,
) -> Result<u32, TrapKind> {
    // SAFETY: the source lies within the segment, the target is the new array.
    unsafe {
        let source = S::range(instance, segment, start, len, ty.log2())?;
        let array = new((*instance).vm, ty, len);
        if array != 0 {
            let place = (*(*instance).vm).heap.at(array + HEADER_BYTES);
            S::write(source, place, ty.log2(), len as usize);
        }
        Ok(array)
    }
}

/// The place of `len` elements of 2^`log2` bytes from element `start` of an array.
unsafe fn range(
    vm: *mut Vm,
    array: u32,
    start: u32,
    len: u32,
    log2: u32,
) -> Result<*mut u8, TrapKind> {
    // SAFETY: the reference is null or an array; the end is compared with its length.
    unsafe {
        if array == 0 {
            return Err(TrapKind::NullArray);
        }
        let have = *(*vm).heap.at::<u32>(array + 4);
        if u64::from(start) + u64::from(len) > u64::from(have) {
            return Err(OUT);
        }
        let first: *mut u8 = (*vm).heap.at(array + HEADER_BYTES);
        Ok(first.add((start as usize) << log2))
    }
}

/// Writes the value in the one or two slots at `value` to `len` elements from `start` on.
///
/// # Safety
/// As the file's first paragraph says.
#[inline(never)]
pub unsafe fn fill(
    vm: *mut Vm,
    array: u32,
    start: u32,
    value: *const u64,
    len: u32,
    log2: u32,
) -> Result<(), TrapKind> {
    // SAFETY: the range was checked.
    unsafe {
        objects::fill(range(vm, array, start, len, log2)?, log2, value, len as usize);
        Ok(())
    }
}

/// Copies `len` elements to the array and start in `to` from those in `from`.
///
/// # Safety
/// As the file's first paragraph says.
pub unsafe fn copy(
    vm: *mut Vm,
    to: [u32; 2],
    from: [u32; 2],
    len: u32,
    log2: u32,
) -> Result<(), TrapKind> {
    // SAFETY: both ranges are checked; they may overlap.
    unsafe {
        let target = range(vm, to[0], to[1], len, log2)?;
        let source = range(vm, from[0], from[1], len, log2)?;
        core::ptr::copy(source, target, (len as usize) << log2);
        Ok(())
    }
}

/// Copies `len` elements to the array and start in `to` from place `start` of a segment.
///
/// # Safety
/// As the file's first paragraph says.
pub unsafe fn init<S: Segment>(
    instance: *mut Instance,
    to: [u32; 2],
    segment: usize,
    start: u32,
    len: u32,
    log2: u32,
) -> Result<(), TrapKind> {
    // SAFETY: both ranges are checked.
    unsafe {
        let target = range((*instance).vm, to[0], to[1], len, log2)?;
        let source = S::range(instance, segment, start, len, log2)?;
        S::write(source, target, log2, len as usize);
        Ok(())
    }
}

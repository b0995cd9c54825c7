//! Operators on whole ranges of memories and tables, and growing them (Core specification, sections 4.4.6 and
//! 4.4.7). Engines call these out of line, after they looked up the records. SAFETY of all functions: the records
//! live as long as their store, which is not borrowed elsewhere, and segment indices are validated.

use alloc::boxed::Box;
use core::ops::Range;

use crate::{Instance, Memory, Table, Vm, racy};

/// Grows a memory by `delta` pages and gives the old size in pages; `None` when that is refused.
///
/// # Safety
/// As the file's first paragraph says.
#[inline(never)]
pub unsafe fn memory_grow(vm: *mut Vm, memory: *mut Memory, delta: u64) -> Option<u64> {
    // SAFETY: as the caller promises; no reference to the records exists.
    unsafe {
        let old = (&mut *memory).grow(delta);
        if old.is_none() {
            (*vm).refused_grows += 1;
        }
        old
    }
}

/// `start..start + len` within a memory.
unsafe fn place(memory: *mut Memory, start: u64, len: u64) -> Option<Range<usize>> {
    let end = start.checked_add(len)?;
    // SAFETY: as the caller promises. Another thread may have grown a shared memory.
    unsafe {
        if end > (*memory).len as u64 {
            (&mut *memory).refresh();
        }
        (end <= (*memory).len as u64).then_some(start as usize..end as usize)
    }
}

/// Writes `value` to `len` bytes from `start` on; `None` when they are not all within the memory.
///
/// # Safety
/// As the file's first paragraph says.
#[inline(never)]
pub unsafe fn memory_fill(memory: *mut Memory, start: u64, value: u8, len: u64) -> Option<()> {
    // SAFETY: the range lies within the memory.
    unsafe {
        let range = place(memory, start, len)?;
        let place = (*memory).base.add(range.start);
        match (*memory).ty.shared {
            false => place.write_bytes(value, range.len()),
            true => racy::fill(place, value, range.len()),
        }
    }
    Some(())
}

/// Copies `len` bytes to place `d` of one memory from place `s` of another or the same; `None` when they are not
/// all within the memories.
///
/// # Safety
/// As the file's first paragraph says.
#[inline(never)]
pub unsafe fn memory_copy(
    to: *mut Memory,
    from: *mut Memory,
    d: u64,
    s: u64,
    len: u64,
) -> Option<()> {
    // SAFETY: both ranges lie within their memories; they may overlap.
    unsafe {
        let source = place(from, s, len)?;
        let target = place(to, d, len)?;
        let source_start = (*from).base.add(source.start);
        let target_start = (*to).base.add(target.start);
        match (*from).ty.shared || (*to).ty.shared {
            false => core::ptr::copy(source_start, target_start, source.len()),
            true => racy::copy(source_start, target_start, source.len()),
        }
    }
    Some(())
}

/// The bytes of a data segment, none after it was dropped.
///
/// # Safety
/// As the file's first paragraph says.
pub unsafe fn data<'a>(instance: *const Instance, segment: usize) -> &'a [u8] {
    // SAFETY: as the caller promises; the module lives as long as its instance.
    let instance = unsafe { &*instance };
    let module = instance.code.module();
    match instance.dropped_data[segment] {
        true => &[],
        false => {
            let range = &module.data[segment].range;
            &module.bytes[range.start as usize..range.end as usize]
        }
    }
}

/// Copies `len` bytes to place `d` of a memory from place `s` of a data segment; `None` when they are not all
/// within both.
///
/// # Safety
/// As the file's first paragraph says.
#[inline(never)]
pub unsafe fn memory_init(
    instance: *mut Instance,
    to: *mut Memory,
    segment: usize,
    d: u64,
    s: u32,
    len: u32,
) -> Option<()> {
    // SAFETY: the ranges lie within the segment and the memory.
    unsafe {
        let bytes = data(instance, segment);
        let end = (s as usize).checked_add(len as usize)?;
        let source = bytes.get(s as usize..end)?;
        let target = place(to, d, u64::from(len))?;
        let start = (*to).base.add(target.start);
        match (*to).ty.shared {
            false => core::ptr::copy_nonoverlapping(source.as_ptr(), start, source.len()),
            true => racy::write(start, source),
        }
    }
    Some(())
}

/// Drops a data segment.
///
/// # Safety
/// As the file's first paragraph says.
#[inline(never)]
pub unsafe fn data_drop(instance: *mut Instance, segment: usize) {
    // SAFETY: no reference to the list exists.
    unsafe { (&mut (*instance).dropped_data)[segment] = true };
}

/// `start..start + len` within `size` elements.
fn range(start: u64, len: u64, size: usize) -> Option<Range<usize>> {
    let end = start.checked_add(len)?;
    (end <= size as u64).then_some(start as usize..end as usize)
}

/// Grows a table by `delta` elements of value `init` and gives the old size; `None` when that is refused.
///
/// # Safety
/// As the file's first paragraph says.
#[inline(never)]
pub unsafe fn table_grow(table: *mut Table, init: u64, delta: u64) -> Option<u64> {
    // SAFETY: no reference to the table exists.
    unsafe { (&mut *table).grow(delta, init) }
}

/// Writes `value` to `len` elements from `start` on; `None` when they are not all within the table.
///
/// # Safety
/// As the file's first paragraph says.
#[inline(never)]
pub unsafe fn table_fill(table: *mut Table, start: u64, value: u64, len: u64) -> Option<()> {
    // SAFETY: no reference to the table exists.
    let table = unsafe { &mut *table };
    let range = range(start, len, table.len)?;
    table.elements_mut().get_mut(range)?.fill(value);
    Some(())
}

/// Copies `len` elements to place `d` of one table from place `s` of another or the same; `None` when they are not
/// all within the tables.
///
/// # Safety
/// As the file's first paragraph says.
#[inline(never)]
pub unsafe fn table_copy(to: *mut Table, from: *mut Table, d: u64, s: u64, len: u64) -> Option<()> {
    // SAFETY: both ranges lie within their tables; they may overlap.
    unsafe {
        let source = range(s, len, (*from).len)?;
        let target = range(d, len, (*to).len)?;
        let start = (*from).base.add(source.start);
        core::ptr::copy(start, (*to).base.add(target.start), source.len());
    }
    Some(())
}

/// Copies `len` elements to place `d` of a table from place `s` of an element segment; `None` when they are not all
/// within both.
///
/// # Safety
/// As the file's first paragraph says.
#[inline(never)]
pub unsafe fn table_init(
    instance: *mut Instance,
    table: *mut Table,
    segment: usize,
    d: u64,
    s: u32,
    len: u32,
) -> Option<()> {
    // SAFETY: no other reference to the table or the instance exists; they are different records.
    let (table, instance) = unsafe { (&mut *table, &*instance) };
    let items = &instance.elements[segment];
    let source = items.get(range(s.into(), len.into(), items.len())?)?;
    let target = range(d, len.into(), table.len)?;
    table.elements_mut().get_mut(target)?.copy_from_slice(source);
    Some(())
}

/// Drops an element segment.
///
/// # Safety
/// As the file's first paragraph says.
#[inline(never)]
pub unsafe fn elem_drop(instance: *mut Instance, segment: usize) {
    // SAFETY: no reference to the list exists.
    unsafe { (&mut (*instance).elements)[segment] = Box::default() };
}

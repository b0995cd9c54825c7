//! Globals, references and tables (Core specification, sections 4.4.2, 4.4.5 and 4.4.6). SAFETY of all
//! functions: the module invariant of `regs`; indices are validated, and the records they lead to live as
//! long as the store.

use lithe_runtime::{Global, Table, bulk};
use lithe_types::TrapKind;

use crate::{
    regs::{Flow, Regs},
    simd::V128,
};

const OUT: TrapKind = TrapKind::TableOutOfBounds;

/// A global by its index among the instance's own, or among all.
#[inline(always)]
unsafe fn global<const OWN: bool>(r: &Regs) -> *mut Global {
    // SAFETY: module invariant.
    unsafe {
        let index = r.imm() as u32 as usize;
        match OWN {
            true => (*r.inst).own_globals.add(index),
            false => *(*r.inst).globals.add(index),
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn global_get<const OWN: bool>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let value = (*global::<OWN>(r)).value[0];
        r.set(value);
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn global_set<const OWN: bool>(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        (*global::<OWN>(r)).value[0] = r.get(0);
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn global_get_v128(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let value = V128((*global::<false>(r)).value);
        r.set_v128(value);
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn global_set_v128(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        (*global::<false>(r)).value = r.get_v128(0).0;
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn ref_func(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let func = (*r.inst).func(r.imm() as u32);
        r.set(func as usize as u64);
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn ref_as_non_null(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        match r.get(0) {
            0 => TrapKind::NullReference.into(),
            _ => r.next(2),
        }
    }
}

#[inline(always)]
unsafe fn table(r: &Regs, index: usize) -> *mut Table {
    // SAFETY: module invariant.
    unsafe { *(*r.inst).tables.add(index) }
}

#[inline(always)]
pub(crate) unsafe fn table_get(r: &mut Regs) -> Flow {
    // SAFETY: the index is compared with the table's size.
    unsafe {
        let (table, index) = (table(r, r.imm() as u32 as usize), r.get(1));
        if index >= (*table).len as u64 {
            return OUT.into();
        }
        let value = *(*table).base.add(index as usize);
        r.set(value);
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn table_set(r: &mut Regs) -> Flow {
    // SAFETY: the index is compared with the table's size.
    unsafe {
        let (table, index) = (table(r, r.imm() as u32 as usize), r.get(0));
        if index >= (*table).len as u64 {
            return OUT.into();
        }
        *(*table).base.add(index as usize) = r.get(1);
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn table_size(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let len = (*table(r, r.imm() as u32 as usize)).len as u64;
        r.set(len);
        r.next(2)
    }
}

/// Field 1 is the initial value, field 2 the number of elements.
#[inline(always)]
pub(crate) unsafe fn table_grow(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let old = grow(table(r, r.cell(2) as usize), r.get(1), r.get(2));
        r.set(old);
        r.next(3)
    }
}

#[inline(never)]
unsafe fn grow(table: *mut Table, init: u64, delta: u64) -> u64 {
    // SAFETY: the table lives as long as the store, and nothing else refers to it.
    unsafe {
        let failed = if (*table).ty.is64 { u64::MAX } else { u64::from(u32::MAX) };
        bulk::table_grow(table, init, delta).unwrap_or(failed)
    }
}

#[inline(always)]
pub(crate) unsafe fn table_fill(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        match bulk::table_fill(table(r, r.cell(2) as usize), r.get(0), r.get(1), r.get(2)) {
            Some(()) => r.next(3),
            None => OUT.into(),
        }
    }
}

/// The cell holds the destination table in its lower and the source table in its upper half.
#[inline(always)]
pub(crate) unsafe fn table_copy(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let both = r.cell(2);
        let to = table(r, both as u32 as usize);
        let from = table(r, (both >> 32) as usize);
        match bulk::table_copy(to, from, r.get(0), r.get(1), r.get(2)) {
            Some(()) => r.next(3),
            None => OUT.into(),
        }
    }
}

/// The cell holds the table in its lower and the segment in its upper half.
#[inline(always)]
pub(crate) unsafe fn table_init(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        let both = r.cell(2);
        let table = table(r, both as u32 as usize);
        let (s, len) = (r.get(1) as u32, r.get(2) as u32);
        let done = bulk::table_init(r.inst, table, (both >> 32) as usize, r.get(0), s, len);
        match done {
            Some(()) => r.next(3),
            None => OUT.into(),
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn elem_drop(r: &mut Regs) -> Flow {
    // SAFETY: module invariant.
    unsafe {
        bulk::elem_drop(r.inst, r.imm() as u32 as usize);
        r.next(2)
    }
}

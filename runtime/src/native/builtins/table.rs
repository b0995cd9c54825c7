//! Tables. SAFETY of all functions: see the module above.

use lithe_types::TrapKind;

use super::Context;
use crate::bulk;

const OUT: TrapKind = TrapKind::TableOutOfBounds;

pub(super) unsafe extern "C" fn table_grow(
    context: Context,
    table: u32,
    init: u64,
    delta: u64,
) -> u64 {
    // SAFETY: see the module above.
    unsafe { bulk::table_grow(context.table(table), init, delta).unwrap_or(u64::MAX) }
}

pub(super) unsafe extern "C" fn table_fill(
    context: Context,
    table: u32,
    start: u64,
    value: u64,
    len: u64,
) {
    // SAFETY: see the module above.
    unsafe { context.check(bulk::table_fill(context.table(table), start, value, len), OUT) }
}

pub(super) unsafe extern "C" fn table_copy(
    context: Context,
    to: u32,
    from: u32,
    d: u64,
    s: u64,
    len: u64,
) {
    // SAFETY: see the module above.
    unsafe {
        let (to, from) = (context.table(to), context.table(from));
        context.check(bulk::table_copy(to, from, d, s, len), OUT);
    }
}

pub(super) unsafe extern "C" fn table_init(
    context: Context,
    table: u32,
    segment: u32,
    d: u64,
    s: u32,
    len: u32,
) {
    // SAFETY: see the module above.
    unsafe {
        let (instance, table) = (context.instance(), context.table(table));
        context.check(bulk::table_init(instance, table, segment as usize, d, s, len), OUT);
    }
}

pub(super) unsafe extern "C" fn elem_drop(context: Context, segment: u32) {
    // SAFETY: see the module above.
    unsafe { bulk::elem_drop(context.instance(), segment as usize) }
}

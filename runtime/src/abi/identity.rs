//! A number for all that native code assumes of the runtime, which artifacts carry. Invariant: it differs between
//! versions of Lithe, and whenever a record or a call that native code relies on does.

use core::mem::offset_of;

use super::{Builtin, Word};
use crate::{Func, Global, HeapView, Instance, Memory, Object, Table, Tag, Vm};

/// The number of this version's assumptions.
pub const IDENTITY: u64 = {
    let mut hash = bytes(OFFSET, env!("CARGO_PKG_VERSION").as_bytes());
    let mut i = 0;
    while i < LAYOUT.len() {
        hash = bytes(hash, &(LAYOUT[i] as u64).to_le_bytes());
        i += 1;
    }
    let mut i = 0;
    while i < Builtin::ALL.len() {
        let (params, result) = Builtin::ALL[i].signature();
        let mut param = 0;
        while param < params.len() {
            hash = bytes(hash, &[params[param] as u8 + 1]);
            param += 1;
        }
        hash = bytes(
            hash,
            &[0, if let Some(Word::I64) = result { 2 } else { result.is_some() as u8 }],
        );
        i += 1;
    }
    hash
};

/// Sizes and offsets of records that native code reads or writes, or may one day.
const LAYOUT: &[usize] = &[
    super::VERSION as usize,
    super::FIXED as usize,
    super::FRAME_BYTES as usize,
    super::IMPORT_BYTES as usize,
    size_of::<Func>(),
    offset_of!(Func, ty),
    offset_of!(Func, instance),
    offset_of!(Func, native),
    offset_of!(Func, context),
    offset_of!(Func, enter),
    size_of::<Global>(),
    offset_of!(Global, value),
    offset_of!(Memory, base),
    offset_of!(Memory, len),
    offset_of!(Table, base),
    offset_of!(Table, len),
    offset_of!(Tag, index),
    offset_of!(Instance, memory0),
    offset_of!(Instance, dropped_data),
    offset_of!(Vm, fuel),
    offset_of!(Vm, fuel_rest),
    offset_of!(Vm, signal),
    offset_of!(Vm, heap),
    offset_of!(HeapView, base),
    offset_of!(Vm, shapes),
    offset_of!(Vm, exception),
    size_of::<Object>(),
    crate::HEADER_BYTES as usize,
];

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x100_0000_01b3;

/// FNV-1a.
const fn bytes(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(PRIME);
        i += 1;
    }
    hash
}

//! What the collector knows of each type: the size of its objects and where they hold references. Made from the
//! shapes of the registry, once for each type, so that marking reads one small record for an object. Invariant:
//! plan `n` describes the objects whose header says type `n`.

use alloc::vec::Vec;

use super::{EXN, EXTERN};
use crate::{HEADER_BYTES, Repr, Shape, ShapeKind};

/// Bytes before the payload of an exception: the header and the address of the tag.
pub(crate) const EXN_PAYLOAD: u32 = HEADER_BYTES + 8;

/// How to visit the objects of a type.
#[derive(Clone, Copy, Debug)]
pub(super) enum Plan {
    /// A struct; bit `n` of `refs` is set when the 32 bits at offset `4 * n` are a reference.
    Struct { size: u32, refs: u64 },
    /// A struct with references further from its start; its shape tells where.
    Wide { size: u32 },
    /// An array of references.
    Refs,
    /// An array of `1 << log2` bytes an element without references.
    Plain { log2: u32 },
}

/// Appends the plans of the shapes that `plans` does not have yet.
pub(super) fn extend(plans: &mut Vec<Plan>, shapes: &[*const Shape]) {
    for shape in shapes.iter().skip(plans.len()) {
        // SAFETY: shapes keep their address for as long as the registry, which the store holds on to.
        plans.push(plan(unsafe { &**shape }));
    }
}

fn plan(shape: &Shape) -> Plan {
    match shape.kind {
        ShapeKind::Struct => {
            let size = shape.size;
            match shape.refs.iter().all(|offset| offset / 4 < u64::BITS) {
                true => {
                    let refs = shape.refs.iter().fold(0, |refs, offset| refs | 1 << (offset / 4));
                    Plan::Struct { size, refs }
                }
                false => Plan::Wide { size },
            }
        }
        ShapeKind::Array => match shape.element() {
            Repr::Ref => Plan::Refs,
            repr => Plan::Plain { log2: repr.log2() },
        },
        // Function types have no objects.
        ShapeKind::Func => Plan::Struct { size: HEADER_BYTES, refs: 0 },
    }
}

/// Bytes of the object with the header `[id | word]`.
#[inline(always)]
pub(super) fn size(plans: &[Plan], id: u32, word: u32) -> u64 {
    let array = |log2: u32| (u64::from(HEADER_BYTES) + (u64::from(word) << log2) + 7) & !7;
    match plans.get(id as usize) {
        Some(&(Plan::Struct { size, .. } | Plan::Wide { size })) => u64::from(size),
        Some(Plan::Refs) => array(2),
        Some(Plan::Plain { log2 }) => array(*log2),
        None if id == EXN => u64::from(EXN_PAYLOAD) + 8 * u64::from(word),
        None => {
            debug_assert_eq!(id, EXTERN, "a header that no allocation wrote");
            u64::from(HEADER_BYTES)
        }
    }
}

//! Space for objects and the collector.

use alloc::{boxed::Box, vec::Vec};
use core::any::Any;

use super::{HeapError, HeapView};
use crate::Shape;

/// The heap of a store.
pub(crate) struct Heap {
    reserved: usize,
    externals: Vec<Box<dyn Any + Send + Sync>>,
}

/// Follows references while a collection marks.
pub(crate) struct Marker<'a> {
    _shapes: &'a [*const Shape],
}

impl Marker<'_> {
    /// A slot that holds a reference: null, an `i31` or an object.
    pub(crate) fn reference(&mut self, _slot: u64) {}

    /// A slot that may hold anything.
    pub(crate) fn maybe(&mut self, _slot: u64) {}
}

impl Heap {
    /// An empty heap. Makes no system call.
    pub(crate) const fn new() -> Heap {
        Heap { reserved: 0, externals: Vec::new() }
    }

    /// Makes the free run of `view` at least `bytes` long (a multiple of 8): finds one, grows the heap up to
    /// `limit` bytes, or collects what `roots` and everything it leads to does not refer to.
    pub(crate) fn make_room(
        &mut self,
        view: &mut HeapView,
        bytes: u64,
        limit: usize,
        shapes: &[*const Shape],
        roots: &mut dyn FnMut(&mut Marker<'_>),
    ) -> Result<(), HeapError> {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
        roots(&mut Marker { _shapes: shapes });
        let limit = limit.min(u32::MAX as usize) & !7;
        if bytes > limit as u64 {
            return Err(HeapError::TooLarge);
        }
        if !view.base.is_null() {
            return Err(HeapError::Exhausted);
        }
        self.reserved = limit;
        // SAFETY: new anonymous mappings touch nothing.
        unsafe {
            let flags = MapFlags::PRIVATE.union(MapFlags::NORESERVE);
            let access = ProtFlags::READ.union(ProtFlags::WRITE);
            let map = |size| {
                mmap_anonymous(core::ptr::null_mut(), size, access, flags)
                    .map_err(|_| HeapError::Exhausted)
            };
            view.base = map(limit)?.cast();
            view.starts = map(limit / 64 + 64)?.cast();
        }
        view.cursor = 8;
        view.limit = limit as u32;
        Ok(())
    }

    /// Keeps a host value and gives its number, which goes into the header of the object that refers to it.
    pub(crate) fn add_external(&mut self, value: Box<dyn Any + Send + Sync>) -> Option<u32> {
        self.externals.push(value);
        Some(self.externals.len() as u32 - 1)
    }

    /// The host value with this number.
    pub(crate) fn external(&self, number: u32) -> Option<&(dyn Any + Send + Sync)> {
        self.externals.get(number as usize).map(|value| &**value)
    }
}

//! Boxes that keep their addresses and are freed together. The store holds one arena per kind of record.
//! Invariant: a pointer handed out stays valid until the arena is dropped; the arena never makes a
//! reference to a record, so holders of pointers alone decide about aliasing.

use alloc::{boxed::Box, vec::Vec};
use core::ptr::NonNull;

pub(crate) struct Arena<T: ?Sized>(Vec<NonNull<T>>);

impl<T: ?Sized> Arena<T> {
    pub(crate) const fn new() -> Arena<T> {
        Arena(Vec::new())
    }

    pub(crate) fn add(&mut self, record: Box<T>) -> NonNull<T> {
        let pointer = NonNull::from(Box::leak(record));
        self.0.push(pointer);
        pointer
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = NonNull<T>> {
        self.0.iter().copied()
    }
}

impl<T: ?Sized> Drop for Arena<T> {
    fn drop(&mut self) {
        for pointer in self.0.drain(..) {
            // SAFETY: the pointer came from a leaked box in `add`, and draining frees each once.
            drop(unsafe { Box::from_raw(pointer.as_ptr()) });
        }
    }
}

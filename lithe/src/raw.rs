//! Handles: pointers into a store, usable only with that store. The one file of this crate with unsafe code.
//! Invariant: a handle's pointer came from the store with its id, whose records live as long as it does.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use lithe_runtime as rt;

use crate::{Error, Result};

/// Tells stores apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StoreId(u64);

impl StoreId {
    pub(crate) fn unique() -> StoreId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        StoreId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A pointer to a record of a store.
pub(crate) struct Handle<T> {
    store: StoreId,
    pointer: NonNull<T>,
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Handle<T> {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Handle<T>) -> bool {
        self.store == other.store && self.pointer == other.pointer
    }
}

// SAFETY: a handle gives access to its record only together with a borrow of the store, which decides what
// threads may do with it.
unsafe impl<T> Send for Handle<T> {}
// SAFETY: as for Send.
unsafe impl<T> Sync for Handle<T> {}

impl<T> Handle<T> {
    /// A handle for a record of the store with this id.
    pub(crate) fn new(store: StoreId, pointer: NonNull<T>) -> Handle<T> {
        Handle { store, pointer }
    }

    /// The pointer, when the store is the right one.
    pub(crate) fn pointer(&self, store: StoreId) -> Result<NonNull<T>> {
        if self.store == store {
            return Ok(self.pointer);
        }
        Err(Error::usage("the handle belongs to another store"))
    }

    /// The record.
    pub(crate) fn get<'s>(&self, id: StoreId, _store: &'s rt::Store) -> Result<&'s T> {
        // SAFETY: the id is the store's, so the record lives at least as long as the borrow; whatever writes
        // records borrows the store mutably.
        Ok(unsafe { self.pointer(id)?.as_ref() })
    }

    /// The record, writable.
    pub(crate) fn get_mut<'s>(&self, id: StoreId, _store: &'s mut rt::Store) -> Result<&'s mut T> {
        // SAFETY: as in `get`, with a mutable borrow of the whole store.
        Ok(unsafe { self.pointer(id)?.as_mut() })
    }
}

/// The function that a slot of type `funcref` refers to.
pub(crate) fn func_of_slot(store: StoreId, slot: u64) -> Option<Handle<rt::Func>> {
    let pointer = NonNull::new(slot as usize as *mut rt::Func)?;
    Some(Handle { store, pointer })
}

/// The slot that refers to a function.
pub(crate) fn slot_of_func(func: &Handle<rt::Func>) -> u64 {
    func.pointer.as_ptr() as usize as u64
}

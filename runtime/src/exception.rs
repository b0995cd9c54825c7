//! The exceptions of a store. Engines create them when they throw and read them when they catch; the embedding
//! API does both for the host. Invariant: a slot of type `exnref` holds 0 or a number that `add` gave and whose
//! exception is kept, so an exception that nobody can refer to any more gives its place to the next one.

use alloc::{boxed::Box, vec::Vec};
use core::ptr::NonNull;

use lithe_types::limits;

use crate::Tag;

/// Slots that an exception counts besides its payload.
const OVERHEAD: usize = 4;

/// The exceptions of a store.
#[derive(Default)]
pub struct Exceptions {
    all: Vec<Option<Exception>>,
    free: Vec<usize>,
    /// Slots that all exceptions take, at most `limits::EXCEPTION_SLOTS`.
    slots: usize,
}

struct Exception {
    tag: NonNull<Tag>,
    payload: Box<[u64]>,
    /// Whether somebody may refer to it for as long as the store lives.
    kept: bool,
}

impl Exceptions {
    /// A new exception, as a slot of type `exnref`; `None` when the limit is reached.
    pub fn add(&mut self, tag: NonNull<Tag>, payload: &[u64]) -> Option<u64> {
        let slots = self.slots + OVERHEAD + payload.len();
        if slots > limits::EXCEPTION_SLOTS {
            return None;
        }
        self.slots = slots;
        let exception = Some(Exception { tag, payload: payload.into(), kept: false });
        let index = match self.free.pop() {
            Some(index) => {
                self.all[index] = exception;
                index
            }
            None => {
                self.all.push(exception);
                self.all.len() - 1
            }
        };
        Some(index as u64 + 1)
    }

    fn index(exnref: u64) -> usize {
        usize::try_from(exnref).unwrap_or(0).wrapping_sub(1)
    }

    fn exception(&self, exnref: u64) -> Option<&Exception> {
        self.all.get(Exceptions::index(exnref))?.as_ref()
    }

    /// The tag of an exception; `None` for null.
    pub fn tag(&self, exnref: u64) -> Option<NonNull<Tag>> {
        Some(self.exception(exnref)?.tag)
    }

    /// The payload of an exception, as slots.
    pub fn payload(&self, exnref: u64) -> &[u64] {
        self.exception(exnref).map_or(&[], |exception| &exception.payload)
    }

    /// Notes that a guest or the host may hold a reference from now on.
    pub fn keep(&mut self, exnref: u64) {
        if let Some(Some(exception)) = self.all.get_mut(Exceptions::index(exnref)) {
            exception.kept = true;
        }
    }

    /// Frees an exception whose payload was caught, unless somebody may refer to it.
    pub fn release(&mut self, exnref: u64) {
        let index = Exceptions::index(exnref);
        if let Some(place) = self.all.get_mut(index)
            && let Some(exception) = place.take_if(|exception| !exception.kept)
        {
            self.slots -= OVERHEAD + exception.payload.len();
            self.free.push(index);
        }
    }
}

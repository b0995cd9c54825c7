//! Exceptions: objects of the heap that hold their tag and their payload. Engines create them when they throw
//! and read them when they catch; the embedding API does both for the host.
//!
//! ```text
//! [ EXN : u32 | slots : u32 ][ address of the tag : u64 ][ payload as slots ... ]
//! ```

use core::ptr::NonNull;

use crate::{
    HeapError, Rooted, Store, Tag, Vm,
    gc::{EXN, EXN_PAYLOAD},
};

/// Bytes of an exception with so many slots of payload.
fn bytes(slots: usize) -> u32 {
    EXN_PAYLOAD + 8 * slots as u32
}

impl Vm {
    /// A new exception as a slot of type `exnref`; `None`, and [`Vm::room`] set, when the store has to make room.
    ///
    /// # Safety
    /// The tag is one of the store's, and the payload holds values of its type, at most 2000 slots.
    pub unsafe fn new_exception(&mut self, tag: NonNull<Tag>, payload: &[u64]) -> Option<u64> {
        let bytes = bytes(payload.len());
        // SAFETY: what is written lies within the object just made, whose parts are aligned to 8 bytes.
        unsafe {
            let Some(at) = self.heap.bump(bytes) else {
                self.room = u64::from(bytes);
                return None;
            };
            *self.heap.at(at) = [EXN, payload.len() as u32];
            *self.heap.at(at + 8) = tag.as_ptr() as usize as u64;
            let place = self.heap.at::<u64>(at + EXN_PAYLOAD);
            core::ptr::copy_nonoverlapping(payload.as_ptr(), place, payload.len());
            Some(u64::from(at))
        }
    }

    /// The tag of an exception.
    ///
    /// # Safety
    /// `exnref` refers to an exception of this state's store.
    pub unsafe fn exception_tag(&self, exnref: u64) -> *mut Tag {
        // SAFETY: as the caller promises.
        unsafe { *self.heap.at::<u64>(exnref as u32 + 8) as usize as *mut Tag }
    }

    /// The payload of an exception, as slots.
    ///
    /// # Safety
    /// `exnref` refers to an exception of this state's store.
    pub unsafe fn exception_payload(&self, exnref: u64) -> &[u64] {
        // SAFETY: as the caller promises; the header tells how many slots follow.
        unsafe {
            let count = *self.heap.at::<u32>(exnref as u32 + 4) as usize;
            core::slice::from_raw_parts(self.heap.at(exnref as u32 + EXN_PAYLOAD), count)
        }
    }
}

impl Store {
    /// A new exception for the host.
    ///
    /// # Safety
    /// The tag is one of this store's, and the payload holds values of its type.
    pub unsafe fn new_exception(
        &mut self,
        tag: NonNull<Tag>,
        payload: &[u64],
    ) -> Result<Rooted, HeapError> {
        // SAFETY: as the caller promises; `sp` is the first free slot of the value stack.
        unsafe {
            let slot = match self.vm_mut().new_exception(tag, payload) {
                Some(slot) => slot,
                None => {
                    self.pending.extend_from_slice(payload);
                    let top = self.vm().sp;
                    let made = self.make_room(u64::from(bytes(payload.len())), top);
                    self.pending.truncate(self.pending.len() - payload.len());
                    made?;
                    let slot = self.vm_mut().new_exception(tag, payload);
                    slot.ok_or(HeapError::Exhausted)?
                }
            };
            Ok(self.root(slot))
        }
    }

    /// The tag and the payload of the exception that a handle leads to.
    pub fn exception(&self, handle: Rooted) -> Option<(NonNull<Tag>, &[u64])> {
        let slot = self.rooted(handle)?;
        if self.object(handle) != Some(crate::Object::Exception) {
            return None;
        }
        // SAFETY: the handle leads to an exception of this store.
        unsafe {
            Some((NonNull::new(self.vm().exception_tag(slot))?, self.vm().exception_payload(slot)))
        }
    }
}

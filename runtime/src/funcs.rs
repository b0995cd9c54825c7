//! The records of functions. An instance has those of its own functions made when somebody asks for them, since most are
//! only ever called by their own module. Instantiation, engines and the embedding API ask. Invariant: a record keeps
//! its address as long as the store lives, and there is one per function, since references are compared by it.

use alloc::vec::Vec;
use core::{fmt, ops::Deref, ptr};

use lithe_types::FuncType;

use crate::{Func, Instance, Shared, store::slots};

/// Records in the largest part of [`Records`].
const PART: usize = 256;

/// Records of an instance's own functions.
#[derive(Default)]
pub struct Records(Vec<Vec<Func>>);

impl Records {
    fn add(&mut self, func: Func) -> *mut Func {
        let room = self.0.last().map_or(0, |part| part.capacity() - part.len());
        if room == 0 {
            let last = self.0.last().map_or(2, Vec::capacity);
            self.0.push(Vec::with_capacity((2 * last).min(PART)));
        }
        let Some(part) = self.0.last_mut() else { return ptr::null_mut() };
        part.push(func);
        // SAFETY: the element just pushed. The part had room for it, so no other one has moved.
        unsafe { part.as_mut_ptr().add(part.len() - 1) }
    }
}

/// A function type of the registry of a record's store. Registries forget no type, and a store keeps its registry.
pub struct Signature(*const FuncType);

impl Signature {
    /// For a record of a store whose registry has the type.
    pub(crate) fn new(ty: &Shared<FuncType>) -> Signature {
        Signature(Shared::as_ptr(ty))
    }

    /// The type, for longer than the record is borrowed.
    pub fn share(&self) -> Shared<FuncType> {
        // SAFETY: the pointer came from a counted one, of which the registry has another one.
        unsafe {
            Shared::increment_strong_count(self.0);
            Shared::from_raw(self.0)
        }
    }
}

impl Deref for Signature {
    type Target = FuncType;

    fn deref(&self) -> &FuncType {
        // SAFETY: the record is borrowed, so its store lives, and with it the registry.
        unsafe { &*self.0 }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl Instance {
    /// The record of a function, which is made when nobody has asked for it before.
    ///
    /// # Safety
    /// The index is less than the number of functions, and no other call for this instance is under way.
    #[inline]
    pub unsafe fn func(&self, index: u32) -> *mut Func {
        // SAFETY: the list has an entry for each function.
        unsafe {
            let known = *self.funcs.add(index as usize);
            if known.is_null() { self.make_func(index) } else { known }
        }
    }

    #[cold]
    unsafe fn make_func(&self, index: u32) -> *mut Func {
        let module = self.code.module();
        let own = (index - module.imported_funcs) as usize;
        let ty = module.funcs[index as usize];
        let signature = self.code.type_signature(ty);
        let (native, enter) = self.code.entries(own, ty);
        let func = Func {
            code: &raw const self.code.slots()[own],
            instance: ptr::from_ref(self).cast_mut(),
            ty: self.code.types()[ty as usize],
            param_slots: slots(signature.param_slots()),
            result_slots: slots(signature.result_slots()),
            index,
            signature: Signature::new(signature),
            native,
            context: self.context,
            enter,
        };
        // SAFETY: nobody else uses the records meanwhile, and the list has an entry for each function.
        unsafe {
            let made = (*self.made.get()).add(func);
            *self.funcs.add(index as usize) = made;
            made
        }
    }
}

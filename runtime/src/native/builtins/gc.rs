//! Room for objects, and arrays. SAFETY of all functions: see the module above. Words that hold two numbers have the
//! first one in the lower half.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lithe_types::TrapKind;

use super::Context;
use crate::{
    HEADER_BYTES, HeapError,
    arrays::{self, ArrayType, Segment},
    native::call::Cause,
    objects,
};

fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}

fn array_type(id: u32, log2: u32) -> ArrayType {
    ArrayType(u64::from(id) | u64::from(log2) << 32)
}

impl Context {
    /// Makes room for an object while `root` may be all that refers to another; false when the activation is left.
    unsafe fn make_room(self, bytes: u64, root: u64) -> bool {
        // SAFETY: see the module above. The frames of the activation are shown by the store.
        let made = unsafe {
            let vm = self.vm();
            let (store, top) = ((*vm).native.store, (*vm).sp);
            (*store).pending.push(root);
            // What the collector frees may be values of the host, whose ends are the host's own code.
            let made = catch_unwind(AssertUnwindSafe(|| (*store).make_room(bytes, top)));
            (*store).pending.pop();
            made
        };
        let cause = match made {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => Cause::Trap(error.into()),
            Err(panic) => Cause::Panicked(panic),
        };
        // SAFETY: there is an activation.
        unsafe { (*self.vm()).native.stop(cause) };
        false
    }

    /// The array that `new` makes, with room made for it when it gives 0.
    unsafe fn array(self, root: u64, new: impl Fn() -> Result<u32, TrapKind>) -> u32 {
        // SAFETY: see the module above; `new` noted how much room it wants.
        unsafe {
            let mut made = new();
            if let Ok(0) = made {
                if !self.make_room((*self.vm()).room, root) {
                    return 0;
                }
                made = new();
            }
            match made {
                Ok(0) => self.trap(HeapError::Exhausted.into()),
                Ok(array) => return array,
                Err(kind) => self.trap(kind),
            }
            0
        }
    }

    unsafe fn done(self, result: Result<(), TrapKind>) {
        if let Err(kind) = result {
            // SAFETY: there is an activation.
            unsafe { self.trap(kind) }
        }
    }
}

pub(super) unsafe extern "C" fn make_room(context: Context, bytes: u64) {
    // SAFETY: see the module above.
    unsafe {
        context.make_room(bytes, 0);
    }
}

pub(super) unsafe extern "C" fn array_new(
    context: Context,
    ty: u32,
    len: u64,
    low: u64,
    high: u64,
) -> u32 {
    let [len, log2] = halves(len);
    let ty = array_type(ty, log2);
    // SAFETY: see the module above. The array was just made and has so many elements. What is in the lower half of
    // the value may be a reference.
    unsafe {
        let vm = context.vm();
        let array = context.array(low & 0xffff_ffff, || Ok(arrays::new(vm, ty, len)));
        if array != 0 {
            let place = (*vm).heap.at(array + HEADER_BYTES);
            objects::fill(place, log2, [low, high].as_ptr(), len as usize);
        }
        array
    }
}

unsafe fn new_from<S: Segment>(context: Context, ty: u32, segment: u64, part: [u32; 2]) -> u32 {
    let [segment, log2] = halves(segment);
    let (ty, [start, len]) = (array_type(ty, log2), part);
    // SAFETY: see the module above.
    unsafe {
        let instance = context.instance();
        let new = || arrays::new_from::<S>(instance, ty, segment as usize, start, len);
        context.array(0, new)
    }
}

pub(super) unsafe extern "C" fn array_new_data(
    context: Context,
    ty: u32,
    segment: u64,
    start: u32,
    len: u32,
) -> u32 {
    // SAFETY: see the module above.
    unsafe { new_from::<u8>(context, ty, segment, [start, len]) }
}

pub(super) unsafe extern "C" fn array_new_elem(
    context: Context,
    ty: u32,
    segment: u64,
    start: u32,
    len: u32,
) -> u32 {
    // SAFETY: see the module above.
    unsafe { new_from::<u64>(context, ty, segment, [start, len]) }
}

pub(super) unsafe extern "C" fn array_fill(
    context: Context,
    array: u64,
    len: u64,
    low: u64,
    high: u64,
) {
    let ([array, start], [len, log2]) = (halves(array), halves(len));
    // SAFETY: see the module above.
    unsafe {
        let value = [low, high];
        context.done(arrays::fill(context.vm(), array, start, value.as_ptr(), len, log2));
    }
}

pub(super) unsafe extern "C" fn array_copy(
    context: Context,
    to: u64,
    from: u64,
    len: u32,
    log2: u32,
) {
    // SAFETY: see the module above.
    unsafe { context.done(arrays::copy(context.vm(), halves(to), halves(from), len, log2)) }
}

unsafe fn init<S: Segment>(context: Context, to: u64, segment: u64, part: [u32; 2]) {
    let [segment, log2] = halves(segment);
    let [start, len] = part;
    // SAFETY: see the module above.
    unsafe {
        let instance = context.instance();
        let segment = segment as usize;
        context.done(arrays::init::<S>(instance, halves(to), segment, start, len, log2));
    }
}

pub(super) unsafe extern "C" fn array_init_data(
    context: Context,
    to: u64,
    segment: u64,
    start: u32,
    len: u32,
) {
    // SAFETY: see the module above.
    unsafe { init::<u8>(context, to, segment, [start, len]) }
}

pub(super) unsafe extern "C" fn array_init_elem(
    context: Context,
    to: u64,
    segment: u64,
    start: u32,
    len: u32,
) {
    // SAFETY: see the module above.
    unsafe { init::<u64>(context, to, segment, [start, len]) }
}

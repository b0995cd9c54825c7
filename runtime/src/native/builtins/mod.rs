//! The calls of native code into the runtime, served in Rust on the host's stack. Native code calls the shims, whose
//! order is that of `abi`. SAFETY of all of them: the context is that of a live instance whose activation is the
//! innermost one of its store, the calling code was compiled from a proven module, so indices are valid, and
//! nothing holds a reference to a record of the store. A builtin that makes the activation leave returns like any other;
//! the shim then does not go back.

mod calls;
mod gc;
mod memory;
mod table;

use lithe_types::TrapKind;

pub(super) use calls::take_interrupt;

use super::arch::shim;
use crate::{Instance, Memory, Table, Vm, abi};

/// What native code has of its instance.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Context(*mut u8);

impl Context {
    unsafe fn instance(self) -> *mut Instance {
        // SAFETY: the word holds what its name says.
        unsafe { *self.0.offset(abi::INSTANCE as isize).cast() }
    }

    unsafe fn vm(self) -> *mut Vm {
        // SAFETY: as above.
        unsafe { *self.0.offset(abi::VM as isize).cast() }
    }

    unsafe fn memory(self, index: u32) -> *mut Memory {
        // SAFETY: the index is valid.
        unsafe { *(*self.instance()).memories.add(index as usize) }
    }

    unsafe fn table(self, index: u32) -> *mut Table {
        // SAFETY: the index is valid.
        unsafe { *(*self.instance()).tables.add(index as usize) }
    }

    /// Makes the activation leave with a trap.
    unsafe fn trap(self, kind: TrapKind) {
        // SAFETY: there is an activation.
        unsafe { (*self.vm()).native.trap(kind) }
    }

    /// Makes the activation leave with a trap when there is no result.
    unsafe fn check(self, done: Option<()>, kind: TrapKind) {
        if done.is_none() {
            // SAFETY: as above.
            unsafe { self.trap(kind) }
        }
    }
}

/// The address of a shim.
pub(super) type Shim = unsafe extern "C" fn();

macro_rules! shims {
    ($($(#[$doc:meta])* $name:ident($($arg:ident),*) $(-> $result:ident)?;)*) => {
        mod shims {
            use super::shim;
            $(shim!($name, super::served::$name);)*
            /// See [`super::SHIMS`].
            pub(super) static ALL: &[super::Shim] = &[$($name,)*];
        }
        /// Who serves the calls.
        mod served {
            pub(super) use super::{calls::*, gc::*, memory::*, table::*};
        }
        $(const _: shims!(@type $($arg)* $(-> $result)?) = served::$name;)*
    };
    (@type $($arg:ident)* -> $result:ident) => {
        unsafe extern "C" fn(Context, $(shims!(@word $arg),)*) -> shims!(@word $result)
    };
    (@type $($arg:ident)*) => {
        unsafe extern "C" fn(Context, $(shims!(@word $arg),)*)
    };
    (@word I32) => { u32 };
    (@word I64) => { u64 };
}

crate::for_each_builtin!(shims);

/// The shims, in the order of `abi`.
pub(super) static SHIMS: &[Shim] = shims::ALL;

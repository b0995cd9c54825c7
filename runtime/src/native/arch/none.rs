//! Machines without native code. No artifact can be loaded, so nothing of this runs.

use super::super::entry::Entry;

/// See [`super`].
///
/// # Safety
/// None; it never runs.
pub(crate) unsafe extern "C" fn enter(
    _entry: *mut Entry,
    _context: *mut u8,
    _code: *const u8,
    _slots: *mut u64,
    _stub: *const u8,
) -> u32 {
    1
}

/// See [`super`].
pub(crate) extern "C" fn common() {}

/// A place in the table of calls into the runtime.
macro_rules! shim {
    ($name:ident, $builtin:path) => {
        unsafe extern "C" fn $name() {
            let _ = ($builtin as *const (), $crate::native::arch::common as *const ());
        }
    };
}
pub(crate) use shim;

/// See [`super`].
pub(crate) fn publish(_start: *mut u8, _len: usize) {}

/// The registers of a thread that a signal stopped.
pub(crate) struct Registers;

impl Registers {
    /// # Safety
    /// None.
    pub(crate) unsafe fn new(_context: *mut libc::c_void) -> Registers {
        Registers
    }

    /// No instruction.
    pub(crate) fn pc(&self) -> usize {
        0
    }

    /// No frame.
    pub(crate) fn fp(&self) -> usize {
        0
    }

    /// No stack.
    pub(crate) fn sp(&self) -> usize {
        0
    }

    /// # Safety
    /// None.
    pub(crate) unsafe fn caller(&self, _offset: usize, _first: *const u8) -> Option<usize> {
        None
    }

    /// Does nothing.
    pub(crate) fn leave(&mut self, _entry: *mut Entry) {}
}

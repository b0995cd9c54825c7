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

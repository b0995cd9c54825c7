//! What other threads tell the guest of a store. Engines poll the word; native code that does not is sent a signal of
//! the system by [`crate::parking::interrupt`]. Invariant: `thread` is 0 unless the store's guest runs code that has to
//! be sent one, there.

use core::sync::atomic::AtomicU32;

/// What a store's guest is told.
#[repr(C)]
#[derive(Default)]
pub struct Signal {
    /// Nonzero when it shall stop, or was notified while it waited.
    pub word: AtomicU32,
    /// The system's number of the thread that native code has to be interrupted on.
    #[cfg(feature = "std")]
    pub(crate) thread: AtomicU32,
}

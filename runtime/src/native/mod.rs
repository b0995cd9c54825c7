//! Running native code: loading it, contexts, entering and leaving, calls into the runtime, backtraces. The
//! embedding API loads artifacts and calls functions; instantiation makes contexts.
//!
//! ```text
//! host's stack                                      guest's stack (one per store)
//!   call()
//!     arch::enter  ---- registers saved in it ----->  enter stub -> function -> function -> shim of a call
//!     builtin      <------------------------------------------------------------------------'
//!       call() of the host's, and so on
//! ```
//!
//! Guest code runs on a stack of its own, everything else on the host's. Invariant: between `arch::enter` and its
//! return no frame of Rust lies on the guest's stack, so leaving is a matter of two stack pointers.

mod arch;
mod builtins;
mod call;
mod context;
mod entry;
mod pages;
mod signals;
mod stack;
mod text;
mod trace;
mod unwind;

pub use call::{Cause, HostCallback, HostStatus, Stopped, call};
pub(crate) use context::Context;
pub use entry::State;
pub(crate) use signals::{Chain, change, interrupt};
pub use text::{NativeCode, map};
pub use trace::Frame;

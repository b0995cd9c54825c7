//! Fibers, on which a call of a guest can be suspended from within a host function and resumed later. Embedders that run
//! many guests on one thread use them; the runtime crate has the mechanism. Invariant: this file only names it.
//!
//! ```
//! use lithe::fiber::{self, Fiber, FiberStack, Resumed};
//! use lithe::{Engine, Error, Linker, Module, Store};
//!
//! let engine = Engine::default();
//! let module = Module::new(&engine, r#"
//!     (module
//!       (import "host" "wait" (func $wait (result i32)))
//!       (func (export "run") (result i32) (i32.add (call $wait) (call $wait))))
//! "#)?;
//! let mut linker = Linker::new(&engine);
//! linker.func_wrap("host", "wait", || {
//!     // The guest and this function stay where they are until somebody resumes the fiber.
//!     fiber::suspend().map_err(Error::host)?;
//!     Ok::<i32, Error>(21)
//! })?;
//! let mut store = Store::new(&engine, ());
//! let instance = linker.instantiate(&mut store, &module)?;
//! let run = instance.typed_func::<(), i32>(&store, "run")?;
//!
//! let stack = FiberStack::new(fiber::DEFAULT_BYTES)?;
//! let mut call = Fiber::new(stack, move || run.call(&mut store, ()));
//! assert!(matches!(call.resume(), Resumed::Suspended));
//! // Here the thread may resume other fibers.
//! assert!(matches!(call.resume(), Resumed::Suspended));
//! assert!(matches!(call.resume(), Resumed::Done(Ok(42))));
//! // The stack serves the next call.
//! let stack = call.into_stack();
//! # assert!(stack.is_some());
//! # Ok::<(), lithe::Error>(())
//! ```
//!
//! Fibers stay on the thread that made them, are resumed in any order, and nest: a body may resume other fibers. Traps,
//! limits and interruption are as elsewhere; an [`InterruptHandle`](crate::InterruptHandle) stops a suspended guest when
//! it has been resumed and its host function returns. A guest that waits with `memory.atomic.wait` blocks the thread with
//! all its fibers.
//!
//! Do not keep a fiber in a thread-local value: its destructor would resume the body when other thread-local values, which
//! the body may refer to, are gone already.

pub use lithe_runtime::LimitError;
pub use lithe_runtime::fiber::{Fiber, FiberStack, Resumed, SuspendError, on_fiber, suspend};
pub use lithe_types::limits::DEFAULT_FIBER_BYTES as DEFAULT_BYTES;

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
//! Fibers stay on the thread that made them, nest, and are resumed in any order; each runs guests of stores that are
//! borrowed there. Trap, interrupt and limits work as without: an [`InterruptHandle`](crate::InterruptHandle) stops a guest
//! that is suspended when it is resumed and its host function returns. A guest that waits with `memory.atomic.wait` blocks
//! the thread with all its fibers.
//!
//! A body with frames that are not to be left in this way should not be dropped or resumed by the destructor of a
//! thread-local value, when values that its frames refer to may be gone.

pub use lithe_runtime::LimitError;
pub use lithe_runtime::fiber::{Fiber, FiberStack, Resumed, SuspendError, on_fiber, suspend};
pub use lithe_types::limits::DEFAULT_FIBER_BYTES as DEFAULT_BYTES;

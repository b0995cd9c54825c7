//! A small, fast, readable WebAssembly runtime.
//!
//! ```text
//! Engine (configuration, canonical types)
//!   -> Module (validated code, shared between threads)
//!   -> Linker (what modules may import) + Store (state of one guest, with host data)
//!   -> Instance -> Func, TypedFunc, Memory, Table, Global, Tag
//! SharedMemory (of several stores, each on a thread of its own)
//! ```
//!
//! The library installs no signal handlers (but see [`Traps`]), starts no threads of its own except while it validates
//! or compiles a large module, and reserves address space only for memories and the garbage-collected heap. Handles ([`Func`],
//! [`Memory`], ...) are plain values; using one with another store is an error of kind [`ErrorKind::Usage`],
//! never undefined.
//!
//! A typed host function with state:
//!
//! ```
//! use lithe::{Caller, Engine, Linker, Module, Store};
//!
//! let engine = Engine::default();
//! let module = Module::new(&engine, r#"
//!     (module
//!       (import "host" "add" (func $add (param i32)))
//!       (func (export "run") (call $add (i32.const 40)) (call $add (i32.const 2))))
//! "#)?;
//! let mut linker = Linker::new(&engine);
//! linker.func_wrap("host", "add", |mut caller: Caller<'_, i32>, n: i32| *caller.data_mut() += n)?;
//! let mut store = Store::new(&engine, 0);
//! let instance = linker.instantiate(&mut store, &module)?;
//! instance.typed_func::<(), ()>(&store, "run")?.call(&mut store, ())?;
//! assert_eq!(*store.data(), 42);
//! # Ok::<(), lithe::Error>(())
//! ```
//!
//! A string passed into a guest and back:
//!
//! ```
//! use lithe::{Engine, Linker, Module, Store};
//!
//! let engine = Engine::default();
//! let module = Module::new(&engine, r#"
//!     (module
//!       (memory (export "memory") 1)
//!       ;; Makes ASCII letters upper case, in place.
//!       (func (export "upper") (param $at i32) (param $len i32)
//!         (local $end i32)
//!         (local.set $end (i32.add (local.get $at) (local.get $len)))
//!         (block $done (loop $next
//!           (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
//!           (i32.store8 (local.get $at) (i32.and (i32.load8_u (local.get $at)) (i32.const 0xdf)))
//!           (local.set $at (i32.add (local.get $at) (i32.const 1)))
//!           (br $next)))))
//! "#)?;
//! let mut store = Store::new(&engine, ());
//! let instance = Linker::new(&engine).instantiate(&mut store, &module)?;
//! let memory = instance.memory(&store, "memory")?;
//! memory.write(&mut store, 8, b"lithe")?;
//! instance.typed_func::<(i32, i32), ()>(&store, "upper")?.call(&mut store, (8, 5))?;
//! assert_eq!(&memory.data(&store)?[8..13], b"LITHE");
//! # Ok::<(), lithe::Error>(())
//! ```
//!
//! A trap is caught, and the store is used again:
//!
//! ```
//! use lithe::{Engine, Linker, Module, Store, TrapKind};
//!
//! let engine = Engine::default();
//! let module = Module::new(&engine, r#"
//!     (module (func (export "div") (param i32 i32) (result i32)
//!       (i32.div_s (local.get 0) (local.get 1))))
//! "#)?;
//! let mut store = Store::new(&engine, ());
//! let instance = Linker::new(&engine).instantiate(&mut store, &module)?;
//! let div = instance.typed_func::<(i32, i32), i32>(&store, "div")?;
//! let error = div.call(&mut store, (1, 0)).unwrap_err();
//! assert_eq!(error.trap().map(|trap| trap.kind()), Some(TrapKind::IntegerDivideByZero));
//! assert_eq!(div.call(&mut store, (84, 2))?, 42);
//! # Ok::<(), lithe::Error>(())
//! ```

#[cfg(not(target_os = "linux"))]
compile_error!(
    "lithe with its `std` feature runs on Linux on x86_64, aarch64 and riscv64; other hosts are not supported"
);

mod artifact;
mod backtrace;
mod check;
mod engine;
mod entities;
mod error;
mod exception;
#[cfg(feature = "std")]
pub mod fiber;
mod func;
mod instance;
mod linker;
#[doc(hidden)]
pub mod low;
mod module;
mod native;
mod raw;
mod refs;
mod shared;
mod store;
mod typed;
mod value;

pub use artifact::{Artifact, Compilation, Progress};
pub use backtrace::{Frame, Location};
pub use engine::{Config, Dispatch, Engine, Strategy};
pub use entities::{Extern, Global, Memory, Table};
pub use error::{Error, ErrorKind, MissingImport, Result, Trap};
pub use exception::{Exception, ExnRef, Tag};
pub use func::{Func, TypedFunc};
pub use instance::Instance;
pub use linker::Linker;
pub use lithe_runtime::{HeapStats, StoreLimits, abi::Traps};
pub use lithe_types::{
    ExternType, Features, FuncType, GlobalType, HeapType, Limits, MemoryType, RefType, TableType,
    TrapKind, ValType,
};
pub use module::{Export, Import, Module, Section};
pub use raw::LinkedModule;
pub use refs::{AnyRef, ExternRef, Kind};
pub use shared::SharedMemory;
pub use store::{AsContext, AsContextMut, Caller, InterruptHandle, Store};
pub use typed::{IntoFunc, WasmParams, WasmResults, WasmTy};
pub use value::Val;

//! Components for Lithe: linking, the canonical ABI and resources.
//!
//! ```text
//! bytes --decode--> definitions --build--> Plan = Component
//!                                            |
//! Linker (the host's functions) --link--> InstancePre --instantiate--> Instance in a Store --> Func
//!                                                                        |
//!                     guest --host--> LiftCx --> function of the host or of another component
//! ```
//!
//! A plugin that gets a function of the host:
//!
//! ```
//! use lithe::{Engine, Store};
//! use lithe_component::{Component, Linker};
//!
//! let engine = Engine::default();
//! let component = Component::new(&engine, r#"
//!     (component
//!       (import "double" (func $double (param "n" u32) (result u32)))
//!       (core func $double (canon lower (func $double)))
//!       (core module $m
//!         (import "" "double" (func $double (param i32) (result i32)))
//!         (func (export "run") (param i32) (result i32)
//!           (i32.add (call $double (local.get 0)) (i32.const 1))))
//!       (core instance $m (instantiate $m (with "" (instance (export "double" (func $double))))))
//!       (func (export "run") (param "n" u32) (result u32) (canon lift (core func $m "run"))))
//! "#)?;
//! let mut linker = Linker::new(&engine);
//! linker.root().func("double", |_, (n,): (u32,)| Ok(2 * n))?;
//! let mut store = Store::new(&engine, ());
//! let instance = linker.instantiate(&mut store, &component)?;
//! let run = instance.func(&mut store, "run")?.typed::<(u32,), u32>(&mut store)?;
//! assert_eq!(run.call(&mut store, (20,))?, 41);
//! # Ok::<(), lithe::Error>(())
//! ```

#![forbid(unsafe_code)]

mod abi;
mod alike;
mod build;
mod bytes;
mod call;
mod component;
mod decode;
mod error;
mod handles;
mod host;
mod instance;
mod linker;
mod macros;
mod names;
mod plan;
mod resources;
mod shape;
mod state;
mod typed;
mod types;
mod val;
mod weight;

pub use abi::{DEFAULT_MAX_CALL_BYTES, LiftCx, LowerCx, SlotReader, SlotWriter};
pub use bytes::HostBytes;
pub use component::{Component, Item};
pub use handles::DEFAULT_MAX_HANDLES;
pub use instance::{Func, Instance, TypedFunc};
pub use linker::{InstancePre, Linker, LinkerInstance, Missing};
pub use lithe::Result;
pub use resources::{DEFAULT_MAX_RESOURCES, Resource, ResourceTable};
pub use state::{CallLimits, set_limits};
pub use typed::{GuestBytes, Kinds, Lift, LiftParams, Lower, LowerParams, Typed};
#[doc(hidden)]
pub use typed::{
    check_variant, fields_of, flag_mask, lift_variant, load_flags, load_variant, lower_variant,
    next_field, next_type, no_case, store_flags, store_variant,
};
pub use types::{
    Case, Field, FixedList, Flags, FuncType, MAX_FLAT_PARAMS, MAX_FLAT_RESULTS, MAX_VALUE_BYTES,
    Record, ResourceType, Type, Variant,
};
pub use val::{ResourceAny, Val};

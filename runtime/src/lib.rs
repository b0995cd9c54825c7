//! Stores, instances, memories, tables, functions and stacks: the part of Lithe that owns guest state.
//!
//! ```text
//! Code (a validated module and its translations) + imports
//!      -> instantiate() -> Instance { functions, tables, memories, globals }   all owned by a Store
//!                             ^ engines run on `layout`, through raw pointers that live as long as the store
//! ```
//!
//! Engines and the embedding API call it. Invariant: a record (instance, function, table, memory, global, tag)
//! has a fixed address and lives until its store is dropped, so a pointer held by another record or by a
//! slot of a frame is valid whenever the store is.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod abi;
mod arena;
pub mod arrays;
pub mod artifact;
pub mod bulk;
mod code;
mod const_expr;
mod exception;
#[cfg(feature = "std")]
pub mod fiber;
mod funcs;
mod gc;
mod handles;
pub mod hash;
#[cfg(feature = "std")]
mod image;
mod instantiate;
pub mod layout;
mod limits;
#[cfg(feature = "std")]
mod mapping;
mod memory;
#[cfg(feature = "std")]
pub mod native;
pub mod objects;
#[cfg(feature = "std")]
mod pagemap;
#[cfg(feature = "std")]
pub mod parking;
pub mod racy;
mod registry;
mod shape;
mod shared;
mod signal;
mod store;
mod sync;
mod table;
pub mod waits;

pub use code::{Code, CodeConfig};
pub use gc::{HeapError, HeapStats, HeapView};
pub use handles::Rooted;
pub use instantiate::{Extern, InstantiateError, Mismatch};
pub use layout::{CodeHeader, CodeSlot, Func, Global, Instance, Memory, Table, Tag, Vm};
pub use limits::{LimitError, StoreLimits};
pub use memory::OutOfBounds;
pub use objects::{I31_MASK, Object};
pub use registry::Registry;
pub use shape::{DISPLAY, Field, HEADER_BYTES, Repr, Shape, ShapeKind};
pub use shared::SharedMemory;
pub use signal::Signal;
pub use store::Store;
pub use sync::Shared;

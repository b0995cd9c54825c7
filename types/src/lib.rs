//! The vocabulary that every Lithe crate shares: value types, traps, features and limits.
//!
//! ```text
//! valtype   value, reference, function, table, memory and global types (Core 2.3)
//! trap      the one table of trap kinds, with the words of the specification
//! features  proposals by name and the presets `mvp`, `wasm2`, `wasm3`
//! limits    implementation limits, one named constant each
//! ```
//!
//! The crate has no dependencies, needs no `std` and contains no unsafe code.
//!
//! ```
//! use lithe_types::{Features, ValType};
//! assert_eq!(ValType::V128.slots(), 2);
//! assert!(Features::WASM3.contains(Features::MEMORY64));
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod features;
pub mod limits;
mod trap;
mod valtype;

pub use features::{Features, UnknownFeature};
pub use trap::TrapKind;
pub use valtype::{
    ArrayType, CompositeType, ExternType, FieldType, FuncType, GlobalType, HeapType, Limits,
    MemoryType, RefType, StorageType, StructType, SubType, TableType, ValType,
};

//! Bytes to owned module tables (Core specification, section 5). The validator and the embedding API call it.
//!
//! ```text
//! bytes -> parse() -> Module { types, imports, functions, ..., bodies as ranges of the same bytes }
//! ```
//!
//! A module owns a private copy of its bytes: what was validated is what is executed, even when the guest
//! may write the file it came from. Parsing checks the binary structure; `lithe-validator` proves the rest.
//!
//! ```
//! let module = lithe_parser::parse(b"\0asm\x01\0\0\0".to_vec()).unwrap();
//! assert_eq!(module.imports.len(), 0);
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod bytes;
mod convert;
mod error;
mod hints;
mod module;
mod names;
mod sections;
mod text;

pub use bytes::Bytes;
pub use error::{Error, ErrorKind};
pub use hints::BranchHint;
pub use module::{
    ConstExpr, ConstOp, Custom, Data, Element, ElementItems, Export, ExternKind, Global, Import,
    ImportType, Module, SegmentMode, Table,
};
pub use names::Names;
pub use sections::{parse, parse_without_bodies};
pub use text::OperatorText;
pub use wasmparser::{
    BinaryReader, BlockType, BrTable, Catch, FunctionBody, HeapType as WasmHeapType, Ieee32,
    Ieee64, MemArg, MemArgTarget, Operator, OperatorsReader, Ordering, TryTable,
};

pub use convert::{heap_type, ref_type, val_type};

//! Module to proven module, and bodies to validated operators (Core specification, section 3).
//!
//! ```text
//! parser::Module -> validate() -> ValidModule -> walk(body) -> typed operators -> Sink (an engine)
//! ```
//!
//! Only [`validate`] makes a [`ValidModule`]. Everything is checked up front, large code sections on several
//! threads. An engine later walks a body again into its [`Sink`]; the walk validates as it goes, so what an
//! engine translates is what was validated in that very walk.
//!
//! ```
//! use lithe_types::Features;
//! let module = lithe_parser::parse(b"\0asm\x01\0\0\0").unwrap();
//! let valid = lithe_validator::validate(module, Features::default()).unwrap();
//! assert_eq!(valid.module().funcs.len(), 0);
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod bodies;
mod error;
mod features;
mod operators;
mod valid;
mod walk;

pub use error::Error;
pub use operators::{Floats, chosen_nans, costs_nothing};
pub use valid::{ValidModule, validate};
pub use walk::{Scratch, Sink};

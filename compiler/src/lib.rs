//! The native compiler: a proven module to an [artifact](lithe_runtime::artifact), by Cranelift.
//!
//! ```text
//! ValidModule -> env (what is known of the module) -> translate (operators to CLIF, one function at a time, several
//!     threads) -> Cranelift -> link (text, calls, sites, handlers) -> artifact
//! ```
//!
//! The compiler uses of the runtime only its layout, and never runs what it makes: an artifact for another machine
//! is made in the same way.
#![forbid(unsafe_code)]

mod compile;
mod disassemble;
mod driver;
mod env;
mod error;
mod folded;
mod function;
mod link;
mod object;
mod queue;
mod reloc;
mod target;
#[cfg(test)]
mod tests;
mod translate;

pub use compile::{Options, compile, compile_object, compile_to};
pub use disassemble::disassemble;
pub use driver::Progress;
pub use error::{Error, ErrorKind};
pub use target::{Regalloc, parse_machine};

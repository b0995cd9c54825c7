//! The meaning of every 128-bit vector operator of WebAssembly, fixed-width and relaxed, as pure
//! functions: one per operator, named as in the text format with `_` for the dot. The handlers of
//! the interpreter call them. They never panic, whatever the operands and lane numbers.
//!
//! Lane numbers are taken modulo the number of lanes; integers narrower than 32 bits travel as
//! `u32`, as they do on the operand stack. Every function is inlined into its handler, where LLVM
//! turns the per-lane loops into vector instructions. That needs a handler to copy each operand as
//! one whole [`V128`] from the frame: built from two separately loaded `u64`s, a vector is only
//! ever seen as two integers, and operators on 8- and 16-bit lanes become ten times as long.

mod convert;
mod float;
mod int;
mod lanes;
mod relaxed;
#[cfg(test)]
mod tests;
mod v128;

pub use convert::*;
pub use float::*;
pub use int::*;
pub use lanes::*;
pub use relaxed::*;
pub use v128::*;

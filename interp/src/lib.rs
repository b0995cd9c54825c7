//! The interpreter: validated bodies to register bytecode, and the bytecode's execution.
//!
//! ```text
//! validator -> translate (symbolic stack, peephole) -> cells of bytecode -> dispatch: threaded | switch
//!                     build/table.rs: the one table of operations -> op, exec, disassembler
//! ```
//!
//! Each WebAssembly local and each position of the operand stack has a slot in the frame; `local.get`, `const`
//! and `drop` cost no operation. Every result is written to its slot and also stays in an accumulator, from
//! which the next operation takes it. Slots are therefore always the truth, and the native stack never grows
//! with the guest's: execution that leaves the interpreter can be continued later.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod disassemble;
mod dispatch;
mod exec;
mod handlers;
mod num;
mod op;
mod regs;
mod run;
mod simd;
mod trace;
mod translate;
mod unwind;

pub use disassemble::disassemble;
#[cfg(feature = "std")]
pub use run::new_native_code;
pub use run::{Activation, Error, HostCall, Interpreter, Outcome, THREADED, new_code};
pub use trace::{Frame, offsets};

#[cfg(not(target_endian = "little"))]
compile_error!("Lithe's bytecode needs a little-endian target: x86_64, aarch64, riscv64 or thumb");

pub use translate::TranslateError;

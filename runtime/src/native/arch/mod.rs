//! What differs between machines: entering native code, leaving it, the way of its calls into the runtime, and making
//! written code visible. One file for each machine, all with the same items:
//!
//! - `enter(entry, context, code, slots, stub)` runs `stub(context, code, slots)` on the guest's stack; 0 when it
//!   returned, 1 when the activation was left.
//! - `leave`, with the entry as its argument, ends the activation or goes on at its landing.
//! - `common` is the part that all shims share. A shim loads the address of a builtin and goes there; `shim!` makes
//!   one. `common` records where the guest is, keeps the registers that the guest may have references in on its
//!   stack, and calls the builtin on the host's stack.
//! - Where the store has objects, `enter` and `common` leave the guest nothing in its registers that the host had
//!   there: stubs that keep all registers have them in their frames, where the collector looks for references.
//! - `publish(start, len)` makes written code visible to the processor.
//! - `Registers` are those of a thread that a signal stopped.

/// Offsets that the assembly uses.
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    expect(dead_code, reason = "not every machine needs all of them")
)]
mod offsets {
    use core::mem::offset_of;

    use super::super::entry::Entry;
    use crate::{Vm, abi};

    pub const VM: i32 = abi::VM;
    pub const ENTRY: usize = offset_of!(Vm, native.entry);
    pub const HEAP: usize = offset_of!(Vm, heap.base);
    pub const ENTRY_VM: usize = offset_of!(Entry, vm);
    pub const HOST_SP: usize = offset_of!(Entry, host_sp);
    pub const GUEST_SP: usize = offset_of!(Entry, guest_sp);
    pub const EXIT_SP: usize = offset_of!(Entry, exit_sp);
    pub const EXIT_FP: usize = offset_of!(Entry, exit_fp);
    pub const EXIT_PC: usize = offset_of!(Entry, exit_pc);
    pub const IN_GUEST: usize = offset_of!(Entry, in_guest);
    pub const PENDING: usize = offset_of!(Entry, pending);
    pub const LAND_PC: usize = offset_of!(Entry, landing.pc);
    pub const LAND_SP: usize = offset_of!(Entry, landing.sp);
    pub const LAND_FP: usize = offset_of!(Entry, landing.fp);
    pub const LAND_CONTEXT: usize = offset_of!(Entry, landing.context);
    pub const LAND_PAYLOAD: usize = offset_of!(Entry, landing.payload);
}

#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "riscv64", path = "riscv64.rs")]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")),
    path = "none.rs"
)]
mod machine;

pub(super) use machine::{Registers, common, enter, publish, shim};

//! The records that entering native code leaves for whoever has to find the way back: one for each activation, on
//! the host's stack, and one for the store. The assembly of `arch` reads and writes them by offset. Invariant:
//! `State::entry` leads to the innermost activation of the store, whose record lives until its [`super::call`]
//! returns.

use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

use lithe_types::TrapKind;

use super::{
    call::{Cause, HostCallback},
    stack::GuestStack,
};
use crate::{Store, Vm};

/// `Entry::pending`: the guest goes on.
pub(super) const GO_ON: u32 = 0;
/// `Entry::pending`: the activation is left.
pub(super) const LEAVE: u32 = 1;
/// `Entry::pending`: the guest goes on at `Entry::landing`.
pub(super) const LAND: u32 = 2;

/// An activation of native code.
#[repr(C)]
pub(super) struct Entry {
    /// The host's stack pointer, above which its registers are saved.
    pub host_sp: usize,
    /// Where the guest's frames begin.
    pub guest_sp: usize,
    /// The guest's stack pointer while the runtime serves a call.
    pub exit_sp: usize,
    /// The frame pointer of the function that called the runtime.
    pub exit_fp: usize,
    /// Where that function goes on.
    pub exit_pc: usize,
    /// Nonzero while no frame of Rust stands above `host_sp`: the activation may be left at any instruction.
    pub in_guest: AtomicU32,
    /// What happens when the runtime has served the call.
    pub pending: AtomicU32,
    /// The trap that a signal found, when it made the activation leave.
    pub stop: AtomicU32,
    /// Whether `exit_pc` is an instruction that a signal stopped, not one after a call.
    pub stopped: bool,
    /// Whether that instruction is a call which had no room to write where it returns to.
    pub calling: bool,
    /// Where the function returns to whose frame was not in place yet when a signal stopped it, or 0.
    pub caller: usize,
    /// Where the guest goes on after an exception.
    pub landing: Landing,
    /// The state of execution that the activation belongs to.
    pub vm: *mut Vm,
    /// The next outer activation of the same store.
    pub outer: *mut Entry,
    /// The next outer activation on the same thread whose code traps by signals.
    pub below: *mut Entry,
}

/// A place where an exception is caught.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(super) struct Landing {
    pub pc: usize,
    pub sp: usize,
    pub fp: usize,
    pub context: usize,
    /// The exception, and the context once more.
    pub payload: [u64; 2],
}

impl Entry {
    /// Makes the activation leave when the runtime has served the call.
    pub fn leave(&self) {
        self.pending.store(LEAVE, Ordering::Relaxed);
    }
}

/// What a store knows of its activations of native code.
pub struct State {
    /// The innermost activation; null between calls.
    pub(super) entry: *mut Entry,
    /// The store, while there are activations.
    pub(super) store: *mut Store,
    /// Who serves calls of functions without native code.
    pub(super) host: HostCallback,
    /// Why the innermost activation is left.
    pub(super) cause: Option<Cause>,
    /// Where guests run; made by the first call.
    pub(super) stack: Option<GuestStack>,
}

impl State {
    pub(crate) const fn new() -> State {
        State {
            entry: ptr::null_mut(),
            store: ptr::null_mut(),
            host: HostCallback::NONE,
            cause: None,
            stack: None,
        }
    }

    /// Gives the stack away when the store ends, to a host that keeps at most so many.
    pub(crate) fn retire_stack(&mut self, limit: usize) {
        if let Some(stack) = self.stack.take() {
            stack.retire(limit);
        }
    }

    /// Makes the innermost activation end for this reason, when the call into the runtime comes back.
    ///
    /// # Safety
    /// There is an activation.
    pub(super) unsafe fn stop(&mut self, cause: Cause) {
        self.cause = Some(cause);
        // SAFETY: as the caller promises.
        unsafe { (*self.entry).leave() };
    }

    /// [`State::stop`] with a trap.
    ///
    /// # Safety
    /// There is an activation.
    pub(super) unsafe fn trap(&mut self, kind: TrapKind) {
        // SAFETY: as the caller promises.
        unsafe { self.stop(Cause::Trap(kind)) };
    }

    /// What is in use of the guest's stack: the frames of all activations, while none of them runs.
    pub(crate) fn frames(&self) -> Range<usize> {
        // SAFETY: the innermost activation's record lives.
        match (unsafe { self.entry.as_ref() }, &self.stack) {
            (Some(entry), Some(stack)) => entry.exit_sp..stack.top(),
            _ => 0..0,
        }
    }

    /// The lowest address that code which checks for itself may let the stack pointer have.
    pub(super) fn stack_limit(&self) -> usize {
        self.stack.as_ref().map_or(0, GuestStack::limit)
    }
}

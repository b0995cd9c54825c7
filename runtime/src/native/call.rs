//! Calling native functions from the host. The embedding API drives it. Invariant: whichever way an activation ends,
//! the store's records are afterwards as they were before it began.

use alloc::{boxed::Box, vec::Vec};
use core::{
    any::Any,
    mem,
    ptr::{self, NonNull},
    sync::atomic::AtomicU32,
};

use lithe_types::{TrapKind, limits};

use super::{
    arch, builtins,
    entry::{Entry, GO_ON, Landing},
    signals,
    stack::GuestStack,
    trace::{self, Frame},
};
use crate::{Func, Instance, LimitError, Store, Vm, abi::Traps};

/// Bytes of stack that entering takes beside the arguments and results.
const ENTRY_BYTES: usize = 8 << 10;

/// Bytes of the stack that are cleared before a call when the store has objects.
const STALE_BYTES: usize = 4 << 10;
const _: () = assert!(STALE_BYTES <= ENTRY_BYTES);

/// Serves calls of functions that have no native code.
#[derive(Clone, Copy)]
pub struct HostCallback {
    /// Passed on to `call`.
    pub data: *mut (),
    /// Calls a function of the store for an instance. The slots have the arguments and take the results.
    pub call: unsafe fn(
        data: *mut (),
        func: NonNull<Func>,
        caller: NonNull<Instance>,
        slots: *mut u64,
    ) -> HostStatus,
}

impl HostCallback {
    pub(super) const NONE: HostCallback = {
        unsafe fn refuse(
            _: *mut (),
            _: NonNull<Func>,
            _: NonNull<Instance>,
            _: *mut u64,
        ) -> HostStatus {
            HostStatus::Failed
        }
        HostCallback { data: ptr::null_mut(), call: refuse }
    };
}

/// How a call that [`HostCallback`] served ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HostStatus {
    /// The results are in the slots.
    Done,
    /// The guest is to be left; the callback's owner knows why.
    Failed,
    /// An exception, as a slot. When no guest catches it, the guest is left as after `Failed`.
    Thrown(u64),
}

/// Why an activation was left before its function returned.
pub enum Cause {
    /// A trap.
    Trap(TrapKind),
    /// An exception that a guest threw, as a slot, which no frame of the activation catches.
    Thrown(u64),
    /// What the callback served failed; its owner knows why.
    Host,
    /// What the callback served panicked.
    Panicked(Box<dyn Any + Send>),
    /// A limit of the store.
    Limit(LimitError),
}

/// An activation that was left, with its frames, innermost first, at most [`limits::BACKTRACE_FRAMES`].
pub struct Stopped {
    /// Why.
    pub cause: Cause,
    /// Where.
    pub frames: Vec<Frame>,
}

impl Stopped {
    fn early(cause: Cause) -> Stopped {
        Stopped { cause, frames: Vec::new() }
    }
}

/// Calls a function that has native code. The slots have the arguments, the results replace them.
///
/// # Safety
/// `func` is such a function of `store`, which nothing else refers to but `host`'s owner, when it is called. There
/// are as many slots as the parameters take and as the results take. Where the function's type has references, the
/// slots hold null or references of the store; so do those that `host` leaves behind.
pub unsafe fn call(
    store: *mut Store,
    func: NonNull<Func>,
    slots: &mut [u64],
    host: HostCallback,
) -> Result<(), Stopped> {
    // SAFETY: the store, its state of execution and its functions live until this returns, and no reference to them
    // does. The guest's stack has room for the arguments, which is checked.
    unsafe {
        let exhausted = || Err(Stopped::early(Cause::Trap(TrapKind::StackExhausted)));
        let vm = (*store).vm_ptr();
        if (*vm).entries >= limits::HOST_ENTRIES {
            return exhausted();
        }
        if let Err(error) = ensure_stack(store, func) {
            return Err(Stopped::early(Cause::Limit(error)));
        }
        let state = &raw mut (*vm).native;
        let Some((limit, top)) = (*state).stack.as_ref().map(|s| (s.limit(), s.top())) else {
            return exhausted();
        };
        let outer = (*state).entry;
        let guest_sp = if outer.is_null() { top } else { (*outer).exit_sp & !15 };
        let func = func.as_ref();
        let words = usize::from(func.param_slots) + usize::from(func.result_slots);
        if guest_sp.saturating_sub(limit) < ENTRY_BYTES + 16 * words {
            return exhausted();
        }
        // References that earlier calls left here would keep objects alive: frames do not write all that they take.
        if !(*vm).heap.base.is_null() {
            let stale = guest_sp - STALE_BYTES;
            (stale as *mut u8).write_bytes(0, STALE_BYTES);
        }
        let signals = (*state).stack.as_ref().is_some_and(|s| s.traps() == Traps::Signals);
        if signals && let Err(error) = signals::prepare() {
            return Err(Stopped::early(Cause::Limit(error)));
        }
        let mut entry = Entry {
            host_sp: 0,
            guest_sp,
            exit_sp: guest_sp,
            exit_fp: 0,
            exit_pc: 0,
            in_guest: AtomicU32::new(0),
            pending: AtomicU32::new(GO_ON),
            stop: AtomicU32::new(0),
            stopped: false,
            calling: false,
            caller: 0,
            landing: Landing::default(),
            vm,
            outer,
            below: ptr::null_mut(),
        };
        let entry = &raw mut entry;
        let outer_host = mem::replace(&mut (*state).host, host);
        let outer_cause = (*state).cause.take();
        (*state).entry = entry;
        (*state).store = store;
        (*vm).entries += 1;

        let slots = slots.as_mut_ptr();
        let enter = || arch::enter(entry, func.context, func.native, slots, func.enter);
        let left = match signals {
            true => signals::watch(entry, enter),
            false => enter(),
        };

        (*vm).entries -= 1;
        (*state).entry = outer;
        (*state).host = outer_host;
        let cause = mem::replace(&mut (*state).cause, outer_cause);
        match left {
            0 => Ok(()),
            _ => {
                let cause = cause.unwrap_or_else(|| stopped_by_signal(vm, (*entry).stop.get_mut()));
                let unfit = matches!(cause, Cause::Trap(TrapKind::StackExhausted));
                Err(Stopped { cause, frames: trace::frames(&*store, &*entry, unfit) })
            }
        }
    }
}

/// The trap that a signal found.
///
/// # Safety
/// The state of execution lives, and there is no reference to it.
unsafe fn stopped_by_signal(vm: *mut Vm, stop: &mut u32) -> Cause {
    let kind = u8::try_from(*stop).ok().and_then(TrapKind::from_code);
    // SAFETY: as the caller promises. What the function had of the fuel was in a register.
    unsafe { (*vm).fuel = (*vm).fuel.min((*vm).fuel_rest) };
    Cause::Trap(match kind {
        // SAFETY: as the caller promises.
        None | Some(TrapKind::Interrupt) => unsafe { builtins::take_interrupt(vm) },
        Some(kind) => kind,
    })
}

/// Makes the guest's stack, once, and tells it to the contexts that there are.
///
/// # Safety
/// The store is alive, and no reference to it; the function is one of it with native code.
unsafe fn ensure_stack(store: *mut Store, func: NonNull<Func>) -> Result<(), LimitError> {
    // SAFETY: as the caller promises.
    let store = unsafe { &mut *store };
    if store.vm().native.stack.is_none() {
        // SAFETY: as the caller promises; instances live as long as the store.
        let native = unsafe { (*func.as_ref().instance).code.native() };
        let traps = native.map_or(Traps::Checks, |native| native.artifact().target().traps);
        let stack = GuestStack::new(store.limits.stack_bytes, traps)?;
        for context in &store.contexts {
            context.set_stack_limit(stack.limit());
        }
        store.vm_mut().native.stack = Some(stack);
    }
    Ok(())
}

//! Signals of the system, for native code that does not check for itself: faults at places that the artifact names are
//! traps, faults in the guard of a guest's stack are its end, and one signal is sent to the thread of a guest that shall
//! stop. Handlers are installed for the whole process when the first such code is loaded; what is not about a guest goes
//! to the handlers that were there before.
//!
//! A handler allocates nothing, takes no lock, and runs no code of the host's. It changes where the thread goes on: in
//! `arch::leave`. That is right at every instruction while [`Entry::in_guest`] is set, since no frame of Rust stands
//! above the host's stack pointer then; otherwise the request waits until the runtime has served its call.
//!
//! Each fiber has a chain of activations of its own, and so has what runs on no fiber: whoever changes stacks changes
//! chains ([`change`]), and looks at the requests that came meanwhile.
//!
//! Invariant: `THREAD.entry` is the innermost activation of this thread, on the fiber that runs, whose code traps by
//! signals.

use core::{
    cell::Cell,
    ffi::{c_int, c_void},
    mem, ptr,
    sync::atomic::{Ordering, compiler_fence},
};
use std::{
    io,
    sync::{Mutex, OnceLock, PoisonError},
};

use lithe_types::TrapKind;

use super::{arch::Registers, entry::Entry, text::Text};
use crate::{LimitError, memory::reach, parking::INTERRUPT as INTERRUPTED};

/// The signal that stops guests. Its default is to be ignored.
const INTERRUPT: c_int = libc::SIGURG;
const HANDLED: [c_int; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, INTERRUPT];

/// What was there before, by place in [`HANDLED`].
static PREVIOUS: [OnceLock<libc::sigaction>; HANDLED.len()] =
    [const { OnceLock::new() }; HANDLED.len()];

struct Thread {
    entry: Cell<*mut Entry>,
    /// The system's number of the thread, and whether it has a stack for handlers; 0 when neither is known.
    number: Cell<u32>,
}

thread_local! {
    // Has no destructor and needs no initialization, so that handlers may use it.
    static THREAD: Thread =
        const { Thread { entry: Cell::new(ptr::null_mut()), number: Cell::new(0) } };
    static STACK: HandlerStack = const { HandlerStack(Cell::new(ptr::null_mut())) };
}

/// Installs the handlers, once.
pub(super) fn install() -> io::Result<()> {
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if *installed {
        return Ok(());
    }
    for (signal, previous) in HANDLED.into_iter().zip(&PREVIOUS) {
        // SAFETY: zeros are an action. The first call only reads the action that there is; the second installs a
        // handler which keeps to what handlers may do.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            if libc::sigaction(signal, ptr::null(), &raw mut action) != 0 {
                return Err(io::Error::last_os_error());
            }
            // Where an earlier attempt failed half way, the first reading stays.
            let _ = previous.set(action);
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
            if signal != INTERRUPT {
                // A fault within a handler is not to wait for ever.
                action.sa_flags |= libc::SA_NODEFER;
            }
            libc::sigemptyset(&raw mut action.sa_mask);
            if libc::sigaction(signal, &raw const action, ptr::null_mut()) != 0 {
                return Err(io::Error::last_os_error());
            }
        }
    }
    *installed = true;
    Ok(())
}

/// Stops the guest that runs on a thread, if one does that shall stop.
pub(crate) fn interrupt(thread: u32) {
    // SAFETY: the call changes no memory. Where the thread has ended, there is nobody to tell; where another one has its
    // number, the handler finds nothing to do.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, INTERRUPT) };
}

/// Makes this thread ready for handlers.
pub(super) fn prepare() -> Result<(), LimitError> {
    if THREAD.with(|thread| thread.number.get()) != 0 {
        return Ok(());
    }
    let ended = |_| LimitError::no_memory("signals of a thread that ends", HandlerStack::BYTES);
    STACK.try_with(HandlerStack::install).map_err(ended)??;
    let number = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
    THREAD.with(|thread| thread.number.set(number));
    Ok(())
}

/// Runs `enter` while handlers know of the activation. Does not when the guest shall stop.
///
/// # Safety
/// The entry is a new one of a store whose guest is about to run on this thread, which is prepared.
pub(super) unsafe fn watch(entry: *mut Entry, enter: impl FnOnce() -> u32) -> u32 {
    // SAFETY: the record and the state of execution live until this returns.
    unsafe {
        let signal = &(*(*entry).vm).signal;
        let (number, below) = THREAD.with(|thread| (thread.number.get(), thread.entry.get()));
        (*entry).below = below;
        let outermost = (*entry).outer.is_null();
        if outermost {
            signal.thread.store(number, Ordering::SeqCst);
        }
        THREAD.with(|thread| thread.entry.set(entry));
        let left = match signal.word.load(Ordering::SeqCst) & INTERRUPTED {
            0 => enter(),
            _ => 1,
        };
        THREAD.with(|thread| thread.entry.set(below));
        if outermost {
            signal.thread.store(0, Ordering::SeqCst);
        }
        left
    }
}

/// The activations of one fiber whose code traps by signals.
pub(crate) struct Chain(*mut Entry);

impl Chain {
    /// That of a fiber which has not begun.
    pub(crate) const EMPTY: Chain = Chain(ptr::null_mut());
}

/// Makes handlers look at the activations of another fiber, and gives those that they looked at before. A guest that was
/// to stop while they did not look at it is left when its call of the host returns.
///
/// # Safety
/// The chain is empty, or this function gave it on this thread for the stack that is about to run.
pub(crate) unsafe fn change(chain: Chain) -> Chain {
    let before = THREAD.with(|thread| thread.entry.replace(chain.0));
    // A request that this does not see yet finds the new chain with its signal.
    compiler_fence(Ordering::SeqCst);
    let mut next = chain.0;
    // SAFETY: activations of a stack that is suspended do not return, so their records and states of execution live.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: as above; all fibers of the chain's stores are this thread's.
        unsafe { requested(entry) };
        next = entry.below;
    }
    Chain(before)
}

unsafe extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gives a handler live records.
    unsafe {
        let mut registers = Registers::new(context);
        let handled = match signal {
            INTERRUPT => interrupted(&mut registers) || sent_by_us(info),
            _ => fault(signal, (*info).si_addr() as usize, &mut registers).is_some(),
        };
        if !handled {
            pass_on(signal, info, context);
        }
    }
}

/// Whether a signal came from this process to one of its threads, as those of [`interrupt`] do.
unsafe fn sent_by_us(info: *const libc::siginfo_t) -> bool {
    // SAFETY: such signals have a sender.
    unsafe { (*info).si_code == libc::SI_TKILL && (*info).si_pid() == libc::getpid() }
}

/// Stops the guests of this thread that shall stop; whether there is one.
unsafe fn interrupted(registers: &mut Registers) -> bool {
    let innermost = THREAD.with(|thread| thread.entry.get());
    let mut found = false;
    let mut next = innermost;
    // SAFETY: the records and the states of execution live while the thread has activations, and only this thread
    // changes them.
    while let Some(entry) = unsafe { next.as_mut() } {
        // SAFETY: as above.
        if unsafe { requested(entry) } {
            found = true;
            if ptr::eq(innermost, entry) && entry.in_guest.load(Ordering::Relaxed) != 0 {
                // SAFETY: the guest's registers are those that were stopped.
                unsafe { leave(entry, registers) };
            }
        }
        next = entry.below;
    }
    found
}

/// Makes an activation leave when the call into the runtime has been served, if it is the innermost one of a store whose
/// guest shall stop; whether it is.
///
/// # Safety
/// The record and the state of execution live, and only this thread changes them.
unsafe fn requested(entry: &Entry) -> bool {
    // SAFETY: as the caller promises.
    let asked = unsafe {
        let current = ptr::read_volatile(&raw const (*entry.vm).native.entry);
        let signal = &(*entry.vm).signal;
        let asked = signal.word.load(Ordering::SeqCst) & INTERRUPTED != 0;
        asked && ptr::eq(current, entry)
    };
    if asked {
        entry.stop.store(TrapKind::Interrupt as u32, Ordering::Relaxed);
        entry.leave();
    }
    asked
}

/// Makes a guest leave that was stopped with these registers.
///
/// # Safety
/// The entry is that of the guest, which is in text or on its way there or back.
unsafe fn leave(entry: &mut Entry, registers: &mut Registers) {
    let pc = registers.pc();
    // SAFETY: a text that runs lives, and so does the guest's state of execution.
    unsafe {
        if let Some(text) = Text::find(pc) {
            let text = &*text;
            let low = (*entry.vm).native.stack.as_ref().map_or(usize::MAX, |stack| stack.low());
            entry.exit_pc = pc;
            entry.exit_fp = registers.fp();
            entry.exit_sp = registers.sp().max(low);
            entry.stopped = true;
            let offset = text.offset(pc);
            let function = text.artifact.function_at(offset);
            let function = function.and_then(|function| text.artifact.function(function));
            if let Some(function) = function {
                let first = text.address(function.start);
                let caller = registers.caller((offset - function.start) as usize, first);
                entry.caller = caller.unwrap_or(0);
            }
        }
    }
    registers.leave(entry);
}

/// Makes a fault of a guest the trap that it stands for; `None` when it is not one.
unsafe fn fault(signal: c_int, address: usize, registers: &mut Registers) -> Option<()> {
    // SAFETY: the record and the state of execution live while the thread has an activation, and the guest that was
    // stopped is the only one that changes them.
    unsafe {
        let entry = THREAD.with(|thread| thread.entry.get()).as_mut()?;
        if entry.in_guest.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let sp = registers.sp();
        let access = matches!(signal, libc::SIGSEGV | libc::SIGBUS);
        let state = &(*entry.vm).native;
        let kind = match access && state.stack.as_ref()?.guards(address) {
            true => TrapKind::StackExhausted,
            false => trap_at(registers.pc())?,
        };
        // A fault elsewhere than beyond the end of a memory is none that the guest could have wanted.
        if access && kind == TrapKind::MemoryOutOfBounds {
            let mut memories = (*state.store).memories.iter();
            memories.find(|memory| {
                let memory = memory.as_ref();
                let start = memory.base as usize;
                memory.guarded && (start..start + reach(&memory.ty)).contains(&address)
            })?;
        }
        entry.stop.store(kind as u32, Ordering::Relaxed);
        entry.leave();
        leave(entry, registers);
        // A machine whose calls write to the stack does so right below what is in use; what a function does before its
        // frame is in place is not meant.
        entry.calling = address == sp.wrapping_sub(8) && entry.caller == 0;
        if kind == TrapKind::StackExhausted && entry.calling && entry.stopped {
            called(entry);
        }
        Some(())
    }
}

/// Makes it seem that the call was made at which a guest was stopped.
unsafe fn called(entry: &mut Entry) {
    let pc = entry.exit_pc;
    // SAFETY: a text that runs lives.
    let Some(text) = (unsafe { Text::find(pc).map(|text| &*text) }) else { return };
    let offset = text.offset(pc);
    let Some(function) = text.artifact.function_at(offset) else { return };
    if let Some(site) = text.artifact.sites(function).find(|site| site.text > offset) {
        entry.exit_pc = text.address(site.text) as usize;
        entry.stopped = false;
    }
}

/// The trap that a fault of an instruction stands for.
unsafe fn trap_at(pc: usize) -> Option<TrapKind> {
    // SAFETY: a text that runs lives.
    let text = unsafe { &*Text::find(pc)? };
    let offset = text.offset(pc);
    let function = text.artifact.function_at(offset)?;
    let site = text.artifact.site(function, offset)?;
    site.trap.filter(|_| site.text == offset)
}

/// Lets those have a signal who had it before.
unsafe fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let place = HANDLED.iter().position(|handled| *handled == signal);
    let previous = place.and_then(|place| PREVIOUS[place].get());
    let (action, flags) =
        previous.map_or((libc::SIG_DFL, 0), |action| (action.sa_sigaction, action.sa_flags));
    // SAFETY: an action that is a function has the type that its flags tell. The default action is restored for the
    // fault to come again, which ends the process as it would have without us.
    unsafe {
        match action {
            libc::SIG_DFL | libc::SIG_IGN if signal == INTERRUPT => {}
            libc::SIG_DFL | libc::SIG_IGN => {
                libc::signal(signal, libc::SIG_DFL);
            }
            _ if flags & libc::SA_SIGINFO != 0 => {
                type Handler = unsafe extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
                mem::transmute::<usize, Handler>(action)(signal, info, context);
            }
            _ => mem::transmute::<usize, unsafe extern "C" fn(c_int)>(action)(signal),
        }
    }
}

/// The stack that handlers run on, when this thread had none that is large enough. A guest's may be used up.
struct HandlerStack(Cell<*mut c_void>);

impl HandlerStack {
    const BYTES: usize = 64 << 10;
    /// Less is enough for the registers of no machine and for the handler.
    const ENOUGH: usize = 32 << 10;
    const GUARD: usize = 64 << 10;

    fn install(&self) -> Result<(), LimitError> {
        use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect};
        let refused = || LimitError::no_memory("the stack of signal handlers", HandlerStack::BYTES);
        // SAFETY: zeros are a stack; the call only reads the one that there is.
        let known = unsafe {
            let mut known: libc::stack_t = mem::zeroed();
            libc::sigaltstack(ptr::null(), &raw mut known);
            known
        };
        if known.ss_flags & libc::SS_DISABLE == 0 && known.ss_size >= HandlerStack::ENOUGH {
            return Ok(());
        }
        let bytes = HandlerStack::GUARD + HandlerStack::BYTES;
        let access = MprotectFlags::READ.union(MprotectFlags::WRITE);
        // SAFETY: a new mapping touches nothing; its upper part becomes the stack, which stays until the thread ends.
        unsafe {
            let none = ProtFlags::empty();
            let map = mmap_anonymous(ptr::null_mut(), bytes, none, MapFlags::PRIVATE);
            let map = map.map_err(|_| refused())?;
            self.0.set(map);
            let start = map.byte_add(HandlerStack::GUARD);
            mprotect(start, HandlerStack::BYTES, access).map_err(|_| refused())?;
            let stack = libc::stack_t { ss_sp: start, ss_flags: 0, ss_size: HandlerStack::BYTES };
            match libc::sigaltstack(&raw const stack, ptr::null_mut()) {
                0 => Ok(()),
                _ => Err(refused()),
            }
        }
    }
}

impl Drop for HandlerStack {
    fn drop(&mut self) {
        let map = self.0.get();
        if map.is_null() {
            return;
        }
        THREAD.with(|thread| thread.number.set(0));
        // SAFETY: the thread ends; its handlers get no other stack from here on, and this one goes when it is theirs
        // no more.
        unsafe {
            let mut known: libc::stack_t = mem::zeroed();
            libc::sigaltstack(ptr::null(), &raw mut known);
            if known.ss_sp == map.byte_add(HandlerStack::GUARD) {
                let off = libc::stack_t {
                    ss_sp: ptr::null_mut(),
                    ss_flags: libc::SS_DISABLE,
                    ss_size: 0,
                };
                libc::sigaltstack(&raw const off, ptr::null_mut());
            }
            let _ = rustix::mm::munmap(map, HandlerStack::GUARD + HandlerStack::BYTES);
        }
    }
}

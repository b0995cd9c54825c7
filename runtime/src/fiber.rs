//! Fibers: bodies of code with a host stack of their own, which may be suspended anywhere within and resumed later, so
//! that one thread runs many guests. The embedding API hands them out. A guest has its stack from its store in both
//! engines; what a fiber adds is a stack for the host's frames between them.
//!
//! ```text
//! resume() --> body -> call of a guest -> host function -> suspend() --.
//!    ^                                                                 |
//!    '-----------------------------------------------------------------'   and back when resumed again
//! ```
//!
//! Invariant: `CURRENT` is the fiber that runs on this thread, the activations that handlers of signals look at are its,
//! and both are the resumer's again when `resume` returns. A stack is unmapped or used anew only when no frame is on it:
//! frames end by returning or by a panic that the body's root catches, and are otherwise given up with their stack.

use core::{any::Any, cell::Cell, fmt, hint::black_box, mem, num::NonZeroUsize, ptr};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::{boxed::Box, thread::panicking};

use corosensei::{
    Coroutine, CoroutineResult, Yielder,
    stack::{Stack, StackPointer},
};
use lithe_types::limits;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use crate::{
    LimitError,
    native::{Chain, change},
};

/// Bytes of the guard, which compiled code cannot jump over: it touches every page of a frame.
const GUARD: usize = 64 << 10;
/// Stacks are made of whole pages of every supported machine.
const PAGE: usize = 64 << 10;

/// The least that a stack has: the head-room of one call of a guest, and something to come from.
const MIN_BYTES: usize = limits::FIBER_HEADROOM + PAGE;

thread_local! {
    // Has no destructor and needs no initialization.
    static CURRENT: Cell<*const State> = const { Cell::new(ptr::null()) };
}

/// A stack for a fiber: a mapping with a guard below it. The machine gives it memory as it is used.
#[derive(Debug)]
pub struct FiberStack {
    map: NonZeroUsize,
    bytes: usize,
}

impl FiberStack {
    /// A stack of at least so many bytes. A guest cannot use it up: it is entered only while
    /// [`limits::FIBER_HEADROOM`] is left. Code of the host that takes more than is left, as compiling a module may,
    /// ends the process, as it does on the stack of a thread.
    pub fn new(bytes: usize) -> Result<FiberStack, LimitError> {
        let refused = || LimitError::no_memory("the stack of a fiber", bytes);
        let open = bytes.max(MIN_BYTES).checked_next_multiple_of(PAGE).ok_or_else(refused)?;
        let all = open.checked_add(GUARD).ok_or_else(refused)?;
        let flags = MapFlags::PRIVATE.union(MapFlags::NORESERVE);
        let access = MprotectFlags::READ.union(MprotectFlags::WRITE);
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing.
        let map = unsafe { mmap_anonymous(ptr::null_mut(), all, ProtFlags::empty(), flags) };
        let map = map.map_err(|_| refused())?;
        let stack =
            FiberStack { map: NonZeroUsize::new(map as usize).ok_or_else(refused)?, bytes: all };
        // SAFETY: the range is the upper part of the mapping just made.
        unsafe { mprotect(map.byte_add(GUARD), open, access) }.map_err(|_| refused())?;
        Ok(stack)
    }

    /// The lowest usable address.
    fn low(&self) -> usize {
        self.map.get() + GUARD
    }
}

// SAFETY: frames begin at the end of the mapping, a multiple of the page size, and have `MIN_BYTES` at least; below lies
// a guard.
unsafe impl Stack for FiberStack {
    fn base(&self) -> StackPointer {
        self.map.saturating_add(self.bytes)
    }

    fn limit(&self) -> StackPointer {
        self.map
    }
}

impl Drop for FiberStack {
    fn drop(&mut self) {
        // SAFETY: the mapping belongs to this stack, which is not dropped while frames are on it. A failure leaks it.
        let _ = unsafe { munmap(self.map.get() as *mut _, self.bytes) };
    }
}

/// What code that runs on a fiber has to know of it.
struct State {
    /// Where the body gives control back; null until it begins.
    yielder: Cell<*const Yielder<(), ()>>,
    cancelled: Cell<bool>,
    /// How often it was refused to be suspended since it was last resumed.
    refused: Cell<u32>,
    /// The lowest usable address of its stack.
    low: usize,
}

/// How a body ended: with a panic, or its result; `None` when it was cancelled before it began.
type End<R> = Result<Option<R>, Box<dyn Any + Send>>;

/// A body of code that is run step by step on a stack of its own. It stays on the thread that made it:
///
/// ```compile_fail
/// fn send<T: Send>() {}
/// send::<lithe_runtime::fiber::Fiber<()>>();
/// ```
///
/// # Dropping a fiber
///
/// Frames of a suspended body own values and may stand between those of guests, so they are not torn down from
/// outside: dropping cancels ([`Fiber::cancel`]). What does not end then is given up: its stack is never used again nor
/// returned to the system, and the values in its frames are never dropped, as if their owner slept for ever. A body that
/// hands [`SuspendError::Cancelled`] on as an error always ends. A panic of a body that is being dropped is discarded.
pub struct Fiber<R> {
    /// The body, until it has ended.
    coroutine: Option<Coroutine<(), (), End<R>, FiberStack>>,
    /// The stack, when it has.
    stack: Option<FiberStack>,
    /// The activations of the body, while it is suspended.
    chain: Chain,
    state: State,
}

/// How far a fiber got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resumed<R> {
    /// It is suspended, and may be resumed.
    Suspended,
    /// It ended, with this result.
    Done(R),
}

/// Why code could not be suspended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SuspendError {
    /// It does not run on a fiber.
    NotOnFiber,
    /// The fiber is cancelled: the body shall end.
    Cancelled,
    /// The thread is panicking, which the resumer would seem to do then.
    Panicking,
}

impl fmt::Display for SuspendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SuspendError::NotOnFiber => "only what runs on a fiber can be suspended",
            SuspendError::Cancelled => "the call was cancelled",
            SuspendError::Panicking => "a thread that panics cannot be suspended",
        })
    }
}

impl core::error::Error for SuspendError {}

impl<R: 'static> Fiber<R> {
    /// A fiber that will run `body` on this stack when it is resumed.
    pub fn new(stack: FiberStack, body: impl FnOnce() -> R + 'static) -> Fiber<R> {
        let low = stack.low();
        // What is put on a stack that does not run yet has to be small.
        let body = Box::new(body);
        let root = move |yielder: &Yielder<(), ()>, ()| {
            let cancelled = begin(yielder);
            let run = || match cancelled {
                true => {
                    drop(body);
                    None
                }
                false => Some(body()),
            };
            catch_unwind(AssertUnwindSafe(run))
        };
        Fiber {
            coroutine: Some(Coroutine::with_stack(stack, root)),
            stack: None,
            chain: Chain::EMPTY,
            state: State {
                yielder: Cell::new(ptr::null()),
                cancelled: Cell::new(false),
                refused: Cell::new(0),
                low,
            },
        }
    }
}

impl<R> Fiber<R> {
    /// Runs the body until it is suspended or ends. A panic of the body goes on here, and the fiber has ended.
    ///
    /// # Panics
    /// When the fiber has ended.
    pub fn resume(&mut self) -> Resumed<R> {
        assert!(!self.ended(), "a fiber that has ended is resumed");
        match self.run() {
            Some(Ok(Some(result))) => Resumed::Done(result),
            Some(Err(panic)) => resume_unwind(panic),
            // Only a cancelled fiber ends before it begins, and does so in `cancel`.
            None | Some(Ok(None)) => Resumed::Suspended,
        }
    }

    /// Makes the body end: it is resumed, and from now on every [`suspend`] fails with [`SuspendError::Cancelled`], so
    /// that host functions fail, guests are left, and frames return. A body that has not begun is dropped. A panic of the
    /// body goes on here.
    ///
    /// Gives the body's result, when it had begun and ended now. A body that goes on in spite of
    /// [`limits::FIBER_REFUSALS`] errors is suspended after all; [`Fiber::ended`] tells.
    pub fn cancel(&mut self) -> Option<R> {
        self.state.cancelled.set(true);
        match self.run()? {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Whether the body has ended.
    pub fn ended(&self) -> bool {
        self.coroutine.is_none()
    }

    /// The stack of a fiber that has ended, for another one.
    pub fn into_stack(mut self) -> Option<FiberStack> {
        self.stack.take()
    }

    /// Runs the body until it is suspended, which gives `None`, or ends.
    fn run(&mut self) -> Option<End<R>> {
        let coroutine = self.coroutine.as_mut()?;
        self.state.refused.set(0);
        let outer = CURRENT.replace(&raw const self.state);
        // SAFETY: the chain is empty, or what this function got when the stack stopped to run.
        let below = unsafe { change(mem::replace(&mut self.chain, Chain::EMPTY)) };
        let result = coroutine.resume(());
        // SAFETY: the stack that this was called on runs again, as it did when it gave this chain.
        self.chain = unsafe { change(below) };
        CURRENT.set(outer);
        match result {
            CoroutineResult::Yield(()) => None,
            CoroutineResult::Return(end) => {
                self.stack = self.coroutine.take().map(Coroutine::into_stack);
                Some(end)
            }
        }
    }
}

impl<R> Drop for Fiber<R> {
    fn drop(&mut self) {
        self.state.cancelled.set(true);
        drop(self.run());
        // Its destructor would unwind frames of any code.
        mem::forget(self.coroutine.take());
    }
}

impl<R> fmt::Debug for Fiber<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fiber").field("ended", &self.ended()).finish_non_exhaustive()
    }
}

/// Runs `look` on what is known of the fiber that this runs on. It changes no stacks.
fn current<T>(look: impl FnOnce(Option<&State>) -> T) -> T {
    // SAFETY: `run` borrows the state of the fiber that it resumed until control comes back, which `look` does not give.
    look(unsafe { CURRENT.get().as_ref() })
}

/// Notes where the body that begins gives control back; whether it is cancelled.
fn begin(yielder: &Yielder<(), ()>) -> bool {
    current(|state| {
        state.is_some_and(|state| {
            state.yielder.set(yielder);
            state.cancelled.get()
        })
    })
}

/// Gives control back to whoever resumed the fiber that this is called on. Returns when it is resumed again.
///
/// A host function that waits calls this in the middle of a guest's call. What is shared with other fibers of the thread
/// should not be in use meanwhile, such as a lock that they want.
///
/// # Errors
/// When this does not run on a fiber; when the fiber is cancelled, before or meanwhile; in a destructor that a panic runs.
pub fn suspend() -> Result<(), SuspendError> {
    let yielder = current(|state| {
        let state = state.ok_or(SuspendError::NotOnFiber)?;
        match state.cancelled.get() {
            true if state.refused.get() < limits::FIBER_REFUSALS => {
                state.refused.set(state.refused.get() + 1);
                Err(SuspendError::Cancelled)
            }
            false if panicking() => Err(SuspendError::Panicking),
            _ => Ok(state.yielder.get()),
        }
    })?;
    // SAFETY: the body has begun, since this runs in it; its yielder stays in place on its stack until it ends.
    unsafe { (*yielder).suspend(()) };
    // The fiber may have moved.
    match current(|state| state.is_some_and(|state| state.cancelled.get())) {
        true => Err(SuspendError::Cancelled),
        false => Ok(()),
    }
}

/// Whether this runs on a fiber.
pub fn on_fiber() -> bool {
    !CURRENT.get().is_null()
}

/// Whether this runs on a fiber with less than [`limits::FIBER_HEADROOM`] left of its stack: no guest may be entered.
pub fn exhausted() -> bool {
    let here = 0_u8;
    let here = ptr::from_ref(black_box(&here)) as usize;
    current(|state| {
        state.is_some_and(|state| here.saturating_sub(state.low) < limits::FIBER_HEADROOM)
    })
}

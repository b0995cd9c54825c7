//! Running functions: entering from the host, translating on first call, and stopping in a state that can be
//! continued. The embedding API drives it. Invariant: activations of a store are nested; only the innermost
//! one runs, which `entries` proves.

use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use lithe_runtime::{
    Code, CodeConfig, CodeHeader, CodeSlot, Func, Instance, LimitError, Registry, Shared, Store,
    Vm,
    layout::{HEADER_CODE, HEADER_INSTANCE, HEADER_IP, HEADER_SLOTS, HEADER_SP},
};
use lithe_types::{TrapKind, limits};
use lithe_validator::ValidModule;

use crate::{
    dispatch,
    regs::Stop,
    translate::{self, Buffers, TranslateError},
    unwind,
};

/// Whether this build has the threaded dispatch back end.
pub const THREADED: bool = dispatch::THREADED;

/// A module ready for this interpreter; `None` when the engine's limit of types is reached.
pub fn new_code(
    valid: ValidModule,
    registry: Shared<Registry>,
    mut config: CodeConfig,
    label: &str,
) -> Option<Code> {
    config.threaded &= THREADED;
    Code::new(valid, registry, config, label, dispatch::translate_stub(config.threaded).header())
}

/// A module that comes with native code, ready for that and for this interpreter.
#[cfg(feature = "std")]
pub fn new_native_code(
    native: lithe_runtime::native::NativeCode,
    registry: Shared<Registry>,
    mut config: CodeConfig,
    label: &str,
) -> Code {
    config.threaded &= THREADED;
    let stub = dispatch::translate_stub(config.threaded).header();
    Code::of_native(native, registry, config, label, stub)
}

/// The interpreter's own memory: what translations use again.
#[derive(Default)]
pub struct Interpreter {
    pub(crate) buffers: Buffers,
}

/// A call from the host that has not returned.
pub struct Activation {
    vm: *mut Vm,
    /// Number among the store's nested activations.
    entry: u32,
    /// The first argument, later the first result.
    base: *mut u64,
    pub(crate) ip: *const u64,
    pub(crate) sp: *mut u64,
    pub(crate) instance: *mut Instance,
    /// Whether `ip` follows the operation that stopped.
    pub(crate) after: bool,
    /// Whether the innermost frame made a tail call of a host function.
    pub(crate) tail: bool,
    /// Of a stop for a host call: its arguments, and how many slots they and the results take.
    host: Option<(*mut u64, usize)>,
}

/// Why execution came back to the host.
pub enum Outcome {
    /// The function returned; the results replace the arguments.
    Returned,
    /// An exception, as a slot, that no frame of the activation catches. The activation can be traced, then it
    /// must be left.
    Thrown(u64),
    /// A function of the host, or one that has native code, is to be called; then the activation is resumed.
    Host(HostCall),
    /// A trap. The activation can be traced, then it must be left.
    Trap(TrapKind),
    /// The store's signal is set. Resuming goes on.
    Signal,
    /// Fuel ran out. Resuming goes on when there is more.
    OutOfFuel,
    /// The interpreter cannot run this.
    Failed(Error),
}

/// A function that the guest calls and the interpreter does not run.
#[derive(Clone, Copy)]
pub struct HostCall {
    /// The function.
    pub func: NonNull<Func>,
    /// The instance that calls.
    pub caller: NonNull<Instance>,
}

/// What the interpreter refuses.
#[derive(Debug)]
pub enum Error {
    /// A body uses an operator that this engine does not execute, or is invalid.
    Translate(TranslateError),
    /// A limit of the store.
    Limit(LimitError),
    /// An activation was resumed that is not the innermost one of its store.
    NotInnermost,
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Error::Translate(TranslateError::Unsupported(offset)) => write!(
                f,
                "the operator at offset {offset:#x} belongs to a proposal that this version of Lithe does \
                 not execute"
            ),
            Error::Translate(_) => f.write_str("the function cannot be translated"),
            Error::Limit(error) => error.fmt(f),
            Error::NotInnermost => f.write_str("the call is not the innermost one of its store"),
        }
    }
}

impl core::error::Error for Error {}

impl Interpreter {
    /// Prepares a call of a guest's function, with its arguments as slots.
    ///
    /// # Safety
    /// `func` is a function of `store`. Where the function's type has references, the slots of `args` hold
    /// null or references of `store`.
    pub unsafe fn start(
        &mut self,
        store: &mut Store,
        func: NonNull<Func>,
        args: &[u64],
    ) -> Result<Activation, Outcome> {
        store.ensure_stack().map_err(|error| Outcome::Failed(Error::Limit(error)))?;
        let vm = store.vm_ptr();
        // SAFETY: the function and its instance live as long as the store. The slots written lie between the
        // first free slot and the end of the value stack, which is checked.
        unsafe {
            let func = func.as_ref();
            let (params, results) = (func.param_slots as usize, func.result_slots as usize);
            let base = (*vm).sp;
            let needed = params.max(results) + HEADER_SLOTS;
            let free = ((*vm).stack_end as usize - base as usize) / 8;
            if free < needed || (*vm).entries >= limits::HOST_ENTRIES {
                return Err(Outcome::Trap(TrapKind::StackExhausted));
            }
            if args.len() < params || func.instance.is_null() {
                return Err(Outcome::Failed(Error::NotInnermost));
            }
            core::ptr::copy_nonoverlapping(args.as_ptr(), base, params);
            let sp = base.add(params + HEADER_SLOTS);
            let threaded = (*func.instance).code.config().threaded;
            *sp.offset(HEADER_CODE) = func.code as usize as u64;
            *sp.offset(HEADER_INSTANCE) = func.instance as usize as u64;
            *sp.offset(HEADER_SP) = 0;
            *sp.offset(HEADER_IP) = dispatch::exit_stub(threaded).ops() as usize as u64;
            (*vm).entries += 1;
            Ok(Activation {
                vm,
                entry: (*vm).entries,
                base,
                ip: dispatch::translate_stub(threaded).ops(),
                sp,
                instance: func.instance,
                after: false,
                tail: false,
                host: None,
            })
        }
    }

    /// Runs an activation until something needs the host.
    pub fn resume(&mut self, store: &mut Store, activation: &mut Activation) -> Outcome {
        let vm = store.vm_ptr();
        if !activation.is_innermost(store) {
            return Outcome::Failed(Error::NotInnermost);
        }
        activation.host = None;
        // SAFETY: the activation is the innermost one of this store, so its frames are on the value stack and
        // its pointers are those that execution stopped with.
        unsafe {
            (*vm).ip = activation.ip;
            (*vm).sp = activation.sp;
            (*vm).instance = activation.instance;
            let threaded = (*activation.instance).code.config().threaded;
            loop {
                let mut reason = dispatch::run(vm, threaded);
                if reason == Stop::Translate as u32 && calls_native(vm) {
                    reason = Stop::Host as u32;
                }
                if reason == Stop::Translate as u32 {
                    match self.enter(vm) {
                        Ok(()) => continue,
                        Err(outcome) => {
                            activation.save(false);
                            if matches!(outcome, Outcome::Trap(TrapKind::StackExhausted)) {
                                activation.take_frame();
                            }
                            return outcome;
                        }
                    }
                }
                if reason == Stop::Done as u32 {
                    (*vm).sp = activation.base;
                    (*vm).entries -= 1;
                    return Outcome::Returned;
                }
                if reason == Stop::Room as u32 {
                    let sp = (*vm).sp;
                    let slot = *sp.offset(HEADER_CODE) as usize as *const CodeSlot;
                    let frame = (*(*slot).0.load(Ordering::Acquire)).frame_slots;
                    match store.make_room((*vm).room, sp.add(frame as usize)) {
                        Ok(()) => continue,
                        Err(error) => {
                            activation.save(false);
                            return Outcome::Trap(error.into());
                        }
                    }
                }
                if reason == Stop::Throw as u32 {
                    activation.save(false);
                    let exception = (*vm).exception;
                    if unwind::unwind(vm, exception, false) {
                        continue;
                    }
                    return Outcome::Thrown(exception);
                }
                let tail = reason == Stop::TailHost as u32;
                if tail {
                    reason = Stop::Host as u32;
                }
                activation.save(reason == Stop::Host as u32);
                activation.tail = tail;
                if reason == Stop::Host as u32 {
                    let func = (*vm).callee;
                    let count = usize::from((*func).param_slots.max((*func).result_slots));
                    // What the host calls next begins above the arguments.
                    (*vm).sp = (*vm).args.add(count);
                    activation.host = Some(((*vm).args, count));
                    let func = NonNull::new_unchecked(func);
                    let caller = NonNull::new_unchecked((*vm).instance);
                    return Outcome::Host(HostCall { func, caller });
                }
                if reason == Stop::Signal as u32 {
                    return Outcome::Signal;
                }
                if reason == Stop::Fuel as u32 {
                    return Outcome::OutOfFuel;
                }
                let kind = u8::try_from(reason).ok().and_then(TrapKind::from_code);
                if kind == Some(TrapKind::StackExhausted) {
                    activation.take_frame();
                }
                return Outcome::Trap(kind.unwrap_or(TrapKind::Unreachable));
            }
        }
    }

    /// Continues an exception in the frames of an activation that stopped for a host call. When one of them
    /// catches it, resuming the activation goes on there; else the activation is as it was.
    ///
    /// # Safety
    /// `exception` refers to an exception of `store`.
    pub unsafe fn throw(
        &mut self,
        store: &mut Store,
        activation: &mut Activation,
        exception: u64,
    ) -> bool {
        if activation.host.is_none() || !activation.is_innermost(store) {
            return false;
        }
        let vm = store.vm_ptr();
        // SAFETY: the activation is the innermost one of this store, so its frames are on the value stack and
        // its pointers are those that execution stopped with.
        unsafe {
            (*vm).ip = activation.ip;
            (*vm).sp = activation.sp;
            (*vm).instance = activation.instance;
            let caught = unwind::unwind(vm, exception, activation.after);
            if caught {
                activation.save(false);
                activation.host = None;
            } else {
                // What the host calls next begins where it did before.
                let (args, count) = activation.host.unwrap_or((activation.base, 0));
                (*vm).sp = args.add(count);
            }
            caught
        }
    }

    /// Begins the function whose header was just written, after translating it if nobody has.
    ///
    /// # Safety
    /// Execution of `vm` stopped in the stub of a function whose frame begins at `vm.sp`.
    unsafe fn enter(&mut self, vm: *mut Vm) -> Result<(), Outcome> {
        // SAFETY: the header holds the function's slot; translations live as long as their module; the slots
        // set to zero are within the value stack, which is checked.
        unsafe {
            let (sp, instance) = ((*vm).sp, (*vm).instance);
            let slot = *sp.offset(HEADER_CODE) as usize as *const CodeSlot;
            let code = &(*instance).code;
            let stub =
                core::ptr::from_ref(dispatch::translate_stub(code.config().threaded).header());
            let mut header: *const CodeHeader = (*slot).0.load(Ordering::Acquire);
            if header == stub {
                let func = code.func_of_slot(slot).unwrap_or_default();
                let config = code.config();
                let translation =
                    translate::translate(code, func, config, false, &mut self.buffers).map_err(
                        |error| match error {
                            TranslateError::TooLarge => Outcome::Trap(TrapKind::FunctionTooLarge),
                            error => Outcome::Failed(Error::Translate(error)),
                        },
                    )?;
                header = code.publish(func, translation.cells);
            }
            (*vm).ip = (*header).ops.as_ptr();
            let free = ((*vm).stack_end as usize - sp as usize) / 8;
            if free < usize::from((*header).frame_slots) {
                return Err(Outcome::Trap(TrapKind::StackExhausted));
            }
            sp.write_bytes(0, usize::from((*header).zero_slots));
            // Calls of the host and first calls come this way; the others look at the signal in their handlers.
            let signal = &(*vm).signal;
            match signal.word.load(Ordering::Relaxed) {
                0 => Ok(()),
                _ => Err(Outcome::Signal),
            }
        }
    }
}

/// Whether the function whose header was just written has native code. Then its frame is taken away, and `vm` is as
/// after the call of a host function.
///
/// # Safety
/// Execution of `vm` stopped in the stub of a function whose frame begins at `vm.sp`.
unsafe fn calls_native(vm: *mut Vm) -> bool {
    // SAFETY: the header holds the function's slot, and what the call went from; the function's arguments stand before
    // the header. Functions live as long as the store.
    unsafe {
        let (sp, instance) = ((*vm).sp, (*vm).instance);
        let slot = *sp.offset(HEADER_CODE) as usize as *const CodeSlot;
        let code = &(*instance).code;
        let Some(defined) = code.func_of_slot(slot) else { return false };
        let index = code.module().imported_funcs + defined;
        let func: *mut Func = (*instance).func(index);
        if (*func).native.is_null() {
            return false;
        }
        (*vm).callee = func;
        (*vm).args = sp.sub(HEADER_SLOTS + (*func).param_slots as usize);
        (*vm).ip = *sp.offset(HEADER_IP) as usize as *const u64;
        (*vm).instance = *sp.offset(HEADER_INSTANCE) as usize as *mut Instance;
        (*vm).sp = *sp.offset(HEADER_SP) as usize as *mut u64;
        true
    }
}

impl Activation {
    /// # Safety
    /// Execution of this activation just stopped.
    unsafe fn save(&mut self, after: bool) {
        // SAFETY: as the caller promises; the state of execution lives as long as the store.
        unsafe {
            self.ip = (*self.vm).ip;
            self.sp = (*self.vm).sp;
            self.instance = (*self.vm).instance;
        }
        self.after = after;
        self.tail = false;
    }

    /// Takes away the frame that does not fit, so that backtraces begin with the call; unless it is the outermost one.
    ///
    /// # Safety
    /// Execution of this activation just stopped at the beginning of a function.
    unsafe fn take_frame(&mut self) {
        // SAFETY: as the caller promises; the header tells what the call went from.
        unsafe {
            let sp = self.sp;
            if *sp.offset(HEADER_SP) != 0 {
                self.ip = *sp.offset(HEADER_IP) as usize as *const u64;
                self.instance = *sp.offset(HEADER_INSTANCE) as usize as *mut Instance;
                self.sp = *sp.offset(HEADER_SP) as usize as *mut u64;
                self.after = true;
            }
        }
    }

    fn is_innermost(&self, store: &Store) -> bool {
        core::ptr::eq(store.vm(), self.vm) && store.vm().entries == self.entry
    }

    /// The arguments of the host call that this activation stopped for, and room for its results in the same
    /// place; empty when it did not.
    ///
    /// # Safety
    /// Where the host function's type has references, the slots hold null or references of `store` when the
    /// activation is resumed.
    pub unsafe fn host_slots<'s>(&self, store: &'s mut Store) -> &'s mut [u64] {
        match self.host.filter(|_| self.is_innermost(store)) {
            // SAFETY: the innermost activation's frames are on the value stack, the calling frame has room for
            // arguments and results, and nothing else refers to the stack while the store is borrowed mutably.
            Some((slots, count)) => unsafe { core::slice::from_raw_parts_mut(slots, count) },
            None => &mut [],
        }
    }

    /// The results, after `Outcome::Returned` and before the next call.
    pub fn results<'s>(&self, store: &'s Store, count: usize) -> &'s [u64] {
        let vm = store.vm();
        let free = (vm.stack_end as usize).saturating_sub(self.base as usize) / 8;
        if !core::ptr::eq(vm, self.vm) || self.base < vm.stack_base || count > free {
            return &[];
        }
        // SAFETY: the slots lie within the value stack of this store, which is initialized memory.
        unsafe { core::slice::from_raw_parts(self.base, count) }
    }

    /// Gives up an activation that is the innermost one: its frames are gone.
    pub fn leave(&mut self, store: &mut Store) {
        if self.is_innermost(store) {
            let vm = store.vm_mut();
            vm.sp = self.base;
            vm.entries -= 1;
        }
    }
}

//! Functions and how they are called. Every call of a guest goes through `invoke`: it runs native code where there is
//! some, else the interpreter, whose host calls it serves in a loop. Guest frames never stand on the host's stack.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use lithe_interp::{Activation, HostCall, Outcome};
use lithe_runtime as rt;
use lithe_types::{FuncType, TrapKind, ValType};

use crate::{
    AsContext, AsContextMut, Caller, Error, ExnRef, IntoFunc, Result, Val, WasmParams, WasmResults,
    backtrace::RawFrame,
    check, native,
    raw::{self, Handle},
    refs::Ref,
    store::{HostFunc, StoreInner},
};

/// A function: one of a guest, or one of the host.
#[derive(Clone, Copy)]
pub struct Func {
    pub(crate) handle: Handle<rt::Func>,
}

impl std::fmt::Debug for Func {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Func")
    }
}

impl Func {
    /// A host function of any type, called with values.
    pub fn new<S: AsContextMut>(
        mut store: S,
        ty: FuncType,
        func: impl Fn(Caller<'_, S::Data>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Func>
    where
        S::Data: 'static,
    {
        let host = untyped(ty.clone(), func);
        store.store_mut().add_host(&ty, host)
    }

    /// A host function from a closure; its type is that of the closure.
    pub fn wrap<S: AsContextMut, M>(mut store: S, func: impl IntoFunc<S::Data, M>) -> Result<Func> {
        let (ty, host) = func.into_func();
        store.store_mut().add_host(&ty, host)
    }

    /// The type. References to defined types carry engine-wide ids.
    pub fn ty(&self, store: impl AsContext) -> Result<FuncType> {
        let store = store.store();
        Ok((*self.handle.get(store.id, &store.rt)?.signature).clone())
    }

    /// Calls the function. `results` has room for each result.
    pub fn call(
        &self,
        mut store: impl AsContextMut,
        args: &[Val],
        results: &mut [Val],
    ) -> Result<()> {
        let store = store.store_mut();
        let func = self.handle.get(store.id, &store.rt)?;
        let signature = func.signature.share();
        if args.len() != signature.params.len() || results.len() != signature.results.len() {
            return Err(Error::usage(format!(
                "the function takes {} arguments and returns {} values; {} and {} were given",
                signature.params.len(),
                signature.results.len(),
                args.len(),
                results.len()
            )));
        }
        let mut slots = vec![0; usize::from(func.param_slots.max(func.result_slots))];
        let mut at = 0;
        for (value, ty) in args.iter().zip(&signature.params) {
            let pair = value.to_slots(*ty, store)?;
            let width = ty.slots() as usize;
            slots[at..at + width].copy_from_slice(&pair[..width]);
            at += width;
        }
        invoke(store, &self.handle, &mut slots)?;
        let mut at = 0;
        for (value, ty) in results.iter_mut().zip(&signature.results) {
            *value = Val::from_slots(*ty, &slots[at..], store.id, &store.rt);
            at += ty.slots() as usize;
        }
        Ok(())
    }

    /// The function with its type known to Rust.
    pub fn typed<P: WasmParams, R: WasmResults>(
        &self,
        store: impl AsContext,
    ) -> Result<TypedFunc<P, R>> {
        let store = store.store();
        let ty = &self.handle.get(store.id, &store.rt)?.signature;
        let wanted = FuncType::new(P::types(), R::types());
        if **ty != wanted {
            return Err(Error::usage(format!("the function is a {ty}, not a {wanted}")));
        }
        Ok(TypedFunc { func: *self, types: PhantomData })
    }
}

/// A function whose type Rust knows, so calls need no checks of their own.
pub struct TypedFunc<P, R> {
    func: Func,
    types: PhantomData<fn(P) -> R>,
}

impl<P, R> Clone for TypedFunc<P, R> {
    fn clone(&self) -> TypedFunc<P, R> {
        *self
    }
}

impl<P, R> Copy for TypedFunc<P, R> {}

impl<P: WasmParams, R: WasmResults> TypedFunc<P, R> {
    /// Calls the function.
    pub fn call(&self, mut store: impl AsContextMut, params: P) -> Result<R> {
        const SLOTS: usize = 32;
        let store = store.store_mut();
        let mut slots = [0; SLOTS];
        params.store(store.id, &store.rt, &mut slots)?;
        let count = P::SLOTS.max(R::SLOTS).min(SLOTS);
        invoke(store, &self.func.handle, &mut slots[..count])?;
        Ok(R::load(store.id, &store.rt, &slots))
    }

    /// The function.
    pub fn func(&self) -> &Func {
        &self.func
    }
}

impl<T> StoreInner<T> {
    pub(crate) fn add_host(&mut self, ty: &FuncType, host: HostFunc<T>) -> Result<Func> {
        check::func_type(ty, self)?;
        let ty = self.rt.register_func(ty)?;
        let index = self.hosts.len() as u32;
        self.hosts.push(host);
        Ok(Func { handle: Handle::new(self.id, self.rt.add_host_func(ty, index)) })
    }
}

/// A host function over values as one over slots.
pub(crate) fn untyped<T>(
    ty: FuncType,
    func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
) -> HostFunc<T> {
    Arc::new(move |caller, slots| {
        let Caller { store, instance } = caller;
        let mut at = 0;
        let load = |ty: &ValType| {
            let value = Val::from_slots(*ty, &slots[at..], store.id, &store.rt);
            at += ty.slots() as usize;
            value
        };
        let args: Vec<Val> = ty.params.iter().map(load).collect();
        let null = Val::I32(0);
        let mut results: Vec<Val> =
            ty.results.iter().map(|ty| Val::default_of(*ty).unwrap_or(null)).collect();
        func(Caller { store: &mut *store, instance }, &args, &mut results)?;
        let mut at = 0;
        for (value, ty) in results.iter().zip(&ty.results) {
            let pair = value.to_slots(*ty, store)?;
            let width = ty.slots() as usize;
            slots[at..at + width].copy_from_slice(&pair[..width]);
            at += width;
        }
        Ok(())
    })
}

/// Calls a function with its arguments as slots; the results replace them.
pub(crate) fn invoke<T>(
    store: &mut StoreInner<T>,
    func: &Handle<rt::Func>,
    slots: &mut [u64],
) -> Result<()> {
    let record = func.get(store.id, &store.rt)?;
    if record.instance.is_null() {
        let host = store.hosts[record.index as usize].clone();
        return host(Caller { store, instance: None }, slots);
    }
    // Guests decide how deep calls nest, but not how large the host's stack is.
    if rt::fiber::exhausted() {
        return Err(Error::trap_of(TrapKind::StackExhausted));
    }
    if !record.native.is_null() {
        return native::call(store, func.pointer(store.id)?, slots);
    }
    let results = usize::from(record.result_slots);
    let started = raw::start(store.id, &mut store.rt, &mut store.interp, func, slots)?;
    let mut activation = match started {
        Ok(activation) => activation,
        Err(outcome) => return Err(failure(outcome)),
    };
    loop {
        let error = match resume(store, &mut activation) {
            Outcome::Returned => {
                slots[..results].copy_from_slice(activation.results(&store.rt, results));
                return Ok(());
            }
            Outcome::Host(call) => {
                let scope = store.rt.enter_scope();
                match host_call(store, call, &mut activation) {
                    Ok(()) => continue,
                    Err(error) if caught(store, &mut activation, &error) => {
                        store.rt.leave_scope(scope);
                        continue;
                    }
                    Err(error) => error,
                }
            }
            Outcome::Thrown(slot) => exception(store, slot),
            Outcome::Signal => {
                store.rt.vm().signal.word.store(0, Ordering::Relaxed);
                Error::trap_of(TrapKind::Interrupt)
            }
            Outcome::OutOfFuel => {
                store.rt.vm_mut().fuel = 0;
                Error::trap_of(TrapKind::OutOfFuel)
            }
            outcome => failure(outcome),
        };
        return Err(abandon(store, activation, error));
    }
}

/// Runs the guest. A host value that the collector drops meanwhile may panic; that unwinds on, after the guest's
/// frames are gone.
fn resume<T>(store: &mut StoreInner<T>, activation: &mut Activation) -> Outcome {
    let StoreInner { interp, rt, .. } = store;
    match catch_unwind(AssertUnwindSafe(|| interp.resume(rt, activation))) {
        Ok(outcome) => outcome,
        Err(panic) => {
            activation.leave(rt);
            resume_unwind(panic);
        }
    }
}

fn failure(outcome: Outcome) -> Error {
    match outcome {
        Outcome::Trap(kind) => Error::trap_of(kind),
        Outcome::Failed(error) => error.into(),
        _ => Error::usage("the interpreter stopped for no reason it told"),
    }
}

/// The error of an exception that no frame catches.
pub(crate) fn exception<T>(store: &StoreInner<T>, slot: u64) -> Error {
    match Ref::from_slot(store.id, &store.rt, slot) {
        Some(exception) => Error::exception_of(ExnRef(exception)),
        None => Error::usage("the interpreter threw no exception"),
    }
}

/// Whether the error of a host function is an exception that the guest which called it catches; the activation
/// then goes on at the handler.
fn caught<T>(store: &mut StoreInner<T>, activation: &mut Activation, error: &Error) -> bool {
    let slot = error.exception().map(|exception| exception.reference().0.slot(store.id, &store.rt));
    match slot {
        Some(Ok(slot)) => raw::throw(&mut store.rt, &mut store.interp, activation, slot),
        _ => false,
    }
}

/// Gives up a stopped activation and adds its frames to the error.
fn abandon<T>(store: &mut StoreInner<T>, mut activation: Activation, mut error: Error) -> Error {
    error.describe(store);
    error.pass(|| {
        let frames = store.interp.trace(&store.rt, &activation);
        frames.into_iter().map(RawFrame::Interpreted).collect()
    });
    activation.leave(&mut store.rt);
    error
}

/// Serves a host call of the interpreter. A panic of the host function unwinds on, after the guest's frames are gone.
fn host_call<T>(
    store: &mut StoreInner<T>,
    call: HostCall,
    activation: &mut Activation,
) -> Result<()> {
    const INLINE: usize = 16;
    let guest = raw::host_slots(activation, &mut store.rt);
    let (mut inline, mut heap) = ([0; INLINE], Vec::new());
    let slots = match inline.get_mut(..guest.len()) {
        Some(slots) => slots,
        None => {
            heap.resize(guest.len(), 0);
            &mut heap[..]
        }
    };
    slots.copy_from_slice(guest);
    match serve(store, call.func, call.caller, slots) {
        Ok(result) => result?,
        Err(panic) => {
            activation.leave(&mut store.rt);
            resume_unwind(panic);
        }
    }
    raw::host_slots(activation, &mut store.rt).copy_from_slice(slots);
    Ok(())
}

/// Runs a function for a guest that another engine runs, or a host function in a scope of its own, with the arguments
/// as slots; the results replace them. Fails when it panics.
pub(crate) fn serve<T>(
    store: &mut StoreInner<T>,
    func: NonNull<rt::Func>,
    caller: NonNull<rt::Instance>,
    slots: &mut [u64],
) -> std::thread::Result<Result<()>> {
    let handle = Handle::new(store.id, func);
    let func = match handle.get(store.id, &store.rt) {
        Ok(func) => func,
        Err(error) => return Ok(Err(error)),
    };
    if !func.instance.is_null() {
        return catch_unwind(AssertUnwindSafe(|| invoke(store, &handle, slots)));
    }
    let host = store.hosts[func.index as usize].clone();
    let instance = Some(Handle::new(store.id, caller));
    let scope = store.rt.enter_scope();
    let caller = Caller { store: &mut *store, instance };
    let result = catch_unwind(AssertUnwindSafe(|| host(caller, slots)));
    let result = result.map(|result| result.map_err(|error| (error.slot(store), error)));
    store.rt.leave_scope(scope);
    // An exception outlives the scope that it was made in.
    Ok(result?.map_err(|(slot, mut error)| {
        if let Some(exception) = slot.and_then(|s| Ref::from_slot(store.id, &store.rt, s)) {
            error.replace(ExnRef(exception));
        }
        error
    }))
}

//! Native code of modules: compiling it, calling it, and serving what it calls. `Module` and `invoke` use it.
//! Invariant: guests see no difference between native code and the interpreter.

use std::panic::resume_unwind;
use std::ptr::NonNull;

use lithe_runtime as rt;
use rt::native::{Cause, Stopped};

use crate::{
    Engine, Error, ExnRef, Result,
    backtrace::RawFrame,
    func::{self as funcs, exception},
    raw::{self, Failure},
    refs::Ref,
    store::StoreInner,
};

/// Compiles a module for this machine.
#[cfg(feature = "native")]
pub(crate) fn compile(code: &mut rt::Code, engine: &Engine) -> Result<()> {
    let Some(arch) = rt::abi::Arch::HOST else {
        return Err(Error::usage("there is no native code for this machine"));
    };
    let valid = code.valid().ok_or_else(|| Error::usage("the module was not validated"))?;
    let target = engine.target(valid.module(), arch, rt::abi::cpu::host());
    let options =
        lithe_compiler::Options { label: code.label(), ..lithe_compiler::Options::new(target) };
    let bytes = match lithe_compiler::compile(valid, &options) {
        Ok(bytes) => bytes,
        // The interpreter has vectors on every machine.
        Err(error) if error.kind() == lithe_compiler::ErrorKind::NoVectors => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let artifact = rt::artifact::Artifact::new(Box::new(bytes));
    artifact.and_then(|artifact| raw::attach(code, artifact)).map_err(crate::artifact::unusable)
}

/// Refuses to compile a module.
#[cfg(not(feature = "native"))]
pub(crate) fn compile(_: &mut rt::Code, _: &Engine) -> Result<()> {
    Err(no_compiler())
}

/// The error of a build that cannot compile.
#[cfg(not(feature = "native"))]
pub(crate) fn no_compiler() -> Error {
    Error::usage("this build of Lithe has no native compiler: enable its feature `native`")
}

/// Calls a function that has native code, with its arguments as slots; the results replace them.
pub(crate) fn call<T>(
    store: &mut StoreInner<T>,
    func: NonNull<rt::Func>,
    slots: &mut [u64],
) -> Result<()> {
    let Err((Stopped { cause, frames }, failure)) = raw::run(store, func, slots, serve) else {
        return Ok(());
    };
    let mut error = match cause {
        Cause::Trap(kind) => Error::trap_of(kind),
        Cause::Thrown(slot) => exception(store, slot),
        Cause::Limit(error) => return Err(error.into()),
        Cause::Panicked(panic) => resume_unwind(panic),
        Cause::Host => {
            let reason = || (Error::usage("the guest stopped for no reason it told"), None);
            let (mut error, thrown) = failure.unwrap_or_else(reason);
            // The scope of the reference that the error has was left when the guest went on.
            if let Some(exception) = thrown.and_then(|s| Ref::from_slot(store.id, &store.rt, s)) {
                error.replace(ExnRef(exception));
            }
            error
        }
    };
    error.describe(store);
    error.pass(|| frames.into_iter().map(RawFrame::Native).collect());
    Err(error)
}

/// Serves a call of a function without native code.
fn serve<T>(
    store: &mut StoreInner<T>,
    func: NonNull<rt::Func>,
    caller: NonNull<rt::Instance>,
    slots: &mut [u64],
) -> Result<(), Failure> {
    let scope = store.rt.enter_scope();
    let result =
        funcs::serve(store, func, caller, slots).unwrap_or_else(|panic| resume_unwind(panic));
    let result = result.map_err(|error| {
        let thrown = error.slot(store);
        (error, thrown)
    });
    store.rt.leave_scope(scope);
    result
}

//! The host's state of one guest, and WASI as functions of a linker. Made by `run`. Invariant: one loop
//! defines all functions, so tracing, counting and the time limit are the same for each.

use std::sync::Arc;

use lithe::{Caller, Error, ExternType, FuncType, Linker, TrapKind, ValType};
use lithe_wasi::p1::{self, Function, ParamType, Stop};
use lithe_wasi::{Ctx, GuestMemory};

use crate::trace;
use crate::watchdog::Watch;

/// The data of the store.
pub struct Host {
    pub ctx: Ctx,
    /// Calls by function, in the order of the table, when they are counted.
    pub counts: Option<Vec<u64>>,
    pub trace: bool,
    pub watch: Option<Arc<Watch>>,
}

/// Defines WASI preview 1.
pub fn define(linker: &mut Linker<Host>) -> Result<(), Error> {
    for (index, function) in p1::FUNCTIONS.iter().enumerate() {
        let call = move |caller: Caller<'_, Host>, slots: &mut [u64]| serve(caller, index, slots);
        linker.func_raw(p1::MODULE, function.name, ty(function), call)?;
    }
    Ok(())
}

/// The type of a WASI function.
fn ty(function: &Function) -> FuncType {
    let params = function.params.iter().map(|param| match param.kind.ty() {
        ParamType::I32 => ValType::I32,
        ParamType::I64 => ValType::I64,
    });
    FuncType::new(params, function.has_result().then_some(ValType::I32))
}

/// Whether an import is one that `define` provides.
pub fn provides(module: &str, ty: &ExternType) -> bool {
    module == p1::MODULE && matches!(ty, ExternType::Func(_))
}

fn serve(mut caller: Caller<'_, Host>, index: usize, slots: &mut [u64]) -> Result<(), Error> {
    let function = &p1::FUNCTIONS[index];
    // A guest without a memory may still exit or yield; pointers are out of bounds for it.
    let (bytes, host) = match caller.memory_and_data("memory") {
        Some(both) => both,
        None => (&mut [][..], caller.data_mut()),
    };
    let mut memory = GuestMemory::new(bytes);
    let args = slots.get(..function.params.len()).unwrap_or(slots);
    if let Some(counts) = &mut host.counts {
        counts[index] += 1;
    }
    if let Some(watch) = &host.watch {
        watch.enter(index);
    }
    let line = host.trace.then(|| trace::call(function, args, &memory));
    let result = p1::call(&mut host.ctx, &mut memory, function, args);
    if let Some(watch) = &host.watch {
        watch.leave();
    }
    if let Some(line) = line {
        trace::print(line, result);
    }
    match result {
        Ok(errno) => {
            if let Some(slot) = slots.first_mut() {
                *slot = errno as u64;
            }
            Ok(())
        }
        Err(Stop::Exit(code)) => Err(Error::exit(code)),
        Err(Stop::Deadline) => Err(Error::trap_of(TrapKind::Interrupt)),
        Err(Stop::Trap(message)) => Err(Error::host(message)),
    }
}

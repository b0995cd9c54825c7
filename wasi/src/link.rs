//! Preview 1 in a linker: one loop over the table of its functions. The embedder's store data gives access
//! to the context and may watch the calls.

use lithe::{Caller, Error, FuncType, Linker, Result, TrapKind, ValType};

use crate::{
    Ctx, Errno, GuestMemory, Stop,
    p1::{self, Function, ParamType, Trace},
};

/// Store data that holds a WASI context.
pub trait WasiView {
    /// The context.
    fn wasi(&mut self) -> &mut Ctx;

    /// Called before a function runs.
    fn before(&mut self, call: &Trace<'_>) {
        let _ = call;
    }

    /// Called after a function ran.
    fn after(&mut self, function: &'static Function, result: &Result<Errno, Stop>) {
        let _ = (function, result);
    }
}

impl WasiView for Ctx {
    fn wasi(&mut self) -> &mut Ctx {
        self
    }
}

/// Defines every function of preview 1 under its module name.
pub fn add_to_linker<T: WasiView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    for function in p1::FUNCTIONS {
        let params = function.params.iter().map(|param| match param.kind.ty() {
            ParamType::I32 => ValType::I32,
            ParamType::I64 => ValType::I64,
        });
        let results = function.has_result().then_some(ValType::I32);
        let ty = FuncType::new(params, results);
        linker.func_raw(p1::MODULE, function.name, ty, move |caller, slots| {
            call(caller, function, slots)
        })?;
    }
    Ok(())
}

fn call<T: WasiView>(
    mut caller: Caller<'_, T>,
    function: &'static Function,
    slots: &mut [u64],
) -> Result<()> {
    let args = slots.get(..function.params.len()).unwrap_or(slots);
    let Some((bytes, data)) = caller.memory_and_data("memory") else {
        return Err(Error::host(format!(
            "{} needs the guest's memory, but the calling module exports none as `memory`",
            function.name
        )));
    };
    let mut memory = GuestMemory::new(bytes);
    data.before(&Trace { function, args, memory: &memory });
    let result = p1::call(data.wasi(), &mut memory, function, args);
    data.after(function, &result);
    match result {
        Ok(errno) => {
            if let Some(slot) = slots.first_mut().filter(|_| function.has_result()) {
                *slot = errno as u64;
            }
            Ok(())
        }
        Err(Stop::Exit(status)) => Err(Error::exit(status)),
        Err(Stop::Trap(message)) => Err(Error::host(format!("{}: {message}", function.name))),
        Err(Stop::Deadline) => Err(Error::trap_of(TrapKind::Interrupt)),
    }
}

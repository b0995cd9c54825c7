//! Preview 1 in a linker: one loop over the table of its functions. The embedder's store data gives access
//! to the context and may watch the calls.

use lithe::{Caller, Error, FuncType, Linker, Result, TrapKind, ValType};

use crate::{
    Ctx, Errno, GuestMemory, Stop,
    p1::{self, Function, ParamType, Trace},
};

/// Store data that holds a WASI context. Calls are told apart by their index in [`p1::FUNCTIONS`].
pub trait WasiView {
    /// The context.
    fn wasi(&mut self) -> &mut Ctx;

    /// Called before a function runs.
    fn before(&mut self, index: usize, call: &Trace<'_>) {
        let _ = (index, call);
    }

    /// Called after a function ran.
    fn after(&mut self, index: usize, result: Result<Errno, Stop>) {
        let _ = (index, result);
    }
}

impl WasiView for Ctx {
    fn wasi(&mut self) -> &mut Ctx {
        self
    }
}

/// Defines every function of preview 1 under its module name.
pub fn add_to_linker<T: WasiView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    for (index, function) in p1::FUNCTIONS.iter().enumerate() {
        linker.func_raw(p1::MODULE, function.name, ty(function), move |caller, slots| {
            call(caller, index, function, slots)
        })?;
    }
    Ok(())
}

fn ty(function: &Function) -> FuncType {
    let params = function.params.iter().map(|param| match param.kind.ty() {
        ParamType::I32 => ValType::I32,
        ParamType::I64 => ValType::I64,
    });
    FuncType::new(params, function.has_result().then_some(ValType::I32))
}

fn call<T: WasiView>(
    mut caller: Caller<'_, T>,
    index: usize,
    function: &Function,
    slots: &mut [u64],
) -> Result<()> {
    const MEMORY: &str = "memory";
    let (mut memory, data) = match caller.memory_and_data(MEMORY) {
        Some((bytes, data)) => (GuestMemory::new(bytes), data),
        None => {
            // A guest without a memory may still exit or yield; pointers are out of bounds for it.
            let shared = caller.shared_memory(MEMORY).map(GuestMemory::shared);
            (shared.unwrap_or_else(|| GuestMemory::new(&mut [])), caller.data_mut())
        }
    };
    let args = slots.get(..function.params.len()).unwrap_or(slots);
    data.before(index, &Trace { function, args, memory: &memory });
    let result = p1::call(data.wasi(), &mut memory, function, args);
    data.after(index, result);
    match result {
        Ok(errno) => {
            if let Some(slot) = slots.first_mut().filter(|_| function.has_result()) {
                *slot = errno as u64;
            }
            Ok(())
        }
        Err(Stop::Exit(status)) => Err(Error::exit(status)),
        Err(Stop::Trap(message)) => Err(Error::host(message)),
        Err(Stop::Deadline) => Err(Error::trap_of(TrapKind::Interrupt)),
    }
}

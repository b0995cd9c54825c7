//! What the layers above need and embedders do not: functions over slots, and a place in a store for state of theirs.
//! The component layer calls it. Invariant: slots hold numbers only, with the upper halves of 32-bit ones zero, so
//! nothing that is written into them can forge a reference.

use std::any::Any;
use std::sync::Arc;

use lithe_types::{FuncType, ValType};

use crate::{
    AsContextMut, Caller, Engine, Error, ErrorKind, Func, Memory, Result, func, raw::Handle,
    store::HostFunc,
};

/// What a layer above keeps in a store.
pub type Attachment = Option<Box<dyn Any + Send>>;

/// A host function over slots: arguments in, results out, in the same places.
pub type SlotFunc<T> = Arc<dyn Fn(Caller<'_, T>, &mut [u64]) -> Result<()> + Send + Sync>;

/// Makes 32-bit numbers such as the engines expect them.
fn trim(types: &[ValType], slots: &mut [u64]) {
    for (ty, slot) in types.iter().zip(slots) {
        if matches!(ty, ValType::I32 | ValType::F32) {
            *slot = u64::from(*slot as u32);
        }
    }
}

fn is_number(ty: &ValType) -> bool {
    matches!(ty, ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64)
}

/// A host function over slots whose results are as the engines expect them. Its type has numbers only.
fn trimmed<T: 'static>(ty: &FuncType, func: SlotFunc<T>) -> SlotFunc<T> {
    let results = ty.results.clone();
    Arc::new(move |caller, slots| {
        func(caller, slots)?;
        trim(&results, slots);
        Ok(())
    })
}

/// A host function over slots for any number of stores of an engine.
pub struct Template<T> {
    engine: Engine,
    ty: u32,
    func: HostFunc<T>,
}

/// Makes a host function for stores of an engine.
pub fn template<T: 'static>(
    engine: &Engine,
    ty: &FuncType,
    func: SlotFunc<T>,
) -> Result<Template<T>> {
    if !ty.params.iter().chain(&ty.results).all(is_number) {
        return Err(Error::usage("a function over slots takes and returns numbers only"));
    }
    let id = engine
        .registry()
        .register_func(ty)
        .ok_or_else(|| Error::new(ErrorKind::Limit, "the engine's limit of types is reached"))?;
    Ok(Template { engine: engine.clone(), ty: id, func: trimmed(ty, func) })
}

/// The engine of a store.
pub fn engine<S: AsContextMut>(store: &mut S) -> &Engine {
    &store.store_mut().engine
}

/// Adds a host function to a store.
pub fn add<S: AsContextMut>(mut store: S, template: &Template<S::Data>) -> Result<Func> {
    let store = store.store_mut();
    if !store.engine.same(&template.engine) {
        return Err(Error::usage("the function belongs to another engine than the store"));
    }
    let index = store.hosts.len() as u32;
    store.hosts.push(template.func.clone());
    Ok(Func { handle: Handle::new(store.id, store.rt.add_host_func(template.ty, index)) })
}

/// Calls a function with its arguments as slots; the results replace them. There are as many slots as parameters and
/// as results.
pub fn call(mut store: impl AsContextMut, func: &Func, slots: &mut [u64]) -> Result<()> {
    let store = store.store_mut();
    let signature = &func.handle.get(store.id, &store.rt)?.signature;
    let wanted = signature.params.len().max(signature.results.len());
    if slots.len() < wanted || !signature.params.iter().chain(&signature.results).all(is_number) {
        return Err(Error::usage(format!("a {signature} cannot be called with slots")));
    }
    trim(&signature.params, slots);
    func::invoke(store, &func.handle, slots)
}

/// Calls the host for a store, outside of any guest.
pub fn caller<S: AsContextMut>(store: &mut S) -> Caller<'_, S::Data> {
    Caller { store: store.store_mut(), instance: None }
}

/// What a layer above keeps in the store.
pub fn attachment<S: AsContextMut>(store: &mut S) -> &mut Attachment {
    &mut store.store_mut().attachment
}

/// The bytes of a memory together with what a layer above keeps in the store.
pub fn memory_and_attachment<'s, S: AsContextMut>(
    store: &'s mut S,
    memory: &Memory,
) -> Result<(&'s mut [u8], &'s mut Attachment)> {
    let store = store.store_mut();
    let memory = memory.handle.get_mut(store.id, &mut store.rt)?;
    let shared = || Error::usage("a component cannot use a shared memory");
    Ok((memory.bytes_mut().ok_or_else(shared)?, &mut store.attachment))
}

/// The bytes of a memory together with the store's data.
pub fn memory_and_data<'s, S: AsContextMut>(
    store: &'s mut S,
    memory: &Memory,
) -> Result<(&'s mut [u8], &'s mut S::Data)> {
    let store = store.store_mut();
    let memory = memory.handle.get_mut(store.id, &mut store.rt)?;
    let shared = || Error::usage("a component cannot use a shared memory");
    Ok((memory.bytes_mut().ok_or_else(shared)?, &mut store.data))
}

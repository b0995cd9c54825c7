//! Handles: pointers into a store, usable only with that store. The one file of this crate with unsafe code.
//! Invariant: a handle's pointer came from the store with its id, whose records live as long as it does.

use std::fs::File;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lithe_interp::{Activation, Interpreter, Outcome};
use lithe_runtime as rt;
use lithe_runtime::native::{HostCallback, HostStatus, Stopped};
use lithe_types::ExternType;

use crate::{Engine, Error, Extern, Module, Result, artifact::unusable, store::StoreInner};

/// Tells stores apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StoreId(u64);

impl StoreId {
    pub(crate) fn unique() -> StoreId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        StoreId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A pointer to a record of a store.
pub(crate) struct Handle<T> {
    store: StoreId,
    pointer: NonNull<T>,
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Handle<T> {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Handle<T>) -> bool {
        self.store == other.store && self.pointer == other.pointer
    }
}

// SAFETY: a handle gives access to its record only together with a borrow of the store, which decides what
// threads may do with it.
unsafe impl<T> Send for Handle<T> {}
// SAFETY: as for Send.
unsafe impl<T> Sync for Handle<T> {}

impl<T> Handle<T> {
    /// A handle for a record of the store with this id.
    pub(crate) fn new(store: StoreId, pointer: NonNull<T>) -> Handle<T> {
        Handle { store, pointer }
    }

    /// The pointer, when the store is the right one.
    pub(crate) fn pointer(&self, store: StoreId) -> Result<NonNull<T>> {
        if self.store == store {
            return Ok(self.pointer);
        }
        Err(Error::usage("the handle belongs to another store"))
    }

    /// The record.
    pub(crate) fn get<'s>(&self, id: StoreId, _store: &'s rt::Store) -> Result<&'s T> {
        // SAFETY: the id is the store's, so the record lives at least as long as the borrow; whatever writes
        // records borrows the store mutably.
        Ok(unsafe { self.pointer(id)?.as_ref() })
    }

    /// The record, writable.
    pub(crate) fn get_mut<'s>(&self, id: StoreId, _store: &'s mut rt::Store) -> Result<&'s mut T> {
        // SAFETY: as in `get`, with a mutable borrow of the whole store.
        Ok(unsafe { self.pointer(id)?.as_mut() })
    }
}

/// The function that a slot of type `funcref` refers to.
pub(crate) fn func_of_slot(store: StoreId, slot: u64) -> Option<Handle<rt::Func>> {
    let pointer = NonNull::new(slot as usize as *mut rt::Func)?;
    Some(Handle { store, pointer })
}

/// Keeps what a slot refers to alive for the host. The slot was read where the store keeps values of a reference
/// type that is not one of functions.
pub(crate) fn root(store: &rt::Store, slot: u64) -> rt::Rooted {
    // SAFETY: as the comment says; every caller reads the slot together with its type.
    unsafe { store.root(slot) }
}

/// Writes a field or element; the slots come from a value that was checked against its type and the store.
pub(crate) fn set_object_field(
    store: &mut rt::Store,
    object: rt::Rooted,
    index: u32,
    slots: [u64; 2],
) {
    // SAFETY: as the comment says.
    unsafe { store.set_object_field(object, index, slots) };
}

/// The slot that refers to a function.
pub(crate) fn slot_of_func(func: &Handle<rt::Func>) -> u64 {
    func.pointer.as_ptr() as usize as u64
}

/// Prepares a call of a guest's function. `slots` come from values that were checked against the function's
/// type and the store.
pub(crate) fn start(
    id: StoreId,
    store: &mut rt::Store,
    interp: &mut Interpreter,
    func: &Handle<rt::Func>,
    slots: &[u64],
) -> Result<Result<Activation, Outcome>> {
    let func = func.pointer(id)?;
    // SAFETY: the function belongs to this store; references among the slots do, as the caller checked.
    Ok(unsafe { interp.start(store, func, slots) })
}

/// The slots of the host call that an activation stopped for. What is written there comes from values that
/// were checked against the host function's type and the store.
pub(crate) fn host_slots<'s>(activation: &Activation, store: &'s mut rt::Store) -> &'s mut [u64] {
    // SAFETY: references among the slots belong to this store, as the caller checked.
    unsafe { activation.host_slots(store) }
}

/// Continues an exception in the frames of an activation that stopped for a host call; false when none of them
/// catches it. `exception` was checked against the store.
pub(crate) fn throw(
    store: &mut rt::Store,
    interp: &mut Interpreter,
    activation: &mut Activation,
    exception: u64,
) -> bool {
    // SAFETY: the exception belongs to this store, as the caller checked.
    unsafe { interp.throw(store, activation, exception) }
}

/// Why a call failed that was served for native code, and the exception that it threw, as a slot.
pub(crate) type Failure = (Error, Option<u64>);

/// Serves a call that native code makes: of a function, for an instance, with arguments that results replace.
pub(crate) type Serve<T> = fn(
    &mut StoreInner<T>,
    NonNull<rt::Func>,
    NonNull<rt::Instance>,
    &mut [u64],
) -> Result<(), Failure>;

/// Calls a function that has native code. `slots` come from values that were checked against the function's type and
/// the store; so do those that `serve` writes. With a guest that was left come the failure that was served last.
pub(crate) fn run<T>(
    store: &mut StoreInner<T>,
    func: NonNull<rt::Func>,
    slots: &mut [u64],
    serve: Serve<T>,
) -> Result<(), (Stopped, Option<Failure>)> {
    struct Owner<T> {
        store: *mut StoreInner<T>,
        serve: Serve<T>,
        failure: Option<Failure>,
    }
    unsafe fn served<T>(
        data: *mut (),
        func: NonNull<rt::Func>,
        caller: NonNull<rt::Instance>,
        slots: *mut u64,
    ) -> HostStatus {
        // SAFETY: the data is the owner below, which waits for the call to return, as does the store's borrower; the
        // function is one of the store, and its caller has so many slots for it.
        unsafe {
            let owner = data.cast::<Owner<T>>();
            let count = func.as_ref().param_slots.max(func.as_ref().result_slots);
            let slots = match count {
                0 => &mut [],
                count => std::slice::from_raw_parts_mut(slots, count.into()),
            };
            match ((*owner).serve)(&mut *(*owner).store, func, caller, slots) {
                Ok(()) => HostStatus::Done,
                Err(failure) => {
                    let status = failure.1.map_or(HostStatus::Failed, HostStatus::Thrown);
                    (*owner).failure = Some(failure);
                    status
                }
            }
        }
    }
    let mut owner = Owner { store, serve, failure: None };
    let host = HostCallback { data: (&raw mut owner).cast(), call: served::<T> };
    // SAFETY: the function belongs to this store, which is borrowed for the call; references among the slots do, as the
    // caller checked.
    let done = unsafe { rt::native::call(&raw mut (*owner.store).rt, func, slots, host) };
    done.map_err(|stopped| (stopped, owner.failure))
}

/// Gives a module native code that was compiled from it just now.
#[cfg(feature = "native")]
pub(crate) fn attach(code: &mut rt::Code, artifact: rt::artifact::Artifact) -> Result<(), String> {
    // SAFETY: the only caller has the artifact from the compiler.
    unsafe { code.attach(rt::native::NativeCode::load(artifact)?) };
    Ok(())
}

/// A module that a program was linked with, as objects that [`Module::compile_object`] makes have it under the name
/// `lithe_NAME`. The repository has an example, `examples/linked`.
///
/// ```ignore
/// unsafe extern "C" {
///     static lithe_guest: lithe::LinkedModule;
/// }
///
/// let engine = Engine::new(&Config::new().strategy(Strategy::Native));
/// let module = unsafe { Module::from_linked(&engine, &lithe_guest, "guest") }?;
/// ```
#[repr(C)]
pub struct LinkedModule {
    artifact: *const u8,
    artifact_len: usize,
    text: *const u8,
    text_len: usize,
}

impl Module {
    /// Loads a module that this program was linked with. Its code runs where it stands: nothing is made executable.
    /// `name` is as for [`Module::from_artifact`].
    ///
    /// # Safety
    /// The record is that of an object which [`Module::compile_object`] made, of this version of Lithe.
    pub unsafe fn from_linked(
        engine: &Engine,
        linked: &'static LinkedModule,
        name: &str,
    ) -> Result<Module> {
        // SAFETY: the linker wrote addresses and lengths of constants of this program into the record.
        let [artifact, text] = unsafe {
            [(linked.artifact, linked.artifact_len), (linked.text, linked.text_len)]
                .map(|(bytes, len)| std::slice::from_raw_parts(bytes, len))
        };
        let artifact = rt::artifact::Artifact::linked(artifact, text).map_err(unusable)?;
        engine.accept(artifact.target())?;
        // SAFETY: as the caller promises.
        let native = unsafe { rt::native::NativeCode::link(artifact) };
        Ok(Module::of_native(engine, native.map_err(unusable)?, name))
    }

    /// Loads a module from an artifact in memory, see [`Module::compile`]. The module comes with its native code and is
    /// not validated again. `name` stands for the module in backtraces when it has no name of its own; when it is
    /// empty, the name that the module was compiled with does.
    ///
    /// # Safety
    /// The bytes are what [`Module::compile`] made, of this version of Lithe, unchanged. Nothing can be proven of native
    /// code: bytes from elsewhere do to this process whatever whoever wrote them likes. What is damaged, or made for
    /// another machine, version or configuration of an engine, is refused as far as its header tells.
    pub unsafe fn from_artifact(
        engine: &Engine,
        bytes: impl Into<Vec<u8>>,
        name: &str,
    ) -> Result<Module> {
        let artifact = rt::artifact::Artifact::new(Box::new(bytes.into())).map_err(unusable)?;
        engine.accept(artifact.target())?;
        // SAFETY: as the caller promises.
        let native = unsafe { rt::native::NativeCode::load(artifact) };
        Ok(Module::of_native(engine, native.map_err(unusable)?, name))
    }

    /// Loads a module from an artifact in a file, as [`Module::from_artifact`], or in a part of it, which begins at a
    /// multiple of 64 KiB. The file is mapped, and may be closed then; the time that this takes does not depend on its
    /// size.
    ///
    /// # Safety
    /// As for [`Module::from_artifact`]; and nobody changes the contents of the file as long as the module exists,
    /// which includes guests that were granted its directory. Other files may take its name.
    pub unsafe fn from_artifact_file(
        engine: &Engine,
        file: &File,
        part: Option<Range<u64>>,
        name: &str,
    ) -> Result<Module> {
        let unread = |error| unusable(format!("it cannot be read: {error}"));
        let part = match part {
            Some(part) => part,
            None => 0..file.metadata().map_err(unread)?.len(),
        };
        let start = part.start;
        // SAFETY: as the caller promises.
        let artifact = unsafe { rt::native::map(file, part) }.map_err(unusable)?;
        engine.accept(artifact.target())?;
        // SAFETY: as the caller promises.
        let native = unsafe { rt::native::NativeCode::open(artifact, file, start) };
        Ok(Module::of_native(engine, native.map_err(unusable)?, name))
    }

    fn of_native(engine: &Engine, native: rt::native::NativeCode, name: &str) -> Module {
        let (registry, config) = (engine.registry().clone(), engine.code_config());
        let code = lithe_interp::new_native_code(native, registry, config, name);
        Module { code: Arc::new(code), engine: engine.clone() }
    }
}

/// A new exception. `slots` come from values that were checked against the tag's type and the store.
pub(crate) fn new_exception(
    id: StoreId,
    store: &mut rt::Store,
    tag: Handle<rt::Tag>,
    slots: &[u64],
) -> Result<Result<rt::Rooted, rt::HeapError>> {
    let tag = tag.pointer(id)?;
    // SAFETY: the tag belongs to this store, and the slots are values of its type, as the caller checked.
    Ok(unsafe { store.new_exception(tag, slots) })
}

/// The type of an entity as it is now.
pub(crate) fn extern_type(id: StoreId, _store: &rt::Store, entity: Extern) -> Result<ExternType> {
    let entity = entity.to_rt(id)?;
    // SAFETY: the entity belongs to this store, which is borrowed.
    Ok(unsafe { entity.ty() })
}

/// Whether an entity may be used for import `index` of a module.
pub(crate) fn import_matches(
    id: StoreId,
    _store: &rt::Store,
    module: &Module,
    index: usize,
    entity: Extern,
) -> Result<bool> {
    let entity = entity.to_rt(id)?;
    // SAFETY: the entity belongs to this store, which is borrowed.
    Ok(unsafe { module.code.import_matches(index, &entity) })
}

/// Instantiates a module with imports in order.
pub(crate) fn instantiate(
    id: StoreId,
    store: &mut rt::Store,
    module: &Module,
    imports: &[Extern],
) -> Result<Result<NonNull<rt::Instance>, rt::InstantiateError>> {
    let imports = imports.iter().map(|import| import.to_rt(id)).collect::<Result<Vec<_>>>()?;
    // SAFETY: the entities belong to this store.
    Ok(unsafe { store.instantiate(&module.code, &imports) })
}

//! The state of one guest and what host functions see of it.

use std::sync::Arc;

use lithe_interp::Interpreter;
use lithe_runtime as rt;

use crate::{
    Engine, Error, Extern, HeapStats, Result, SharedMemory, StoreLimits,
    low::Attachment,
    raw::{Handle, StoreId},
};

/// Everything that belongs to one guest: instances, memories, host functions, and `data` of the embedder's.
pub struct Store<T>(pub(crate) StoreInner<T>);

pub(crate) type HostFunc<T> = Arc<dyn Fn(Caller<'_, T>, &mut [u64]) -> Result<()> + Send + Sync>;

#[doc(hidden)]
pub struct StoreInner<T> {
    pub(crate) id: StoreId,
    pub(crate) engine: Engine,
    pub(crate) rt: rt::Store,
    pub(crate) interp: Interpreter,
    pub(crate) hosts: Vec<HostFunc<T>>,
    pub(crate) attachment: Attachment,
    pub(crate) data: T,
}

impl<T> StoreInner<T> {
    fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        if !self.engine.counts_fuel() {
            return Err(Error::usage("the engine does not count fuel: set Config::fuel"));
        }
        self.rt.vm_mut().fuel = i64::try_from(fuel).unwrap_or(i64::MAX);
        Ok(())
    }

    fn fuel(&self) -> Option<u64> {
        let left = u64::try_from(self.rt.vm().fuel).unwrap_or(0);
        self.engine.counts_fuel().then_some(left)
    }
}

impl<T> Store<T> {
    /// An empty store. Makes no system call.
    pub fn new(engine: &Engine, data: T) -> Store<T> {
        let mut rt = rt::Store::new(engine.registry().clone());
        rt.guard = engine.needs_guards();
        Store(StoreInner {
            id: StoreId::unique(),
            engine: engine.clone(),
            rt,
            interp: Interpreter::default(),
            hosts: Vec::new(),
            attachment: None,
            data,
        })
    }

    /// The embedder's data.
    pub fn data(&self) -> &T {
        &self.0.data
    }

    /// The embedder's data, writable.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.0.data
    }

    /// Ends the store and gives the embedder's data back.
    pub fn into_data(self) -> T {
        self.0.data
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Runs `f`; references to heap objects that the host gets meanwhile are let go of when it returns, so that
    /// the collector may free what they lead to.
    pub fn scope<R>(&mut self, f: impl FnOnce(&mut Store<T>) -> R) -> R {
        let mark = self.0.rt.enter_scope();
        let result = f(self);
        self.0.rt.leave_scope(mark);
        result
    }

    /// Collects garbage now. The store does so by itself when it is time to.
    pub fn collect_garbage(&mut self) {
        self.0.rt.collect();
    }

    /// Figures about the garbage-collected heap.
    pub fn heap_stats(&self) -> HeapStats {
        self.0.rt.heap_stats()
    }

    /// Whether every allocation of a heap object collects garbage, and what is dead is overwritten. For tests: it
    /// is slow, and makes a reference that is not found show at once.
    pub fn collect_always(&mut self, always: bool) {
        self.0.rt.set_stress(always);
    }

    /// Sets what the store may use. Takes effect for what is created afterwards; the size of the value stack
    /// is fixed by the first call.
    pub fn set_limits(&mut self, limits: StoreLimits) {
        self.0.rt.limits = limits;
    }

    /// Sets the fuel that is left. One unit is one operator; `nop`, `drop`, `block` and `loop` are free.
    /// Needs an engine that counts fuel.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.0.set_fuel(fuel)
    }

    /// The fuel that is left, in an engine that counts it. The same in all engines, with one exception: native code with
    /// [`Traps::Signals`](crate::Traps::Signals) that a signal has stopped (an access beyond a memory, a division by
    /// zero, a stack that is used up, an interruption) has lost up to 131,072 units that it had not used.
    pub fn fuel(&self) -> Option<u64> {
        self.0.fuel()
    }

    /// A handle that stops this store's guest from another thread.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle(self.0.rt.vm().signal.clone())
    }

    /// The size in bytes of all memories together. Memories never shrink, so this is also the peak.
    pub fn memory_bytes(&self) -> usize {
        self.0.rt.memory_bytes()
    }

    /// How often `memory.grow` was refused because of the memory's type or the store's limits.
    pub fn refused_grows(&self) -> u32 {
        self.0.rt.vm().refused_grows
    }
}

/// Stops a guest from another thread.
#[derive(Clone)]
pub struct InterruptHandle(Arc<rt::Signal>);

impl InterruptHandle {
    /// Makes the guest trap with [`crate::TrapKind::Interrupt`] at its next call or loop iteration, or at once
    /// when it waits to be notified or its code traps by signals. A request made while nothing runs stops the next call.
    pub fn interrupt(&self) {
        rt::parking::interrupt(&self.0);
    }
}

/// The store, as a host function sees it.
pub struct Caller<'a, T> {
    pub(crate) store: &'a mut StoreInner<T>,
    pub(crate) instance: Option<Handle<rt::Instance>>,
}

impl<T> Caller<'_, T> {
    /// The same caller, for a shorter time.
    pub fn reborrow(&mut self) -> Caller<'_, T> {
        Caller { store: &mut *self.store, instance: self.instance }
    }

    /// The embedder's data.
    pub fn data(&self) -> &T {
        &self.store.data
    }

    /// The embedder's data, writable.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.store.data
    }

    /// The fuel that is left, as [`Store::fuel`].
    pub fn fuel(&self) -> Option<u64> {
        self.store.fuel()
    }

    /// Sets the fuel that is left, as [`Store::set_fuel`].
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.store.set_fuel(fuel)
    }

    /// What the calling instance exports as `name`; nothing when the host called the function itself.
    pub fn export(&self, name: &str) -> Option<Extern> {
        let instance = self.instance?.get(self.store.id, &self.store.rt).ok()?;
        Some(Extern::from_rt(self.store.id, instance.export(name)?))
    }

    /// The bytes of the calling instance's exported memory `name` together with the embedder's data; nothing
    /// when the memory is shared.
    pub fn memory_and_data(&mut self, name: &str) -> Option<(&mut [u8], &mut T)> {
        let Some(Extern::Memory(memory)) = self.export(name) else { return None };
        let memory = memory.handle.get_mut(self.store.id, &mut self.store.rt).ok()?;
        Some((memory.bytes_mut()?, &mut self.store.data))
    }

    /// The calling instance's exported memory `name`, when it is shared.
    pub fn shared_memory(&self, name: &str) -> Option<SharedMemory> {
        self.export(name)?.memory()?.shared(self).ok()?
    }
}

/// Something that gives access to a store: the store itself, a [`Caller`], or a reference to either.
pub trait AsContext {
    /// The embedder's data.
    type Data;
    #[doc(hidden)]
    fn store(&self) -> &StoreInner<Self::Data>;
}

/// Something that gives mutable access to a store.
pub trait AsContextMut: AsContext {
    #[doc(hidden)]
    fn store_mut(&mut self) -> &mut StoreInner<Self::Data>;
}

impl<T> AsContext for Store<T> {
    type Data = T;
    fn store(&self) -> &StoreInner<T> {
        &self.0
    }
}

impl<T> AsContextMut for Store<T> {
    fn store_mut(&mut self) -> &mut StoreInner<T> {
        &mut self.0
    }
}

impl<T> AsContext for Caller<'_, T> {
    type Data = T;
    fn store(&self) -> &StoreInner<T> {
        self.store
    }
}

impl<T> AsContextMut for Caller<'_, T> {
    fn store_mut(&mut self) -> &mut StoreInner<T> {
        self.store
    }
}

impl<T> AsContext for StoreInner<T> {
    type Data = T;
    fn store(&self) -> &StoreInner<T> {
        self
    }
}

impl<T> AsContextMut for StoreInner<T> {
    fn store_mut(&mut self) -> &mut StoreInner<T> {
        self
    }
}

impl<C: AsContext + ?Sized> AsContext for &C {
    type Data = C::Data;
    fn store(&self) -> &StoreInner<C::Data> {
        (**self).store()
    }
}

impl<C: AsContext + ?Sized> AsContext for &mut C {
    type Data = C::Data;
    fn store(&self) -> &StoreInner<C::Data> {
        (**self).store()
    }
}

impl<C: AsContextMut + ?Sized> AsContextMut for &mut C {
    fn store_mut(&mut self) -> &mut StoreInner<C::Data> {
        (**self).store_mut()
    }
}

//! The owner of all guest state that belongs together. The embedding API wraps it; engines run on its
//! [`Vm`]. Invariant: records live until the store is dropped, and code only runs while the store is
//! borrowed mutably.

use alloc::{alloc::alloc_zeroed, boxed::Box, vec::Vec};
use core::{
    alloc::Layout,
    any::Any,
    ptr::{self, NonNull},
};

use lithe_types::{FuncType, GlobalType, MemoryType, TableType};

use crate::{
    Func, Global, HeapView, Instance, LimitError, Memory, Registry, Shape, Shared, SharedMemory,
    StoreLimits, Table, Tag, Vm, arena::Arena, funcs::Signature, gc::Heap, handles::Handles,
    memory::Wants, sync::Lock,
};

/// A collection of instances and the entities they share.
pub struct Store {
    pub(crate) vm: NonNull<Vm>,
    pub(crate) registry: Shared<Registry>,
    /// What the store may use.
    pub limits: StoreLimits,
    /// Whether memories have guards, which native code needs that traps by signals.
    pub guard: bool,
    pub(crate) instances: Arena<Instance>,
    pub(crate) funcs: Arena<Func>,
    pub(crate) tables: Arena<Table>,
    pub(crate) memories: Arena<Memory>,
    pub(crate) globals: Arena<[Global]>,
    pub(crate) tags: Arena<[Tag]>,
    pub(crate) pointers: Arena<dyn Any>,
    /// By instance, the records of its functions as far as they were made.
    pub(crate) lists: Arena<[*mut Func]>,
    /// What native code has of the instances that have such.
    #[cfg(feature = "std")]
    pub(crate) contexts: Vec<crate::native::Context>,
    pub(crate) heap: Heap,
    pub(crate) shapes: Vec<*const Shape>,
    pub(crate) handles: Lock<Handles>,
    /// Values of an instantiation under way, which a collection must find.
    pub(crate) pending: Vec<u64>,
}

// SAFETY: every pointer of a store leads to records that the store owns or to shared code, which is Sync;
// external values are Send by the bound on `add_extern`.
unsafe impl Send for Store {}

impl Store {
    /// An empty store for modules whose types are in `registry`. Makes no system call.
    pub fn new(registry: Shared<Registry>) -> Store {
        let vm = Vm {
            stack_base: ptr::null_mut(),
            stack_end: ptr::null_mut(),
            sp: ptr::null_mut(),
            ip: ptr::null(),
            instance: ptr::null_mut(),
            fuel: 0,
            fuel_rest: 0,
            callee: ptr::null_mut(),
            args: ptr::null_mut(),
            signal: Shared::default(),
            heap: HeapView::EMPTY,
            shapes: ptr::null(),
            room: 0,
            accumulators: (0, 0.0, 0.0),
            entries: 0,
            refused_grows: 0,
            exception: 0,
            #[cfg(feature = "std")]
            native: crate::native::State::new(),
        };
        Store {
            vm: NonNull::from(Box::leak(Box::new(vm))),
            registry,
            limits: StoreLimits::default(),
            guard: false,
            instances: Arena::new(),
            funcs: Arena::new(),
            tables: Arena::new(),
            memories: Arena::new(),
            globals: Arena::new(),
            tags: Arena::new(),
            pointers: Arena::new(),
            lists: Arena::new(),
            #[cfg(feature = "std")]
            contexts: Vec::new(),
            heap: Heap::new(),
            shapes: Vec::new(),
            handles: Lock::new(Handles::new()),
            pending: Vec::new(),
        }
    }

    /// The canonical types.
    pub fn registry(&self) -> &Shared<Registry> {
        &self.registry
    }

    /// The state of execution, for engines.
    pub fn vm_ptr(&mut self) -> *mut Vm {
        self.vm.as_ptr()
    }

    /// The state of execution.
    pub fn vm(&self) -> &Vm {
        // SAFETY: the box lives as long as the store, and only code that borrows the store mutably writes it.
        unsafe { self.vm.as_ref() }
    }

    /// The state of execution, writable.
    pub fn vm_mut(&mut self) -> &mut Vm {
        // SAFETY: as in `vm`, with a mutable borrow.
        unsafe { self.vm.as_mut() }
    }

    /// Allocates the value stack, once; its size is `limits.stack_bytes`.
    pub fn ensure_stack(&mut self) -> Result<(), LimitError> {
        if !self.vm().stack_base.is_null() {
            return Ok(());
        }
        let slots = (self.limits.stack_bytes / 8).max(64);
        let refused = || LimitError::no_memory("the value stack", slots * 8);
        let layout = Layout::array::<u64>(slots).map_err(|_| refused())?;
        // SAFETY: the layout has a size of at least 512 bytes.
        let base = unsafe { alloc_zeroed(layout) }.cast::<u64>();
        if base.is_null() {
            return Err(refused());
        }
        let vm = self.vm_mut();
        vm.stack_base = base;
        vm.sp = base;
        // SAFETY: one past the end of the allocation.
        vm.stack_end = unsafe { base.add(slots) };
        Ok(())
    }

    /// A host function with number `index` in the embedder's own list.
    pub fn add_host_func(&mut self, ty: u32, index: u32) -> NonNull<Func> {
        let signature = self.registry.signature(ty);
        let func = Func {
            code: ptr::null(),
            instance: ptr::null_mut(),
            ty,
            param_slots: slots(signature.param_slots()),
            result_slots: slots(signature.result_slots()),
            index,
            signature: Signature::new(&signature),
            native: ptr::null(),
            context: ptr::null_mut(),
            enter: ptr::null(),
        };
        self.funcs.add(Box::new(func))
    }

    /// A memory that belongs to no instance.
    pub fn add_memory(&mut self, ty: MemoryType) -> Result<NonNull<Memory>, LimitError> {
        self.add_memory_that(ty, Wants { guard: self.guard, ..Wants::default() })
    }

    /// A memory of which more is wanted.
    pub(crate) fn add_memory_that(
        &mut self,
        ty: MemoryType,
        wants: Wants<'_>,
    ) -> Result<NonNull<Memory>, LimitError> {
        if self.memories.len() >= self.limits.memories {
            return Err(LimitError::count("memories", self.limits.memories));
        }
        Ok(self.memories.add(Box::new(Memory::new(ty, &self.limits, wants)?)))
    }

    /// A record of a shared memory; the same one each time.
    pub fn refer_memory(
        &mut self,
        shared: &Shared<SharedMemory>,
    ) -> Result<NonNull<Memory>, LimitError> {
        // SAFETY: memories live as long as the store, and nothing runs while it is borrowed.
        let refers = |memory: &NonNull<Memory>| unsafe {
            memory.as_ref().shared().is_some_and(|other| Shared::ptr_eq(other, shared))
        };
        if let Some(known) = self.memories.iter().find(refers) {
            return Ok(known);
        }
        if self.memories.len() >= self.limits.memories {
            return Err(LimitError::count("memories", self.limits.memories));
        }
        Ok(self.memories.add(Box::new(Memory::refer(shared.clone(), &self.limits)?)))
    }

    /// A table that belongs to no instance.
    pub fn add_table(&mut self, ty: TableType, init: u64) -> Result<NonNull<Table>, LimitError> {
        if self.tables.len() >= self.limits.tables {
            return Err(LimitError::count("tables", self.limits.tables));
        }
        let objects = self.registry.refers_to_objects(ty.element);
        Ok(self.tables.add(Box::new(Table::new(ty, objects, init, &self.limits)?)))
    }

    /// A global that belongs to no instance.
    pub fn add_global(&mut self, ty: GlobalType, value: [u64; 2]) -> NonNull<Global> {
        self.globals.add(Box::new([Global { value, ty }])).cast()
    }

    /// A tag that belongs to no instance, of the function type with canonical id `ty`.
    pub fn add_tag(&mut self, ty: u32) -> NonNull<Tag> {
        let signature = Signature::new(&self.registry.signature(ty));
        self.tags.add(Box::new([Tag { instance: ptr::null_mut(), index: 0, ty, signature }])).cast()
    }

    /// The largest size in bytes that all memories have together; memories never shrink.
    pub fn memory_bytes(&self) -> usize {
        // SAFETY: memories live as long as the store, and nothing runs while it is borrowed.
        self.memories.iter().map(|memory| unsafe { memory.as_ref().size() }).sum()
    }
}

/// Slot counts fit 16 bits: a function has at most 1000 parameters and 1000 results of two slots each.
pub(crate) fn slots(count: u32) -> u16 {
    count.min(u32::from(u16::MAX)) as u16
}

/// The canonical id of a function type, or the limit that was reached.
impl Store {
    /// The canonical id of `ty`, whose concrete references are canonical.
    pub fn register_func(&self, ty: &FuncType) -> Result<u32, LimitError> {
        let limit = lithe_types::limits::CANONICAL_TYPES as usize;
        self.registry.register_func(ty).ok_or_else(|| LimitError::count("types", limit))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        #[cfg(feature = "std")]
        if self.limits.spares > 0 {
            for mut memory in self.memories.iter() {
                // SAFETY: memories live as long as the store, whose end this is: no reference to one exists.
                unsafe { memory.as_mut() }.retire(self.limits.spares);
            }
            let spares = self.limits.spares;
            self.vm_mut().native.retire_stack(spares);
        }
        let vm = self.vm();
        if !vm.stack_base.is_null() {
            let bytes = vm.stack_end as usize - vm.stack_base as usize;
            // SAFETY: allocated in `ensure_stack` with this size and alignment, and not used afterwards.
            unsafe {
                let layout = Layout::from_size_align_unchecked(bytes, align_of::<u64>());
                alloc::alloc::dealloc(vm.stack_base.cast(), layout);
            }
        }
        // SAFETY: the pointer came from a leaked box in `new` and is freed once.
        drop(unsafe { Box::from_raw(self.vm.as_ptr()) });
    }
}

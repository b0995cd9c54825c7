//! Instantiation (Core specification, section 4.7.3) and the matching of imports (section 3.5). The
//! embedding API resolves names and calls it; running the start function is the caller's next step.
//! Invariant: an instance is complete before any segment is copied, since a trap leaves it reachable.

use alloc::{boxed::Box, vec, vec::Vec};
use core::{cell::UnsafeCell, ptr, ptr::NonNull};

use lithe_parser::{ElementItems, ImportType, SegmentMode};
use lithe_types::{ExternType, TrapKind};

use crate::{
    Code, Func, Global, Instance, LimitError, Memory, Registry, Shared, Store, Table, Tag,
    const_expr::Env,
    funcs::{Records, Signature},
    layout::Counts,
    memory::Wants,
};

/// Something that can be imported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extern {
    /// A function.
    Func(NonNull<Func>),
    /// A table.
    Table(NonNull<Table>),
    /// A memory.
    Memory(NonNull<Memory>),
    /// A global.
    Global(NonNull<Global>),
    /// A tag.
    Tag(NonNull<Tag>),
}

/// An import whose type does not fit.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The number of the import.
    pub import: usize,
    /// The type that the module wants.
    pub expected: ExternType,
    /// The type that was given; `None` when nothing was.
    pub found: Option<ExternType>,
}

/// Why a module could not be instantiated.
#[derive(Debug)]
pub enum InstantiateError {
    /// Imports do not fit; all of them are listed.
    Link(Vec<Mismatch>),
    /// A segment does not fit its memory or table.
    Trap(TrapKind),
    /// A limit of the store.
    Limit(LimitError),
    /// Nothing can be read of the module.
    Flawed(&'static str),
    /// The module needs something that this build cannot do.
    Unsupported(&'static str),
}

impl From<TrapKind> for InstantiateError {
    fn from(kind: TrapKind) -> InstantiateError {
        InstantiateError::Trap(kind)
    }
}

impl From<LimitError> for InstantiateError {
    fn from(error: LimitError) -> InstantiateError {
        InstantiateError::Limit(error)
    }
}

impl Extern {
    /// The type as it is now: the minimum of a table or memory is its current size.
    ///
    /// # Safety
    /// The entity's store is alive and borrowed.
    pub unsafe fn ty(&self) -> ExternType {
        // SAFETY: as the caller promises.
        unsafe {
            match self {
                Extern::Func(func) => ExternType::Func((*func.as_ref().signature).clone()),
                Extern::Table(table) => {
                    let mut ty = table.as_ref().ty;
                    ty.limits.min = table.as_ref().len as u64;
                    ExternType::Table(ty)
                }
                Extern::Memory(memory) => {
                    let mut ty = memory.as_ref().ty;
                    ty.limits.min = memory.as_ref().pages();
                    ExternType::Memory(ty)
                }
                Extern::Global(global) => ExternType::Global(global.as_ref().ty),
                Extern::Tag(tag) => ExternType::Tag((*tag.as_ref().signature).clone()),
            }
        }
    }
}

impl Code {
    /// The type of import `index`, with canonical type ids.
    pub fn import_type(&self, index: usize) -> ExternType {
        let ids = self.types();
        match self.module().imports[index].ty {
            ImportType::Func(ty) => {
                ExternType::Func((*self.registry().signature(ids[ty as usize])).clone())
            }
            ImportType::Table(mut ty) => {
                ty.element = Registry::canonical_ref(ty.element, ids);
                ExternType::Table(ty)
            }
            ImportType::Memory(ty) => ExternType::Memory(ty),
            ImportType::Global(mut ty) => {
                ty.value = Registry::canonical(ty.value, ids);
                ExternType::Global(ty)
            }
            ImportType::Tag(ty) => {
                ExternType::Tag((*self.registry().signature(ids[ty as usize])).clone())
            }
        }
    }

    /// Whether `given` may be used for import `index`.
    ///
    /// # Safety
    /// The entity's store is alive and borrowed.
    pub unsafe fn import_matches(&self, index: usize, given: &Extern) -> bool {
        let registry = self.registry();
        // SAFETY: as the caller promises.
        unsafe {
            match (self.module().imports[index].ty, given) {
                (ImportType::Func(ty), Extern::Func(func)) => {
                    registry.is_subtype(func.as_ref().ty, self.types()[ty as usize])
                }
                (ImportType::Table(want), Extern::Table(table)) => {
                    let have = table.as_ref();
                    have.ty.element == Registry::canonical_ref(want.element, self.types())
                        && have.ty.is64 == want.is64
                        && have.ty.limits.satisfy(have.len as u64, want.limits)
                }
                (ImportType::Memory(want), Extern::Memory(memory)) => {
                    let have = memory.as_ref();
                    have.ty.is64 == want.is64
                        && have.ty.shared == want.shared
                        && have.ty.page_log2 == want.page_log2
                        && have.ty.limits.satisfy(have.pages(), want.limits)
                }
                (ImportType::Global(want), Extern::Global(global)) => {
                    let (have, want_value) =
                        (global.as_ref().ty, Registry::canonical(want.value, self.types()));
                    have.mutable == want.mutable
                        && match want.mutable {
                            true => have.value == want_value,
                            false => registry.matches(have.value, want_value),
                        }
                }
                (ImportType::Tag(ty), Extern::Tag(tag)) => {
                    tag.as_ref().ty == self.types()[ty as usize]
                }
                _ => false,
            }
        }
    }
}

impl Store {
    /// Creates an instance of `code`. The module's start function has not run yet.
    ///
    /// # Safety
    /// The imports are entities of this store.
    pub unsafe fn instantiate(
        &mut self,
        code: &Shared<Code>,
        imports: &[Extern],
    ) -> Result<NonNull<Instance>, InstantiateError> {
        if let Some(flaw) = code.flaw() {
            return Err(InstantiateError::Flawed(flaw));
        }
        let module = code.module();
        let fits = |import: usize| match imports.get(import) {
            // SAFETY: as the caller promises.
            Some(given) => unsafe { code.import_matches(import, given) },
            None => false,
        };
        let mismatches: Vec<Mismatch> = (0..module.imports.len())
            .filter(|import| !fits(*import))
            .map(|import| Mismatch {
                import,
                expected: code.import_type(import),
                // SAFETY: as the caller promises.
                found: imports.get(import).map(|given| unsafe { given.ty() }),
            })
            .collect();
        if !mismatches.is_empty() {
            return Err(InstantiateError::Link(mismatches));
        }
        if self.instances.len() >= self.limits.instances {
            return Err(LimitError::count("instances", self.limits.instances).into());
        }

        let mut lists = Lists::default();
        for import in imports {
            match import {
                Extern::Func(func) => lists.funcs.push(func.as_ptr()),
                Extern::Table(table) => lists.tables.push(table.as_ptr()),
                Extern::Memory(memory) => lists.memories.push(memory.as_ptr()),
                Extern::Global(global) => lists.globals.push(global.as_ptr()),
                Extern::Tag(tag) => lists.tags.push(tag.as_ptr()),
            }
        }
        let own_memories = lists.memories.len()..module.memories.len();
        for index in own_memories {
            let mut wants = Wants { guard: self.guard, ..Wants::default() };
            if index == 0 {
                wants.below = code.bytes_below_memory();
                #[cfg(feature = "std")]
                {
                    wants.home = Some(code.image());
                }
            }
            let memory = self.add_memory_that(module.memories[index], wants)?;
            lists.memories.push(memory.as_ptr());
        }
        if code.needs_guards() {
            for (ty, memory) in module.memories.iter().zip(&lists.memories) {
                // SAFETY: memories live as long as the store, and nothing refers to this one.
                let guarded = unsafe { (**memory).guarded };
                if !guarded && crate::abi::has_guard(ty) {
                    return Err(LimitError::unguarded().into());
                }
            }
        }
        for table in &module.tables[module.imported_tables as usize..] {
            let mut ty = table.ty;
            ty.element = Registry::canonical_ref(ty.element, code.types());
            lists.tables.push(self.add_table(ty, 0)?.as_ptr());
        }
        let own_globals = module.globals[module.imported_globals as usize..]
            .iter()
            .map(|global| {
                let mut ty = global.ty;
                ty.value = Registry::canonical(ty.value, code.types());
                Global { value: [0, 0], ty }
            })
            .collect();
        let own_globals = self.add_globals(code, &lists, own_globals)?;
        // SAFETY: offsets within the array just made.
        lists.globals.extend(
            (0..own_globals.len()).map(|i| unsafe { own_globals.cast::<Global>().as_ptr().add(i) }),
        );

        // A store without objects does not pay for the types of its engine.
        if module.types.iter().any(|ty| ty.as_func().is_none()) {
            self.learn_shapes();
            #[cfg(feature = "std")]
            if code.native().is_some() {
                self.open_heap()?;
            }
        }
        let instance = self.add_instance(code, &mut lists, own_globals.cast().as_ptr());
        #[cfg(feature = "std")]
        if let (Some(native), Some(context)) = (code.native(), self.contexts.last()) {
            // SAFETY: the instance was just made of this code, with the globals of the context added last.
            unsafe { context.attach(instance.as_ptr(), native) };
        }
        let done = self.initialize(instance.as_ptr(), code, &lists);
        self.pending.clear();
        done.map(|()| instance)
    }

    /// Keeps the globals of an instance where its code expects them.
    fn add_globals(
        &mut self,
        code: &Code,
        lists: &Lists,
        globals: Box<[Global]>,
    ) -> Result<NonNull<[Global]>, LimitError> {
        #[cfg(feature = "std")]
        if code.native().is_some() {
            let layout = crate::abi::ContextLayout::of(code.module());
            let memory = lists.memories.first().filter(|_| code.bytes_below_memory() > 0);
            // SAFETY: such a memory is the instance's own, with room for the context below its base.
            let at = memory.map(|memory| unsafe { (**memory).base });
            // SAFETY: as above.
            let context = unsafe { crate::native::Context::new(layout, at, &globals)? };
            let globals = context.globals();
            self.contexts.push(context);
            return Ok(globals);
        }
        let _ = (code, lists);
        Ok(self.globals.add(globals))
    }

    /// Makes the instance and its functions, which point to each other.
    fn add_instance(
        &mut self,
        code: &Shared<Code>,
        lists: &mut Lists,
        own_globals: *mut Global,
    ) -> NonNull<Instance> {
        let module = code.module();
        let instance = self.instances.add(Box::new(Instance {
            memory0: lists.memories.first().copied().unwrap_or(ptr::null_mut()),
            vm: self.vm.as_ptr(),
            signal: &raw const self.vm().signal.word,
            own_globals,
            globals: ptr::null(),
            funcs: ptr::null_mut(),
            tables: ptr::null(),
            memories: ptr::null(),
            tags: ptr::null(),
            codes: code.slots().as_ptr(),
            types: code.types().as_ptr(),
            elements: module.elements.iter().map(|_| Box::default()).collect(),
            dropped_data: vec![false; module.data.len()].into_boxed_slice(),
            code: code.clone(),
            context: ptr::null_mut(),
            made: UnsafeCell::new(Records::default()),
            counts: Counts::default(),
        }));
        let own = module.tags[module.imported_tags as usize..].iter().enumerate();
        let own: Box<[Tag]> = own
            .map(|(i, ty)| Tag {
                instance: instance.as_ptr(),
                index: module.imported_tags + i as u32,
                ty: code.types()[*ty as usize],
                signature: Signature::new(code.type_signature(*ty)),
            })
            .collect();
        let own = self.tags.add(own);
        // SAFETY: offsets within the array just made.
        lists.tags.extend((0..own.len()).map(|i| unsafe { own.cast::<Tag>().as_ptr().add(i) }));

        // SAFETY: the instance was just made; nothing else refers to it yet.
        let fields = unsafe { &mut *instance.as_ptr() };
        let mut funcs = vec![ptr::null_mut(); module.funcs.len()].into_boxed_slice();
        funcs[..lists.funcs.len()].copy_from_slice(&lists.funcs);
        fields.funcs = self.lists.add(funcs).cast().as_ptr();
        fields.globals = self.keep(&lists.globals);
        fields.tables = self.keep(&lists.tables);
        fields.memories = self.keep(&lists.memories);
        fields.tags = self.keep(&lists.tags);
        fields.counts = Counts {
            funcs: module.funcs.len() as u32,
            globals: lists.globals.len() as u32,
            tables: lists.tables.len() as u32,
            memories: lists.memories.len() as u32,
            tags: lists.tags.len() as u32,
        };
        instance
    }

    /// Evaluates globals, tables and segments, and copies the active segments.
    fn initialize(
        &mut self,
        instance: *mut Instance,
        code: &Code,
        lists: &Lists,
    ) -> Result<(), InstantiateError> {
        let module = code.module();
        let env = Env { globals: &lists.globals, instance, code };

        for (global, pointer) in module.globals.iter().zip(&lists.globals) {
            if let Some(init) = &global.init {
                let value = self.evaluate(env, init)?;
                // SAFETY: globals live as long as the store; no reference to this one exists.
                unsafe { (**pointer).value = value };
            }
        }
        for (table, pointer) in module.tables.iter().zip(&lists.tables) {
            if let Some(init) = &table.init {
                let [value, _] = self.evaluate(env, init)?;
                // SAFETY: tables live as long as the store; no reference to this one exists.
                unsafe { (**pointer).elements_mut().fill(value) };
            }
        }
        for (i, segment) in module.elements.iter().enumerate() {
            if matches!(segment.mode, SegmentMode::Active { index, .. } if code.has_elements(index))
            {
                continue;
            }
            let first = self.pending.len();
            match &segment.items {
                ElementItems::Funcs(items) => {
                    // SAFETY: validation compared the indices with the number of functions. The instance lives as long as
                    // the store, and only its list of elements is written meanwhile.
                    let func = |func: &u32| unsafe { (*instance).func(*func) as usize as u64 };
                    self.pending.extend(items.iter().map(func));
                }
                ElementItems::Exprs(items) => {
                    for expr in items {
                        let [value, _] = self.evaluate(env, expr)?;
                        self.pending.push(value);
                    }
                }
            }
            let items = self.pending.split_off(first).into_boxed_slice();
            // SAFETY: the instance lives as long as the store; no reference to its list exists.
            unsafe { (&mut (*instance).elements)[i] = items };
        }

        for (i, segment) in module.elements.iter().enumerate() {
            if let SegmentMode::Active { index, offset } = &segment.mode {
                let [offset, _] = self.evaluate(env, offset)?;
                let pointer: *mut Table = lists.tables[*index as usize];
                // SAFETY: the instance and its tables live as long as the store; no other reference to this
                // table or to the list exists.
                let (table, items) = unsafe { (&mut *pointer, &(&(*instance).elements)[i]) };
                let target = range(offset, items.len(), table.len)
                    .and_then(|range| table.elements_mut().get_mut(range))
                    .ok_or(InstantiateError::Trap(TrapKind::TableOutOfBounds))?;
                target.copy_from_slice(items);
            }
            if !matches!(segment.mode, SegmentMode::Passive) {
                // SAFETY: as above.
                unsafe { (&mut (*instance).elements)[i] = Box::default() };
            }
        }
        #[cfg(feature = "std")]
        let mapped = match lists.memories.first() {
            // SAFETY: memories live as long as the store; no other reference to this one exists.
            Some(memory) => code.image().apply(module, unsafe { &mut **memory }),
            None => 0,
        };
        #[cfg(not(feature = "std"))]
        let mapped = 0;
        for (i, segment) in module.data.iter().enumerate() {
            if i < mapped {
                // SAFETY: the instance lives as long as the store; no reference to its list exists.
                unsafe { (&mut (*instance).dropped_data)[i] = true };
                continue;
            }
            if let SegmentMode::Active { index, offset } = &segment.mode {
                let [offset, _] = self.evaluate(env, offset)?;
                let bytes = &module.bytes[segment.range.start as usize..segment.range.end as usize];
                let pointer: *mut Memory = lists.memories[*index as usize];
                // SAFETY: memories live as long as the store; no other reference to this one exists.
                let memory = unsafe { &mut *pointer };
                let written =
                    usize::try_from(offset).is_ok_and(|offset| memory.write(offset, bytes).is_ok());
                if !written {
                    return Err(InstantiateError::Trap(TrapKind::MemoryOutOfBounds));
                }
                // SAFETY: the instance lives as long as the store; no reference to its list exists.
                unsafe { (&mut (*instance).dropped_data)[i] = true };
            }
        }
        Ok(())
    }

    fn keep<T: 'static>(&mut self, list: &[*mut T]) -> *const *mut T {
        let list: Box<[*mut T]> = list.into();
        let pointer = list.as_ptr();
        self.pointers.add(Box::new(list));
        pointer
    }
}

/// `offset..offset + len` when it lies within `size`.
fn range(offset: u64, len: usize, size: usize) -> Option<core::ops::Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(len)?;
    (end <= size).then_some(start..end)
}

#[derive(Default)]
struct Lists {
    funcs: Vec<*mut Func>,
    globals: Vec<*mut Global>,
    tables: Vec<*mut Table>,
    memories: Vec<*mut Memory>,
    tags: Vec<*mut Tag>,
}

impl Instance {
    /// The export called `name`.
    pub fn export(&self, name: &str) -> Option<Extern> {
        let module = self.code.module();
        let export = module.exports.iter().find(|export| export.name == name)?;
        self.extern_at(export.kind, export.index)
    }

    /// The entity of this kind and index.
    pub fn extern_at(&self, kind: lithe_parser::ExternKind, index: u32) -> Option<Extern> {
        use lithe_parser::ExternKind;
        let at = index as usize;
        let counts = self.counts;
        // SAFETY: each index is checked against the length of its array, and the store is borrowed.
        unsafe {
            Some(match kind {
                ExternKind::Func if index < counts.funcs => {
                    Extern::Func(NonNull::new(self.func(index))?)
                }
                ExternKind::Table if index < counts.tables => {
                    Extern::Table(NonNull::new(*self.tables.add(at))?)
                }
                ExternKind::Memory if index < counts.memories => {
                    Extern::Memory(NonNull::new(*self.memories.add(at))?)
                }
                ExternKind::Global if index < counts.globals => {
                    Extern::Global(NonNull::new(*self.globals.add(at))?)
                }
                ExternKind::Tag if index < counts.tags => {
                    Extern::Tag(NonNull::new(*self.tags.add(at))?)
                }
                _ => return None,
            })
        }
    }
}

//! Instances and their exports.

use lithe_runtime as rt;

use crate::{
    AsContext, AsContextMut, Error, Extern, Func, Global, Memory, Module, Result, Table, Tag,
    TypedFunc, WasmParams, WasmResults, func::invoke, raw, raw::Handle, store::StoreInner,
};

/// An instantiated module.
#[derive(Clone, Copy)]
pub struct Instance {
    pub(crate) handle: Handle<rt::Instance>,
}

impl Instance {
    /// Instantiates `module` with its imports in order, and runs its start function.
    pub fn new(
        mut store: impl AsContextMut,
        module: &Module,
        imports: &[Extern],
    ) -> Result<Instance> {
        let store = store.store_mut();
        if !store.engine.same(&module.engine) {
            return Err(Error::usage("the module belongs to another engine than the store"));
        }
        let created = raw::instantiate(store.id, &mut store.rt, module, imports)?;
        let pointer = created.map_err(|error| match error {
            rt::InstantiateError::Link(mismatches) => {
                let names = &module.code.module().imports;
                let missing = mismatches.into_iter().map(|mismatch| crate::MissingImport {
                    module: names[mismatch.import].module.clone(),
                    name: names[mismatch.import].name.clone(),
                    expected: mismatch.expected,
                    found: mismatch.found,
                });
                Error::link(missing.collect())
            }
            rt::InstantiateError::Trap(kind) => Error::trap_of(kind),
            rt::InstantiateError::Limit(error) => error.into(),
            rt::InstantiateError::Flawed(flaw) => Error::new(
                crate::ErrorKind::Artifact,
                format!("the native code cannot be used: {flaw}"),
            ),
            rt::InstantiateError::Unsupported(what) => {
                Error::new(crate::ErrorKind::Invalid, format!("the module uses {what}"))
            }
        })?;
        let instance = Instance { handle: Handle::new(store.id, pointer) };
        instance.start(store, module)?;
        Ok(instance)
    }

    fn start<T>(&self, store: &mut StoreInner<T>, module: &Module) -> Result<()> {
        let Some(start) = module.code.module().start else { return Ok(()) };
        let record = self.handle.get(store.id, &store.rt)?;
        let start = record.extern_at(lithe_parser::ExternKind::Func, start);
        match start {
            Some(rt::Extern::Func(func)) => invoke(store, &Handle::new(store.id, func), &mut []),
            _ => Ok(()),
        }
    }

    /// What is exported as `name`.
    pub fn export(&self, store: impl AsContext, name: &str) -> Option<Extern> {
        let store = store.store();
        let instance = self.handle.get(store.id, &store.rt).ok()?;
        Some(Extern::from_rt(store.id, instance.export(name)?))
    }

    /// The names of all exports with what they are, in order.
    pub fn exports(&self, store: impl AsContext) -> Result<Vec<(String, Extern)>> {
        let store = store.store();
        let instance = self.handle.get(store.id, &store.rt)?;
        let exports = instance.code.module().exports.iter();
        let found = exports.filter_map(|export| {
            let entity = instance.extern_at(export.kind, export.index)?;
            Some((export.name.clone(), Extern::from_rt(store.id, entity)))
        });
        Ok(found.collect())
    }

    fn expect<T>(
        &self,
        store: impl AsContext,
        name: &str,
        kind: &str,
        pick: fn(Extern) -> Option<T>,
    ) -> Result<T> {
        let found = self.export(store, name).and_then(pick);
        found.ok_or_else(|| Error::usage(format!("the instance exports no {kind} `{name}`")))
    }

    /// The exported function `name`.
    pub fn func(&self, store: impl AsContext, name: &str) -> Result<Func> {
        self.expect(store, name, "function", Extern::func)
    }

    /// The exported function `name` with its type known to Rust.
    pub fn typed_func<P: WasmParams, R: WasmResults>(
        &self,
        store: impl AsContext,
        name: &str,
    ) -> Result<TypedFunc<P, R>> {
        self.func(&store, name)?.typed(&store)
    }

    /// The exported memory `name`.
    pub fn memory(&self, store: impl AsContext, name: &str) -> Result<Memory> {
        self.expect(store, name, "memory", Extern::memory)
    }

    /// The exported table `name`.
    pub fn table(&self, store: impl AsContext, name: &str) -> Result<Table> {
        self.expect(store, name, "table", Extern::table)
    }

    /// The exported global `name`.
    pub fn global(&self, store: impl AsContext, name: &str) -> Result<Global> {
        self.expect(store, name, "global", Extern::global)
    }

    /// The exported tag `name`.
    pub fn tag(&self, store: impl AsContext, name: &str) -> Result<Tag> {
        self.expect(store, name, "tag", Extern::tag)
    }
}

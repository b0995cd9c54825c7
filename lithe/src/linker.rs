//! What modules may import, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use lithe_types::{FuncType, ValType};

use crate::{
    AsContextMut, Caller, Engine, Error, Extern, Instance, IntoFunc, Memory, MissingImport, Module,
    Result, SharedMemory, Val,
    func::untyped,
    raw,
    store::{HostFunc, StoreInner},
};

/// Names and what they stand for. One linker serves any number of stores when it holds host functions and shared
/// memories only.
pub struct Linker<T> {
    engine: Engine,
    shadowing: bool,
    definitions: BTreeMap<String, BTreeMap<String, Definition<T>>>,
}

enum Definition<T> {
    Entity(Extern),
    Shared(SharedMemory),
    Host(FuncType, HostFunc<T>),
}

impl<T> Clone for Definition<T> {
    fn clone(&self) -> Definition<T> {
        match self {
            Definition::Entity(entity) => Definition::Entity(*entity),
            Definition::Shared(memory) => Definition::Shared(memory.clone()),
            Definition::Host(ty, func) => Definition::Host(ty.clone(), func.clone()),
        }
    }
}

impl<T: 'static> Linker<T> {
    /// An empty linker.
    pub fn new(engine: &Engine) -> Linker<T> {
        Linker { engine: engine.clone(), shadowing: false, definitions: BTreeMap::new() }
    }

    /// Whether a name may be defined again. Default: no.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Linker<T> {
        self.shadowing = allow;
        self
    }

    fn insert(&mut self, module: &str, name: &str, definition: Definition<T>) -> Result<&mut Self> {
        let names = self.definitions.entry(module.into()).or_default();
        if names.contains_key(name) && !self.shadowing {
            return Err(Error::usage(format!("{module}.{name} is defined twice")));
        }
        names.insert(name.into(), definition);
        Ok(self)
    }

    /// Defines a name as an entity of a store.
    pub fn define(
        &mut self,
        module: &str,
        name: &str,
        entity: impl Into<Extern>,
    ) -> Result<&mut Self> {
        self.insert(module, name, Definition::Entity(entity.into()))
    }

    /// Defines a name as a shared memory, in every store that this linker serves.
    pub fn define_shared(
        &mut self,
        module: &str,
        name: &str,
        memory: &SharedMemory,
    ) -> Result<&mut Self> {
        self.insert(module, name, Definition::Shared(memory.clone()))
    }

    /// Defines a host function from a closure; its type is that of the closure.
    pub fn func_wrap<M>(
        &mut self,
        module: &str,
        name: &str,
        func: impl IntoFunc<T, M>,
    ) -> Result<&mut Self> {
        let (ty, func) = func.into_func();
        self.insert(module, name, Definition::Host(ty, func))
    }

    /// Defines a host function of any type, called with values.
    pub fn func_new(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Self> {
        let func = untyped(ty.clone(), func);
        self.insert(module, name, Definition::Host(ty, func))
    }

    /// Defines a host function over raw slots: arguments in, results out, in the same places. An i32 or f32
    /// is the low half of its slot. References are refused, since a slot could forge one.
    pub fn func_raw(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &mut [u64]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Self> {
        if ty.params.iter().chain(&ty.results).any(|ty| ty.is_ref()) {
            return Err(Error::usage(format!(
                "{module}.{name}: a raw function takes no references"
            )));
        }
        let results = ty.results.clone();
        let func: HostFunc<T> = Arc::new(move |caller, slots| {
            func(caller, slots)?;
            // The upper half of a 32-bit slot is zero: operations rely on it.
            let mut at = 0;
            for ty in &results {
                if matches!(ty, ValType::I32 | ValType::F32) {
                    slots[at] = u64::from(slots[at] as u32);
                }
                at += ty.slots() as usize;
            }
            Ok(())
        });
        self.insert(module, name, Definition::Host(ty, func))
    }

    /// Defines every export of an instance under the module name `module`.
    pub fn instance(
        &mut self,
        store: impl AsContextMut<Data = T>,
        module: &str,
        instance: Instance,
    ) -> Result<&mut Self> {
        for (name, entity) in instance.exports(&store)? {
            self.define(module, &name, entity)?;
        }
        Ok(self)
    }

    /// Gives the names of module `module` a second module name.
    pub fn alias(&mut self, module: &str, alias: &str) -> Result<&mut Self> {
        if let Some(names) = self.definitions.get(module) {
            let names = names.clone();
            self.definitions.insert(alias.into(), names);
        }
        Ok(self)
    }

    /// Whether something is defined under this module name.
    pub fn has_module(&self, module: &str) -> bool {
        self.definitions.contains_key(module)
    }

    /// The names defined under a module name.
    pub fn names(&self, module: &str) -> Vec<&str> {
        let names = self.definitions.get(module).into_iter();
        names.flat_map(|names| names.keys().map(String::as_str)).collect()
    }

    fn resolve(
        &self,
        store: &mut StoreInner<T>,
        module: &str,
        name: &str,
    ) -> Result<Option<Extern>> {
        let definition = self.definitions.get(module).and_then(|names| names.get(name));
        Ok(match definition {
            None => None,
            Some(Definition::Entity(entity)) => Some(*entity),
            Some(Definition::Shared(memory)) => {
                Some(Memory::from_shared(&mut *store, memory)?.into())
            }
            Some(Definition::Host(ty, func)) => Some(store.add_host(ty, func.clone())?.into()),
        })
    }

    /// Instantiates `module` with what this linker defines, and runs its start function. When imports are
    /// missing or have other types, the error lists all of them.
    pub fn instantiate(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<Instance> {
        let store = store.store_mut();
        if !self.engine.same(&module.engine) {
            return Err(Error::usage("the module belongs to another engine than the linker"));
        }
        if !store.engine.same(&module.engine) {
            return Err(Error::usage("the module belongs to another engine than the store"));
        }
        let (mut entities, mut missing) = (Vec::new(), Vec::new());
        for (i, import) in module.code.module().imports.iter().enumerate() {
            let found = self.resolve(store, &import.module, &import.name)?;
            let fits = match &found {
                Some(found) => raw::import_matches(store.id, &store.rt, module, i, *found)?,
                None => false,
            };
            match found {
                Some(entity) if fits => entities.push(entity),
                found => missing.push(MissingImport {
                    module: import.module.clone(),
                    name: import.name.clone(),
                    expected: module.code.import_type(i),
                    found: found.map(|found| found.ty(&*store)).transpose()?,
                }),
            }
        }
        if !missing.is_empty() {
            return Err(Error::link(missing));
        }
        Instance::new(store, module, &entities)
    }
}

//! What components may import, by name. Invariant: a component that links finds each of its imports, of the type that it
//! wants; versions match when one can stand for the other.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Arc, OnceLock};

use lithe::{AsContextMut, Caller, Engine, Error, ErrorKind, Result, low};

use crate::alike::Alike;
use crate::component::Component;
use crate::handles::ResourceId;
use crate::host::{Destructor, HostFunc, typed, untyped};
use crate::instance::{self, Instance};
use crate::names;
use crate::plan::{Export, Exports, FuncItem, Import, ImportKind, Plan};
use crate::resources::Resource;
use crate::state::State;
use crate::typed::{Kinds, LiftParams, Lower};
use crate::types::{FuncType, ResourceType};
use crate::val::Val;

/// Names and what they stand for. One linker serves any number of stores when it holds functions of the host only.
pub struct Linker<T> {
    engine: Engine,
    names: BTreeMap<String, Entry<T>>,
}

pub(crate) enum Entry<T> {
    Func(HostFunc<T>),
    Resource(TypeId, Destructor<T>),
    LinkedFunc(Linked, Arc<FuncType>, Arc<[Identity]>),
    LinkedResource(Origin, ResourceId, Identity),
    Instance {
        /// The name in full, with the version.
        name: String,
        names: BTreeMap<String, Entry<T>>,
    },
}

/// A component in a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub root: usize,
    /// Tells it apart from those of other stores.
    pub token: u64,
}

/// A function of a component in a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linked {
    pub origin: Origin,
    pub lift: usize,
}

/// Which resource type one is, of those of a store and of the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Identity {
    Guest(ResourceId),
    Host(TypeId),
}

/// What an import is bound to.
pub(crate) enum Bound<T> {
    Host(HostFunc<T>),
    Linked(Linked),
    HostResource(ResourceType, TypeId, Destructor<T>),
    LinkedResource(Origin, ResourceType, ResourceId),
}

/// A component with all that it imports.
pub(crate) struct Pre<T> {
    pub plan: Arc<Plan>,
    pub engine: Engine,
    pub imports: Vec<Bound<T>>,
    /// The core functions that the host makes, for the first component of a store.
    pub first: OnceLock<Vec<low::Template<T>>>,
}

/// A component with all that it imports, ready to be instantiated in any number of stores.
pub struct InstancePre<T> {
    pub(crate) pre: Arc<Pre<T>>,
}

impl<T> Clone for InstancePre<T> {
    fn clone(&self) -> InstancePre<T> {
        InstancePre { pre: self.pre.clone() }
    }
}

/// An import of a component that nothing fits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    /// The interface, or nothing for what the component imports directly.
    pub interface: Option<String>,
    /// The name within it.
    pub name: String,
    /// What is wanted.
    pub wanted: String,
    /// What is there instead: another version, or something of another type.
    pub found: Option<String>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.interface {
            Some(interface) => write!(f, "{interface}.{}: {}", self.name, self.wanted)?,
            None => write!(f, "{}: {}", self.name, self.wanted)?,
        }
        match &self.found {
            Some(found) => write!(f, " (found {found})"),
            None => Ok(()),
        }
    }
}

/// An interface of a linker that is being defined.
pub struct LinkerInstance<'l, T> {
    names: &'l mut BTreeMap<String, Entry<T>>,
}

impl<T: 'static> Linker<T> {
    /// An empty linker.
    pub fn new(engine: &Engine) -> Linker<T> {
        Linker { engine: engine.clone(), names: BTreeMap::new() }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What components import directly.
    pub fn root(&mut self) -> LinkerInstance<'_, T> {
        LinkerInstance { names: &mut self.names }
    }

    /// An interface, such as `wasi:io/streams@0.2.12`. It is made when it is not there yet.
    pub fn instance(&mut self, name: &str) -> LinkerInstance<'_, T> {
        self.root().into_instance(name)
    }

    /// Defines what an instance exports as an interface.
    pub fn define_instance(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        name: &str,
        instance: &Instance,
    ) -> Result<()> {
        let state = State::of(&mut store)?;
        let root = instance.root(state)?;
        let plan = state.root(root)?.plan.clone();
        let origin = Origin { root, token: state.root(root)?.token };
        let ids = state.root(root)?.resources.clone();
        let source = Source {
            origin,
            identities: ids.iter().map(|id| state.identity(*id)).collect(),
            ids,
            plan: &plan,
        };
        let entries = source.entries(&plan.exports, &mut { MAX_LINKED })?;
        self.names.insert(names::key(name), Entry::Instance { name: name.into(), names: entries });
        Ok(())
    }

    /// Every import of a component that nothing fits.
    pub fn missing(&self, component: &Component) -> Vec<Missing> {
        self.bind(component).1
    }

    fn bind(&self, component: &Component) -> (Vec<Bound<T>>, Vec<Missing>) {
        let (mut bound, mut missing) = (Vec::new(), Vec::new());
        let mut known: BTreeMap<u32, Identity> = BTreeMap::new();
        for import in &component.plan.imports {
            let entry = find(&self.names, &import.path);
            match (&import.kind, entry) {
                (ImportKind::Resource(ty), Some(Entry::Resource(kind, dtor))) => {
                    known.insert(ty.0, Identity::Host(*kind));
                    bound.push(Bound::HostResource(*ty, *kind, dtor.clone()));
                }
                (ImportKind::Resource(ty), Some(Entry::LinkedResource(origin, id, identity))) => {
                    known.insert(ty.0, *identity);
                    bound.push(Bound::LinkedResource(*origin, *ty, *id));
                }
                (ImportKind::Func(ty), Some(Entry::Func(func)))
                    if (func.check)(ty, &Known(&known)) =>
                {
                    bound.push(Bound::Host(func.clone()));
                }
                (ImportKind::Func(ty), Some(Entry::LinkedFunc(func, have, identities)))
                    if Alike::new(&|wanted, found| {
                        let found = identities.get(found.0 as usize);
                        found.is_some() && known.get(&wanted.0) == found
                    })
                    .funcs(ty, have) =>
                {
                    bound.push(Bound::Linked(*func));
                }
                (_, found) => missing.push(self.describe(import, found)),
            }
        }
        (bound, missing)
    }

    fn describe(&self, import: &Import, found: Option<&Entry<T>>) -> Missing {
        let (name, interface) = match import.path.split_last() {
            Some((name, interface)) => (name.clone(), interface.join("/")),
            None => (String::new(), String::new()),
        };
        let wanted = match &import.kind {
            ImportKind::Func(ty) => shown(ty),
            ImportKind::Resource(_) => "resource".into(),
            ImportKind::Module => "core module".into(),
            ImportKind::Other(what) => (*what).into(),
        };
        let found = match found {
            Some(Entry::Func(_)) => Some("a function of another type".into()),
            Some(Entry::LinkedFunc(_, ty, _)) => Some(shown(ty)),
            Some(Entry::Resource(..) | Entry::LinkedResource(..)) => Some("a resource".into()),
            Some(Entry::Instance { .. }) => Some("an interface".into()),
            None => self.other_version(&import.path),
        };
        Missing { interface: (!interface.is_empty()).then_some(interface), name, wanted, found }
    }

    /// The other versions of an interface that is not there.
    fn other_version(&self, path: &[String]) -> Option<String> {
        let first = path.first()?;
        if self.names.contains_key(&names::key(first)) {
            return None;
        }
        let bare = first.split('@').next()?;
        let others = self.names.values().filter_map(|entry| match entry {
            Entry::Instance { name, .. } if name.split('@').next() == Some(bare) => {
                Some(name.as_str())
            }
            _ => None,
        });
        let others: Vec<&str> = others.collect();
        (!others.is_empty()).then(|| others.join(", "))
    }

    /// Links a component. When imports are missing, the error lists all of them.
    pub fn link(&self, component: &Component) -> Result<InstancePre<T>> {
        if !self.engine.same(&component.engine) {
            return Err(Error::usage("the component belongs to another engine than the linker"));
        }
        let (imports, missing) = self.bind(component);
        if !missing.is_empty() {
            let list: Vec<String> = missing.iter().map(Missing::to_string).collect();
            let words = match list.len() {
                1 => format!("an import of the component is missing: {}", list[0]),
                count => {
                    format!("{count} imports of the component are missing: {}", list.join("; "))
                }
            };
            return Err(Error::new(ErrorKind::Link, words));
        }
        Ok(InstancePre {
            pre: Arc::new(Pre {
                plan: component.plan.clone(),
                engine: self.engine.clone(),
                imports,
                first: OnceLock::new(),
            }),
        })
    }

    /// Links and instantiates a component.
    pub fn instantiate(
        &self,
        store: impl AsContextMut<Data = T>,
        component: &Component,
    ) -> Result<Instance> {
        self.link(component)?.instantiate(store)
    }
}

impl<T: 'static> InstancePre<T> {
    /// Instantiates the component in a store.
    pub fn instantiate(&self, store: impl AsContextMut<Data = T>) -> Result<Instance> {
        instance::instantiate(&self.pre, store)
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.pre.engine
    }
}

impl<'l, T: 'static> LinkerInstance<'l, T> {
    fn into_instance(self, name: &str) -> LinkerInstance<'l, T> {
        let fresh = || Entry::Instance { name: name.into(), names: BTreeMap::new() };
        let entry = self.names.entry(names::key(name)).or_insert_with(fresh);
        // A name stands for an interface or for something else; the last definition counts.
        if !matches!(entry, Entry::Instance { .. }) {
            *entry = fresh();
        }
        let Entry::Instance { names, .. } = entry else { unreachable!() };
        LinkerInstance { names }
    }

    fn define(&mut self, name: &str, entry: Entry<T>) -> Result<&mut Self> {
        if self.names.contains_key(name) {
            return Err(Error::usage(format!("`{name}` is defined twice")));
        }
        self.names.insert(name.into(), entry);
        Ok(self)
    }

    /// Defines a function by a closure, whose types are checked when a component is linked.
    pub fn func<P: LiftParams, R: Lower>(
        &mut self,
        name: &str,
        func: impl Fn(Caller<'_, T>, P) -> Result<R> + Send + Sync + 'static,
    ) -> Result<&mut Self> {
        self.define(name, Entry::Func(typed(func)))
    }

    /// Defines a function of any type, over values.
    pub fn func_new(
        &mut self,
        name: &str,
        func: impl Fn(Caller<'_, T>, &FuncType, &[Val]) -> Result<Option<Val>> + Send + Sync + 'static,
    ) -> Result<&mut Self> {
        self.define(name, Entry::Func(untyped(func)))
    }

    /// Defines a resource type whose values guests hold as [`Resource`]s of a type of Rust, with what is done when a
    /// guest drops one that it owns; it gets the number of the value.
    pub fn resource<R: ?Sized + 'static>(
        &mut self,
        name: &str,
        dtor: impl Fn(Caller<'_, T>, u32) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Self> {
        self.define(name, Entry::Resource(TypeId::of::<Resource<R>>(), Arc::new(dtor)))
    }
}

/// A type in words, of which only the beginning is shown when there are very many.
fn shown(ty: &FuncType) -> String {
    struct Short(String);
    impl fmt::Write for Short {
        fn write_str(&mut self, words: &str) -> fmt::Result {
            const MAX_BYTES: usize = 2000;
            if self.0.len() + words.len() > MAX_BYTES {
                return Err(fmt::Error);
            }
            self.0.push_str(words);
            Ok(())
        }
    }
    let mut short = Short(String::new());
    if write!(short, "{ty}").is_err() {
        short.0.push_str("...");
    }
    short.0
}

struct Known<'k>(&'k BTreeMap<u32, Identity>);

impl Kinds for Known<'_> {
    fn kind(&self, ty: ResourceType) -> Option<TypeId> {
        match self.0.get(&ty.0) {
            Some(Identity::Host(kind)) => Some(*kind),
            _ => None,
        }
    }
}

fn find<'l, T>(names: &'l BTreeMap<String, Entry<T>>, path: &[String]) -> Option<&'l Entry<T>> {
    let (first, rest) = path.split_first()?;
    let entry = names.get(&names::key(first))?;
    match (entry, rest.is_empty()) {
        (entry, true) => Some(entry),
        (Entry::Instance { names, .. }, false) => find(names, rest),
        _ => None,
    }
}

/// Names that an instance may be linked with, those of instances within it included.
const MAX_LINKED: usize = 100_000;

/// An instance that is being linked.
struct Source<'p> {
    origin: Origin,
    /// Of its resource types.
    ids: Vec<ResourceId>,
    identities: Arc<[Identity]>,
    plan: &'p Plan,
}

impl Source<'_> {
    fn entries<T>(
        &self,
        exports: &Exports,
        left: &mut usize,
    ) -> Result<BTreeMap<String, Entry<T>>> {
        let mut names = BTreeMap::new();
        for (name, export) in exports {
            *left = left.checked_sub(1).ok_or_else(|| {
                let words = format!("an instance is linked with {MAX_LINKED} names at most");
                Error::new(ErrorKind::Limit, words)
            })?;
            let entry = match export {
                Export::Func(FuncItem::Lift(lift)) => {
                    let ty = self.plan.lifts[*lift].ty.clone();
                    let linked = Linked { origin: self.origin, lift: *lift };
                    Entry::LinkedFunc(linked, ty, self.identities.clone())
                }
                Export::Resource(ty) => {
                    let at = ty.0 as usize;
                    Entry::LinkedResource(self.origin, self.ids[at], self.identities[at])
                }
                Export::Instance(exports) => {
                    Entry::Instance { name: name.clone(), names: self.entries(exports, left)? }
                }
                _ => continue,
            };
            names.insert(names::key(name), entry);
        }
        Ok(names)
    }
}

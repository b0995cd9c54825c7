//! What instantiating a component consists of: a list of steps without any structure of components within components.
//! `build` makes it once, `instance` carries it out. Invariant: a step refers only to what earlier ones made.

use std::collections::BTreeMap;
use std::sync::Arc;

use lithe::{Module, ValType};

use crate::abi::Encoding;
use crate::types::{FuncType, ResourceType};

/// A component, ready to be linked and instantiated.
pub(crate) struct Plan {
    pub modules: Vec<Module>,
    pub steps: Vec<Step>,
    pub lowerings: Vec<Lowering>,
    pub lifts: Vec<Lift>,
    pub imports: Vec<Import>,
    /// How many resource types there are; some of them are imported.
    pub resources: usize,
    /// The component instances, each by the one that it is within.
    pub instances: Vec<Option<usize>>,
    pub exports: Exports,
}

impl Plan {
    /// Whether a component instance is the other one, or one of the two is within the other.
    pub fn related(&self, a: usize, b: usize) -> bool {
        let within = |inner: usize, outer: usize| {
            let up = |at: &usize| self.instances.get(*at).copied().flatten();
            std::iter::successors(Some(inner), up).any(|at| at == outer)
        };
        within(a, b) || within(b, a)
    }
}

/// What a component or an instance exports.
pub(crate) type Exports = BTreeMap<String, Export>;

/// An export.
pub(crate) enum Export {
    Func(FuncItem),
    Instance(Arc<Exports>),
    Resource(ResourceType),
    /// A type that is no resource.
    Type,
    Module,
    /// A component, which only other components can use.
    Component,
}

/// A step of instantiation.
pub(crate) enum Step {
    /// Instantiates a core module with its imports in order; adds to `cores`.
    Instantiate { module: ModuleItem, imports: Vec<Core> },
    /// Adds a core function to `funcs`.
    Func(Core),
    /// Adds a lowered function to `funcs`.
    Lower(usize),
    /// Adds a built-in function to `funcs`.
    BuiltIn { kind: BuiltIn, instance: usize },
    /// Adds a core memory to `memories`.
    Memory(Core),
    /// Defines a resource type.
    Resource { ty: ResourceType, instance: usize, dtor: Option<usize> },
}

/// A function that the canonical ABI offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BuiltIn {
    /// `resource.new`
    New(ResourceType),
    /// `resource.drop`
    Drop(ResourceType),
    /// `resource.rep`
    Rep(ResourceType),
    /// `context.get i32` with the number of the place.
    ContextGet(usize),
    /// `context.set i32` with the number of the place.
    ContextSet(usize),
    /// `backpressure.inc`
    BackpressureInc,
    /// `backpressure.dec`
    BackpressureDec,
}

impl BuiltIn {
    /// The type of the core function.
    pub fn ty(self) -> lithe::FuncType {
        let one = || [ValType::I32];
        match self {
            BuiltIn::New(_) | BuiltIn::Rep(_) => lithe::FuncType::new(one(), one()),
            BuiltIn::Drop(_) | BuiltIn::ContextSet(_) => lithe::FuncType::new(one(), []),
            BuiltIn::ContextGet(_) => lithe::FuncType::new([], one()),
            BuiltIn::BackpressureInc | BuiltIn::BackpressureDec => lithe::FuncType::new([], []),
        }
    }
}

/// A core module.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum ModuleItem {
    Own(usize),
    Import(usize),
}

/// Something of a core instance.
#[derive(Clone, Debug)]
pub(crate) enum Core {
    Export {
        core: usize,
        name: Arc<str>,
    },
    Func(usize),
    /// A built-in function that Lithe does not have; calling it from this component instance traps.
    Missing {
        what: &'static str,
        instance: usize,
    },
}

/// A component function.
#[derive(Clone, Debug)]
pub(crate) enum FuncItem {
    Lift(usize),
    Import(usize),
}

/// The options of a lifted or lowered function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub encoding: Encoding,
    pub memory: Option<usize>,
    pub realloc: Option<usize>,
    pub post_return: Option<usize>,
}

/// A component function made of a core function.
pub(crate) struct Lift {
    pub func: usize,
    pub ty: Arc<FuncType>,
    pub options: Options,
    pub instance: usize,
    /// Slots that a call takes.
    pub slots: usize,
}

/// A core function made of a component function.
pub(crate) struct Lowering {
    pub func: FuncItem,
    pub ty: Arc<FuncType>,
    pub core: lithe::FuncType,
    pub options: Options,
    pub instance: usize,
    /// Whether handles are lent for the time of a call.
    pub borrows: bool,
    /// Whether the callee is, encloses or is enclosed by the caller, which is not allowed.
    pub recursive: bool,
}

/// Something that the component imports.
pub(crate) struct Import {
    /// The names that lead to it: of the import, and of exports of instances within it.
    pub path: Vec<String>,
    pub kind: ImportKind,
}

/// What is imported.
pub(crate) enum ImportKind {
    Func(Arc<FuncType>),
    Resource(ResourceType),
    Module,
    /// Something that no host can give.
    Other(&'static str),
}

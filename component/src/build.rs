//! Definitions to a plan: the component is instantiated with symbols instead of things, which unrolls every component
//! within it. Called once for each component. Invariant: the definitions are valid, so whatever they refer to was
//! defined before, and arguments are what is wanted.

mod values;

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use lithe::{Error, ErrorKind, Module, Result};
use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentType, ComponentTypeRef, ExternalKind, Instance,
    InstanceTypeDeclaration, InstantiationArgKind, TypeBounds, ValType,
};

use crate::abi::Encoding;
use crate::decode::{Decoded, Definition, Definitions};
use crate::plan::{
    BuiltIn, Core, Export, Exports, FuncItem, Import, ImportKind, Lift, Lowering, ModuleItem,
    Options, Plan, Step,
};
use crate::shape::Shape;
use crate::types::{FuncType, ResourceType, TooLarge, Type};
use crate::weight;

/// Definitions that instantiating a component may take, those of components within it counted as often as they are
/// instantiated, and long names counted as several: components can refer to one another so that few bytes make many of
/// them.
const MAX_WORK: usize = 1 << 20;
/// Bytes of names that count as a definition.
const NAME_WORK: usize = 64;
/// Components and types of instances that are being walked at once.
const MAX_DEPTH: usize = 100;
/// Component instances that a component may consist of.
const MAX_INSTANCES: usize = 10_000;

/// Places that a task has for numbers of its own.
pub(crate) const CONTEXT_PLACES: u32 = 2;

/// The number of a frame.
type Scope = usize;

/// What the definitions of one component, or of one type of an instance, can refer to.
#[derive(Default)]
struct Frame<'a> {
    parent: Option<Scope>,
    core_modules: Vec<ModuleItem>,
    core_instances: Vec<CoreInstance>,
    core_funcs: Vec<Core>,
    core_tables: Vec<Core>,
    core_memories: Vec<Core>,
    core_globals: Vec<Core>,
    core_tags: Vec<Core>,
    components: Vec<ComponentItem<'a>>,
    instances: Vec<InstanceItem<'a>>,
    funcs: Vec<FuncItem>,
    types: Vec<TypeItem<'a>>,
}

#[derive(Clone)]
enum CoreInstance {
    Module(usize),
    Exports(Rc<BTreeMap<String, Core>>),
}

#[derive(Clone)]
enum ComponentItem<'a> {
    Own(&'a Definitions<'a>, Scope),
    /// Of the root's imports.
    Import,
}

type InstanceItem<'a> = Rc<Bag<'a>>;

/// What an instance exports.
struct Bag<'a> {
    items: BTreeMap<String, Item<'a>>,
    /// Instances within one another.
    depth: usize,
}

impl<'a> Bag<'a> {
    fn new(items: BTreeMap<String, Item<'a>>) -> Result<Bag<'a>> {
        let depths = items.values().map(|item| match item {
            Item::Instance(bag) => bag.depth,
            _ => 0,
        });
        let depth = 1 + depths.max().unwrap_or(0);
        match depth > MAX_DEPTH {
            true => Err(too_deep()),
            false => Ok(Bag { items, depth }),
        }
    }
}

#[derive(Clone)]
enum Item<'a> {
    Func(FuncItem),
    Module(ModuleItem),
    Component(ComponentItem<'a>),
    Instance(InstanceItem<'a>),
    Type(TypeItem<'a>),
}

#[derive(Clone)]
enum TypeItem<'a> {
    Value(Type, Rc<Shape>),
    Func(Arc<FuncType>),
    Resource(ResourceType),
    /// With the scope that it was written in.
    Instance(&'a [InstanceTypeDeclaration<'a>], Scope),
    Component,
    /// It contains something that this version does not have.
    Missing(&'static str),
}

struct Builder<'a, 'l> {
    plan: Plan,
    frames: Vec<Frame<'a>>,
    load: &'l mut dyn FnMut(usize, Range<usize>) -> Result<Module>,
    ranges: Vec<Range<usize>>,
    /// The modules that were loaded, by their numbers in the binary form.
    loaded: BTreeMap<usize, usize>,
    /// Definitions that may still be walked.
    left: usize,
    /// Walks under way.
    depth: usize,
    /// How many there are in `funcs`, `memories` and `cores` after the steps so far.
    funcs: usize,
    memories: usize,
    cores: usize,
}

/// Makes the plan of a component; `load` makes its core modules from ranges of its bytes.
pub(crate) fn build(
    decoded: &Decoded<'_>,
    load: &mut dyn FnMut(usize, Range<usize>) -> Result<Module>,
) -> Result<Plan> {
    let plan = Plan {
        modules: Vec::new(),
        steps: Vec::new(),
        lowerings: Vec::new(),
        lifts: Vec::new(),
        imports: Vec::new(),
        resources: 0,
        instances: Vec::new(),
        exports: Exports::new(),
    };
    let ranges = decoded.modules.clone();
    let mut builder = Builder {
        plan,
        frames: Vec::new(),
        load,
        ranges,
        loaded: BTreeMap::new(),
        left: MAX_WORK,
        depth: 0,
        funcs: 0,
        memories: 0,
        cores: 0,
    };
    let exports = builder.component(&decoded.root, None, None, None)?;
    builder.plan.exports = exports_of(&Bag::new(exports)?, &mut BTreeMap::new());
    Ok(builder.plan)
}

/// What is exported; instances that were made once stay one.
fn exports_of<'a>(bag: &Bag<'a>, known: &mut BTreeMap<*const Bag<'a>, Arc<Exports>>) -> Exports {
    let mut exports = Exports::new();
    for (name, item) in &bag.items {
        let export = match item {
            Item::Func(func) => Export::Func(func.clone()),
            Item::Module(_) => Export::Module,
            Item::Component(_) => Export::Component,
            Item::Instance(instance) => {
                let made = match known.get(&Rc::as_ptr(instance)) {
                    Some(made) => made.clone(),
                    None => Arc::new(exports_of(instance, known)),
                };
                known.insert(Rc::as_ptr(instance), made.clone());
                Export::Instance(made)
            }
            Item::Type(TypeItem::Resource(ty)) => Export::Resource(*ty),
            Item::Type(_) => Export::Type,
        };
        exports.insert(name.clone(), export);
    }
    exports
}

fn too_large(_: TooLarge) -> Error {
    Error::new(ErrorKind::Limit, "a type of the component is larger than a value may be")
}

fn too_deep() -> Error {
    let words = format!("more than {MAX_DEPTH} components or instances are within one another");
    Error::new(ErrorKind::Limit, words)
}

/// What valid definitions do not lack.
fn lacking() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "a definition of the component refers to something else than it says",
    )
}

fn not_run(what: &str) -> Error {
    let words = format!("the component uses {what}, which this version of Lithe does not run");
    Error::new(ErrorKind::Invalid, words)
}

fn at<T: Clone>(list: &[T], index: u32) -> Result<T> {
    list.get(index as usize).cloned().ok_or_else(lacking)
}

impl<'a> Builder<'a, '_> {
    /// Takes so many definitions into account, and names of so many bytes.
    fn work(&mut self, count: usize, names: usize) -> Result<()> {
        match self.left.checked_sub(count + names / NAME_WORK) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                let words = format!("instantiating the component takes more than {MAX_WORK} steps");
                Err(Error::new(ErrorKind::Limit, words))
            }
        }
    }

    /// Walks something that may be within others of its sort.
    fn within<R>(&mut self, walk: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep());
        }
        self.depth += 1;
        let result = walk(self);
        self.depth -= 1;
        result
    }

    fn frame(&mut self, parent: Option<Scope>) -> Scope {
        self.frames.push(Frame { parent, ..Frame::default() });
        self.frames.len() - 1
    }

    /// Adds a core function by a step that makes one.
    fn func(&mut self, step: Step) -> Result<usize> {
        self.plan.steps.push(step);
        self.funcs += 1;
        Ok(self.funcs - 1)
    }

    fn memory(&mut self, core: Core) -> Result<usize> {
        self.plan.steps.push(Step::Memory(core));
        self.memories += 1;
        Ok(self.memories - 1)
    }

    /// A core function as one of `funcs`.
    fn core_func(&mut self, core: Core) -> Result<usize> {
        match core {
            Core::Func(number) => Ok(number),
            Core::Missing { what, .. } => Err(not_run(what)),
            core => self.func(Step::Func(core)),
        }
    }

    fn module(&mut self, number: usize) -> Result<usize> {
        if let Some(known) = self.loaded.get(&number) {
            return Ok(*known);
        }
        let range = self.ranges.get(number).cloned().ok_or_else(lacking)?;
        let module = (self.load)(number, range)?;
        self.plan.modules.push(module);
        self.loaded.insert(number, self.plan.modules.len() - 1);
        Ok(self.plan.modules.len() - 1)
    }

    fn fresh_resource(&mut self) -> ResourceType {
        self.plan.resources += 1;
        ResourceType(self.plan.resources as u32 - 1)
    }

    /// Instantiates a component within the component instance `outer`, with arguments; the root has neither. Gives what
    /// it exports.
    fn component(
        &mut self,
        definitions: &'a Definitions<'a>,
        parent: Option<Scope>,
        outer: Option<usize>,
        args: Option<&BTreeMap<&str, Item<'a>>>,
    ) -> Result<BTreeMap<String, Item<'a>>> {
        if self.plan.instances.len() >= MAX_INSTANCES {
            let words = format!("the component consists of more than {MAX_INSTANCES} instances");
            return Err(Error::new(ErrorKind::Limit, words));
        }
        let me = self.plan.instances.len();
        self.plan.instances.push(outer);
        let scope = self.frame(parent);
        let mut exports = BTreeMap::new();
        for definition in &definitions.list {
            let (count, names) = weight::of(definition);
            self.work(count, names)?;
            match definition {
                Definition::CoreModule(number) => {
                    let module = ModuleItem::Own(self.module(*number)?);
                    self.frames[scope].core_modules.push(module);
                }
                Definition::CoreInstance(instance) => self.core_instance(scope, instance)?,
                Definition::Component(definitions) => {
                    let item = ComponentItem::Own(definitions, scope);
                    self.frames[scope].components.push(item);
                }
                Definition::Instance(instance) => {
                    let instance = self.instance(scope, me, instance)?;
                    self.frames[scope].instances.push(Rc::new(Bag::new(instance)?));
                }
                Definition::Alias(alias) => self.alias(scope, alias)?,
                Definition::Type(ty) => {
                    let item = self.ty(scope, ty, Some(me))?;
                    self.frames[scope].types.push(item);
                }
                Definition::Canonical(function) => self.canonical(scope, function, me)?,
                Definition::Import(import) => {
                    let name = import.name.full_name();
                    let item = match args {
                        Some(args) => {
                            args.get(import.name.name).or_else(|| args.get(&*name)).cloned()
                        }
                        None => Some(self.import(scope, vec![name.into_owned()], import.ty)?),
                    };
                    self.push(scope, item.ok_or_else(lacking)?);
                }
                Definition::Export(export) => {
                    let item = self.item(scope, export.kind, export.index)?;
                    self.push(scope, item.clone());
                    exports.insert(export.name.full_name().into_owned(), item);
                }
            }
        }
        Ok(exports)
    }

    fn core_instance(&mut self, scope: Scope, instance: &Instance<'a>) -> Result<()> {
        let made = match instance {
            Instance::Instantiate { module_index, args } => {
                let frame = &self.frames[scope];
                let module = at(&frame.core_modules, *module_index)?;
                let mut given = BTreeMap::new();
                for arg in args {
                    let InstantiationArgKind::Instance = arg.kind;
                    given.insert(arg.name, at(&frame.core_instances, arg.index)?);
                }
                let ModuleItem::Own(number) = module else {
                    return Err(not_run("an imported core module"));
                };
                let wanted = self.plan.modules[number].imports();
                self.work(wanted.len(), wanted.iter().map(|import| import.name.len()).sum())?;
                let mut imports = Vec::new();
                for import in wanted {
                    let from = given.get(&*import.module).ok_or_else(lacking)?;
                    imports.push(core_export(from, &import.name)?);
                }
                self.plan.steps.push(Step::Instantiate { module, imports });
                self.cores += 1;
                CoreInstance::Module(self.cores - 1)
            }
            Instance::FromExports(exports) => {
                let frame = &self.frames[scope];
                let mut items = BTreeMap::new();
                for export in exports {
                    let list = core_space(frame, export.kind)?;
                    items.insert(export.name.to_owned(), at(list, export.index)?);
                }
                CoreInstance::Exports(Rc::new(items))
            }
        };
        self.frames[scope].core_instances.push(made);
        Ok(())
    }

    fn instance(
        &mut self,
        scope: Scope,
        me: usize,
        instance: &'a ComponentInstance<'a>,
    ) -> Result<BTreeMap<String, Item<'a>>> {
        match instance {
            ComponentInstance::Instantiate { component_index, args } => {
                let component = at(&self.frames[scope].components, *component_index)?;
                let ComponentItem::Own(definitions, parent) = component else {
                    return Err(not_run("an imported component"));
                };
                let mut given = BTreeMap::new();
                for arg in args {
                    given.insert(arg.name, self.item(scope, arg.kind, arg.index)?);
                }
                self.within(|builder| {
                    builder.component(definitions, Some(parent), Some(me), Some(&given))
                })
            }
            ComponentInstance::FromExports(exports) => {
                let mut items = BTreeMap::new();
                for export in exports {
                    let item = self.item(scope, export.kind, export.index)?;
                    items.insert(export.name.full_name().into_owned(), item);
                }
                Ok(items)
            }
        }
    }

    /// An import of the root.
    fn import(
        &mut self,
        scope: Scope,
        path: Vec<String>,
        ty: ComponentTypeRef,
    ) -> Result<Item<'a>> {
        let number = self.plan.imports.len();
        Ok(match ty {
            ComponentTypeRef::Func(index) => {
                let kind = match at(&self.frames[scope].types, index)? {
                    TypeItem::Func(ty) => ImportKind::Func(ty),
                    TypeItem::Missing(what) => ImportKind::Other(what),
                    _ => return Err(lacking()),
                };
                self.plan.imports.push(Import { path, kind });
                Item::Func(FuncItem::Import(number))
            }
            ComponentTypeRef::Module(_) => {
                self.plan.imports.push(Import { path, kind: ImportKind::Module });
                Item::Module(ModuleItem::Import(number))
            }
            ComponentTypeRef::Type(TypeBounds::SubResource) => {
                let ty = self.fresh_resource();
                self.plan.imports.push(Import { path, kind: ImportKind::Resource(ty) });
                Item::Type(TypeItem::Resource(ty))
            }
            ComponentTypeRef::Type(TypeBounds::Eq(index)) => {
                Item::Type(at(&self.frames[scope].types, index)?)
            }
            ComponentTypeRef::Instance(index) => {
                let ty = at(&self.frames[scope].types, index)?;
                let TypeItem::Instance(declarations, parent) = ty else { return Err(lacking()) };
                let exports =
                    self.within(|builder| builder.import_instance(declarations, parent, path))?;
                Item::Instance(Rc::new(Bag::new(exports)?))
            }
            ComponentTypeRef::Component(_) => {
                let kind = ImportKind::Other("an imported component");
                self.plan.imports.push(Import { path, kind });
                Item::Component(ComponentItem::Import)
            }
            ComponentTypeRef::Value(_) => return Err(not_run("an imported value")),
        })
    }

    fn import_instance(
        &mut self,
        declarations: &'a [InstanceTypeDeclaration<'a>],
        parent: Scope,
        path: Vec<String>,
    ) -> Result<BTreeMap<String, Item<'a>>> {
        let parent = Some(parent);
        let scope = self.frame(parent);
        let mut exports = BTreeMap::new();
        for declaration in declarations {
            let (count, names) = weight::of_declaration(declaration);
            self.work(count, names)?;
            match declaration {
                InstanceTypeDeclaration::CoreType(_) => {}
                InstanceTypeDeclaration::Type(ty) => {
                    let item = self.ty(scope, ty, None)?;
                    self.frames[scope].types.push(item);
                }
                InstanceTypeDeclaration::Alias(alias) => self.alias(scope, alias)?,
                InstanceTypeDeclaration::Export { name, ty } => {
                    let name = name.full_name().into_owned();
                    self.work(0, path.iter().map(String::len).sum())?;
                    let mut path = path.clone();
                    path.push(name.clone());
                    let item = self.import(scope, path, *ty)?;
                    self.push(scope, item.clone());
                    exports.insert(name, item);
                }
            }
        }
        Ok(exports)
    }

    /// A type; resource types are defined in the component instance `me`.
    fn ty(
        &mut self,
        scope: Scope,
        ty: &'a ComponentType<'a>,
        me: Option<usize>,
    ) -> Result<TypeItem<'a>> {
        match ty {
            ComponentType::Defined(ty) => self.defined(scope, ty),
            ComponentType::Func(ty) => {
                let params = self.fields(scope, ty.params.iter().copied())?;
                let result = ty.result.map(|ty| self.value(scope, ty)).transpose()?.transpose();
                Ok(match (params, result) {
                    _ if ty.async_ => TypeItem::Missing("an async function"),
                    (Ok((params, shapes)), Ok(result)) => {
                        let shape = Shape::record(&shapes).map_err(too_large)?;
                        let ty = FuncType::new(params, &shape, result).map_err(too_large)?;
                        TypeItem::Func(Arc::new(ty))
                    }
                    (Err(what), _) | (_, Err(what)) => TypeItem::Missing(what),
                })
            }
            ComponentType::Component(_) => Ok(TypeItem::Component),
            ComponentType::Instance(declarations) => Ok(TypeItem::Instance(declarations, scope)),
            ComponentType::Resource { dtor, .. } => {
                let ty = self.fresh_resource();
                if let Some(instance) = me {
                    let dtor = match dtor {
                        Some(index) => {
                            let core = at(&self.frames[scope].core_funcs, *index)?;
                            Some(self.core_func(core)?)
                        }
                        None => None,
                    };
                    self.plan.steps.push(Step::Resource { ty, instance, dtor });
                }
                Ok(TypeItem::Resource(ty))
            }
        }
    }

    fn options(&mut self, scope: Scope, options: &[CanonicalOption]) -> Result<Options> {
        let mut found = Options::default();
        for option in options {
            match option {
                CanonicalOption::UTF8 => found.encoding = Encoding::Utf8,
                CanonicalOption::UTF16 => found.encoding = Encoding::Utf16,
                CanonicalOption::CompactUTF16 => found.encoding = Encoding::Latin1OrUtf16,
                CanonicalOption::Memory(index) => {
                    let core = at(&self.frames[scope].core_memories, *index)?;
                    found.memory = Some(self.memory(core)?);
                }
                CanonicalOption::Realloc(index) => {
                    let core = at(&self.frames[scope].core_funcs, *index)?;
                    found.realloc = Some(self.core_func(core)?);
                }
                CanonicalOption::PostReturn(index) => {
                    let core = at(&self.frames[scope].core_funcs, *index)?;
                    found.post_return = Some(self.core_func(core)?);
                }
                CanonicalOption::Async | CanonicalOption::Callback(_) => {
                    return Err(not_run("the async option of a function"));
                }
                CanonicalOption::CoreType(_) | CanonicalOption::Gc => {
                    return Err(not_run("garbage-collected values at its border"));
                }
            }
        }
        Ok(found)
    }

    fn canonical(&mut self, scope: Scope, function: &CanonicalFunction, me: usize) -> Result<()> {
        let resource = |index: u32| match at(&self.frames[scope].types, index)? {
            TypeItem::Resource(ty) => Ok(ty),
            _ => Err(lacking()),
        };
        let core = match function {
            CanonicalFunction::Lift { core_func_index, type_index, options } => {
                let ty = match at(&self.frames[scope].types, *type_index)? {
                    TypeItem::Func(ty) => ty,
                    TypeItem::Missing(what) => return Err(not_run(what)),
                    _ => return Err(lacking()),
                };
                let core = at(&self.frames[scope].core_funcs, *core_func_index)?;
                let func = self.core_func(core)?;
                let options = self.options(scope, options)?;
                let slots = ty.lifted_slots();
                self.plan.lifts.push(Lift { func, ty, options, instance: me, slots });
                let number = self.plan.lifts.len() - 1;
                self.frames[scope].funcs.push(FuncItem::Lift(number));
                return Ok(());
            }
            CanonicalFunction::Lower { func_index, options } => {
                let func = at(&self.frames[scope].funcs, *func_index)?;
                let ty = match &func {
                    FuncItem::Lift(number) => self.plan.lifts[*number].ty.clone(),
                    FuncItem::Import(number) => match &self.plan.imports[*number].kind {
                        ImportKind::Func(ty) => ty.clone(),
                        ImportKind::Other(what) => return Err(not_run(what)),
                        _ => return Err(lacking()),
                    },
                };
                let options = self.options(scope, options)?;
                let (core, borrows) = (ty.lowered(), ty.has_borrow());
                let recursive = match &func {
                    FuncItem::Lift(number) => {
                        self.plan.related(me, self.plan.lifts[*number].instance)
                    }
                    FuncItem::Import(_) => false,
                };
                self.plan.lowerings.push(Lowering {
                    func,
                    ty,
                    core,
                    options,
                    instance: me,
                    borrows,
                    recursive,
                });
                let number = self.plan.lowerings.len() - 1;
                Core::Func(self.func(Step::Lower(number))?)
            }
            other => {
                use CanonicalFunction as F;
                let kind = match other {
                    F::ResourceNew { resource: ty } => BuiltIn::New(resource(*ty)?),
                    F::ResourceDrop { resource: ty } => BuiltIn::Drop(resource(*ty)?),
                    F::ResourceRep { resource: ty } => BuiltIn::Rep(resource(*ty)?),
                    F::ContextGet { ty: ValType::I32, slot: place @ 0..CONTEXT_PLACES } => {
                        BuiltIn::ContextGet(*place as usize)
                    }
                    F::ContextSet { ty: ValType::I32, slot: place @ 0..CONTEXT_PLACES } => {
                        BuiltIn::ContextSet(*place as usize)
                    }
                    F::BackpressureInc => BuiltIn::BackpressureInc,
                    F::BackpressureDec => BuiltIn::BackpressureDec,
                    other => {
                        let core = Core::Missing { what: name(other), instance: me };
                        self.frames[scope].core_funcs.push(core);
                        return Ok(());
                    }
                };
                Core::Func(self.func(Step::BuiltIn { kind, instance: me })?)
            }
        };
        self.frames[scope].core_funcs.push(core);
        Ok(())
    }
}

/// What a built-in function is called that this version does not have.
fn name(function: &CanonicalFunction) -> &'static str {
    use CanonicalFunction as F;
    match function {
        F::ThreadSpawnRef { .. } | F::ThreadSpawnIndirect { .. } => "thread.spawn",
        F::ThreadAvailableParallelism => "thread.available_parallelism",
        F::TaskReturn { .. } => "task.return",
        F::TaskCancel => "task.cancel",
        F::ContextGet { .. } => "context.get",
        F::ContextSet { .. } => "context.set",
        F::ThreadYield => "thread.yield",
        F::SubtaskDrop => "subtask.drop",
        F::SubtaskCancel { .. } => "subtask.cancel",
        F::StreamNew { .. } => "stream.new",
        F::StreamRead { .. } => "stream.read",
        F::StreamWrite { .. } => "stream.write",
        F::FutureNew { .. } => "future.new",
        F::FutureRead { .. } => "future.read",
        F::FutureWrite { .. } => "future.write",
        F::WaitableSetNew => "waitable-set.new",
        F::WaitableSetWait { .. } => "waitable-set.wait",
        F::WaitableSetPoll { .. } => "waitable-set.poll",
        F::WaitableSetDrop => "waitable-set.drop",
        F::WaitableJoin => "waitable.join",
        _ => "a built-in function for async",
    }
}

fn core_space<'f>(frame: &'f Frame<'_>, kind: ExternalKind) -> Result<&'f [Core]> {
    Ok(match kind {
        ExternalKind::Func => &frame.core_funcs,
        ExternalKind::Table => &frame.core_tables,
        ExternalKind::Memory => &frame.core_memories,
        ExternalKind::Global => &frame.core_globals,
        ExternalKind::Tag => &frame.core_tags,
        _ => return Err(lacking()),
    })
}

fn core_export(instance: &CoreInstance, name: &str) -> Result<Core> {
    match instance {
        CoreInstance::Module(core) => Ok(Core::Export { core: *core, name: name.into() }),
        CoreInstance::Exports(exports) => exports.get(name).cloned().ok_or_else(lacking),
    }
}

impl<'a> Builder<'a, '_> {
    /// Adds an item to the index space of its sort.
    fn push(&mut self, scope: Scope, item: Item<'a>) {
        let frame = &mut self.frames[scope];
        match item {
            Item::Func(func) => frame.funcs.push(func),
            Item::Module(module) => frame.core_modules.push(module),
            Item::Component(component) => frame.components.push(component),
            Item::Instance(instance) => frame.instances.push(instance),
            Item::Type(ty) => frame.types.push(ty),
        }
    }

    fn item(&self, scope: Scope, kind: ComponentExternalKind, index: u32) -> Result<Item<'a>> {
        let frame = &self.frames[scope];
        Ok(match kind {
            ComponentExternalKind::Func => Item::Func(at(&frame.funcs, index)?),
            ComponentExternalKind::Module => Item::Module(at(&frame.core_modules, index)?),
            ComponentExternalKind::Component => Item::Component(at(&frame.components, index)?),
            ComponentExternalKind::Instance => Item::Instance(at(&frame.instances, index)?),
            ComponentExternalKind::Type => Item::Type(at(&frame.types, index)?),
            ComponentExternalKind::Value => return Err(not_run("a value")),
        })
    }

    fn alias(&mut self, scope: Scope, alias: &ComponentAlias<'a>) -> Result<()> {
        match alias {
            ComponentAlias::InstanceExport { instance_index, name, .. } => {
                let instance = at(&self.frames[scope].instances, *instance_index)?;
                self.push(scope, instance.items.get(*name).cloned().ok_or_else(lacking)?);
            }
            ComponentAlias::CoreInstanceExport { kind, instance_index, name } => {
                let instance = at(&self.frames[scope].core_instances, *instance_index)?;
                let core = core_export(&instance, name)?;
                let frame = &mut self.frames[scope];
                match kind {
                    ExternalKind::Func => frame.core_funcs.push(core),
                    ExternalKind::Table => frame.core_tables.push(core),
                    ExternalKind::Memory => frame.core_memories.push(core),
                    ExternalKind::Global => frame.core_globals.push(core),
                    ExternalKind::Tag => frame.core_tags.push(core),
                    _ => return Err(lacking()),
                }
            }
            ComponentAlias::Outer { kind, count, index } => {
                let mut outer = scope;
                for _ in 0..*count {
                    outer = self.frames[outer].parent.ok_or_else(lacking)?;
                }
                let kind = match kind {
                    ComponentOuterAliasKind::CoreType => return Ok(()),
                    ComponentOuterAliasKind::CoreModule => ComponentExternalKind::Module,
                    ComponentOuterAliasKind::Type => ComponentExternalKind::Type,
                    ComponentOuterAliasKind::Component => ComponentExternalKind::Component,
                };
                let item = self.item(outer, kind, *index)?;
                self.push(scope, item);
            }
        }
        Ok(())
    }
}

//! Instances of components in stores: carrying out a plan, and calling what it exports. Invariant: a handle of one store
//! is an error in another, never a call of something else.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lithe::{AsContextMut, Error, Extern, ExternType, Result, low};

use crate::abi::node::Node;
use crate::call::{self, By, Nodes};
use crate::handles::{Handle, Handles, ResourceId};
use crate::host::{self, Destructor, destroy, result_of};
use crate::linker::{Bound, Pre};
use crate::names;
use crate::plan::{Core, Export, Exports, FuncItem, ModuleItem, Plan, Step};
use crate::state::{self, Resource, Root, State, absent};
use crate::typed::{Kinds, Lift, LowerParams, check_optional};
use crate::types::{FuncType, ResourceType};
use crate::val::{ResourceAny, Val};

/// An instantiated component.
#[derive(Clone, Copy, Debug)]
pub struct Instance {
    root: usize,
    /// Tells it apart from those of other stores.
    token: u64,
}

/// An exported function.
#[derive(Clone, Copy, Debug)]
pub struct Func {
    instance: Instance,
    lift: usize,
}

/// An exported function whose types Rust knows.
pub struct TypedFunc<P, R> {
    func: Func,
    types: PhantomData<fn(P) -> R>,
}

impl<P, R> Clone for TypedFunc<P, R> {
    fn clone(&self) -> TypedFunc<P, R> {
        *self
    }
}

impl<P, R> Copy for TypedFunc<P, R> {}

/// Stands for a resource type that is not defined yet.
const UNDEFINED: ResourceId = ResourceId(u32::MAX);

/// Instantiates a linked component.
pub(crate) fn instantiate<S: AsContextMut>(
    pre: &Arc<Pre<S::Data>>,
    mut store: S,
) -> Result<Instance>
where
    S::Data: 'static,
{
    static TOKENS: AtomicU64 = AtomicU64::new(1);
    let token = TOKENS.fetch_add(1, Ordering::Relaxed);
    let plan = &pre.plan;
    let state = State::of(&mut store)?;
    let root = state.roots.len();
    let limit = state.limits.handles;
    let fresh = || state::Instance {
        handles: Handles::new(limit),
        may_leave: true,
        entered: false,
        context: Default::default(),
        backpressure: 0,
    };
    let mut resources = vec![UNDEFINED; plan.resources];
    for bound in &pre.imports {
        match bound {
            Bound::Linked(func) => state.check(func.origin)?,
            Bound::LinkedResource(origin, ty, id) => {
                state.check(*origin)?;
                resources[ty.0 as usize] = *id;
            }
            Bound::HostResource(ty, kind, dtor) => {
                resources[ty.0 as usize] = match state.host_resource(*kind) {
                    Ok(id) => id,
                    Err(_) => state.add_resource(Resource::Host {
                        kind: *kind,
                        dtor: Arc::new(dtor.clone() as Destructor<S::Data>),
                    }),
                };
            }
            _ => {}
        }
    }
    state.roots.push(Root {
        plan: plan.clone(),
        token,
        cores: Vec::new(),
        funcs: Vec::new(),
        memories: Vec::new(),
        instances: plan.instances.iter().map(|_| fresh()).collect(),
        resources,
        poisoned: false,
        entered: 0,
    });
    let depth = state.scopes.len();
    let own;
    let made = match (root, pre.first.get()) {
        (0, Some(made)) => made,
        (0, None) => {
            let made = templates(pre, 0)?;
            pre.first.get_or_init(|| made)
        }
        _ => {
            own = templates(pre, root)?;
            &own
        }
    };
    let mut made = made.iter();
    for step in &plan.steps {
        if let Err(error) = carry_out(step, pre, &mut made, root, &mut store) {
            let state = State::of(&mut store)?;
            state.scopes.truncate(depth);
            state.root(root)?.poisoned = true;
            return Err(call::confine(error));
        }
    }
    Ok(Instance { root, token })
}

/// The core functions that the host makes for a component with this number in its store, in the order of the steps.
fn templates<T: 'static>(pre: &Pre<T>, root: usize) -> Result<Vec<low::Template<T>>> {
    let mut made = Vec::new();
    for step in &pre.plan.steps {
        let (ty, func): (_, low::SlotFunc<T>) = match step {
            Step::Lower(number) => {
                let lowered = host::Lowered::new(pre, *number)?;
                let serve = move |caller: lithe::Caller<'_, T>, slots: &mut [u64]| {
                    host::lowered(&lowered, root, caller, slots)
                };
                (&pre.plan.lowerings[*number].core, Arc::new(serve))
            }
            Step::BuiltIn { kind, instance } => {
                let (kind, instance) = (*kind, *instance);
                let serve = move |caller: lithe::Caller<'_, T>, slots: &mut [u64]| {
                    host::built_in(kind, root, instance, caller, slots)
                };
                (&kind.ty(), Arc::new(serve))
            }
            _ => continue,
        };
        made.push(low::template(&pre.engine, ty, func)?);
    }
    Ok(made)
}

fn carry_out<S: AsContextMut>(
    step: &Step,
    pre: &Pre<S::Data>,
    made: &mut std::slice::Iter<'_, low::Template<S::Data>>,
    root: usize,
    store: &mut S,
) -> Result<()>
where
    S::Data: 'static,
{
    let plan = &pre.plan;
    match step {
        Step::Instantiate { module, imports } => {
            let ModuleItem::Own(number) = module else { return Err(absent("core module")) };
            let module = &plan.modules[*number];
            let mut given = Vec::with_capacity(imports.len());
            for (position, core) in imports.iter().enumerate() {
                given.push(match core {
                    Core::Missing { what, instance } => {
                        let ty = &module.imports()[position].ty;
                        missing(store, what, (root, *instance), ty)?
                    }
                    core => resolve(store, root, core)?,
                });
            }
            let core = lithe::Instance::new(&mut *store, module, &given)?;
            State::of(store)?.root(root)?.cores.push(core);
        }
        Step::Func(core) => {
            let func = resolve(store, root, core)?.func().ok_or_else(|| absent("function"))?;
            State::of(store)?.root(root)?.funcs.push(func);
        }
        Step::Memory(core) => {
            let memory = resolve(store, root, core)?.memory().ok_or_else(|| absent("memory"))?;
            State::of(store)?.root(root)?.memories.push(memory);
        }
        Step::Lower(_) | Step::BuiltIn { .. } => {
            let template = made.next().ok_or_else(|| absent("function"))?;
            let func = low::add(&mut *store, template)?;
            State::of(store)?.root(root)?.funcs.push(func);
        }
        Step::Resource { ty, instance, dtor } => {
            let state = State::of(store)?;
            let dtor = match dtor {
                Some(number) => {
                    let func = state.root(root)?.funcs.get(*number).copied();
                    Some(func.ok_or_else(|| absent("destructor"))?)
                }
                None => None,
            };
            let id = state.add_resource(Resource::Guest { root, instance: *instance, dtor });
            state.root(root)?.resources[ty.0 as usize] = id;
        }
    }
    Ok(())
}

fn resolve<S: AsContextMut>(store: &mut S, root: usize, core: &Core) -> Result<Extern> {
    match core {
        Core::Func(number) => {
            let func = State::of(store)?.root(root)?.funcs.get(*number).copied();
            func.map(Extern::Func).ok_or_else(|| absent("function"))
        }
        Core::Export { core, name } => {
            let core = State::of(store)?.root(root)?.cores.get(*core).copied();
            let core = core.ok_or_else(|| absent("core instance"))?;
            core.export(&*store, name).ok_or_else(|| absent("export"))
        }
        Core::Missing { .. } => Err(absent("function")),
    }
}

/// A function that traps, in place of one that this version does not have.
fn missing<S: AsContextMut>(
    store: &mut S,
    what: &'static str,
    (root, instance): (usize, usize),
    ty: &ExternType,
) -> Result<Extern>
where
    S::Data: 'static,
{
    let ExternType::Func(ty) = ty else { return Err(absent("function")) };
    let serve = move |mut caller: lithe::Caller<'_, S::Data>, _: &mut [u64]| {
        host::may_leave(&mut caller, root, instance)?;
        Err(crate::error::violation(format!("this version of Lithe has no `{what}`")))
    };
    let engine = low::engine(store).clone();
    low::add(store, &low::template(&engine, ty, Arc::new(serve))?).map(Extern::Func)
}

impl Instance {
    /// Its number in the store.
    pub(crate) fn root(&self, state: &mut State) -> Result<usize> {
        match state.roots.get(self.root) {
            Some(root) if root.token == self.token => Ok(self.root),
            _ => Err(Error::usage("the component instance belongs to another store")),
        }
    }

    fn plan<S: AsContextMut>(&self, store: &mut S) -> Result<Arc<Plan>> {
        let state = State::of(store)?;
        let root = self.root(state)?;
        Ok(state.root(root)?.plan.clone())
    }

    /// The exported function `name`.
    pub fn func(&self, mut store: impl AsContextMut, name: &str) -> Result<Func> {
        let plan = self.plan(&mut store)?;
        self.pick(plan.exports.get(name), name)
    }

    /// The function `name` of the exported interface `interface`, whose version may be any compatible one.
    pub fn func_in(
        &self,
        mut store: impl AsContextMut,
        interface: &str,
        name: &str,
    ) -> Result<Func> {
        let plan = self.plan(&mut store)?;
        match exported(&plan.exports, interface) {
            Some(exports) => self.pick(exports.get(name), name),
            None => Err(Error::usage(format!("the component exports no interface `{interface}`"))),
        }
    }

    /// Whether an interface is exported that is compatible with this one.
    pub fn exports(&self, mut store: impl AsContextMut, interface: &str) -> bool {
        let plan = self.plan(&mut store);
        plan.is_ok_and(|plan| exported(&plan.exports, interface).is_some())
    }

    fn pick(&self, export: Option<&Export>, name: &str) -> Result<Func> {
        match export {
            Some(Export::Func(FuncItem::Lift(lift))) => Ok(Func { instance: *self, lift: *lift }),
            Some(Export::Func(FuncItem::Import(_))) => Err(Error::usage(format!(
                "`{name}` is an import that the component only passes on"
            ))),
            _ => Err(Error::usage(format!("the component exports no function `{name}`"))),
        }
    }
}

fn exported<'p>(exports: &'p Exports, interface: &str) -> Option<&'p Exports> {
    let found = exports.iter().find(|(name, export)| {
        matches!(export, Export::Instance(_)) && names::compatible(interface, name)
    });
    match found {
        Some((_, Export::Instance(exports))) => Some(exports),
        _ => None,
    }
}

impl Func {
    /// Its type.
    pub fn ty(&self, mut store: impl AsContextMut) -> Result<Arc<FuncType>> {
        let plan = self.instance.plan(&mut store)?;
        let lift = plan.lifts.get(self.lift).ok_or_else(|| absent("function"))?;
        Ok(lift.ty.clone())
    }

    /// Calls it.
    pub fn call<S: AsContextMut>(&self, mut store: S, args: &[Val]) -> Result<Option<Val>>
    where
        S::Data: 'static,
    {
        let ty = self.ty(&mut store)?;
        if args.len() != ty.params.len() {
            let (wanted, found) = (ty.params.len(), args.len());
            return Err(Error::usage(format!("expected {wanted} arguments, found {found}")));
        }
        let pairs = args.iter().cloned().zip(&ty.params);
        let nodes =
            pairs.map(|(value, param)| value.into_node(&param.ty)).collect::<Result<_>>()?;
        let result: Option<Node> = self.enter(&mut store, &ty, &Nodes(nodes))?;
        match (result, &ty.result) {
            (Some(node), Some(ty)) => Val::from_node(node, ty).map(Some),
            _ => Ok(None),
        }
    }

    fn enter<S: AsContextMut, P: LowerParams, R: Lift>(
        &self,
        store: &mut S,
        ty: &FuncType,
        args: &P,
    ) -> Result<Option<R>> {
        let state = State::of(store)?;
        let (root, borrows) = (self.instance.root(state)?, ty.has_borrow());
        let depth = state.scopes.len();
        if borrows {
            state.enter_scope();
        }
        let result = call::call(store, root, self.lift, args, By::Host);
        let state = State::of(store)?;
        match result.is_ok() && borrows {
            true => state.leave_scope(),
            false => state.scopes.truncate(depth),
        }
        result
    }

    /// The function with its types known to Rust.
    pub fn typed<P: LowerParams, R: Lift>(
        &self,
        mut store: impl AsContextMut,
    ) -> Result<TypedFunc<P, R>> {
        let ty = self.ty(&mut store)?;
        let kinds = Bindings::of(&mut store, self.instance)?;
        if !P::check_params(&ty.params, &kinds) || !check_optional::<R>(&ty.result, &kinds) {
            return Err(Error::usage(format!(
                "the function is a {ty}, not one of the wanted types"
            )));
        }
        Ok(TypedFunc { func: *self, types: PhantomData })
    }
}

/// The host's types behind the resource types of an instance.
struct Bindings(BTreeMap<u32, TypeId>);

impl Bindings {
    fn of<S: AsContextMut>(store: &mut S, instance: Instance) -> Result<Bindings> {
        let state = State::of(store)?;
        let root = instance.root(state)?;
        let ids = state.root(root)?.resources.clone();
        let kind = |(id, number): (&ResourceId, u32)| match state.resources.get(id.0 as usize) {
            Some(Resource::Host { kind, .. }) => Some((number, *kind)),
            _ => None,
        };
        Ok(Bindings(ids.iter().zip(0..).filter_map(kind).collect()))
    }
}

impl Kinds for Bindings {
    fn kind(&self, ty: ResourceType) -> Option<TypeId> {
        self.0.get(&ty.0).copied()
    }
}

impl<P: LowerParams, R: Lift> TypedFunc<P, R> {
    /// Calls the function.
    pub fn call<S: AsContextMut>(&self, mut store: S, args: P) -> Result<R> {
        let ty = self.func.ty(&mut store)?;
        result_of(self.func.enter(&mut store, &ty, &args)?)
    }
}

impl ResourceAny {
    /// Drops a resource that the host owns.
    pub fn drop<S: AsContextMut>(self, mut store: S) -> Result<()>
    where
        S::Data: 'static,
    {
        if !self.owned {
            return Err(Error::usage("the resource is only borrowed, so its owner drops it"));
        }
        let depth = State::of(&mut store)?.scopes.len();
        let handle = Handle { resource: self.resource, rep: self.rep, lends: 0, scope: None };
        let result = destroy(&mut low::caller(&mut store), &handle, None);
        if result.is_err() {
            State::of(&mut store)?.scopes.truncate(depth);
        }
        result
    }
}

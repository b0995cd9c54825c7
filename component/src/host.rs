//! Functions that guests call: `canon lower` and the built-in functions for resources (CanonicalABI.md). `instance` makes
//! core functions of them. Invariant: a guest that may not leave its instance gets no further than here.

use std::sync::Arc;

use lithe::{AsContextMut, Caller, Error, Result, TrapKind};

use crate::abi::node::Node;
use crate::abi::{SlotReader, SlotWriter};
use crate::call::{self, By, Nodes};
use crate::error::violation;
use crate::handles::Handle;
use crate::linker::{Bound, Linked, Pre};
use crate::plan::{BuiltIn, FuncItem, Lowering, Plan};
use crate::state::{Resource, State};
use crate::typed::{Kinds, Lift, LiftParams, Lower, check_optional};
use crate::types::FuncType;
use crate::val::Val;

/// Where a host function is called from.
pub(crate) struct Site<'p> {
    pub lowering: &'p Lowering,
    pub root: usize,
}

type Serve<T> = dyn Fn(Caller<'_, T>, &Site<'_>, &mut [u64]) -> Result<()> + Send + Sync;
type Check = dyn Fn(&FuncType, &dyn Kinds) -> bool + Send + Sync;

/// A function of the host.
pub(crate) struct HostFunc<T> {
    pub check: Arc<Check>,
    pub serve: Arc<Serve<T>>,
}

impl<T> Clone for HostFunc<T> {
    fn clone(&self) -> HostFunc<T> {
        HostFunc { check: self.check.clone(), serve: self.serve.clone() }
    }
}

/// A destructor of the host.
pub(crate) type Destructor<T> = Arc<dyn Fn(Caller<'_, T>, u32) -> Result<()> + Send + Sync>;

/// Lifts the arguments of a call.
fn arguments<T, P: LiftParams>(
    caller: &mut Caller<'_, T>,
    site: &Site<'_>,
    slots: &[u64],
) -> Result<P> {
    let Lowering { ty, options, instance, .. } = site.lowering;
    let (place, reads) = ((site.root, *instance), ty.params_need_memory());
    call::lifting(caller, place, options, reads, |cx| match ty.params_in_memory() {
        true => {
            let at = slots.first().copied().unwrap_or(0) as u32;
            cx.place(at, ty.params_abi.size, ty.params_abi.align)?;
            P::load_params(cx, &ty.params, at)
        }
        false => P::lift_params(cx, &ty.params, &mut SlotReader::new(slots)),
    })
}

/// Lowers the result of a call; `at` is where it goes when it does not fit a slot.
fn give<T, R: Lower>(
    caller: &mut Caller<'_, T>,
    site: &Site<'_>,
    slots: &mut [u64],
    at: u32,
    value: &R,
) -> Result<()> {
    let Lowering { ty, options, instance, .. } = site.lowering;
    let Some(result) = &ty.result else { return Ok(()) };
    let (place, writes) = ((site.root, *instance), ty.result_needs_memory());
    call::lowering(caller, place, options, writes, |cx| match ty.result_in_memory() {
        true => {
            let abi = result.abi();
            cx.place(at, abi.size, abi.align)?;
            value.store(cx, result, at)
        }
        false => value.lower(cx, result, &mut SlotWriter::new(&mut slots[..1])),
    })
}

fn return_pointer(site: &Site<'_>, slots: &[u64]) -> u32 {
    match site.lowering.ty.result_in_memory() {
        true => slots.get(site.lowering.core.params.len() - 1).copied().unwrap_or(0) as u32,
        false => 0,
    }
}

/// A host function whose types Rust knows.
pub(crate) fn typed<T: 'static, P: LiftParams, R: Lower>(
    func: impl Fn(Caller<'_, T>, P) -> Result<R> + Send + Sync + 'static,
) -> HostFunc<T> {
    HostFunc {
        check: Arc::new(|ty, kinds| {
            P::check_params(&ty.params, kinds) && check_optional::<R>(&ty.result, kinds)
        }),
        serve: Arc::new(move |mut caller, site, slots| {
            let at = return_pointer(site, slots);
            let args = arguments::<T, P>(&mut caller, site, slots)?;
            let result = func(caller.reborrow(), args)?;
            ended(&mut caller, site)?;
            give(&mut caller, site, slots, at, &result)
        }),
    }
}

/// A host function over values of any type.
pub(crate) fn untyped<T: 'static>(
    func: impl Fn(Caller<'_, T>, &FuncType, &[Val]) -> Result<Option<Val>> + Send + Sync + 'static,
) -> HostFunc<T> {
    HostFunc {
        check: Arc::new(|_, _| true),
        serve: Arc::new(move |mut caller, site, slots| {
            let (at, ty) = (return_pointer(site, slots), &site.lowering.ty);
            let Nodes(nodes) = arguments(&mut caller, site, slots)?;
            let pairs = nodes.into_iter().zip(&ty.params);
            let args: Vec<Val> = pairs
                .map(|(node, param)| Val::from_node(node, &param.ty))
                .collect::<Result<_>>()?;
            let result = func(caller.reborrow(), ty, &args)?;
            ended(&mut caller, site)?;
            match (&ty.result, result) {
                (None, None) => Ok(()),
                (Some(ty), Some(value)) => {
                    let node = value.into_node(ty)?;
                    give(&mut caller, site, slots, at, &node)
                }
                _ => Err(Error::usage("a host function gave a result of another type")),
            }
        }),
    }
}

fn ended<T>(caller: &mut Caller<'_, T>, site: &Site<'_>) -> Result<()> {
    if site.lowering.borrows {
        State::of(caller)?.leave_scope();
    }
    Ok(())
}

/// Fails when a guest may not make calls now.
pub(crate) fn may_leave<S: AsContextMut>(
    store: &mut S,
    root: usize,
    instance: usize,
) -> Result<()> {
    match State::of(store)?.instance(root, instance)?.may_leave {
        true => Ok(()),
        false => Err(Error::trap_of(TrapKind::CannotLeave)),
    }
}

/// What a lowered function calls.
pub(crate) enum Callee<T> {
    Host(HostFunc<T>),
    /// A lifted function of the same component.
    Lift(usize),
    Linked(Linked),
}

/// A lowered function of a component, by its number in the plan.
pub(crate) struct Lowered<T> {
    plan: Arc<Plan>,
    number: usize,
    callee: Callee<T>,
}

impl<T> Lowered<T> {
    /// The lowered function with this number.
    pub fn new(pre: &Pre<T>, number: usize) -> Result<Lowered<T>> {
        let unbound = || Error::usage("an import is not bound to a function");
        let lowering = pre.plan.lowerings.get(number).ok_or_else(unbound)?;
        let callee = match &lowering.func {
            FuncItem::Lift(lift) => Callee::Lift(*lift),
            FuncItem::Import(import) => match pre.imports.get(*import) {
                Some(Bound::Host(func)) => Callee::Host(func.clone()),
                Some(Bound::Linked(func)) => Callee::Linked(*func),
                _ => return Err(unbound()),
            },
        };
        Ok(Lowered { plan: pre.plan.clone(), number, callee })
    }
}

/// Serves a call of a lowered function.
pub(crate) fn lowered<T: 'static>(
    Lowered { plan, number, callee }: &Lowered<T>,
    root: usize,
    mut caller: Caller<'_, T>,
    slots: &mut [u64],
) -> Result<()> {
    let lowering = &plan.lowerings[*number];
    let site = Site { lowering, root };
    may_leave(&mut caller, root, lowering.instance)?;
    if lowering.recursive {
        return Err(Error::trap_of(TrapKind::CannotEnter));
    }
    if lowering.borrows {
        State::of(&mut caller)?.enter_scope();
    }
    let (callee, lift) = match callee {
        Callee::Host(func) => {
            return (func.serve)(caller, &site, slots).map_err(call::confine);
        }
        Callee::Lift(lift) => (root, *lift),
        Callee::Linked(func) => (func.origin.root, func.lift),
    };
    let at = return_pointer(&site, slots);
    let args: Nodes = arguments(&mut caller, &site, slots)?;
    let result: Option<Node> = call::call(&mut caller, callee, lift, &args, By::Guest)?;
    ended(&mut caller, &site)?;
    match result {
        Some(node) => give(&mut caller, &site, slots, at, &node),
        None => Ok(()),
    }
}

/// Serves a call of a built-in function. Those that only look at things, or concern nobody else, may be called at any
/// time.
pub(crate) fn built_in<T: 'static>(
    kind: BuiltIn,
    root: usize,
    instance: usize,
    mut caller: Caller<'_, T>,
    slots: &mut [u64],
) -> Result<()> {
    let argument = slots.first().map_or(0, |slot| *slot as u32);
    let state = State::of(&mut caller)?;
    let result = match kind {
        BuiltIn::New(ty) => {
            may_leave(&mut caller, root, instance)?;
            let state = State::of(&mut caller)?;
            let resource = state.resource(root, ty)?;
            let handle = Handle { resource, rep: argument, lends: 0, scope: None };
            state.handles(root, instance)?.insert(handle)?
        }
        BuiltIn::Drop(ty) => {
            may_leave(&mut caller, root, instance)?;
            let state = State::of(&mut caller)?;
            let resource = state.resource(root, ty)?;
            let handle = state.handles(root, instance)?.remove(argument, resource)?;
            match handle.scope {
                Some(scope) => state.unborrow(scope),
                None => destroy(&mut caller, &handle, Some((root, instance)))?,
            }
            return Ok(());
        }
        BuiltIn::Rep(ty) => {
            let resource = state.resource(root, ty)?;
            state.handles(root, instance)?.at(argument, resource)?.rep
        }
        BuiltIn::ContextGet(place) => state.instance(root, instance)?.context[place],
        BuiltIn::ContextSet(place) => {
            state.instance(root, instance)?.context[place] = argument;
            return Ok(());
        }
        BuiltIn::BackpressureInc | BuiltIn::BackpressureDec => {
            let count = &mut state.instance(root, instance)?.backpressure;
            let changed = match kind {
                BuiltIn::BackpressureInc => count.checked_add(1),
                _ => count.checked_sub(1),
            };
            *count = changed.ok_or_else(|| violation("the backpressure is out of range"))?;
            return Ok(());
        }
    };
    slots[0] = result.into();
    Ok(())
}

/// Runs the destructor of a resource that nobody owns any more. `from` is the component instance that dropped it.
pub(crate) fn destroy<T: 'static>(
    caller: &mut Caller<'_, T>,
    handle: &Handle,
    from: Option<(usize, usize)>,
) -> Result<()> {
    let state = State::of(caller)?;
    match state.resources.get(handle.resource.0 as usize) {
        Some(Resource::Guest { root, instance, dtor }) => {
            let (root, instance, dtor) = (*root, *instance, *dtor);
            let run = |caller: &mut Caller<'_, T>| match dtor {
                Some(dtor) => call::core(caller, &dtor, &mut [u64::from(handle.rep)]),
                None => Ok(()),
            };
            let by = match from {
                Some((r, i)) if r == root => {
                    if i == instance {
                        return run(caller);
                    }
                    if state.root(root)?.plan.related(i, instance) {
                        return Err(Error::trap_of(TrapKind::CannotEnter));
                    }
                    By::Guest
                }
                Some(_) => By::Guest,
                None => By::Host,
            };
            call::enter(caller, root, instance, by)?;
            let result = run(caller);
            call::leave(caller, root, instance, result)
        }
        Some(Resource::Host { dtor, .. }) => match dtor.downcast_ref::<Destructor<T>>().cloned() {
            Some(dtor) => dtor(caller.reborrow(), handle.rep),
            None => Err(Error::usage("a destructor is of another store's data")),
        },
        _ => Ok(()),
    }
}

impl LiftParams for Nodes {
    fn check_params(_: &[crate::types::Field], _: &dyn Kinds) -> bool {
        true
    }
    fn lift_params(
        cx: &mut crate::LiftCx<'_>,
        fields: &[crate::types::Field],
        slots: &mut SlotReader<'_>,
    ) -> Result<Nodes> {
        Node::lift_fields(cx, fields, slots).map(Nodes)
    }
    fn load_params(
        cx: &mut crate::LiftCx<'_>,
        fields: &[crate::types::Field],
        at: u32,
    ) -> Result<Nodes> {
        Node::load_fields(cx, fields, at).map(Nodes)
    }
}

impl Lower for Node {
    fn lower(
        &self,
        cx: &mut crate::LowerCx<'_>,
        ty: &crate::Type,
        out: &mut SlotWriter<'_>,
    ) -> Result<()> {
        Node::lower(self, cx, ty, out)
    }
    fn store(&self, cx: &mut crate::LowerCx<'_>, ty: &crate::Type, at: u32) -> Result<()> {
        Node::store(self, cx, ty, at)
    }
}

/// The result of a call whose type Rust knows.
pub(crate) fn result_of<R: Lift>(result: Option<R>) -> Result<R> {
    let unit = || {
        let mut unit = Some(());
        let unit: &mut dyn std::any::Any = &mut unit;
        unit.downcast_mut::<Option<R>>().and_then(Option::take)
    };
    result.or_else(unit).ok_or_else(|| Error::usage("a function has no result"))
}

//! Calls of component functions: `canon lift` (CanonicalABI.md). Whoever calls a guest comes here: the host, and other
//! guests by way of `host`. Invariant: a component instance is entered once at a time, and never again after a call of
//! its component failed.

use std::sync::Arc;

use lithe::{AsContextMut, Error, ErrorKind, Memory, Result, TrapKind, low};

use crate::Type;
use crate::abi::node::Node;
use crate::abi::{GuestOf, LiftCx, LowerCx, SlotReader, SlotWriter};
use crate::error::violation;
use crate::plan::{Lift as LiftPlan, Options, Plan};
use crate::state::{State, absent};
use crate::typed::{Kinds, Lift, LowerParams, Typed};
use crate::types::Field;

/// Arguments whose types are known at run time only.
pub(crate) struct Nodes(pub Vec<Node>);

impl LowerParams for Nodes {
    fn check_params(_: &[Field], _: &dyn Kinds) -> bool {
        true
    }
    fn lower_params(
        &self,
        cx: &mut LowerCx<'_>,
        fields: &[Field],
        out: &mut SlotWriter<'_>,
    ) -> Result<()> {
        Node::lower_fields(&self.0, cx, fields, out)
    }
    fn store_params(&self, cx: &mut LowerCx<'_>, fields: &[Field], at: u32) -> Result<()> {
        Node::store_fields(&self.0, cx, fields, at)
    }
}

impl Typed for Node {
    fn check(_: &Type, _: &dyn Kinds) -> bool {
        true
    }
}

impl Lift for Node {
    fn lift(cx: &mut LiftCx<'_>, ty: &Type, slots: &mut SlotReader<'_>) -> Result<Node> {
        Node::lift(cx, ty, slots)
    }
    fn load(cx: &mut LiftCx<'_>, ty: &Type, at: u32) -> Result<Node> {
        Node::load(cx, ty, at)
    }
}

/// The memory that options name.
pub(crate) fn memory<S: AsContextMut>(
    store: &mut S,
    root: usize,
    options: &Options,
) -> Result<Option<Memory>> {
    let Some(number) = options.memory else { return Ok(None) };
    let memory = State::of(store)?.root(root)?.memories.get(number).copied();
    memory.map(Some).ok_or_else(|| absent("memory"))
}

fn func<S: AsContextMut>(store: &mut S, root: usize, number: usize) -> Result<lithe::Func> {
    State::of(store)?.root(root)?.funcs.get(number).copied().ok_or_else(|| absent("function"))
}

/// Lifts from a guest; `reads` tells whether something of the values is in memory.
pub(crate) fn lifting<S: AsContextMut, R>(
    store: &mut S,
    (root, instance): (usize, usize),
    options: &Options,
    reads: bool,
    lift: impl FnOnce(&mut LiftCx<'_>) -> Result<R>,
) -> Result<R> {
    let handle = if reads { memory(store, root, options)? } else { None };
    let (memory, attachment): (&[u8], _) = match &handle {
        Some(memory) => {
            let (memory, attachment) = low::memory_and_attachment(store, memory)?;
            (memory, attachment)
        }
        None => (&[], low::attachment(store)),
    };
    let state = State::within(attachment)?;
    let budget = state.limits.call_bytes;
    let encoding = options.encoding;
    lift(&mut LiftCx { memory, handle, encoding, state, root, instance, budget })
}

/// Lowers to a guest; `writes` tells whether something of the values goes to memory.
pub(crate) fn lowering<S: AsContextMut, R>(
    store: &mut S,
    (root, instance): (usize, usize),
    options: &Options,
    writes: bool,
    lower: impl FnOnce(&mut LowerCx<'_>) -> Result<R>,
) -> Result<R> {
    let (mut target, mut realloc) = (None, None);
    if writes {
        target = memory(store, root, options)?;
        realloc = options.realloc.map(|number| func(store, root, number)).transpose()?;
    }
    let mut guest = GuestOf { store, memory: target, realloc, root, instance };
    lower(&mut LowerCx { guest: &mut guest, encoding: options.encoding, root, instance })
}

/// Who calls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Host,
    Guest,
}

/// Enters a component instance, when nobody is in it; the host enters a component when nobody is in any part of it.
pub(crate) fn enter<S: AsContextMut>(
    store: &mut S,
    root: usize,
    instance: usize,
    by: By,
) -> Result<()> {
    let root = State::of(store)?.root(root)?;
    let busy = root.poisoned || (by == By::Host && root.entered > 0);
    match root.instances.get_mut(instance) {
        Some(instance) if !busy && !instance.entered => {
            if instance.backpressure > 0 {
                return Err(violation(
                    "deadlock: the component instance takes no calls until another one of its calls ends",
                ));
            }
            instance.entered = true;
            instance.context = Default::default();
        }
        Some(_) => return Err(Error::trap_of(TrapKind::CannotEnter)),
        None => return Err(absent("component instance")),
    }
    root.entered += 1;
    Ok(())
}

/// Ends what [`enter`] began. A failure makes the component unusable.
pub(crate) fn leave<S: AsContextMut, R>(
    store: &mut S,
    root: usize,
    instance: usize,
    result: Result<R>,
) -> Result<R> {
    let root = State::of(store)?.root(root)?;
    root.entered = root.entered.saturating_sub(1);
    match (&result, root.instances.get_mut(instance)) {
        (Ok(_), Some(instance)) => instance.entered = false,
        _ => root.poisoned = true,
    }
    result
}

/// Calls a core function. No exception leaves a component function.
pub(crate) fn core<S: AsContextMut>(
    store: &mut S,
    func: &lithe::Func,
    slots: &mut [u64],
) -> Result<()> {
    low::call(store, func, slots).map_err(confine)
}

/// Makes an exception that would leave a component function a trap.
pub(crate) fn confine(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Exception => violation(format!("{} left a component function", error.message())),
        _ => error,
    }
}

/// Calls a lifted function. When it borrows, the caller has begun a scope for the call.
pub(crate) fn call<S: AsContextMut, P: LowerParams, R: Lift>(
    store: &mut S,
    root: usize,
    number: usize,
    args: &P,
    by: By,
) -> Result<Option<R>> {
    let plan: Arc<Plan> = State::of(store)?.root(root)?.plan.clone();
    let lift = plan.lifts.get(number).ok_or_else(|| absent("function"))?;
    enter(store, root, lift.instance, by)?;
    let result = entered(store, root, lift, args);
    leave(store, root, lift.instance, result)
}

fn entered<S: AsContextMut, P: LowerParams, R: Lift>(
    store: &mut S,
    root: usize,
    lift: &LiftPlan,
    args: &P,
) -> Result<Option<R>> {
    const INLINE: usize = 17;
    let mut slots = [0; INLINE];
    let ty = &lift.ty;
    let (place, writes) = ((root, lift.instance), ty.params_need_memory());
    lowering(store, place, &lift.options, writes, |cx| match ty.params_in_memory() {
        true => {
            let at = cx.allocate(ty.params_abi.align, ty.params_abi.size)?;
            args.store_params(cx, &ty.params, at)?;
            slots[0] = at.into();
            Ok(())
        }
        false => args.lower_params(cx, &ty.params, &mut SlotWriter::new(&mut slots)),
    })?;
    let callee = func(store, root, lift.func)?;
    core(store, &callee, &mut slots[..lift.slots.clamp(1, INLINE)])?;
    let result = match &ty.result {
        None => None,
        Some(result) => {
            Some(lifting(store, place, &lift.options, ty.result_needs_memory(), |cx| {
                match ty.result_in_memory() {
                    true => {
                        let (at, abi) = (slots[0] as u32, result.abi());
                        cx.place(at, abi.size, abi.align)?;
                        R::load(cx, result, at)
                    }
                    false => R::lift(cx, result, &mut SlotReader::new(&slots)),
                }
            })?)
        }
    };
    if ty.has_borrow() && State::of(store)?.owes() {
        return Err(violation("borrow handles still remain at the end of the call"));
    }
    if let Some(number) = lift.options.post_return {
        let post_return = func(store, root, number)?;
        State::of(store)?.instance(root, lift.instance)?.may_leave = false;
        core(store, &post_return, &mut slots[..1])?;
        State::of(store)?.instance(root, lift.instance)?.may_leave = true;
    }
    Ok(result)
}

//! What components have in a store: their instances with their handles, the identities of resource types, and the calls
//! under way. It lives in the store's attachment. Invariant: `scopes` has one entry for each call under way that lends
//! or borrows, innermost last; when a call fails, its entries go with it.

use std::any::{Any, TypeId};
use std::sync::Arc;

use lithe::{AsContextMut, Error, Func, Memory, Result, low};

use crate::build::CONTEXT_PLACES;
use crate::error::usage;
use crate::handles::{DEFAULT_MAX_HANDLES, Handles, ResourceId};
use crate::linker::{Identity, Origin};
use crate::plan::Plan;
use crate::types::ResourceType;

/// Limits of the components of a store.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits {
    /// Handles that one component instance may have at once.
    pub handles: usize,
    /// Bytes of the host that the arguments or the result of one call may take.
    pub call_bytes: usize,
}

impl Default for CallLimits {
    fn default() -> CallLimits {
        CallLimits { handles: DEFAULT_MAX_HANDLES, call_bytes: crate::abi::DEFAULT_MAX_CALL_BYTES }
    }
}

/// The components of a store.
#[derive(Default)]
pub(crate) struct State {
    pub roots: Vec<Root>,
    pub resources: Vec<Resource>,
    pub scopes: Vec<Scope>,
    pub limits: CallLimits,
}

/// An instantiated component with all that it consists of.
pub(crate) struct Root {
    pub plan: Arc<Plan>,
    /// Tells it apart from those of other stores.
    pub token: u64,
    pub cores: Vec<lithe::Instance>,
    pub funcs: Vec<Func>,
    pub memories: Vec<Memory>,
    pub instances: Vec<Instance>,
    /// The identities of its resource types.
    pub resources: Vec<ResourceId>,
    /// Whether a guest of it trapped, so that none may be entered.
    pub poisoned: bool,
    /// How many of its component instances are entered.
    pub entered: usize,
}

/// A component instance.
pub(crate) struct Instance {
    pub handles: Handles,
    pub may_leave: bool,
    /// Whether a call of it is under way.
    pub entered: bool,
    /// The numbers that belong to the call under way.
    pub context: [u32; CONTEXT_PLACES as usize],
    /// How often the guest asked not to be called.
    pub backpressure: u16,
}

/// A resource type.
pub(crate) enum Resource {
    /// One that a component defines, in this root and component instance.
    Guest { root: usize, instance: usize, dtor: Option<Func> },
    /// One of the host, for values of this type of Rust, with its destructor.
    Host { kind: TypeId, dtor: Arc<dyn Any + Send + Sync> },
}

/// What a call under way lends and has borrowed.
#[derive(Default)]
pub(crate) struct Scope {
    /// Handles that are lent for the time of the call: root, instance, index.
    lent: Vec<(usize, usize, u32)>,
    /// Handles that the callee has to drop before it returns.
    borrowed: u32,
}

impl State {
    /// The state of a store.
    pub fn of<S: AsContextMut>(store: &mut S) -> Result<&mut State> {
        let attachment = low::attachment(store);
        State::within(attachment)
    }

    pub fn within(attachment: &mut low::Attachment) -> Result<&mut State> {
        let state = attachment.get_or_insert_with(|| Box::new(State::default()));
        state
            .downcast_mut()
            .ok_or_else(|| usage("the store's attachment is not that of components"))
    }

    pub fn root(&mut self, root: usize) -> Result<&mut Root> {
        self.roots.get_mut(root).ok_or_else(|| usage("the component instance is of another store"))
    }

    pub fn instance(&mut self, root: usize, instance: usize) -> Result<&mut Instance> {
        let instance = self.root(root)?.instances.get_mut(instance);
        instance.ok_or_else(|| usage("there is no such component instance"))
    }

    pub fn handles(&mut self, root: usize, instance: usize) -> Result<&mut Handles> {
        self.instance(root, instance).map(|instance| &mut instance.handles)
    }

    /// The identity of a resource type of a component.
    pub fn resource(&self, root: usize, ty: ResourceType) -> Result<ResourceId> {
        let root = self.roots.get(root).and_then(|root| root.resources.get(ty.0 as usize));
        root.copied().ok_or_else(|| usage("a resource type is not there yet"))
    }

    /// Which resource type one of the store is.
    pub fn identity(&self, id: ResourceId) -> Identity {
        match self.resources.get(id.0 as usize) {
            Some(Resource::Host { kind, .. }) => Identity::Host(*kind),
            _ => Identity::Guest(id),
        }
    }

    /// Fails when a component is not of this store.
    pub fn check(&self, origin: Origin) -> Result<()> {
        match self.roots.get(origin.root) {
            Some(root) if root.token == origin.token => Ok(()),
            _ => Err(usage("a component is linked with an instance of another store")),
        }
    }

    /// Whether a resource type is implemented by this component instance.
    pub fn implements(&self, root: usize, instance: usize, resource: ResourceId) -> bool {
        match self.resources.get(resource.0 as usize) {
            Some(Resource::Guest { root: r, instance: i, .. }) => *r == root && *i == instance,
            _ => false,
        }
    }

    pub fn add_resource(&mut self, resource: Resource) -> ResourceId {
        self.resources.push(resource);
        ResourceId(self.resources.len() as u32 - 1)
    }

    /// The identity of the host's resource type for values of a type of Rust.
    pub fn host_resource(&self, of: TypeId) -> Result<ResourceId> {
        let found = self
            .resources
            .iter()
            .position(|resource| matches!(resource, Resource::Host { kind, .. } if *kind == of));
        let found = found.ok_or_else(|| usage("no component of the store uses this resource type"));
        found.map(|at| ResourceId(at as u32))
    }

    /// Begins a call.
    pub fn enter_scope(&mut self) {
        self.scopes.push(Scope::default());
    }

    /// Notes that the call under way was lent a handle.
    pub fn lend(&mut self, root: usize, instance: usize, index: u32) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.lent.push((root, instance, index));
        }
    }

    /// Notes that the callee of the call under way has one handle more to drop; gives the call's number.
    pub fn borrowed(&mut self) -> Result<u32> {
        let number = self.scopes.len() as u32;
        let scope = self.scopes.last_mut().ok_or_else(|| usage("only calls borrow"))?;
        scope.borrowed += 1;
        Ok(number)
    }

    /// Notes that the callee dropped a handle which it borrowed for a call.
    pub fn unborrow(&mut self, number: u32) {
        if let Some(scope) = self.scopes.get_mut((number as usize).wrapping_sub(1)) {
            scope.borrowed = scope.borrowed.saturating_sub(1);
        }
    }

    /// Whether the callee of the call under way still has handles to drop.
    pub fn owes(&self) -> bool {
        self.scopes.last().is_some_and(|scope| scope.borrowed > 0)
    }

    /// Ends a call: what was lent for it may be dropped again.
    pub fn leave_scope(&mut self) {
        let Some(scope) = self.scopes.pop() else { return };
        for (root, instance, index) in scope.lent {
            let handles = self.handles(root, instance);
            if let Ok(Some(handle)) = handles.map(|handles| handles.any(index)) {
                handle.lends = handle.lends.saturating_sub(1);
            }
        }
    }
}

/// The error of something that a plan does not have.
pub(crate) fn absent(what: &str) -> Error {
    usage(format!("the component instance has no such {what}"))
}

/// Sets limits of the components of a store. Takes effect for what is instantiated and called afterwards.
pub fn set_limits(mut store: impl AsContextMut, limits: CallLimits) -> Result<()> {
    State::of(&mut store)?.limits = limits;
    Ok(())
}

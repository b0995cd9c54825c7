//! [`Program`]: a component that handles requests. It runs on the fiber of each request. Invariant: an instance that
//! failed, or that was interrupted, serves no other request.

use std::any::Any;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use lithe::{Error, InterruptHandle, Result, Store};
use lithe_component::{Component, InstancePre, Resource, TypedFunc};
use lithe_wasi::p2::Waiter;

use crate::incoming::Source;
use crate::server::event_loop::Env;
use crate::server::waiter::FiberWaiter;
use crate::types::response::Slot;
use crate::types::{IncomingRequest, ResponseOutparam};
use crate::{Http, HttpView};

/// The interface that a handler exports.
pub const HANDLER: &str = "wasi:http/incoming-handler@0.2.12";

/// What the store of a guest needs of the server.
pub struct Guest {
    /// How its calls wait: give it to [`P2::with_waiter`](lithe_wasi::p2::P2::with_waiter).
    pub waiter: Box<dyn Waiter>,
    /// Its state of `wasi:http`.
    pub http: Http,
}

/// One request for a program.
pub struct Call {
    pub(super) head: http::request::Parts,
    pub(super) body: Source,
    pub(super) slot: Slot,
    pub(super) control: Rc<Control>,
}

/// What a request and the guest that serves it have in common.
pub(super) struct Control {
    pub env: Rc<Env>,
    pub deadline: Option<Instant>,
    pub guest: std::cell::RefCell<Option<InterruptHandle>>,
}

impl Control {
    /// The guest, which runs now, may be interrupted.
    fn arm(&self, guest: InterruptHandle) {
        self.env.running.set(Some((self.deadline, guest.clone())));
        *self.guest.borrow_mut() = Some(guest);
    }

    /// The guest does not run any more.
    fn disarm(&self) {
        self.env.running.set(None);
        *self.guest.borrow_mut() = None;
    }
}

/// Something that serves requests. [`Program`] does.
pub trait Serve: Send + Sync {
    /// Serves one, on its fiber.
    fn serve(&self, call: Call) -> Result<()>;
}

type MakeStore<T> = dyn Fn(Guest) -> Result<Store<T>> + Send + Sync;
type Handler = TypedFunc<(Resource<IncomingRequest>, Resource<ResponseOutparam>), ()>;

/// A component that exports `wasi:http/incoming-handler`.
pub struct Program<T> {
    /// Tells its instances apart from those of other programs.
    id: u64,
    pre: InstancePre<T>,
    store: Box<MakeStore<T>>,
}

/// An instance that may serve further requests.
pub(super) struct Spare {
    program: u64,
    warm: Box<dyn Any>,
}

struct Warm<T> {
    store: Store<T>,
    handler: Handler,
    served: u32,
}

impl<T: HttpView> Program<T> {
    /// A program. `store` makes the store of each instance, with its limits and its grants.
    pub fn new(
        component: &Component,
        pre: InstancePre<T>,
        store: impl Fn(Guest) -> Result<Store<T>> + Send + Sync + 'static,
    ) -> Result<Program<T>> {
        static IDS: AtomicU64 = AtomicU64::new(0);
        const NAME: &str = "wasi:http/incoming-handler@0.2.";
        let exports = component.exports();
        let handles = exports.iter().any(|item| {
            let interface = item.interface.as_deref();
            interface.is_some_and(|interface| interface.starts_with(NAME)) && item.name == "handle"
        });
        if !handles {
            let words = "the component does not handle HTTP requests: it exports no `handle` of";
            return Err(Error::usage(format!("{words} `{HANDLER}`")));
        }
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        Ok(Program { id, pre, store: Box::new(store) })
    }

    /// An instance for a request.
    fn instance(&self, control: &Control) -> Result<Warm<T>> {
        let env = &control.env;
        while let Some(spare) = env.spare() {
            if spare.program == self.id
                && let Ok(mut warm) = spare.warm.downcast::<Warm<T>>()
            {
                warm.store.data_mut().p2().ctx.set_deadline(control.deadline);
                control.arm(warm.store.interrupt_handle());
                return Ok(*warm);
            }
        }
        let waiter = Box::new(FiberWaiter::default());
        let mut store = (self.store)(Guest { waiter, http: env.http() })?;
        store.data_mut().p2().ctx.set_deadline(control.deadline);
        control.arm(store.interrupt_handle());
        env.metrics.instances.fetch_add(1, Ordering::Relaxed);
        let instance = self.pre.instantiate(&mut store)?;
        let handler = instance.func_in(&mut store, HANDLER, "handle")?;
        let handler = handler.typed(&mut store)?;
        Ok(Warm { store, handler, served: 0 })
    }
}

impl<T: HttpView> Serve for Program<T> {
    fn serve(&self, call: Call) -> Result<()> {
        let Call { head, body, slot, control } = call;
        // Dropped when anything fails, which answers the request.
        let outparam = ResponseOutparam::new(slot);
        let mut warm = match self.instance(&control) {
            Ok(warm) => warm,
            Err(error) => {
                control.disarm();
                return Err(error);
            }
        };
        let table = &mut warm.store.data_mut().p2().table;
        let request = table.push(IncomingRequest::new(head, body))?;
        let outparam = table.push(outparam)?;
        let result = warm.handler.call(&mut warm.store, (request, outparam));
        control.disarm();
        result?;
        warm.served += 1;
        // Past its deadline it may have been interrupted in its last moments, which would end its next call.
        let late = control.deadline.is_some_and(|deadline| deadline <= Instant::now());
        if warm.served < control.env.reuse() && !late {
            control.env.keep(Spare { program: self.id, warm: Box::new(warm) });
        }
        Ok(())
    }
}

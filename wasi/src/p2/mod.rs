//! WASI 0.2 for components, over the same host objects as preview 1.
//!
//! ```text
//! Linker <-- add_to_linker: io cli clocks random filesystem ... <-- View (the store's data) --> P2
//!                           |                                                                   |
//!            ResourceTable: streams, pollables, descriptors         Ctx (grants), Waiter (how calls wait)
//! ```
//!
//! Invariant: no function waits but through the [`Waiter`], so a host decides what else goes on meanwhile; and
//! everything that a guest holds is an entry of its own table.

pub mod cli;
pub mod clocks;
pub mod config;
pub mod filesystem;
pub mod io;
pub mod logging;
pub mod random;
pub mod sockets;
mod wait;

use lithe::{Error, Result, TrapKind};
use lithe_component::{Linker, ResourceTable};

pub use wait::{Blocking, Event, Readiness, Wait, WaitFd, Waiter};

use crate::{Ctx, Failure};

/// The state of WASI 0.2 of one guest.
pub struct P2 {
    /// What preview 1 has too: grants, clocks, random bytes, arguments.
    pub ctx: Ctx,
    /// What the guest holds of the host.
    pub table: ResourceTable,
    /// What it may have open on the network.
    pub sockets: sockets::Sockets,
    waiter: Box<dyn Waiter>,
}

/// Store data that holds the state of WASI 0.2.
pub trait View: 'static {
    /// The state.
    fn p2(&mut self) -> &mut P2;
}

impl View for P2 {
    fn p2(&mut self) -> &mut P2 {
        self
    }
}

impl P2 {
    /// The state of a guest whose calls wait in this thread.
    pub fn new(ctx: Ctx) -> P2 {
        P2::with_waiter(ctx, Box::new(Blocking::default()))
    }

    /// The state of a guest whose calls wait in this way.
    pub fn with_waiter(ctx: Ctx, waiter: Box<dyn Waiter>) -> P2 {
        P2 { ctx, table: ResourceTable::default(), sockets: sockets::Sockets::default(), waiter }
    }

    /// Waits until one of these may have happened, or fails when the deadline passes.
    pub fn wait(&mut self, waits: &[Wait]) -> Result<()> {
        let deadline = self.ctx.deadline;
        let left = deadline.remaining().map_err(failed)?;
        self.waiter.wait(waits, left)?;
        deadline.remaining().map(drop).map_err(failed)
    }

    /// Repeats an operation until it gives something, waiting in between for what it says.
    pub fn block<R>(
        &mut self,
        mut operation: impl FnMut(&mut P2) -> Result<std::result::Result<R, Wait>>,
    ) -> Result<R> {
        loop {
            match operation(self)? {
                Ok(value) => return Ok(value),
                Err(wait) => self.wait(std::slice::from_ref(&wait))?,
            }
        }
    }
}

/// The error that ends a guest whose call failed for other reasons than an error code tells.
pub(crate) fn failed(failure: Failure) -> Error {
    match failure {
        Failure::Errno(errno) => Error::host(errno.to_string()),
        Failure::Exit(status) => Error::exit(status),
        Failure::Trap(message) => Error::host(message),
        Failure::Deadline => Error::trap_of(TrapKind::Interrupt),
    }
}

/// The version of the interfaces.
pub(crate) const VERSION: &str = "0.2.12";

/// The full name of an interface.
pub(crate) fn interface(name: &str) -> String {
    format!("wasi:{name}@{VERSION}")
}

/// Defines the interfaces of WASI 0.2.
pub fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    io::add_to_linker(linker)?;
    cli::add_to_linker(linker)?;
    clocks::add_to_linker(linker)?;
    random::add_to_linker(linker)?;
    filesystem::add_to_linker(linker)?;
    config::add_to_linker(linker)?;
    logging::add_to_linker(linker)?;
    sockets::add_to_linker(linker)
}

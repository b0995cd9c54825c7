//! `wasi:http` for Lithe: guests that make requests, and a server whose handlers are guests.
//!
//! ```text
//!                      +-- one thread per event loop -------------------------+
//! client <-- hyper --> | Request -> Program on a fiber -> Response            |
//!                      |              |  types: requests, responses, bodies   |
//!                      +--------------|---------------------------------------+
//!                                     v
//!                         outgoing-handler -> Client -> NetPolicy -> hyper, rustls -> other servers
//! ```
//!
//! Invariant: no function of a guest blocks the thread of an event loop, and what a guest or a peer sends is never kept
//! but up to a limit with a name.

#![forbid(unsafe_code)]

mod incoming;
mod local;
mod outgoing;
mod pipe;
pub mod server;
pub mod types;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use lithe::Result;
use lithe_component::Linker;
use lithe_wasi::p2::View;

pub use outgoing::{
    Client, DEFAULT_BETWEEN_BYTES_TIMEOUT, DEFAULT_CONNECT_TIMEOUT, DEFAULT_FIRST_BYTE_TIMEOUT,
    MAX_GUEST_REQUESTS, MAX_IDLE_CONNECTIONS, MAX_REQUESTS, Roots,
};
pub use pipe::{BODY_BUFFER, EARLY_BODIES_BUFFER, EARLY_BODY_BUFFER};
pub use types::{ErrorCode, FieldLimits};

use types::fields::Room;

/// What guests need for `wasi:http`, besides the state of WASI 0.2.
#[derive(Default)]
pub struct Http {
    /// How much a set of header fields may hold.
    pub fields: FieldLimits,
    /// Who makes the requests of guests.
    pub client: Client,
    /// Those of this guest that are under way.
    requests: Arc<AtomicUsize>,
    /// Bytes that it has in bodies whose messages are not sent.
    early: Arc<AtomicUsize>,
    /// Bytes that it has in sets of fields.
    held: Arc<AtomicUsize>,
}

impl Http {
    /// The state of a guest whose requests are made by this client.
    pub fn new(fields: FieldLimits, client: Client) -> Http {
        Http { fields, client, ..Http::default() }
    }

    fn room(&self) -> Room {
        Room { limits: self.fields, all: self.held.clone() }
    }
}

impl Clone for Http {
    /// The state of another guest: with the same limits and client, and nothing counted yet.
    fn clone(&self) -> Http {
        Http::new(self.fields, self.client.clone())
    }
}

/// Store data of guests that use `wasi:http`.
pub trait HttpView: View {
    /// The state.
    fn http(&mut self) -> &mut Http;
}

/// The version of the interfaces.
const VERSION: &str = "0.2.12";

/// The full name of an interface.
fn interface(name: &str) -> String {
    format!("wasi:http/{name}@{VERSION}")
}

/// Defines `wasi:http/types` and `wasi:http/outgoing-handler`. Those of `wasi:io` are not among them.
pub fn add_to_linker<T: HttpView>(linker: &mut Linker<T>) -> Result<()> {
    types::add_to_linker(linker)?;
    outgoing::add_to_linker(linker)
}

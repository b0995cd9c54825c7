//! [`ResolveAddressStream`]: a lookup of a name and its addresses. Used by `wasi:sockets/ip-name-lookup`.
//!
//! Resolvers of systems wait, and nothing makes them stop, so each lookup has a thread of its own; one that the guest
//! abandons ends when the resolver does. Invariant: a lookup counts against the limits until its thread has ended, and
//! the guest gets no address that the policy was not told of.

use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::vec::IntoIter;

use super::{Answer, ErrorCode, Sockets};
use crate::NetPolicy;
use crate::descriptor::lock;
use crate::p2::io::Subscribe;
use crate::p2::{Event, Readiness, Wait};

/// Addresses of one name that a guest gets at most.
pub const MAX_ADDRESSES: usize = 256;

/// A way of looking names up.
pub trait Resolve: fmt::Debug + Send + Sync + 'static {
    /// The addresses of a name, best first. It may wait, in a thread of its own.
    fn resolve(&self, name: &str) -> Answer<Vec<IpAddr>>;
}

/// The resolver of the system.
#[derive(Debug)]
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: &str) -> Answer<Vec<IpAddr>> {
        let addresses = (name, 0).to_socket_addrs().map_err(|error| resolver_error(&error))?;
        Ok(addresses.map(|address| address.ip()).collect())
    }
}

/// The standard library tells errors of resolvers by their words only, which are those of the system's C library.
fn resolver_error(error: &io::Error) -> ErrorCode {
    let words = error.to_string();
    let says = |known: &[&str]| known.iter().any(|known| words.contains(known));
    if says(&["Temporary failure", "Try again"]) {
        ErrorCode::TemporaryResolverFailure
    } else if says(&["Non-recoverable", "Unrecoverable"]) {
        ErrorCode::PermanentResolverFailure
    } else if says(&["Memory allocation failure", "Out of memory"]) {
        ErrorCode::OutOfMemory
    } else {
        ErrorCode::NameUnresolvable
    }
}

/// `wasi:sockets/ip-name-lookup.resolve-address-stream`
#[derive(Debug)]
pub struct ResolveAddressStream {
    name: String,
    state: State,
}

#[derive(Debug)]
enum State {
    UnderWay(Arc<Lookup>),
    Addresses(IntoIter<IpAddr>),
    Failed(ErrorCode),
}

#[derive(Debug, Default)]
struct Lookup {
    result: Mutex<Option<Answer<Vec<IpAddr>>>>,
    done: Event,
}

/// Ends a lookup even when the resolver panics.
struct Ending(Arc<Lookup>);

impl Drop for Ending {
    fn drop(&mut self) {
        lock(&self.0.result).get_or_insert(Err(ErrorCode::PermanentResolverFailure));
        self.0.done.set();
    }
}

impl ResolveAddressStream {
    /// Begins to look a name up. An address stands for itself.
    pub fn new(
        sockets: &Sockets,
        policy: &NetPolicy,
        name: String,
    ) -> Answer<ResolveAddressStream> {
        if let Ok(address) = name.parse::<IpAddr>() {
            let state = State::Addresses(vec![address.to_canonical()].into_iter());
            return Ok(ResolveAddressStream { name, state });
        }
        if name.starts_with('[') {
            return Err(ErrorCode::InvalidArgument);
        }
        policy.lookup(&name).map_err(|denied| match denied.grant() {
            Some(_) => ErrorCode::AccessDenied,
            // It cannot be the name of a host.
            None => ErrorCode::InvalidArgument,
        })?;
        let slots = sockets.lookup_slots().ok_or(ErrorCode::TemporaryResolverFailure)?;
        let (resolver, lookup) = (sockets.resolver(), Arc::new(Lookup::default()));
        let (asked, ending) = (name.clone(), Ending(lookup.clone()));
        let work = move || {
            let _slots = slots;
            let ending = ending;
            let result = resolver.resolve(&asked);
            *lock(&ending.0.result) = Some(result);
        };
        let thread = std::thread::Builder::new().name("lithe name lookup".into()).spawn(work);
        thread.map_err(|_| ErrorCode::OutOfMemory)?;
        Ok(ResolveAddressStream { name, state: State::UnderWay(lookup) })
    }

    /// The next address, or nothing after the last one. The policy learns which addresses the guest gets.
    pub fn resolve_next_address(&mut self, policy: &NetPolicy) -> Answer<Option<IpAddr>> {
        if let State::UnderWay(lookup) = &self.state {
            let result = lock(&lookup.result).take().ok_or(ErrorCode::WouldBlock)?;
            self.state = match result.map(distinct) {
                Ok(addresses) if addresses.is_empty() => State::Failed(ErrorCode::NameUnresolvable),
                Ok(addresses) => {
                    policy.resolved(&self.name, addresses.iter().copied());
                    State::Addresses(addresses.into_iter())
                }
                Err(code) => State::Failed(code),
            };
        }
        match &mut self.state {
            State::UnderWay(_) => Err(ErrorCode::WouldBlock),
            State::Addresses(addresses) => Ok(addresses.next()),
            State::Failed(code) => Err(*code),
        }
    }
}

/// The addresses without IPv4 ones in the form of IPv6, each once.
fn distinct(found: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for address in found.into_iter().map(|address| address.to_canonical()) {
        if addresses.len() < MAX_ADDRESSES && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

impl Subscribe for ResolveAddressStream {
    fn readiness(&mut self) -> Readiness {
        match &self.state {
            State::UnderWay(lookup) if !lookup.done.is_set() => {
                Readiness::Wait(Wait::Event(lookup.done.clone()))
            }
            _ => Readiness::Ready,
        }
    }
}

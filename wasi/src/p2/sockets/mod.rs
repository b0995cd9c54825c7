//! `wasi:sockets`: TCP, UDP and the lookup of names, on non-blocking descriptors of the host.
//!
//! ```text
//! create --> TcpSocket --finish-connect, accept--> streams of wasi:io --> connection --+
//!        --> UdpSocket --stream--> datagram streams -----------------------------------+--> Socket (descriptor)
//! ip-name-lookup --> a thread per lookup --> Event
//! ```
//!
//! Every address goes to the [`NetPolicy`](crate::NetPolicy) in the form in which the host gets it, right before the
//! host gets it. Invariant: no function here waits but the drop of a connection that still has bytes to send, and that
//! one not for long; and what a guest has open counts against its [`Sockets`].

mod connection;
mod create;
mod instance_network;
mod ip_name_lookup;
mod limit;
mod lookup;
mod network;
mod socket;
mod tcp;
mod tcp_socket;
mod udp;
mod udp_socket;

use std::any::Any;

use lithe::Result;
use lithe_component::{Lift, Linker, LinkerInstance, Lower, Resource};

pub use connection::{TcpInput, TcpOutput};
pub use limit::{DEFAULT_MAX_SOCKETS, MAX_HOST_LOOKUPS, MAX_LOOKUPS, Sockets};
pub use lookup::{MAX_ADDRESSES, Resolve, ResolveAddressStream};
pub use network::{
    ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
    Network, network_error_code,
};
pub use tcp_socket::{ShutdownType, TcpSocket};
pub use udp_socket::{
    IncomingDatagram, IncomingDatagramStream, MAX_DATAGRAMS, OutgoingDatagram,
    OutgoingDatagramStream, UdpSocket,
};

use crate::p2::View;

/// What functions of `wasi:sockets` give.
pub type Answer<T> = std::result::Result<T, ErrorCode>;

/// Defines the interfaces of `wasi:sockets`.
pub fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    network::add_to_linker(linker)?;
    instance_network::add_to_linker(linker)?;
    tcp::add_to_linker(linker)?;
    udp::add_to_linker(linker)?;
    create::add_to_linker(linker)?;
    ip_name_lookup::add_to_linker(linker)
}

/// Defines a method that only looks at its resource.
fn getter<T: View, S: Any + Send, R: Lower>(
    interface: &mut LinkerInstance<'_, T>,
    name: &str,
    get: fn(&S) -> R,
) -> Result<()> {
    interface.func(name, move |mut cx, (this,): (Resource<S>,)| {
        Ok(get(cx.data_mut().p2().table.at(&this)?))
    })?;
    Ok(())
}

/// Defines a method that takes one value for its resource.
fn setter<T: View, S: Any + Send, V: Lift>(
    interface: &mut LinkerInstance<'_, T>,
    name: &str,
    set: fn(&mut S, V) -> Answer<()>,
) -> Result<()> {
    interface.func(name, move |mut cx, (this, value): (Resource<S>, V)| {
        Ok(set(cx.data_mut().p2().table.at_mut(&this)?, value))
    })?;
    Ok(())
}

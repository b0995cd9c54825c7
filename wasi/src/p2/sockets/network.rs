//! `wasi:sockets/network`: addresses, error codes, and what addresses may be used for. Invariant: an address that passed
//! a check is of its socket's family, and no IPv4 address hides in an IPv6 one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use lithe::Result;
use lithe_component::{Linker, Resource, record, variant};
use rustix::io::Errno as HostErrno;

use super::Answer;
use crate::p2::io::IoError;
use crate::p2::{View, interface};
use crate::{Denied, Errno};

/// `wasi:sockets/network.network`: all that the grants allow, so there is nothing in it.
#[derive(Debug)]
pub struct Network;

variant! {
    /// `wasi:sockets/network.error-code`
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum ErrorCode {
        "unknown" Unknown,
        "access-denied" AccessDenied,
        "not-supported" NotSupported,
        "invalid-argument" InvalidArgument,
        "out-of-memory" OutOfMemory,
        "timeout" Timeout,
        "concurrency-conflict" ConcurrencyConflict,
        "not-in-progress" NotInProgress,
        "would-block" WouldBlock,
        "invalid-state" InvalidState,
        "new-socket-limit" NewSocketLimit,
        "address-not-bindable" AddressNotBindable,
        "address-in-use" AddressInUse,
        "remote-unreachable" RemoteUnreachable,
        "connection-refused" ConnectionRefused,
        "connection-reset" ConnectionReset,
        "connection-aborted" ConnectionAborted,
        "datagram-too-large" DatagramTooLarge,
        "name-unresolvable" NameUnresolvable,
        "temporary-resolver-failure" TemporaryResolverFailure,
        "permanent-resolver-failure" PermanentResolverFailure,
    }
}

variant! {
    /// `wasi:sockets/network.ip-address-family`
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum IpAddressFamily { "ipv4" Ipv4, "ipv6" Ipv6 }
}

type Ipv4Address = (u8, u8, u8, u8);
type Ipv6Address = (u16, u16, u16, u16, u16, u16, u16, u16);

variant! {
    /// `wasi:sockets/network.ip-address`
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum IpAddress { "ipv4" Ipv4(Ipv4Address), "ipv6" Ipv6(Ipv6Address) }
}

record! {
    /// `wasi:sockets/network.ipv4-socket-address`
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Ipv4SocketAddress { "port" port: u16, "address" address: Ipv4Address }
}

record! {
    /// `wasi:sockets/network.ipv6-socket-address`
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Ipv6SocketAddress {
        "port" port: u16,
        "flow-info" flow_info: u32,
        "address" address: Ipv6Address,
        "scope-id" scope_id: u32,
    }
}

variant! {
    /// `wasi:sockets/network.ip-socket-address`
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum IpSocketAddress { "ipv4" Ipv4(Ipv4SocketAddress), "ipv6" Ipv6(Ipv6SocketAddress) }
}

fn v4((a, b, c, d): Ipv4Address) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

fn v6((a, b, c, d, e, f, g, h): Ipv6Address) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, d, e, f, g, h)
}

fn from_v4(address: Ipv4Addr) -> Ipv4Address {
    address.octets().into()
}

fn from_v6(address: Ipv6Addr) -> Ipv6Address {
    address.segments().into()
}

impl From<IpAddr> for IpAddress {
    fn from(address: IpAddr) -> IpAddress {
        match address {
            IpAddr::V4(address) => IpAddress::Ipv4(from_v4(address)),
            IpAddr::V6(address) => IpAddress::Ipv6(from_v6(address)),
        }
    }
}

impl From<SocketAddr> for IpSocketAddress {
    fn from(address: SocketAddr) -> IpSocketAddress {
        match address {
            SocketAddr::V4(address) => IpSocketAddress::Ipv4(Ipv4SocketAddress {
                port: address.port(),
                address: from_v4(*address.ip()),
            }),
            SocketAddr::V6(address) => IpSocketAddress::Ipv6(Ipv6SocketAddress {
                port: address.port(),
                flow_info: address.flowinfo(),
                address: from_v6(*address.ip()),
                scope_id: address.scope_id(),
            }),
        }
    }
}

impl From<IpSocketAddress> for SocketAddr {
    fn from(address: IpSocketAddress) -> SocketAddr {
        match address {
            IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address }) => {
                SocketAddrV4::new(v4(address), port).into()
            }
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info, address, scope_id }) => {
                SocketAddrV6::new(v6(address), port, flow_info, scope_id).into()
            }
        }
    }
}

impl IpAddressFamily {
    /// Whether sockets of this family may use an address at all.
    pub(super) fn check(self, address: SocketAddr) -> Answer<()> {
        let fits = match (self, address) {
            (IpAddressFamily::Ipv4, SocketAddr::V4(_)) => true,
            (IpAddressFamily::Ipv6, SocketAddr::V6(address)) => {
                address.ip().to_ipv4_mapped().is_none()
            }
            _ => false,
        };
        if fits { Ok(()) } else { Err(ErrorCode::InvalidArgument) }
    }

    /// Whether sockets of this family may send to an address.
    pub(super) fn check_remote(self, address: SocketAddr) -> Answer<()> {
        self.check(address)?;
        match address.ip().is_unspecified() || address.port() == 0 {
            true => Err(ErrorCode::InvalidArgument),
            false => Ok(()),
        }
    }
}

/// Refuses what stands for several hosts.
pub(super) fn check_unicast(address: SocketAddr) -> Answer<()> {
    let broadcast = address.ip() == IpAddr::V4(Ipv4Addr::BROADCAST);
    match broadcast || address.ip().is_multicast() {
        true => Err(ErrorCode::InvalidArgument),
        false => Ok(()),
    }
}

impl From<HostErrno> for ErrorCode {
    fn from(errno: HostErrno) -> ErrorCode {
        match errno {
            HostErrno::ACCESS | HostErrno::PERM => ErrorCode::AccessDenied,
            HostErrno::OPNOTSUPP | HostErrno::NOPROTOOPT => ErrorCode::NotSupported,
            HostErrno::INVAL | HostErrno::AFNOSUPPORT | HostErrno::DESTADDRREQ => {
                ErrorCode::InvalidArgument
            }
            HostErrno::NOMEM | HostErrno::NOBUFS => ErrorCode::OutOfMemory,
            HostErrno::TIMEDOUT => ErrorCode::Timeout,
            HostErrno::ALREADY => ErrorCode::ConcurrencyConflict,
            HostErrno::AGAIN => ErrorCode::WouldBlock,
            HostErrno::NOTCONN | HostErrno::ISCONN => ErrorCode::InvalidState,
            HostErrno::MFILE | HostErrno::NFILE => ErrorCode::NewSocketLimit,
            HostErrno::ADDRNOTAVAIL => ErrorCode::AddressNotBindable,
            HostErrno::ADDRINUSE => ErrorCode::AddressInUse,
            HostErrno::HOSTUNREACH
            | HostErrno::HOSTDOWN
            | HostErrno::NETUNREACH
            | HostErrno::NETDOWN
            | HostErrno::NONET => ErrorCode::RemoteUnreachable,
            HostErrno::CONNREFUSED => ErrorCode::ConnectionRefused,
            HostErrno::CONNRESET | HostErrno::NETRESET => ErrorCode::ConnectionReset,
            HostErrno::CONNABORTED => ErrorCode::ConnectionAborted,
            HostErrno::MSGSIZE => ErrorCode::DatagramTooLarge,
            _ => ErrorCode::Unknown,
        }
    }
}

impl From<Denied> for ErrorCode {
    fn from(_: Denied) -> ErrorCode {
        ErrorCode::AccessDenied
    }
}

/// What the error of a stream means for a connection, if it is about one.
pub fn network_error_code(error: &IoError) -> Option<ErrorCode> {
    Some(match error.errno? {
        Errno::Connreset | Errno::Netreset => ErrorCode::ConnectionReset,
        Errno::Connrefused => ErrorCode::ConnectionRefused,
        Errno::Connaborted => ErrorCode::ConnectionAborted,
        Errno::Timedout => ErrorCode::Timeout,
        Errno::Hostunreach | Errno::Netunreach | Errno::Netdown => ErrorCode::RemoteUnreachable,
        _ => return None,
    })
}

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    let mut network = linker.instance(&interface("sockets/network"));
    network.resource::<Network>("network", |mut cx, rep| {
        cx.data_mut().p2().table.remove(Resource::<Network>::new(rep)).map(drop)
    })?;
    network.func("network-error-code", |mut cx, (error,): (Resource<IoError>,)| {
        Ok(network_error_code(cx.data_mut().p2().table.at(&error)?))
    })?;
    Ok(())
}

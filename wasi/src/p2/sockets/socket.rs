//! [`Socket`]: a descriptor of the host with what TCP and UDP have in common. Invariant: it is non-blocking and closed
//! on exec, and one of IPv6 never carries IPv4.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::PollFlags;
use rustix::io::Errno as HostErrno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::limit::Slot;
use super::{Answer, ErrorCode, IpAddressFamily};
use crate::p2::{Readiness, Wait, WaitFd};
use crate::wait::ready;

/// Bytes beyond which hosts take no buffer sizes, halved as Linux doubles them.
const MAX_BUFFER: u64 = i32::MAX as u64 / 2;

/// A socket of the host, with its place among those of the guest.
#[derive(Debug)]
pub(super) struct Socket {
    fd: Arc<OwnedFd>,
    family: IpAddressFamily,
    _slot: Slot,
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Socket {
    /// A new socket.
    pub fn open(family: IpAddressFamily, ty: SocketType, slot: Slot) -> Answer<Socket> {
        let domain = match family {
            IpAddressFamily::Ipv4 => AddressFamily::INET,
            IpAddressFamily::Ipv6 => AddressFamily::INET6,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd =
            rustix::net::socket_with(domain, ty, flags, None).map_err(|error| match error {
                HostErrno::AFNOSUPPORT => ErrorCode::NotSupported,
                error => error.into(),
            })?;
        if family == IpAddressFamily::Ipv6 {
            sockopt::set_ipv6_v6only(&fd, true)?;
        }
        Ok(Socket::of(fd, family, slot))
    }

    /// A socket that the host accepted.
    pub fn of(fd: OwnedFd, family: IpAddressFamily, slot: Slot) -> Socket {
        Socket { fd: Arc::new(fd), family, _slot: slot }
    }

    pub fn family(&self) -> IpAddressFamily {
        self.family
    }

    /// Whether one of these flags holds now.
    pub fn is_ready(&self, flags: PollFlags) -> bool {
        // What cannot be asked is tried, and that tells why.
        ready(&self.fd, flags).unwrap_or(true)
    }

    /// What to wait for until one of these flags holds.
    pub fn wait(&self, flags: PollFlags) -> Wait {
        Wait::Fd(WaitFd::Shared(self.fd.clone()), flags)
    }

    pub fn readiness(&self, flags: PollFlags) -> Readiness {
        match self.is_ready(flags) {
            true => Readiness::Ready,
            false => Readiness::Wait(self.wait(flags)),
        }
    }

    pub fn local_address(&self) -> Answer<SocketAddr> {
        rustix::net::getsockname(&self.fd)?.try_into().map_err(|_| ErrorCode::Unknown)
    }

    pub fn remote_address(&self) -> Answer<SocketAddr> {
        let address = rustix::net::getpeername(&self.fd)?.ok_or(ErrorCode::InvalidState)?;
        address.try_into().map_err(|_| ErrorCode::Unknown)
    }

    pub fn hop_limit(&self) -> Answer<u8> {
        Ok(match self.family {
            IpAddressFamily::Ipv4 => sockopt::ip_ttl(&self.fd)?.min(u8::MAX.into()) as u8,
            IpAddressFamily::Ipv6 => sockopt::ipv6_unicast_hops(&self.fd)?,
        })
    }

    pub fn set_hop_limit(&self, value: u8) -> Answer<()> {
        if value == 0 {
            return Err(ErrorCode::InvalidArgument);
        }
        match self.family {
            IpAddressFamily::Ipv4 => sockopt::set_ip_ttl(&self.fd, value.into())?,
            IpAddressFamily::Ipv6 => sockopt::set_ipv6_unicast_hops(&self.fd, Some(value))?,
        }
        Ok(())
    }

    pub fn receive_buffer_size(&self) -> Answer<u64> {
        Ok(sockopt::socket_recv_buffer_size(&self.fd)? as u64 / 2)
    }

    pub fn set_receive_buffer_size(&self, value: u64) -> Answer<()> {
        Ok(sockopt::set_socket_recv_buffer_size(&self.fd, buffer_size(value)?)?)
    }

    pub fn send_buffer_size(&self) -> Answer<u64> {
        Ok(sockopt::socket_send_buffer_size(&self.fd)? as u64 / 2)
    }

    pub fn set_send_buffer_size(&self, value: u64) -> Answer<()> {
        Ok(sockopt::set_socket_send_buffer_size(&self.fd, buffer_size(value)?)?)
    }
}

fn buffer_size(value: u64) -> Answer<usize> {
    match value {
        0 => Err(ErrorCode::InvalidArgument),
        value => Ok(value.min(MAX_BUFFER) as usize),
    }
}

/// Repeats a call that a signal ended.
pub(super) fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(HostErrno::INTR) => {}
            result => return result,
        }
    }
}

//! [`UdpSocket`] and its two streams of datagrams. Used by the interface `wasi:sockets/udp`.
//!
//! Invariant: the policy is asked about every address that a datagram goes to: for each datagram, or once for a socket
//! that the host has connected to it. One call moves at most [`MAX_DATAGRAMS`].

use std::net::SocketAddr;
use std::sync::Arc;

use lithe::{Error, Result};
use lithe_component::record;
use rustix::event::PollFlags;
use rustix::io::Errno as HostErrno;
use rustix::net::{RecvFlags, SendFlags, SocketType};

use super::socket::{Socket, retry};
use super::{Answer, ErrorCode, IpAddressFamily, IpSocketAddress, Sockets};
use crate::NetPolicy;
use crate::p2::Readiness;
use crate::p2::io::Subscribe;

/// Datagrams that one call receives or sends at most.
pub const MAX_DATAGRAMS: u64 = 16;
/// Bytes that no datagram has.
const MAX_DATAGRAM: usize = 1 << 16;
/// Datagrams of others than the peer that one call drops at most, so that a flood of them does not hold it up.
const MAX_DROPPED: u64 = 64;

record! {
    /// `wasi:sockets/udp.incoming-datagram`
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct IncomingDatagram {
        "data" data: Vec<u8>,
        "remote-address" remote_address: IpSocketAddress,
    }
}

record! {
    /// `wasi:sockets/udp.outgoing-datagram`
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct OutgoingDatagram {
        "data" data: Vec<u8>,
        "remote-address" remote_address: Option<IpSocketAddress>,
    }
}

/// `wasi:sockets/udp.udp-socket`
#[derive(Debug)]
pub struct UdpSocket {
    socket: Arc<Socket>,
    state: State,
    remote: Option<SocketAddr>,
    /// Shared with the streams, so that their number is known.
    streams: Arc<()>,
}

#[derive(Debug)]
enum State {
    Unbound,
    BindStarted,
    /// With the address that the host chose.
    Bound(SocketAddr),
}

impl UdpSocket {
    /// A new socket.
    pub fn new(sockets: &Sockets, family: IpAddressFamily) -> Answer<UdpSocket> {
        let socket = Socket::open(family, SocketType::DGRAM, sockets.slot()?)?.into();
        Ok(UdpSocket { socket, state: State::Unbound, remote: None, streams: Arc::default() })
    }

    /// Binds the socket.
    pub fn start_bind(&mut self, policy: &NetPolicy, local: SocketAddr) -> Answer<()> {
        self.socket.family().check(local)?;
        match self.state {
            State::Unbound => {}
            State::BindStarted => return Err(ErrorCode::ConcurrencyConflict),
            State::Bound(_) => return Err(ErrorCode::InvalidState),
        }
        policy.udp_bind(local)?;
        rustix::net::bind(&self.socket, &local)?;
        self.state = State::BindStarted;
        Ok(())
    }

    /// Ends what [`start_bind`](UdpSocket::start_bind) began.
    pub fn finish_bind(&mut self) -> Answer<()> {
        match self.state {
            State::BindStarted => self.state = State::Bound(self.socket.local_address()?),
            _ => return Err(ErrorCode::NotInProgress),
        }
        Ok(())
    }

    /// Streams to and from everybody, or one peer. They end the guest if those before them are still there.
    pub fn stream(
        &mut self,
        policy: &NetPolicy,
        remote: Option<SocketAddr>,
    ) -> Result<Answer<(IncomingDatagramStream, OutgoingDatagramStream)>> {
        if Arc::strong_count(&self.streams) > 1 {
            return Err(Error::host("stream: the datagram streams of before are still there"));
        }
        Ok(self.connect(policy, remote).map(|()| {
            let (socket, streams) = (self.socket.clone(), self.streams.clone());
            let incoming = IncomingDatagramStream { socket, remote, failure: None, _one: streams };
            let (socket, streams) = (self.socket.clone(), self.streams.clone());
            (incoming, OutgoingDatagramStream { socket, remote, permitted: 0, _one: streams })
        }))
    }

    fn connect(&mut self, policy: &NetPolicy, remote: Option<SocketAddr>) -> Answer<()> {
        let State::Bound(local) = self.state else { return Err(ErrorCode::InvalidState) };
        if let Some(remote) = remote {
            self.socket.family().check_remote(remote)?;
            policy.udp_send(remote)?;
        }
        if self.remote.take().is_some() {
            rustix::net::connect_unspec(&self.socket)?;
            // Linux gives the port back that it had chosen itself.
            if self.socket.local_address()?.port() == 0 {
                rustix::net::bind(&self.socket, &local)?;
            }
        }
        if let Some(remote) = remote {
            rustix::net::connect(&self.socket, &remote).map_err(|errno| match errno {
                HostErrno::ADDRNOTAVAIL | HostErrno::AGAIN => ErrorCode::AddressInUse,
                errno => errno.into(),
            })?;
            self.remote = Some(remote);
        }
        Ok(())
    }

    /// The address of this side.
    pub fn local_address(&self) -> Answer<SocketAddr> {
        match self.state {
            State::Unbound => Err(ErrorCode::InvalidState),
            State::BindStarted => Err(ErrorCode::ConcurrencyConflict),
            State::Bound(_) => self.socket.local_address(),
        }
    }

    /// The peer.
    pub fn remote_address(&self) -> Answer<SocketAddr> {
        self.remote.ok_or(ErrorCode::InvalidState)
    }

    /// The family.
    pub fn address_family(&self) -> IpAddressFamily {
        self.socket.family()
    }

    /// How many routers datagrams may pass.
    pub fn unicast_hop_limit(&self) -> Answer<u8> {
        self.socket.hop_limit()
    }

    /// Sets how many routers datagrams may pass.
    pub fn set_unicast_hop_limit(&mut self, value: u8) -> Answer<()> {
        self.socket.set_hop_limit(value)
    }

    /// Bytes of the host's buffer for what arrives.
    pub fn receive_buffer_size(&self) -> Answer<u64> {
        self.socket.receive_buffer_size()
    }

    /// Sets the size of the host's buffer for what arrives.
    pub fn set_receive_buffer_size(&mut self, value: u64) -> Answer<()> {
        self.socket.set_receive_buffer_size(value)
    }

    /// Bytes of the host's buffer for what is sent.
    pub fn send_buffer_size(&self) -> Answer<u64> {
        self.socket.send_buffer_size()
    }

    /// Sets the size of the host's buffer for what is sent.
    pub fn set_send_buffer_size(&mut self, value: u64) -> Answer<()> {
        self.socket.set_send_buffer_size(value)
    }
}

impl Subscribe for UdpSocket {
    fn readiness(&mut self) -> Readiness {
        // Nothing that a socket does itself takes time; its streams have pollables of their own.
        Readiness::Ready
    }
}

/// `wasi:sockets/udp.incoming-datagram-stream`
#[derive(Debug)]
pub struct IncomingDatagramStream {
    socket: Arc<Socket>,
    remote: Option<SocketAddr>,
    /// What went wrong after datagrams had been received, for the next call.
    failure: Option<ErrorCode>,
    _one: Arc<()>,
}

impl IncomingDatagramStream {
    /// Receives what has arrived, which may be nothing.
    pub fn receive(&mut self, max_results: u64) -> Answer<Vec<IncomingDatagram>> {
        let mut datagrams = Vec::new();
        if max_results == 0 {
            return Ok(datagrams);
        }
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut buffer = vec![0; MAX_DATAGRAM];
        let (mut left, mut dropped) = (max_results.min(MAX_DATAGRAMS), 0);
        while left > 0 && dropped < MAX_DROPPED {
            let received = retry(|| {
                rustix::net::recvfrom(&self.socket, buffer.as_mut_slice(), RecvFlags::empty())
            });
            let (count, from) = match received {
                Ok((count, _, from)) => (count, from.and_then(|from| from.try_into().ok())),
                Err(HostErrno::AGAIN) => break,
                Err(errno) if datagrams.is_empty() => return Err(errno.into()),
                Err(errno) => {
                    self.failure = Some(errno.into());
                    break;
                }
            };
            // The host keeps what had arrived before it was connected to the peer.
            match from.filter(|from| self.remote.is_none_or(|remote| same(remote, *from))) {
                Some(from) => {
                    let data = buffer.get(..count).unwrap_or_default().to_vec();
                    datagrams.push(IncomingDatagram { data, remote_address: from.into() });
                    left -= 1;
                }
                None => dropped += 1,
            }
        }
        Ok(datagrams)
    }
}

/// Whether two addresses are of the same peer; hosts fill in the zone that guests leave out.
fn same(one: SocketAddr, other: SocketAddr) -> bool {
    (one.ip(), one.port()) == (other.ip(), other.port())
}

impl Subscribe for IncomingDatagramStream {
    fn readiness(&mut self) -> Readiness {
        match self.failure {
            Some(_) => Readiness::Ready,
            None => self.socket.readiness(PollFlags::IN),
        }
    }
}

/// `wasi:sockets/udp.outgoing-datagram-stream`
#[derive(Debug)]
pub struct OutgoingDatagramStream {
    socket: Arc<Socket>,
    remote: Option<SocketAddr>,
    permitted: u64,
    _one: Arc<()>,
}

impl OutgoingDatagramStream {
    /// How many datagrams the next call of [`send`](OutgoingDatagramStream::send) may have.
    pub fn check_send(&mut self) -> Answer<u64> {
        let ready = self.socket.is_ready(PollFlags::OUT);
        self.permitted = if ready { MAX_DATAGRAMS } else { 0 };
        Ok(self.permitted)
    }

    /// Sends datagrams; how many the host took. More than were permitted end the guest.
    pub fn send(
        &mut self,
        policy: &NetPolicy,
        datagrams: &[OutgoingDatagram],
    ) -> Result<Answer<u64>> {
        if datagrams.is_empty() {
            return Ok(Ok(0));
        }
        if datagrams.len() as u64 > std::mem::take(&mut self.permitted) {
            return Err(Error::host("send: more datagrams than check-send permitted"));
        }
        for (datagram, sent) in datagrams.iter().zip(0..) {
            match self.send_one(policy, datagram) {
                Ok(()) => {}
                Err(ErrorCode::WouldBlock) => return Ok(Ok(sent)),
                Err(_) if sent > 0 => return Ok(Ok(sent)),
                Err(code) => return Ok(Err(code)),
            }
        }
        Ok(Ok(datagrams.len() as u64))
    }

    fn send_one(&self, policy: &NetPolicy, datagram: &OutgoingDatagram) -> Answer<()> {
        let to = datagram.remote_address.map(SocketAddr::from);
        let (socket, data) = (&self.socket, &datagram.data);
        let target = match (self.remote, to) {
            (Some(_), None) => None,
            (Some(remote), Some(to)) if remote == to => None,
            (None, Some(to)) => {
                socket.family().check_remote(to)?;
                Some(to)
            }
            _ => return Err(ErrorCode::InvalidArgument),
        };
        if data.len() >= MAX_DATAGRAM {
            return Err(ErrorCode::DatagramTooLarge);
        }
        let flags = SendFlags::NOSIGNAL;
        match target {
            None => retry(|| rustix::net::send(socket, data, flags))?,
            Some(to) => {
                policy.udp_send(to)?;
                retry(|| rustix::net::sendto(socket, data, flags, &to))?
            }
        };
        Ok(())
    }
}

impl Subscribe for OutgoingDatagramStream {
    fn readiness(&mut self) -> Readiness {
        self.socket.readiness(PollFlags::OUT)
    }
}

//! [`TcpSocket`]: the states of a TCP socket, as WASI's "Operational semantics of WASI TCP sockets" has them.
//!
//! ```text
//! unbound --start-bind--> bind started --finish-bind--> bound --start-listen--> listen started --finish-listen--> listening
//!    |                                                    |                                                          |
//!    +--------------------start-connect-------------------+--> connect started --finish-connect--> connected <--accept-+
//!                                                                    +--> closed
//! ```
//!
//! Used by the interface `wasi:sockets/tcp`. Binding and listening happen in `start-`, where they fail, if they do, and
//! leave the state as it was. So do arguments that are refused and what the policy denies. Invariant: the host is asked
//! to bind, connect or listen only after the policy was asked about the very same address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lithe_component::variant;
use rustix::event::PollFlags;
use rustix::io::Errno as HostErrno;
use rustix::net::{SocketFlags, SocketType, sockopt};

use super::connection::Connection;
use super::network::check_unicast;
use super::socket::{Socket, retry};
use super::{Answer, ErrorCode, IpAddressFamily, Sockets, TcpInput, TcpOutput};
use crate::NetPolicy;
use crate::p2::io::Subscribe;
use crate::p2::{Readiness, Wait};

/// Connections that wait to be accepted, unless the guest says otherwise, and at most.
const DEFAULT_BACKLOG: i32 = 128;
const MAX_BACKLOG: u64 = 4096;
/// The longest time between packets that Linux takes for keeping connections alive, in seconds.
const MAX_KEEP_ALIVE: u64 = 32_767;
/// The most packets that Linux sends before it gives a connection up.
const MAX_KEEP_ALIVE_COUNT: u32 = 127;
const NANOS: u64 = 1_000_000_000;

variant! {
    /// `wasi:sockets/tcp.shutdown-type`
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum ShutdownType { "receive" Receive, "send" Send, "both" Both }
}

/// `wasi:sockets/tcp.tcp-socket`
#[derive(Debug)]
pub struct TcpSocket {
    socket: Arc<Socket>,
    state: State,
    /// What the guest bound it to: port 0 is still port 0 here.
    bound: Option<SocketAddr>,
    backlog: i32,
}

#[derive(Debug)]
enum State {
    Unbound,
    BindStarted,
    Bound,
    ListenStarted,
    Listening,
    /// With the error that the host gave at once.
    ConnectStarted(Option<ErrorCode>),
    Connected(Arc<Connection>),
    Closed,
}

impl TcpSocket {
    /// A new socket.
    pub fn new(sockets: &Sockets, family: IpAddressFamily) -> Answer<TcpSocket> {
        let socket = Socket::open(family, SocketType::STREAM, sockets.slot()?)?;
        Ok(TcpSocket::with_state(socket.into(), State::Unbound))
    }

    fn with_state(socket: Arc<Socket>, state: State) -> TcpSocket {
        TcpSocket { socket, state, bound: None, backlog: DEFAULT_BACKLOG }
    }

    /// The error of starting something in a state that it cannot start in.
    fn misplaced(&self) -> ErrorCode {
        match self.state {
            State::BindStarted | State::ListenStarted | State::ConnectStarted(_) => {
                ErrorCode::ConcurrencyConflict
            }
            _ => ErrorCode::InvalidState,
        }
    }

    /// Binds the socket.
    pub fn start_bind(&mut self, policy: &NetPolicy, local: SocketAddr) -> Answer<()> {
        self.socket.family().check(local)?;
        check_unicast(local)?;
        if !matches!(self.state, State::Unbound) {
            return Err(self.misplaced());
        }
        policy.tcp_bind(local)?;
        if local.port() != 0 {
            sockopt::set_socket_reuseaddr(&self.socket, true)?;
        }
        rustix::net::bind(&self.socket, &local)?;
        self.bound = Some(local);
        self.state = State::BindStarted;
        Ok(())
    }

    /// Ends what [`start_bind`](TcpSocket::start_bind) began.
    pub fn finish_bind(&mut self) -> Answer<()> {
        match self.state {
            State::BindStarted => self.state = State::Bound,
            _ => return Err(ErrorCode::NotInProgress),
        }
        Ok(())
    }

    /// Begins to connect.
    pub fn start_connect(&mut self, policy: &NetPolicy, remote: SocketAddr) -> Answer<()> {
        self.socket.family().check_remote(remote)?;
        check_unicast(remote)?;
        if !matches!(self.state, State::Unbound | State::Bound) {
            return Err(self.misplaced());
        }
        policy.tcp_connect(remote)?;
        // A signal does not end what it began.
        let failure = match rustix::net::connect(&self.socket, &remote) {
            Ok(()) | Err(HostErrno::INPROGRESS | HostErrno::INTR) => None,
            Err(errno) => Some(connect_error(errno)),
        };
        self.state = State::ConnectStarted(failure);
        Ok(())
    }

    /// The streams, when the connection is there.
    pub fn finish_connect(&mut self) -> Answer<(TcpInput, TcpOutput)> {
        let State::ConnectStarted(failure) = self.state else {
            return Err(ErrorCode::NotInProgress);
        };
        if failure.is_none() && !self.socket.is_ready(PollFlags::OUT) {
            return Err(ErrorCode::WouldBlock);
        }
        self.state = State::Closed;
        if let Some(failure) = failure {
            return Err(failure);
        }
        sockopt::socket_error(&self.socket)?.map_err(connect_error)?;
        let connection = Connection::new(self.socket.clone());
        self.state = State::Connected(connection.clone());
        Ok(connection.streams())
    }

    /// Begins to listen.
    pub fn start_listen(&mut self, policy: &NetPolicy) -> Answer<()> {
        let (State::Bound, Some(bound)) = (&self.state, self.bound) else {
            return Err(self.misplaced());
        };
        policy.tcp_listen(bound)?;
        rustix::net::listen(&self.socket, self.backlog)?;
        self.state = State::ListenStarted;
        Ok(())
    }

    /// Ends what [`start_listen`](TcpSocket::start_listen) began.
    pub fn finish_listen(&mut self) -> Answer<()> {
        match self.state {
            State::ListenStarted => self.state = State::Listening,
            _ => return Err(ErrorCode::NotInProgress),
        }
        Ok(())
    }

    /// A connection that somebody else made. Linux has it inherit the options.
    pub fn accept(&mut self, sockets: &Sockets) -> Answer<(TcpSocket, TcpInput, TcpOutput)> {
        if !matches!(self.state, State::Listening) {
            return Err(self.misplaced());
        }
        let slot = sockets.slot()?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let accepted = retry(|| rustix::net::accept_with(&self.socket, flags));
        let fd = accepted.map_err(|errno| match errno {
            // Linux reports here what happened to the connection that is no more.
            HostErrno::NETDOWN
            | HostErrno::PROTO
            | HostErrno::NOPROTOOPT
            | HostErrno::HOSTDOWN
            | HostErrno::NONET
            | HostErrno::HOSTUNREACH
            | HostErrno::OPNOTSUPP
            | HostErrno::NETUNREACH => ErrorCode::ConnectionAborted,
            errno => errno.into(),
        })?;
        let socket = Arc::new(Socket::of(fd, self.socket.family(), slot));
        let connection = Connection::new(socket.clone());
        let (input, output) = connection.streams();
        Ok((TcpSocket::with_state(socket, State::Connected(connection)), input, output))
    }

    /// The address of this side.
    pub fn local_address(&self) -> Answer<SocketAddr> {
        match self.state {
            State::Unbound | State::BindStarted | State::Closed => Err(self.misplaced()),
            _ => self.socket.local_address(),
        }
    }

    /// The address of the other side.
    pub fn remote_address(&self) -> Answer<SocketAddr> {
        match self.state {
            State::Connected(_) => self.socket.remote_address(),
            _ => Err(self.misplaced()),
        }
    }

    /// Whether connections can be accepted.
    pub fn is_listening(&self) -> bool {
        matches!(self.state, State::Listening)
    }

    /// The family.
    pub fn address_family(&self) -> IpAddressFamily {
        self.socket.family()
    }

    /// Sets how many connections wait to be accepted at most.
    pub fn set_listen_backlog_size(&mut self, value: u64) -> Answer<()> {
        if value == 0 {
            return Err(ErrorCode::InvalidArgument);
        }
        let backlog = value.min(MAX_BACKLOG) as i32;
        match self.state {
            State::Unbound | State::BindStarted | State::Bound => {}
            State::ListenStarted | State::Listening => rustix::net::listen(&self.socket, backlog)?,
            State::ConnectStarted(_) | State::Connected(_) | State::Closed => {
                return Err(ErrorCode::InvalidState);
            }
        }
        self.backlog = backlog;
        Ok(())
    }

    /// The socket of the host, unless connecting failed.
    fn open(&self) -> Answer<&Socket> {
        match self.state {
            State::Closed => Err(ErrorCode::InvalidState),
            _ => Ok(&self.socket),
        }
    }

    /// Whether the connection is kept alive.
    pub fn keep_alive_enabled(&self) -> Answer<bool> {
        Ok(sockopt::socket_keepalive(self.open()?)?)
    }

    /// Sets whether the connection is kept alive.
    pub fn set_keep_alive_enabled(&mut self, value: bool) -> Answer<()> {
        Ok(sockopt::set_socket_keepalive(self.open()?, value)?)
    }

    /// Nanoseconds without packets until keeping the connection alive begins.
    pub fn keep_alive_idle_time(&self) -> Answer<u64> {
        Ok(nanos(sockopt::tcp_keepidle(self.open()?)?))
    }

    /// Sets after what time keeping the connection alive begins.
    pub fn set_keep_alive_idle_time(&mut self, value: u64) -> Answer<()> {
        Ok(sockopt::set_tcp_keepidle(self.open()?, seconds(value)?)?)
    }

    /// Nanoseconds between packets that keep the connection alive.
    pub fn keep_alive_interval(&self) -> Answer<u64> {
        Ok(nanos(sockopt::tcp_keepintvl(self.open()?)?))
    }

    /// Sets the time between packets that keep the connection alive.
    pub fn set_keep_alive_interval(&mut self, value: u64) -> Answer<()> {
        Ok(sockopt::set_tcp_keepintvl(self.open()?, seconds(value)?)?)
    }

    /// How many packets without an answer end the connection.
    pub fn keep_alive_count(&self) -> Answer<u32> {
        Ok(sockopt::tcp_keepcnt(self.open()?)?)
    }

    /// Sets how many packets without an answer end the connection.
    pub fn set_keep_alive_count(&mut self, value: u32) -> Answer<()> {
        if value == 0 {
            return Err(ErrorCode::InvalidArgument);
        }
        Ok(sockopt::set_tcp_keepcnt(self.open()?, value.min(MAX_KEEP_ALIVE_COUNT))?)
    }

    /// How many routers packets may pass.
    pub fn hop_limit(&self) -> Answer<u8> {
        self.open()?.hop_limit()
    }

    /// Sets how many routers packets may pass.
    pub fn set_hop_limit(&mut self, value: u8) -> Answer<()> {
        self.open()?.set_hop_limit(value)
    }

    /// Bytes of the host's buffer for what arrives.
    pub fn receive_buffer_size(&self) -> Answer<u64> {
        self.open()?.receive_buffer_size()
    }

    /// Sets the size of the host's buffer for what arrives.
    pub fn set_receive_buffer_size(&mut self, value: u64) -> Answer<()> {
        self.open()?.set_receive_buffer_size(value)
    }

    /// Bytes of the host's buffer for what is sent.
    pub fn send_buffer_size(&self) -> Answer<u64> {
        self.open()?.send_buffer_size()
    }

    /// Sets the size of the host's buffer for what is sent.
    pub fn set_send_buffer_size(&mut self, value: u64) -> Answer<()> {
        self.open()?.set_send_buffer_size(value)
    }

    /// Ends one direction of the connection, or both.
    pub fn shutdown(&mut self, how: ShutdownType) -> Answer<()> {
        let State::Connected(connection) = &self.state else {
            return Err(self.misplaced());
        };
        if how != ShutdownType::Send {
            connection.close_input()?;
        }
        if how != ShutdownType::Receive {
            connection.close_output()?;
        }
        Ok(())
    }

    /// Hands on what the guest wrote and the host did not take yet; what to wait for while there is such.
    pub(super) fn hand_on(&self) -> Option<Wait> {
        match &self.state {
            State::Connected(connection) => connection.hand_on(),
            _ => None,
        }
    }
}

impl Subscribe for TcpSocket {
    fn readiness(&mut self) -> Readiness {
        match self.state {
            State::ConnectStarted(None) => self.socket.readiness(PollFlags::OUT),
            State::Listening => self.socket.readiness(PollFlags::IN),
            _ => Readiness::Ready,
        }
    }
}

/// Errors that mean something else for `connect` than for other calls.
fn connect_error(errno: HostErrno) -> ErrorCode {
    match errno {
        // There is no port left for this side.
        HostErrno::ADDRNOTAVAIL | HostErrno::AGAIN => ErrorCode::AddressInUse,
        errno => errno.into(),
    }
}

/// A time in seconds, rounded up, as Linux takes it.
fn seconds(nanos: u64) -> Answer<Duration> {
    match nanos {
        0 => Err(ErrorCode::InvalidArgument),
        nanos => Ok(Duration::from_secs(nanos.div_ceil(NANOS).min(MAX_KEEP_ALIVE))),
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

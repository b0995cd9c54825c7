//! The two streams of a TCP connection. Made by [`TcpSocket`](super::TcpSocket), read and written through `wasi:io`.
//!
//! The host may take fewer bytes than a guest was permitted to write. The rest is kept here and handed on whenever the
//! guest asks either stream for anything, and when the socket is dropped. Invariant: nothing is permitted while bytes
//! are kept, so they are never more than one permission.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::buffer::spare_capacity;
use rustix::event::PollFlags;
use rustix::io::Errno as HostErrno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, sockopt};

use super::Answer;
use super::socket::{Socket, retry};
use crate::descriptor::lock;
use crate::p2::io::{InputStream, IoError, OutputStream, StreamFailure, StreamResult};
use crate::p2::{Readiness, Wait};

/// Bytes that one call reads at most.
const MAX_READ: usize = 64 << 10;
/// Bytes that are permitted to be written at once, at most and at least.
const MAX_WRITE: usize = 64 << 10;
const MIN_WRITE: usize = 1 << 10;
/// The part of the host's buffer that is permitted at once: one that the host takes at one go when it says that there is
/// room, with what it adds for its own use.
const WRITE_PART: usize = 8;

/// A connection that two streams and a socket share.
#[derive(Debug)]
pub(super) struct Connection {
    socket: Arc<Socket>,
    /// The guest reads no more.
    read_closed: AtomicBool,
    output: Mutex<Outgoing>,
}

#[derive(Debug, Default)]
struct Outgoing {
    kept: Vec<u8>,
    /// The guest writes no more.
    closed: bool,
    /// The host is told so once nothing is kept.
    shutdown: bool,
    /// Why bytes could not be handed on, until the guest asks.
    failure: Option<IoError>,
}

impl Connection {
    pub fn new(socket: Arc<Socket>) -> Arc<Connection> {
        let read_closed = AtomicBool::new(false);
        Arc::new(Connection { socket, read_closed, output: Mutex::default() })
    }

    /// The streams of the guest.
    pub fn streams(self: &Arc<Connection>) -> (TcpInput, TcpOutput) {
        (TcpInput(self.clone()), TcpOutput(self.clone()))
    }

    /// Ends what the guest reads. What the host has received is dropped.
    pub fn close_input(&self) -> Answer<()> {
        if !self.read_closed.swap(true, Ordering::Relaxed) {
            rustix::net::shutdown(&*self.socket, Shutdown::Read)?;
        }
        Ok(())
    }

    /// Ends what the guest writes, once all is sent.
    pub fn close_output(&self) -> Answer<()> {
        let mut output = lock(&self.output);
        if output.shutdown {
            return Ok(());
        }
        output.closed = true;
        output.shutdown = true;
        output.hand_on(&self.socket);
        match output.kept.is_empty() {
            true => Ok(rustix::net::shutdown(&*self.socket, Shutdown::Write)?),
            false => Ok(()),
        }
    }

    /// Hands on what is kept; what to wait for while there is still something.
    pub fn hand_on(&self) -> Option<Wait> {
        let output = self.output();
        (!output.kept.is_empty()).then(|| self.socket.wait(PollFlags::OUT))
    }

    fn output(&self) -> MutexGuard<'_, Outgoing> {
        let mut output = lock(&self.output);
        if !output.kept.is_empty() {
            output.hand_on(&self.socket);
            if output.kept.is_empty() && output.shutdown {
                // The connection is gone when this fails, and there is nobody to tell.
                let _ = rustix::net::shutdown(&*self.socket, Shutdown::Write);
            }
        }
        output
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        drop(self.output());
    }
}

impl Outgoing {
    /// Has the host take what it takes of what is kept.
    fn hand_on(&mut self, socket: &Socket) {
        let mut sent = 0;
        while sent < self.kept.len() {
            match send(socket, &self.kept[sent..]) {
                Ok(0) => break,
                Ok(count) => sent += count,
                Err(errno) => {
                    self.kept.clear();
                    self.closed = true;
                    self.failure = Some(errno.into());
                    return;
                }
            }
        }
        self.kept.drain(..sent);
    }
}

/// Sends what the host takes without waiting, which may be nothing.
fn send(socket: &Socket, bytes: &[u8]) -> rustix::io::Result<usize> {
    match retry(|| rustix::net::send(socket, bytes, SendFlags::NOSIGNAL)) {
        Err(HostErrno::AGAIN) => Ok(0),
        result => result,
    }
}

/// What the guest reads from a connection.
#[derive(Debug)]
pub struct TcpInput(Arc<Connection>);

impl InputStream for TcpInput {
    fn read(&mut self, max: usize) -> StreamResult<Vec<u8>> {
        let connection = &*self.0;
        if connection.read_closed.load(Ordering::Relaxed) {
            return Err(StreamFailure::Closed);
        }
        connection.hand_on();
        let mut bytes = Vec::with_capacity(max.min(MAX_READ));
        if max == 0 {
            return Ok(bytes);
        }
        let socket = &*connection.socket;
        match retry(|| rustix::net::recv(socket, spare_capacity(&mut bytes), RecvFlags::empty())) {
            Ok(_) if !bytes.is_empty() => Ok(bytes),
            Err(HostErrno::AGAIN) => Ok(bytes),
            result => {
                connection.read_closed.store(true, Ordering::Relaxed);
                result?;
                Err(StreamFailure::Closed)
            }
        }
    }

    fn readiness(&mut self) -> Readiness {
        let connection = &*self.0;
        let closed = connection.read_closed.load(Ordering::Relaxed);
        if closed || connection.socket.is_ready(PollFlags::IN) {
            return Readiness::Ready;
        }
        let more = if connection.hand_on().is_some() { PollFlags::OUT } else { PollFlags::empty() };
        Readiness::Wait(connection.socket.wait(PollFlags::IN | more))
    }
}

/// What the guest writes to a connection.
#[derive(Debug)]
pub struct TcpOutput(Arc<Connection>);

impl TcpOutput {
    /// The state of the output, unless it is at its end.
    fn open(&self) -> StreamResult<MutexGuard<'_, Outgoing>> {
        let mut output = self.0.output();
        match output.failure.take() {
            Some(failure) => Err(StreamFailure::Failed(failure)),
            None if output.closed => Err(StreamFailure::Closed),
            None => Ok(output),
        }
    }
}

impl OutputStream for TcpOutput {
    fn check_write(&mut self) -> StreamResult<usize> {
        let output = self.open()?;
        let socket = &*self.0.socket;
        if !output.kept.is_empty() || !socket.is_ready(PollFlags::OUT) {
            return Ok(0);
        }
        let buffer = sockopt::socket_send_buffer_size(socket)?;
        Ok((buffer / WRITE_PART).clamp(MIN_WRITE, MAX_WRITE))
    }

    fn write(&mut self, bytes: &[u8]) -> StreamResult<()> {
        let mut output = self.open()?;
        let mut sent = 0;
        if output.kept.is_empty() && !bytes.is_empty() {
            match send(&self.0.socket, bytes) {
                Ok(count) => sent = count,
                Err(errno) => {
                    output.closed = true;
                    // The peer is gone, which the guest was told when it happened.
                    return Err(match errno {
                        HostErrno::PIPE => StreamFailure::Closed,
                        errno => errno.into(),
                    });
                }
            }
        }
        output.kept.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.open().map(drop)
    }

    fn readiness(&mut self) -> Readiness {
        let output = self.0.output();
        match (output.closed, output.kept.is_empty()) {
            (true, _) => Readiness::Ready,
            (false, true) => self.0.socket.readiness(PollFlags::OUT),
            (false, false) => Readiness::Wait(self.0.socket.wait(PollFlags::OUT)),
        }
    }
}

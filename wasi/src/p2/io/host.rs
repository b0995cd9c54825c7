//! Streams over descriptors of the host that may wait: standard streams, FIFOs and devices. Invariant: a descriptor that
//! other processes use too keeps its mode, is asked before it is read, and gives no byte before the guest wants it.

use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::event::PollFlags;
use rustix::io::Errno as HostErrno;

use super::{InputStream, OutputStream, StreamFailure, StreamResult};
use crate::p2::{Readiness, Wait, WaitFd};
use crate::table::Seat;
use crate::wait::{Deadline, ready};

/// Bytes that one call reads at most.
const MAX_READ: usize = 64 << 10;
/// What can be written to a ready pipe without waiting (`PIPE_BUF` of Linux).
const PIPE_BUF: usize = 4096;
/// What can be written to a file at a time.
const FILE_BUF: usize = 1 << 20;

fn readiness(fd: &WaitFd, flags: PollFlags) -> Readiness {
    match ready(fd, flags) {
        // What fails here fails when the stream is used, which tells the guest.
        Ok(true) | Err(_) => Readiness::Ready,
        Ok(false) => Readiness::Wait(Wait::Fd(fd.clone(), flags)),
    }
}

/// A descriptor that is read.
pub(crate) struct HostInput {
    fd: WaitFd,
    _seat: Option<Arc<Seat>>,
    ended: bool,
}

impl HostInput {
    /// `seat` is the place that the descriptor takes among the guest's.
    pub fn new(fd: WaitFd, seat: Option<Arc<Seat>>) -> HostInput {
        HostInput { fd, _seat: seat, ended: false }
    }
}

impl InputStream for HostInput {
    fn read(&mut self, max: usize) -> StreamResult<Vec<u8>> {
        if self.ended {
            return Err(StreamFailure::Closed);
        }
        if max == 0 || !ready(&self.fd, PollFlags::IN)? {
            return Ok(Vec::new());
        }
        let mut bytes = Vec::with_capacity(max.min(MAX_READ));
        match rustix::io::read(&self.fd, spare_capacity(&mut bytes)) {
            Ok(0) => {
                self.ended = true;
                Err(StreamFailure::Closed)
            }
            Ok(_) => Ok(bytes),
            // Somebody else was faster.
            Err(HostErrno::AGAIN | HostErrno::INTR) => Ok(Vec::new()),
            Err(error) => {
                self.ended = true;
                Err(error.into())
            }
        }
    }

    fn readiness(&mut self) -> Readiness {
        match self.ended {
            true => Readiness::Ready,
            false => readiness(&self.fd, PollFlags::IN),
        }
    }
}

/// A descriptor that is written.
pub(crate) struct HostOutput {
    fd: WaitFd,
    _seat: Option<Arc<Seat>>,
    /// How much is permitted when it is ready.
    piece: usize,
    deadline: Deadline,
    ended: bool,
}

impl HostOutput {
    /// `is_file` says that writing never waits.
    pub fn new(
        fd: WaitFd,
        is_file: bool,
        deadline: Deadline,
        seat: Option<Arc<Seat>>,
    ) -> HostOutput {
        let piece = if is_file { FILE_BUF } else { PIPE_BUF };
        HostOutput { fd, _seat: seat, piece, deadline, ended: false }
    }

    /// Writes all. A descriptor that somebody else has made non-blocking is waited for when it is full in spite of what
    /// it said before.
    pub fn write_all(&mut self, mut bytes: &[u8]) -> StreamResult<()> {
        let fd = &self.fd;
        while !bytes.is_empty() {
            let write = || rustix::io::write(fd, bytes);
            match self.deadline.run(fd, PollFlags::OUT, false, false, write) {
                Ok(count) => bytes = &bytes[count..],
                Err(failure) => {
                    self.ended = true;
                    return Err(failure.into());
                }
            }
        }
        Ok(())
    }
}

impl OutputStream for HostOutput {
    fn check_write(&mut self) -> StreamResult<usize> {
        match self.ended {
            true => Err(StreamFailure::Closed),
            false if ready(&self.fd, PollFlags::OUT)? => Ok(self.piece),
            false => Ok(0),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> StreamResult<()> {
        match self.ended {
            true => Err(StreamFailure::Closed),
            false => self.write_all(bytes),
        }
    }

    fn flush(&mut self) -> StreamResult<()> {
        match self.ended {
            true => Err(StreamFailure::Closed),
            false => Ok(()),
        }
    }

    fn readiness(&mut self) -> Readiness {
        match self.ended {
            true => Readiness::Ready,
            false => readiness(&self.fd, PollFlags::OUT),
        }
    }
}

//! [`Deadline`]: waiting for host descriptors, never longer than the host allows.
//!
//! Used by every WASI function that can block. Invariant: no host call made on behalf of a guest
//! waits past the deadline, and interrupted waits are resumed with the time that is left.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno as HostErrno;

use crate::{Errno, Failure};

/// The instant after which a guest must not keep the host waiting, if any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deadline(pub Option<Instant>);

impl Deadline {
    pub fn is_set(self) -> bool {
        self.0.is_some()
    }

    /// The time that is left; `None` without a deadline, an error once it has passed.
    pub fn remaining(self) -> Result<Option<Duration>, Failure> {
        let Some(deadline) = self.0 else { return Ok(None) };
        match deadline.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(Failure::Deadline),
        }
    }

    /// Waits until one of `flags` holds for `fd`.
    pub fn wait(self, fd: impl AsFd, flags: PollFlags) -> Result<(), Failure> {
        loop {
            let timeout = self.remaining()?.map(timespec);
            match poll(&mut [PollFd::new(&fd, flags)], timeout.as_ref()) {
                Ok(0) | Err(HostErrno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Runs `operation` on `fd`, waiting for `flags` whenever it would block.
    ///
    /// `waits` says that the operation itself may block, so that readiness is asked for first when
    /// somebody minds waiting; `nonblocking` turns waiting into `again`.
    pub fn run<T>(
        self,
        fd: impl AsFd,
        flags: PollFlags,
        waits: bool,
        nonblocking: bool,
        mut operation: impl FnMut() -> rustix::io::Result<T>,
    ) -> Result<T, Failure> {
        if waits && nonblocking {
            if !ready(&fd, flags)? {
                return Err(Errno::Again.into());
            }
        } else if waits && self.is_set() {
            self.wait(&fd, flags)?;
        }
        loop {
            match operation() {
                Err(HostErrno::INTR) => {
                    self.remaining()?;
                }
                Err(HostErrno::AGAIN) if !nonblocking => self.wait(&fd, flags)?,
                result => return Ok(result?),
            }
        }
    }
}

/// Whether one of `flags` holds for `fd` now.
pub(crate) fn ready(fd: impl AsFd, flags: PollFlags) -> Result<bool, Errno> {
    loop {
        match poll(&mut [PollFd::new(&fd, flags)], Some(&Timespec::default())) {
            Err(HostErrno::INTR) => {}
            result => return Ok(result? > 0),
        }
    }
}

/// A timeout for `poll`; centuries are cut to what the kernel accepts.
pub(crate) fn timespec(duration: Duration) -> Timespec {
    Timespec::try_from(duration).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 })
}

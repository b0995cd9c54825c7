//! Opening granted listeners: TCP addresses, sockets of the host, sockets of a service manager.
//!
//! Called once per [`Ctx`](crate::Ctx). Invariant: every socket returned is a listening stream
//! socket, close-on-exec and non-blocking, so that `sock_accept` never waits past a deadline.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use rustix::net::SocketType;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use crate::grants::Listen;
use crate::{Error, ErrorKind};

/// The first descriptor that a service manager passes (`SD_LISTEN_FDS_START`).
const FIRST_PASSED: i32 = 3;

/// The most sockets taken over from a service manager.
const MAX_PASSED: i32 = 64;

/// Opens one granted listener.
pub(crate) fn open(listen: &Listen) -> Result<OwnedFd, Error> {
    match listen {
        Listen::Bind(address) => bind(*address),
        Listen::Bound(listener) => listener
            .try_clone()
            .and_then(nonblocking)
            .map_err(|error| failure(format!("cannot hand over a listener of the host: {error}"))),
    }
}

fn bind(address: SocketAddr) -> Result<OwnedFd, Error> {
    TcpListener::bind(address).and_then(nonblocking).map_err(|error| {
        failure(format!("cannot listen on {address}: {error}; choose another address"))
    })
}

fn nonblocking(listener: TcpListener) -> std::io::Result<OwnedFd> {
    listener.set_nonblocking(true)?;
    Ok(listener.into())
}

/// Takes over the sockets announced by `LISTEN_PID` and `LISTEN_FDS`; none if nothing is announced.
pub(crate) fn passed() -> Result<Vec<OwnedFd>, Error> {
    let announced = |key: &str| std::env::var(key).ok().and_then(|text| text.parse::<i32>().ok());
    if announced("LISTEN_PID") != Some(getpid().as_raw_pid()) {
        return Ok(Vec::new());
    }
    let count = announced("LISTEN_FDS").unwrap_or(0);
    if !(0..=MAX_PASSED).contains(&count) {
        return Err(failure(format!("LISTEN_FDS is {count}; pass 0 to {MAX_PASSED} sockets")));
    }
    (FIRST_PASSED..FIRST_PASSED + count).map(take).collect()
}

/// Duplicates a descriptor of this process by its number, which safe code can do through a pidfd.
fn take(number: i32) -> Result<OwnedFd, Error> {
    let duplicate = pidfd_open(getpid(), PidfdFlags::empty())
        .and_then(|pidfd| pidfd_getfd(&pidfd, number, PidfdGetfdFlags::empty()))
        .map_err(|error| {
            failure(format!(
                "cannot take over descriptor {number} announced by LISTEN_FDS: {error}; \
                 it needs pidfd_getfd, Linux 5.6 or later"
            ))
        })?;
    let listening = rustix::net::sockopt::socket_type(&duplicate) == Ok(SocketType::STREAM)
        && rustix::net::sockopt::socket_acceptconn(&duplicate) == Ok(true);
    if !listening {
        return Err(failure(format!(
            "descriptor {number} announced by LISTEN_FDS is not a listening stream socket"
        )));
    }
    nonblocking(TcpListener::from(duplicate))
        .map_err(|error| failure(format!("cannot take over descriptor {number}: {error}")))
}

fn failure(sentence: String) -> Error {
    Error::new(ErrorKind::Listener, sentence)
}

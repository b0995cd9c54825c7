//! Moving bytes: `fd_read`, `fd_pread`, `fd_write` and `fd_pwrite`.
//!
//! Also serves `sock_recv` and `sock_send`. Invariant: data moves in batches that bound what the host
//! allocates; only regular files are asked for
//! more than one batch, because others might wait; no data that was moved is forgotten.

use std::os::fd::AsFd;

use rustix::event::PollFlags;
use rustix::io::Errno as HostErrno;
use rustix::net::{SendAncillaryBuffer, SendFlags};

use super::{Failure, take};
use crate::descriptor::{Class, Descriptor, Host, Object, State, lock};
use crate::memory::{Iovecs, Moved, Position};
use crate::rights::Rights;
use crate::wait::Deadline;
use crate::{Ctx, Errno, GuestMemory};

/// The most bytes moved by one call: guests treat the count as a signed 32-bit number.
const MAX_TRANSFER: u64 = i32::MAX as u64;

/// What can be written to a ready pipe without waiting (`PIPE_BUF` of Linux).
const PIPE_BUF: u64 = 4096;

pub(super) fn fd_read(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, iovs, count, nread] = take(args)?;
    let iovecs = memory.iovecs(iovs.u32(), count.u32())?;
    memory.check_array(nread.u32(), 1, 4)?;
    let descriptor = ctx.table.get(fd.u32())?;
    let nonblocking = readable(&descriptor)?.nonblocking();
    let moved = match &descriptor.object {
        Object::Host(host) => read(host, memory, iovecs, None, nonblocking, ctx.deadline)?,
        Object::Bytes { bytes, read } => {
            let mut read = lock(read);
            let moved = copy_out(&bytes[*read..], memory, iovecs)?;
            *read += moved as usize;
            moved
        }
        Object::Null => 0,
        Object::Listener(_) => return Err(Errno::Notconn.into()),
        Object::Dir(_) | Object::Pipe(_) => return Err(Errno::Badf.into()),
    };
    Ok(memory.write_u32(nread.u32(), moved)?)
}

pub(super) fn fd_pread(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, iovs, count, offset, nread] = take(args)?;
    let iovecs = memory.iovecs(iovs.u32(), count.u32())?;
    memory.check_array(nread.u32(), 1, 4)?;
    let descriptor = ctx.table.get(fd.u32())?;
    let state = readable(&descriptor)?;
    let host = positioned(&descriptor, state)?;
    let nonblocking = state.nonblocking();
    let moved = read(host, memory, iovecs, Some(offset.u64()), nonblocking, ctx.deadline)?;
    Ok(memory.write_u32(nread.u32(), moved)?)
}

pub(super) fn fd_write(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, iovs, count, nwritten] = take(args)?;
    let iovecs = memory.iovecs(iovs.u32(), count.u32())?;
    memory.check_array(nwritten.u32(), 1, 4)?;
    let descriptor = ctx.table.get(fd.u32())?;
    let state = writable(&descriptor)?;
    let moved = match &descriptor.object {
        Object::Host(host) => {
            let appends = state.appends() && host.class() == Class::File;
            let _held = appends.then(|| host.hold_append_mode());
            write(host, memory, iovecs, None, state.nonblocking(), ctx.deadline)?
        }
        Object::Pipe(pipe) => consume(memory, iovecs, |bytes| match pipe.append(bytes) {
            0 => Err(Errno::Nospc.into()),
            moved => Ok(moved),
        })?,
        Object::Null => consume(memory, iovecs, |bytes| Ok(bytes.len()))?,
        _ => return Err(Errno::Badf.into()),
    };
    Ok(memory.write_u32(nwritten.u32(), moved)?)
}

pub(super) fn fd_pwrite(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, iovs, count, offset, nwritten] = take(args)?;
    let iovecs = memory.iovecs(iovs.u32(), count.u32())?;
    memory.check_array(nwritten.u32(), 1, 4)?;
    let descriptor = ctx.table.get(fd.u32())?;
    let state = writable(&descriptor)?;
    let host = positioned(&descriptor, state)?;
    // Linux ignores the offset while a file is in append mode; POSIX and guests do not.
    let held = state.appends().then(|| host.hold_append_mode());
    if held.is_some() {
        host.set_append(false)?;
    }
    let offset = Some(offset.u64());
    let result = write(host, memory, iovecs, offset, state.nonblocking(), ctx.deadline);
    if held.is_some() {
        host.set_append(true)?;
    }
    Ok(memory.write_u32(nwritten.u32(), result?)?)
}

fn readable(descriptor: &Descriptor) -> Result<State, Errno> {
    let state = descriptor.state();
    if matches!(descriptor.object, Object::Dir(_)) {
        return Err(Errno::Isdir);
    }
    if state.base.contains(Rights::FD_READ) { Ok(state) } else { Err(Errno::Badf) }
}

fn writable(descriptor: &Descriptor) -> Result<State, Errno> {
    let state = descriptor.state();
    if state.base.contains(Rights::FD_WRITE) { Ok(state) } else { Err(Errno::Badf) }
}

/// The host file of a descriptor with a position; pipes and terminals fail in the kernel.
fn positioned(descriptor: &Descriptor, state: State) -> Result<&Host, Errno> {
    match &descriptor.object {
        Object::Host(host) if host.class() != Class::Socket => {
            state.require(Rights::FD_SEEK)?;
            Ok(host)
        }
        _ => Err(Errno::Spipe),
    }
}

/// What one batch moved.
pub(super) struct Step {
    moved: u64,
    /// Where to continue; `None` ends the transfer.
    next: Option<Position>,
}

impl Step {
    const END: Step = Step { moved: 0, next: None };

    /// The only batch of a transfer; `None` when nothing was left to move.
    pub fn last(moved: Option<Moved>) -> Step {
        moved.map_or(Step::END, |moved| Step { moved: moved.bytes as u64, next: None })
    }

    /// A batch behind which another one follows if it was moved completely.
    fn partial(moved: Option<Moved>) -> Step {
        let complete = |moved: &Moved| moved.bytes as u64 == moved.asked;
        let next = moved.filter(complete).and_then(|moved| moved.next);
        Step { next, ..Step::last(moved) }
    }

    /// A batch behind which `next` follows.
    pub fn more(moved: usize, next: Position) -> Step {
        Step { moved: moved as u64, next: Some(next) }
    }
}

/// Runs `step` with the place to begin at, the bytes still allowed and the bytes moved so far,
/// until it ends. A failure after some bytes were moved is left for the guest's next call to meet.
pub(super) fn transfer(
    mut step: impl FnMut(Position, u64, u64) -> Result<Step, Failure>,
) -> Result<u32, Failure> {
    let (mut total, mut from) = (0, Position::default());
    loop {
        match step(from, MAX_TRANSFER - total, total) {
            Err(failure) if total == 0 => return Err(failure),
            Err(_) => return Ok(total as u32),
            Ok(Step { moved, next }) => {
                total += moved;
                match next {
                    Some(next) => from = next,
                    None => return Ok(total as u32),
                }
            }
        }
    }
}

fn read(
    host: &Host,
    memory: &mut GuestMemory<'_>,
    iovecs: Iovecs,
    offset: Option<u64>,
    nonblocking: bool,
    deadline: Deadline,
) -> Result<u32, Failure> {
    let ready = PollFlags::IN;
    transfer(|from, limit, total| {
        let moved = memory.receive(iovecs, from, limit, |slices| {
            if host.class() == Class::File {
                deadline.remaining()?;
            } else if offset.is_none() && host.is_owned() && !nonblocking {
                // A FIFO that nobody has opened for writing yet looks like its end.
                deadline.wait(host, ready)?;
            }
            deadline.run(host, ready, host.waits(), nonblocking, || match offset {
                None => rustix::io::readv(host, slices),
                Some(offset) => match offset.checked_add(total) {
                    Some(offset) => rustix::io::preadv(host, slices, offset),
                    None => Err(HostErrno::INVAL),
                },
            })
        })?;
        Ok(match host.class() {
            Class::File => Step::partial(moved),
            _ => Step::last(moved),
        })
    })
}

fn write(
    host: &Host,
    memory: &mut GuestMemory<'_>,
    iovecs: Iovecs,
    offset: Option<u64>,
    nonblocking: bool,
    deadline: Deadline,
) -> Result<u32, Failure> {
    let cautious = host.waits() && (nonblocking || deadline.is_set());
    transfer(|from, limit, total| {
        let limit = if cautious { limit.min(PIPE_BUF) } else { limit };
        let moved = memory.send(iovecs, from, limit, |slices| {
            match host.class() {
                Class::Socket => {
                    return send(host, slices, SendFlags::NOSIGNAL, nonblocking, deadline);
                }
                Class::File => {
                    deadline.remaining()?;
                }
                Class::Stream => {}
            }
            deadline.run(host, PollFlags::OUT, host.waits(), nonblocking, || match offset {
                None => rustix::io::writev(host, slices),
                Some(offset) => match offset.checked_add(total) {
                    Some(offset) => rustix::io::pwritev(host, slices, offset),
                    None => Err(HostErrno::INVAL),
                },
            })
        })?;
        Ok(match host.class() {
            Class::File => Step::partial(moved),
            Class::Stream | Class::Socket => Step::last(moved),
        })
    })
}

/// Sends on a connected socket.
pub(super) fn send(
    socket: impl AsFd,
    slices: &[std::io::IoSlice<'_>],
    flags: SendFlags,
    nonblocking: bool,
    deadline: Deadline,
) -> Result<usize, Failure> {
    let socket = socket.as_fd();
    deadline.run(socket, PollFlags::OUT, false, nonblocking, || {
        rustix::net::sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), flags)
    })
}

/// Copies from the front of `bytes` to the guest.
fn copy_out(bytes: &[u8], memory: &mut GuestMemory<'_>, iovecs: Iovecs) -> Result<u32, Failure> {
    transfer(|from, limit, total| {
        let mut rest = &bytes[total as usize..];
        let moved = memory.receive(iovecs, from, limit, |slices| {
            let mut moved = 0;
            for slice in slices {
                let (head, tail) = rest.split_at(slice.len().min(rest.len()));
                slice[..head.len()].copy_from_slice(head);
                moved += head.len();
                rest = tail;
            }
            Ok(moved)
        })?;
        Ok(Step::partial(moved))
    })
}

/// Hands the guest's buffers to `sink`, which says how much of each it took.
fn consume(
    memory: &mut GuestMemory<'_>,
    iovecs: Iovecs,
    mut sink: impl FnMut(&[u8]) -> Result<usize, Failure>,
) -> Result<u32, Failure> {
    transfer(|from, limit, _| {
        let moved = memory.send(iovecs, from, limit, |slices| {
            let mut moved = 0;
            for slice in slices {
                let taken = match sink(slice) {
                    Err(failure) if moved == 0 => return Err(failure),
                    Err(_) => break,
                    Ok(taken) => taken,
                };
                moved += taken;
                if taken < slice.len() {
                    break;
                }
            }
            Ok(moved)
        })?;
        Ok(Step::partial(moved))
    })
}

//! Moving bytes: `fd_read`, `fd_pread`, `fd_write` and `fd_pwrite`.
//!
//! Also serves `sock_recv` and `sock_send`. Invariant: data moves between the host and guest memory
//! without a copy, in batches that bound what the host allocates; only regular files are asked for
//! more than one batch, because others might wait; no data that was moved is forgotten.

use std::os::fd::AsFd;

use rustix::event::PollFlags;
use rustix::io::Errno as HostErrno;
use rustix::net::{SendAncillaryBuffer, SendFlags};

use super::{Failure, take};
use crate::descriptor::{Class, Descriptor, Host, Object, fdflags};
use crate::memory::{Iovecs, Position};
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
    let descriptor = readable(ctx.table.get_mut(fd.u32())?)?;
    let nonblocking = descriptor.nonblocking();
    let moved = match &mut descriptor.object {
        Object::Host(host) => read(host, memory, iovecs, None, nonblocking, ctx.deadline)?,
        Object::Bytes { bytes, read } => {
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
    let descriptor = readable(ctx.table.get_mut(fd.u32())?)?;
    let nonblocking = descriptor.nonblocking();
    let host = positioned(descriptor)?;
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
    let descriptor = writable(ctx.table.get(fd.u32())?)?;
    let moved = match &descriptor.object {
        Object::Host(host) => {
            write(host, memory, iovecs, None, descriptor.nonblocking(), ctx.deadline)?
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
    let descriptor = writable(ctx.table.get(fd.u32())?)?;
    let host = positioned(descriptor)?;
    // Linux ignores the offset while a file is in append mode; POSIX and guests do not.
    let appending = descriptor.flags & fdflags::APPEND != 0;
    if appending {
        host.set_append(false)?;
    }
    let offset = Some(offset.u64());
    let result = write(host, memory, iovecs, offset, descriptor.nonblocking(), ctx.deadline);
    if appending {
        host.set_append(true)?;
    }
    Ok(memory.write_u32(nwritten.u32(), result?)?)
}

fn readable(descriptor: &mut Descriptor) -> Result<&mut Descriptor, Errno> {
    if matches!(descriptor.object, Object::Dir(_)) {
        return Err(Errno::Isdir);
    }
    if !descriptor.base.contains(Rights::FD_READ) {
        return Err(Errno::Badf);
    }
    Ok(descriptor)
}

fn writable(descriptor: &Descriptor) -> Result<&Descriptor, Errno> {
    if descriptor.base.contains(Rights::FD_WRITE) { Ok(descriptor) } else { Err(Errno::Badf) }
}

/// The host file of a descriptor with a position; pipes and terminals fail in the kernel.
fn positioned(descriptor: &Descriptor) -> Result<&Host, Errno> {
    match &descriptor.object {
        Object::Host(host) if host.class() != Class::Socket => {
            descriptor.require(Rights::FD_SEEK)?;
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
    pub const END: Step = Step { moved: 0, next: None };

    /// The only batch of a transfer.
    pub fn last(moved: usize) -> Step {
        Step { moved: moved as u64, next: None }
    }

    /// A batch of `asked` bytes, behind which `next` follows if it was moved completely.
    fn partial(moved: usize, asked: u64, next: Option<Position>) -> Step {
        let moved = moved as u64;
        Step { moved, next: if moved == asked { next } else { None } }
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
        let mut batch = memory.scatter(iovecs, from, limit)?;
        if batch.slices.is_empty() {
            return Ok(Step::END);
        }
        if host.class() == Class::File {
            deadline.remaining()?;
        } else if offset.is_none() && host.is_owned() && !nonblocking {
            // A FIFO that nobody has opened for writing yet looks like its end.
            deadline.wait(host, ready)?;
        }
        let moved = deadline.run(host, ready, host.waits(), nonblocking, || match offset {
            None => rustix::io::readv(host, &mut batch.slices),
            Some(offset) => match offset.checked_add(total) {
                Some(offset) => rustix::io::preadv(host, &mut batch.slices, offset),
                None => Err(HostErrno::INVAL),
            },
        })?;
        if host.class() != Class::File {
            return Ok(Step::last(moved));
        }
        Ok(Step::partial(moved, batch.bytes, batch.next))
    })
}

fn write(
    host: &Host,
    memory: &GuestMemory<'_>,
    iovecs: Iovecs,
    offset: Option<u64>,
    nonblocking: bool,
    deadline: Deadline,
) -> Result<u32, Failure> {
    let cautious = host.waits() && (nonblocking || deadline.is_set());
    transfer(|from, limit, total| {
        let limit = if cautious { limit.min(PIPE_BUF) } else { limit };
        let batch = memory.gather(iovecs, from, limit)?;
        if batch.slices.is_empty() {
            return Ok(Step::END);
        }
        match host.class() {
            Class::Socket => {
                let flags = SendFlags::NOSIGNAL;
                return send(host, &batch.slices, flags, nonblocking, deadline).map(Step::last);
            }
            Class::File => {
                deadline.remaining()?;
            }
            Class::Stream => {}
        }
        let moved =
            deadline.run(host, PollFlags::OUT, host.waits(), nonblocking, || match offset {
                None => rustix::io::writev(host, &batch.slices),
                Some(offset) => match offset.checked_add(total) {
                    Some(offset) => rustix::io::pwritev(host, &batch.slices, offset),
                    None => Err(HostErrno::INVAL),
                },
            })?;
        if host.class() == Class::Stream {
            return Ok(Step::last(moved));
        }
        Ok(Step::partial(moved, batch.bytes, batch.next))
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
        let mut batch = memory.scatter(iovecs, from, limit)?;
        let mut moved = 0;
        for slice in &mut batch.slices {
            let (head, tail) = rest.split_at(slice.len().min(rest.len()));
            slice[..head.len()].copy_from_slice(head);
            moved += head.len();
            rest = tail;
        }
        Ok(Step::partial(moved, batch.bytes, batch.next))
    })
}

/// Hands the guest's buffers to `sink`, which says how much of each it took.
fn consume(
    memory: &GuestMemory<'_>,
    iovecs: Iovecs,
    mut sink: impl FnMut(&[u8]) -> Result<usize, Failure>,
) -> Result<u32, Failure> {
    transfer(|from, limit, _| {
        let batch = memory.gather(iovecs, from, limit)?;
        let mut moved = 0;
        for slice in &batch.slices {
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
        Ok(Step::partial(moved, batch.bytes, batch.next))
    })
}

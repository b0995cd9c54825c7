//! Sockets: `sock_accept`, `sock_recv`, `sock_send` and `sock_shutdown`.
//!
//! Listeners come from the grants only, connections from listeners only. Invariant: both are
//! non-blocking on the host, so every wait is ours and ends at the deadline.

use rustix::event::PollFlags;
use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendFlags, Shutdown, SocketFlags};

use super::io::{Step, send, transfer};
use super::{Failure, take};
use crate::descriptor::{Class, Descriptor, Host, Object, fdflags};
use crate::rights::Rights;
use crate::{Ctx, Errno, GuestMemory};

const RECV_PEEK: u16 = 1;
const RECV_WAITALL: u16 = 2;
const RECV_DATA_TRUNCATED: u16 = 1;
const SHUTDOWN_READ: u16 = 1;
const SHUTDOWN_WRITE: u16 = 2;

pub(super) fn sock_accept(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, flags, connection] = take(args)?;
    let flags = flags.flags(fdflags::NONBLOCK)?;
    memory.check_array(connection.u32(), 1, 4)?;
    ctx.table.reserve()?;
    let descriptor = ctx.table.get(fd.u32())?;
    let Object::Listener(listener) = &descriptor.object else { return Err(Errno::Notsock.into()) };
    descriptor.require(Rights::SOCK_ACCEPT)?;
    let accepted =
        ctx.deadline.run(listener, PollFlags::IN, false, descriptor.nonblocking(), || {
            rustix::net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
        })?;
    let number = ctx.table.insert(Descriptor { flags, ..Descriptor::socket(accepted) })?;
    Ok(memory.write_u32(connection.u32(), number)?)
}

pub(super) fn sock_recv(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, data, count, flags, ro_datalen, ro_flags] = take(args)?;
    let flags = flags.flags(RECV_PEEK | RECV_WAITALL)?;
    let iovecs = memory.iovecs(data.u32(), count.u32())?;
    memory.check_array(ro_datalen.u32(), 1, 4)?;
    memory.check_array(ro_flags.u32(), 1, 2)?;
    let (socket, nonblocking) = connected(ctx.table.get(fd.u32())?, Rights::FD_READ)?;
    let peek = flags & RECV_PEEK != 0;
    let host_flags = if peek { RecvFlags::PEEK } else { RecvFlags::empty() };
    let mut truncated = false;
    let moved = transfer(|from, limit, _| {
        let mut batch = memory.scatter(iovecs, from, limit)?;
        if batch.slices.is_empty() {
            return Ok(Step::END);
        }
        let message = ctx.deadline.run(socket, PollFlags::IN, false, nonblocking, || {
            let mut control = RecvAncillaryBuffer::default();
            rustix::net::recvmsg(socket, &mut batch.slices, &mut control, host_flags)
        })?;
        truncated |= message.flags.contains(ReturnFlags::TRUNC);
        // Waiting for all while only peeking would meet the same bytes again and again.
        if message.bytes == 0 || peek || flags & RECV_WAITALL == 0 {
            return Ok(Step::last(message.bytes));
        }
        let next = memory.advance(iovecs, from, message.bytes as u64)?;
        Ok(Step::more(message.bytes, next))
    })?;
    memory.write_u32(ro_datalen.u32(), moved)?;
    Ok(memory.write_u16(ro_flags.u32(), if truncated { RECV_DATA_TRUNCATED } else { 0 })?)
}

pub(super) fn sock_send(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, data, count, flags, so_datalen] = take(args)?;
    flags.flags(0)?;
    let iovecs = memory.iovecs(data.u32(), count.u32())?;
    memory.check_array(so_datalen.u32(), 1, 4)?;
    let (socket, nonblocking) = connected(ctx.table.get(fd.u32())?, Rights::FD_WRITE)?;
    let moved = transfer(|from, limit, _| {
        let batch = memory.gather(iovecs, from, limit)?;
        if batch.slices.is_empty() {
            return Ok(Step::END);
        }
        let flags = SendFlags::NOSIGNAL;
        send(socket, &batch.slices, flags, nonblocking, ctx.deadline).map(Step::last)
    })?;
    Ok(memory.write_u32(so_datalen.u32(), moved)?)
}

pub(super) fn sock_shutdown(
    ctx: &mut Ctx,
    _memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, how] = take(args)?;
    let how = match how.flags(SHUTDOWN_READ | SHUTDOWN_WRITE)? {
        SHUTDOWN_READ => Shutdown::Read,
        SHUTDOWN_WRITE => Shutdown::Write,
        0 => return Err(Errno::Inval.into()),
        _ => Shutdown::Both,
    };
    let (socket, _) = connected(ctx.table.get(fd.u32())?, Rights::SOCK_SHUTDOWN)?;
    Ok(rustix::net::shutdown(socket, how)?)
}

/// The connection behind a descriptor that must have `right`, and whether it must not wait.
fn connected(descriptor: &Descriptor, right: Rights) -> Result<(&Host, bool), Errno> {
    match &descriptor.object {
        Object::Host(host) if host.class() == Class::Socket => {
            descriptor.require(right)?;
            Ok((host, descriptor.nonblocking()))
        }
        Object::Listener(_) => Err(Errno::Notconn),
        _ => Err(Errno::Notsock),
    }
}

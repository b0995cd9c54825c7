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
    let number = ctx.table.reserve()?;
    let descriptor = ctx.table.get(fd.u32())?;
    let state = descriptor.state();
    let Object::Listener(listener) = &descriptor.object else { return Err(Errno::Notsock.into()) };
    state.require(Rights::SOCK_ACCEPT)?;
    let accepted = ctx.deadline.run(listener, PollFlags::IN, false, state.nonblocking(), || {
        rustix::net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
    })?;
    let number = number.insert(Descriptor::socket(accepted, flags))?;
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
    let descriptor = ctx.table.get(fd.u32())?;
    let (socket, nonblocking) = connected(&descriptor, Rights::FD_READ)?;
    let peek = flags & RECV_PEEK != 0;
    let host_flags = if peek { RecvFlags::PEEK } else { RecvFlags::empty() };
    let mut truncated = false;
    let moved = transfer(|from, limit, _| {
        let moved = memory.receive(iovecs, from, limit, |slices| {
            let message = ctx.deadline.run(socket, PollFlags::IN, false, nonblocking, || {
                let mut control = RecvAncillaryBuffer::default();
                rustix::net::recvmsg(socket, slices, &mut control, host_flags)
            })?;
            truncated |= message.flags.contains(ReturnFlags::TRUNC);
            Ok(message.bytes)
        })?;
        let bytes = moved.map_or(0, |moved| moved.bytes);
        // Waiting for all while only peeking would meet the same bytes again and again.
        if bytes == 0 || peek || flags & RECV_WAITALL == 0 {
            return Ok(Step::last(moved));
        }
        let next = memory.advance(iovecs, from, bytes as u64)?;
        Ok(Step::more(bytes, next))
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
    let descriptor = ctx.table.get(fd.u32())?;
    let (socket, nonblocking) = connected(&descriptor, Rights::FD_WRITE)?;
    let moved = transfer(|from, limit, _| {
        let moved = memory.send(iovecs, from, limit, |slices| {
            send(socket, slices, SendFlags::NOSIGNAL, nonblocking, ctx.deadline)
        })?;
        Ok(Step::last(moved))
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
    let descriptor = ctx.table.get(fd.u32())?;
    let (socket, _) = connected(&descriptor, Rights::SOCK_SHUTDOWN)?;
    Ok(rustix::net::shutdown(socket, how)?)
}

/// The connection behind a descriptor that must have `right`, and whether it must not wait.
fn connected(descriptor: &Descriptor, right: Rights) -> Result<(&Host, bool), Errno> {
    match &descriptor.object {
        Object::Host(host) if host.class() == Class::Socket => {
            let state = descriptor.state();
            state.require(right)?;
            Ok((host, state.nonblocking()))
        }
        Object::Listener(_) => Err(Errno::Notconn),
        _ => Err(Errno::Notsock),
    }
}

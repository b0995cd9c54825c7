//! Descriptors themselves: state, position, size, times, synchronization, closing and renumbering.
//!
//! Invariant: a right that was given up stays given up, and nothing reached through a read-only
//! grant changes its size or times.

use std::num::NonZeroU64;

use rustix::fs::{Advice, FallocateFlags, SeekFrom};

use super::stat::{FILESTAT_SIZE, write_empty_filestat, write_fdstat, write_filestat};
use super::time::timestamps;
use super::{Failure, take};
use crate::descriptor::{Class, Descriptor, Host, Object, fdflags};
use crate::rights::Rights;
use crate::{Access, Ctx, Errno, GuestMemory, names};

pub(super) fn fd_close(
    ctx: &mut Ctx,
    _memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd] = take(args)?;
    ctx.table.remove(fd.u32())?;
    Ok(())
}

pub(super) fn fd_renumber(
    ctx: &mut Ctx,
    _memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [from, to] = take(args)?;
    Ok(ctx.table.renumber(from.u32(), to.u32())?)
}

pub(super) fn fd_fdstat_get(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, stat] = take(args)?;
    let descriptor = ctx.table.get(fd.u32())?;
    let state = descriptor.state();
    let (filetype, base) = descriptor.kind(state.base)?;
    let inheriting = match descriptor.object {
        Object::Dir(_) => state.inheriting,
        _ => state.inheriting & base,
    };
    Ok(write_fdstat(memory, stat.u32(), filetype, state.flags, base, inheriting)?)
}

pub(super) fn fd_fdstat_set_flags(
    ctx: &mut Ctx,
    _memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    const SETTABLE: u16 = fdflags::APPEND | fdflags::NONBLOCK;
    let [fd, flags] = take(args)?;
    let flags = flags.flags(fdflags::ALL)?;
    let descriptor = ctx.table.get(fd.u32())?;
    descriptor.change(|state| {
        state.require(Rights::FD_FDSTAT_SET_FLAGS)?;
        if flags & !SETTABLE & !state.flags != 0 {
            return Err(Errno::Inval.into());
        }
        let new = state.flags & !SETTABLE | flags & SETTABLE;
        if (new ^ state.flags) & fdflags::APPEND != 0 {
            match &descriptor.object {
                Object::Host(host) if host.is_owned() => {
                    let _held = host.hold_append_mode();
                    host.set_append(new & fdflags::APPEND != 0)?;
                }
                // The mode of an inherited stream is shared with other processes.
                Object::Host(_) => return Err(Errno::Notsup.into()),
                _ => {}
            }
        }
        state.flags = new;
        Ok(())
    })
}

pub(super) fn fd_fdstat_set_rights(
    ctx: &mut Ctx,
    _memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, base, inheriting] = take(args)?;
    let (base, inheriting) = (Rights(base.u64()), Rights(inheriting.u64()));
    let descriptor = ctx.table.get(fd.u32())?;
    descriptor.change(|state| {
        if !state.base.contains(base) || !state.inheriting.contains(inheriting) {
            return Err(Errno::Notcapable.into());
        }
        (state.base, state.inheriting) = (base, inheriting);
        Ok(())
    })
}

pub(super) fn fd_filestat_get(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, buf] = take(args)?;
    memory.check_array(buf.u32(), 1, FILESTAT_SIZE)?;
    let descriptor = ctx.table.get(fd.u32())?;
    descriptor.require(Rights::FD_FILESTAT_GET)?;
    let stat = match &descriptor.object {
        Object::Dir(dir) => rustix::fs::fstat(&**dir)?,
        Object::Host(host) => rustix::fs::fstat(host)?,
        Object::Listener(fd) => rustix::fs::fstat(fd)?,
        Object::Bytes { .. } | Object::Pipe(_) | Object::Null => {
            return Ok(write_empty_filestat(memory, buf.u32())?);
        }
    };
    Ok(write_filestat(memory, buf.u32(), &stat)?)
}

pub(super) fn fd_filestat_set_size(
    ctx: &mut Ctx,
    _memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, size] = take(args)?;
    let descriptor = ctx.table.get(fd.u32())?;
    let host = written_file(&descriptor, Rights::FD_FILESTAT_SET_SIZE)?;
    Ok(rustix::fs::ftruncate(host, size.u64())?)
}

pub(super) fn fd_allocate(
    ctx: &mut Ctx,
    _memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, offset, len] = take(args)?;
    let descriptor = ctx.table.get(fd.u32())?;
    let host = written_file(&descriptor, Rights::FD_ALLOCATE)?;
    Ok(rustix::fs::fallocate(host, FallocateFlags::empty(), offset.u64(), len.u64())?)
}

/// The file behind a descriptor that must be open for writing and have `right`.
fn written_file(descriptor: &Descriptor, right: Rights) -> Result<&Host, Errno> {
    match &descriptor.object {
        Object::Host(host) if descriptor.state().base.contains(Rights::FD_WRITE) => {
            descriptor.require(right)?;
            if host.class() == Class::File { Ok(host) } else { Err(Errno::Inval) }
        }
        _ => Err(Errno::Badf),
    }
}

pub(super) fn fd_filestat_set_times(
    ctx: &mut Ctx,
    _memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, atim, mtim, flags] = take(args)?;
    let times = timestamps(atim, mtim, flags)?;
    let descriptor = ctx.table.get(fd.u32())?;
    descriptor.require(Rights::FD_FILESTAT_SET_TIMES)?;
    match &descriptor.object {
        Object::Dir(dir) => Ok(names::set_dir_times(dir, &times)?),
        Object::Host(host) if host.access == Access::ReadOnly => Err(Errno::Rofs.into()),
        Object::Host(host) => Ok(rustix::fs::futimens(host, &times)?),
        _ => Err(Errno::Badf.into()),
    }
}

pub(super) fn fd_advise(
    ctx: &mut Ctx,
    _memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, offset, len, advice] = take(args)?;
    let advice = match advice.u32() {
        0 => Advice::Normal,
        1 => Advice::Sequential,
        2 => Advice::Random,
        3 => Advice::WillNeed,
        4 => Advice::DontNeed,
        5 => Advice::NoReuse,
        _ => return Err(Errno::Inval.into()),
    };
    let descriptor = ctx.table.get(fd.u32())?;
    match &descriptor.object {
        Object::Host(host) => {
            descriptor.require(Rights::FD_ADVISE)?;
            Ok(rustix::fs::fadvise(host, offset.u64(), NonZeroU64::new(len.u64()), advice)?)
        }
        Object::Dir(_) => Err(Errno::Badf.into()),
        _ => Err(Errno::Spipe.into()),
    }
}

pub(super) fn fd_datasync(
    ctx: &mut Ctx,
    _memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd] = take(args)?;
    let descriptor = ctx.table.get(fd.u32())?;
    descriptor.require(Rights::FD_DATASYNC)?;
    match &descriptor.object {
        Object::Dir(dir) => Ok(rustix::fs::fdatasync(dir.readable()?)?),
        Object::Host(host) => Ok(rustix::fs::fdatasync(host)?),
        _ => Err(Errno::Inval.into()),
    }
}

pub(super) fn fd_sync(
    ctx: &mut Ctx,
    _memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd] = take(args)?;
    let descriptor = ctx.table.get(fd.u32())?;
    descriptor.require(Rights::FD_SYNC)?;
    match &descriptor.object {
        Object::Dir(dir) => Ok(rustix::fs::fsync(dir.readable()?)?),
        Object::Host(host) => Ok(rustix::fs::fsync(host)?),
        _ => Err(Errno::Inval.into()),
    }
}

pub(super) fn fd_seek(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, offset, whence, new] = take(args)?;
    let offset = offset.u64() as i64;
    let to = match whence.u32() {
        0 => SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::Inval)?),
        1 => SeekFrom::Current(offset),
        2 => SeekFrom::End(offset),
        _ => return Err(Errno::Inval.into()),
    };
    let right = if to == SeekFrom::Current(0) { Rights::FD_TELL } else { Rights::FD_SEEK };
    seek(&*ctx.table.get(fd.u32())?, to, right, memory, new.u32())
}

pub(super) fn fd_tell(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, offset] = take(args)?;
    let descriptor = ctx.table.get(fd.u32())?;
    seek(&descriptor, SeekFrom::Current(0), Rights::FD_TELL, memory, offset.u32())
}

/// Moves the position and writes the new one to `result`.
fn seek(
    descriptor: &Descriptor,
    to: SeekFrom,
    right: Rights,
    memory: &mut GuestMemory<'_>,
    result: u32,
) -> Result<(), Failure> {
    memory.check_array(result, 1, 8)?;
    match &descriptor.object {
        Object::Host(host) if host.class() != Class::Socket => {
            descriptor.require(right)?;
            Ok(memory.write_u64(result, rustix::fs::seek(host, to)?)?)
        }
        Object::Dir(_) => Err(Errno::Badf.into()),
        _ => Err(Errno::Spipe.into()),
    }
}

//! Operations on names: everything `path_*` but `path_open`.
//!
//! [`names`] does them. Invariant: nothing is done without the right to it that the guest has not given up.

use super::open::SYMLINK_FOLLOW;
use super::stat::{FILESTAT_SIZE, write_filestat};
use super::time::timestamps;
use super::{Arg, Failure, take};
use crate::path::{GuestPath, MAX_PATH};
use crate::rights::Rights;
use crate::{Ctx, Errno, GuestMemory, names};
use std::borrow::Cow;

/// The text of the path at `ptr`, cut where it is too long to be valid.
pub(super) fn guest_path<'m>(
    memory: &'m GuestMemory<'_>,
    ptr: Arg,
    len: Arg,
) -> Result<Cow<'m, [u8]>, Errno> {
    memory.text(ptr.u32(), len.u32(), MAX_PATH)
}

pub(super) fn path_create_directory(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, path, len] = take(args)?;
    let path = guest_path(memory, path, len)?;
    let path = GuestPath::new(&path)?;
    let dir = ctx.table.dir(fd.u32(), Rights::PATH_CREATE_DIRECTORY)?;
    Ok(names::create_directory(ctx.resolver, &dir, &path)?)
}

pub(super) fn path_filestat_get(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, flags, path, len, buf] = take(args)?;
    let follow = flags.flags(SYMLINK_FOLLOW)? != 0;
    memory.check_array(buf.u32(), 1, FILESTAT_SIZE)?;
    let path = guest_path(memory, path, len)?;
    let path = GuestPath::new(&path)?;
    let dir = ctx.table.dir(fd.u32(), Rights::PATH_FILESTAT_GET)?;
    let stat = names::stat(ctx.resolver, &dir, &path, follow)?;
    Ok(write_filestat(memory, buf.u32(), &stat)?)
}

pub(super) fn path_filestat_set_times(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, flags, path, len, atim, mtim, fst_flags] = take(args)?;
    let follow = flags.flags(SYMLINK_FOLLOW)? != 0;
    let times = timestamps(atim, mtim, fst_flags)?;
    let path = guest_path(memory, path, len)?;
    let path = GuestPath::new(&path)?;
    let dir = ctx.table.dir(fd.u32(), Rights::PATH_FILESTAT_SET_TIMES)?;
    Ok(names::set_times(ctx.resolver, &dir, &path, follow, &times)?)
}

pub(super) fn path_link(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [old_fd, old_flags, old_path, old_len, new_fd, new_path, new_len] = take(args)?;
    let follow = old_flags.flags(SYMLINK_FOLLOW)? != 0;
    let old_path = guest_path(memory, old_path, old_len)?;
    let old_path = GuestPath::new(&old_path)?;
    let new_path = guest_path(memory, new_path, new_len)?;
    let new_path = GuestPath::new(&new_path)?;
    let old = ctx.table.dir(old_fd.u32(), Rights::PATH_LINK_SOURCE)?;
    let new = ctx.table.dir(new_fd.u32(), Rights::PATH_LINK_TARGET)?;
    Ok(names::link(ctx.resolver, (&old, &old_path), follow, (&new, &new_path))?)
}

pub(super) fn path_rename(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, old_path, old_len, new_fd, new_path, new_len] = take(args)?;
    let old_path = guest_path(memory, old_path, old_len)?;
    let old_path = GuestPath::new(&old_path)?;
    let new_path = guest_path(memory, new_path, new_len)?;
    let new_path = GuestPath::new(&new_path)?;
    let old = ctx.table.dir(fd.u32(), Rights::PATH_RENAME_SOURCE)?;
    let new = ctx.table.dir(new_fd.u32(), Rights::PATH_RENAME_TARGET)?;
    Ok(names::rename(ctx.resolver, (&old, &old_path), (&new, &new_path))?)
}

pub(super) fn path_symlink(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [target, target_len, fd, path, len] = take(args)?;
    let target = guest_path(memory, target, target_len)?;
    let path = guest_path(memory, path, len)?;
    let path = GuestPath::new(&path)?;
    let dir = ctx.table.dir(fd.u32(), Rights::PATH_SYMLINK)?;
    Ok(names::symlink(ctx.resolver, &target, &dir, &path)?)
}

pub(super) fn path_readlink(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, path, len, buf, buf_len, bufused] = take(args)?;
    memory.check_array(bufused.u32(), 1, 4)?;
    memory.check_array(buf.u32(), buf_len.u32(), 1)?;
    let path = guest_path(memory, path, len)?;
    let path = GuestPath::new(&path)?;
    let dir = ctx.table.dir(fd.u32(), Rights::PATH_READLINK)?;
    let mut target = names::read_link(ctx.resolver, &dir, &path)?;
    target.truncate(buf_len.u32() as usize);
    memory.write(buf.u32(), &target)?;
    Ok(memory.write_u32(bufused.u32(), target.len() as u32)?)
}

pub(super) fn path_remove_directory(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, path, len] = take(args)?;
    let path = guest_path(memory, path, len)?;
    let path = GuestPath::new(&path)?;
    let dir = ctx.table.dir(fd.u32(), Rights::PATH_REMOVE_DIRECTORY)?;
    Ok(names::remove_directory(ctx.resolver, &dir, &path)?)
}

pub(super) fn path_unlink_file(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, path, len] = take(args)?;
    let path = guest_path(memory, path, len)?;
    let path = GuestPath::new(&path)?;
    let dir = ctx.table.dir(fd.u32(), Rights::PATH_UNLINK_FILE)?;
    Ok(names::unlink_file(ctx.resolver, &dir, &path)?)
}

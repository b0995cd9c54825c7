//! Operations on names: everything `path_*` but `path_open`.
//!
//! Each resolves the directory that holds the name, then acts on the name without following links.
//! Invariant: nothing is changed unless the grant of every directory involved is read-write.

use std::borrow::Cow;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, FileType, Mode, Stat};

use super::open::SYMLINK_FOLLOW;
use super::stat::{FILESTAT_SIZE, write_filestat};
use super::time::timestamps;
use super::{Arg, Failure, take};
use crate::descriptor::Dir;
use crate::path::{GuestPath, MAX_PATH, Name, Resolver, read_link};
use crate::rights::Rights;
use crate::{Access, Ctx, Errno, GuestMemory};

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
    dir.writable()?;
    let parent = ctx.resolver.parent(dir.as_fd(), &path)?;
    let name = path.normal_name().ok_or(Errno::Exist)?;
    Ok(rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o777))?)
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
    let stat = stat(ctx.resolver, &dir, &path, follow)?;
    Ok(write_filestat(memory, buf.u32(), &stat)?)
}

fn stat(resolver: Resolver, dir: &Dir, path: &GuestPath<'_>, follow: bool) -> Result<Stat, Errno> {
    let entry = resolver.entry(dir.as_fd(), path)?;
    let stat = rustix::fs::statat(&entry.parent, &entry.name, AtFlags::SYMLINK_NOFOLLOW)?;
    if !follow || FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        return Ok(stat);
    }
    let entry = resolver.followed_entry(dir.as_fd(), path)?;
    Ok(rustix::fs::statat(&entry.parent, &entry.name, AtFlags::SYMLINK_NOFOLLOW)?)
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
    dir.writable()?;
    let entry = if follow {
        ctx.resolver.followed_entry(dir.as_fd(), &path)?
    } else {
        ctx.resolver.entry(dir.as_fd(), &path)?
    };
    let no_follow = AtFlags::SYMLINK_NOFOLLOW;
    Ok(rustix::fs::utimensat(&entry.parent, &entry.name, &times, no_follow)?)
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
    check_pair(&old, &new)?;
    let entry = if follow {
        ctx.resolver.followed_entry(old.as_fd(), &old_path)?
    } else {
        ctx.resolver.entry(old.as_fd(), &old_path)?
    };
    let parent = ctx.resolver.parent(new.as_fd(), &new_path)?;
    new_path.normal_name().ok_or(Errno::Exist)?;
    let no_follow = AtFlags::empty();
    Ok(rustix::fs::linkat(&entry.parent, &entry.name, parent, new_path.tail, no_follow)?)
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
    check_pair(&old, &new)?;
    let old_parent = ctx.resolver.parent(old.as_fd(), &old_path)?;
    let new_parent = ctx.resolver.parent(new.as_fd(), &new_path)?;
    old_path.normal_name().and(new_path.normal_name()).ok_or(Errno::Busy)?;
    Ok(rustix::fs::renameat(old_parent, old_path.tail, new_parent, new_path.tail)?)
}

/// Refuses to link or rename unless both ends may change: an entry of a read-only grant that also
/// appeared in a writable one could be written there. As between file systems, that is `xdev`.
fn check_pair(old: &Dir, new: &Dir) -> Result<(), Errno> {
    let differ = !std::sync::Arc::ptr_eq(&old.grant, &new.grant);
    let read_only = old.grant.access == Access::ReadOnly || new.grant.access == Access::ReadOnly;
    match (differ, read_only) {
        (_, false) => Ok(()),
        (true, true) => Err(Errno::Xdev),
        (false, true) => Err(Errno::Rofs),
    }
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
    dir.writable()?;
    match &*target {
        [] => return Err(Errno::Noent.into()),
        // It would name a place in the host's tree, which guests neither see nor follow.
        [b'/', ..] => return Err(Errno::Perm.into()),
        _ if target.len() >= MAX_PATH => return Err(Errno::Nametoolong.into()),
        _ if target.contains(&0) => return Err(Errno::Inval.into()),
        _ => {}
    }
    let parent = ctx.resolver.parent(dir.as_fd(), &path)?;
    path.normal_name().ok_or(Errno::Exist)?;
    Ok(rustix::fs::symlinkat(&*target, parent, path.tail)?)
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
    let mut target = read_link(&ctx.resolver.entry(dir.as_fd(), &path)?)?;
    // It could not be followed, and would tell the guest where on the host it lives.
    if target.starts_with(b"/") {
        return Err(Errno::Perm.into());
    }
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
    dir.writable()?;
    let parent = ctx.resolver.parent(dir.as_fd(), &path)?;
    let name = match path.name {
        Name::Normal(name) => name,
        Name::Dot => return Err(Errno::Inval.into()),
        Name::DotDot => return Err(Errno::Notempty.into()),
    };
    Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
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
    dir.writable()?;
    let parent = ctx.resolver.parent(dir.as_fd(), &path)?;
    let name = path.normal_name().ok_or(Errno::Isdir)?;
    if path.has_trailing_slash() {
        let stat = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        return Err(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Errno::Isdir.into(),
            _ => Errno::Notdir.into(),
        });
    }
    Ok(rustix::fs::unlinkat(parent, name, AtFlags::empty())?)
}

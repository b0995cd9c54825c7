//! Operations on names beneath directories, for preview 1 and 0.2.
//!
//! Each resolves the directory that holds the name, then acts on the name without following links. Invariant: nothing is
//! changed unless the grant of every directory involved is read-write.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, RawDirEntry, Stat, Timestamps};

use crate::descriptor::Dir;
use crate::path::{Entry, GuestPath, MAX_PATH, Name, Resolver};
use crate::{Access, Errno, path};

/// The entry that a path stands for, once a link in its last component is followed or not.
fn entry<'d>(
    resolver: Resolver,
    dir: &'d Dir,
    path: &GuestPath<'_>,
    follow: bool,
) -> Result<Entry<'d>, Errno> {
    match follow {
        true => resolver.followed_entry(dir.as_fd(), path),
        false => resolver.entry(dir.as_fd(), path),
    }
}

pub(crate) fn create_directory(
    resolver: Resolver,
    dir: &Dir,
    path: &GuestPath<'_>,
) -> Result<(), Errno> {
    dir.writable()?;
    let parent = resolver.parent(dir.as_fd(), path)?;
    let name = path.normal_name().ok_or(Errno::Exist)?;
    Ok(rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o777))?)
}

pub(crate) fn stat(
    resolver: Resolver,
    dir: &Dir,
    path: &GuestPath<'_>,
    follow: bool,
) -> Result<Stat, Errno> {
    let entry = resolver.entry(dir.as_fd(), path)?;
    let stat = rustix::fs::statat(&entry.parent, &entry.name, AtFlags::SYMLINK_NOFOLLOW)?;
    if !follow || FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        return Ok(stat);
    }
    let entry = resolver.followed_entry(dir.as_fd(), path)?;
    Ok(rustix::fs::statat(&entry.parent, &entry.name, AtFlags::SYMLINK_NOFOLLOW)?)
}

pub(crate) fn set_times(
    resolver: Resolver,
    dir: &Dir,
    path: &GuestPath<'_>,
    follow: bool,
    times: &Timestamps,
) -> Result<(), Errno> {
    dir.writable()?;
    let entry = entry(resolver, dir, path, follow)?;
    let no_follow = AtFlags::SYMLINK_NOFOLLOW;
    Ok(rustix::fs::utimensat(&entry.parent, &entry.name, times, no_follow)?)
}

/// Sets the times of a directory itself.
pub(crate) fn set_dir_times(dir: &Dir, times: &Timestamps) -> Result<(), Errno> {
    dir.writable()?;
    // Unlike futimens, this works with O_PATH descriptors.
    Ok(rustix::fs::utimensat(dir, ".", times, AtFlags::SYMLINK_NOFOLLOW)?)
}

pub(crate) fn link(
    resolver: Resolver,
    (old, old_path): (&Dir, &GuestPath<'_>),
    follow: bool,
    (new, new_path): (&Dir, &GuestPath<'_>),
) -> Result<(), Errno> {
    check_pair(old, new)?;
    let entry = entry(resolver, old, old_path, follow)?;
    let parent = resolver.parent(new.as_fd(), new_path)?;
    new_path.normal_name().ok_or(Errno::Exist)?;
    let no_follow = AtFlags::empty();
    Ok(rustix::fs::linkat(&entry.parent, &entry.name, parent, new_path.tail, no_follow)?)
}

pub(crate) fn rename(
    resolver: Resolver,
    (old, old_path): (&Dir, &GuestPath<'_>),
    (new, new_path): (&Dir, &GuestPath<'_>),
) -> Result<(), Errno> {
    check_pair(old, new)?;
    let old_parent = resolver.parent(old.as_fd(), old_path)?;
    let new_parent = resolver.parent(new.as_fd(), new_path)?;
    old_path.normal_name().and(new_path.normal_name()).ok_or(Errno::Busy)?;
    Ok(rustix::fs::renameat(old_parent, old_path.tail, new_parent, new_path.tail)?)
}

/// Refuses to link or rename unless both ends may change: an entry of a read-only grant that also
/// appeared in a writable one could be written there. As between file systems, that is `xdev`.
fn check_pair(old: &Dir, new: &Dir) -> Result<(), Errno> {
    let differ = !Arc::ptr_eq(&old.grant, &new.grant);
    let read_only = old.grant.access == Access::ReadOnly || new.grant.access == Access::ReadOnly;
    match (differ, read_only) {
        (_, false) => Ok(()),
        (true, true) => Err(Errno::Xdev),
        (false, true) => Err(Errno::Rofs),
    }
}

pub(crate) fn symlink(
    resolver: Resolver,
    target: &[u8],
    dir: &Dir,
    path: &GuestPath<'_>,
) -> Result<(), Errno> {
    dir.writable()?;
    match target {
        [] => return Err(Errno::Noent),
        // It would name a place in the host's tree, which guests neither see nor follow.
        [b'/', ..] => return Err(Errno::Perm),
        _ if target.len() >= MAX_PATH => return Err(Errno::Nametoolong),
        _ if target.contains(&0) => return Err(Errno::Inval),
        _ => {}
    }
    let parent = resolver.parent(dir.as_fd(), path)?;
    path.normal_name().ok_or(Errno::Exist)?;
    Ok(rustix::fs::symlinkat(target, parent, path.tail)?)
}

/// The text of a link.
pub(crate) fn read_link(
    resolver: Resolver,
    dir: &Dir,
    path: &GuestPath<'_>,
) -> Result<Vec<u8>, Errno> {
    let target = path::read_link(&resolver.entry(dir.as_fd(), path)?)?;
    // It could not be followed, and would tell the guest where on the host it lives.
    if target.starts_with(b"/") {
        return Err(Errno::Perm);
    }
    Ok(target)
}

pub(crate) fn remove_directory(
    resolver: Resolver,
    dir: &Dir,
    path: &GuestPath<'_>,
) -> Result<(), Errno> {
    dir.writable()?;
    let parent = resolver.parent(dir.as_fd(), path)?;
    let name = match path.name {
        Name::Normal(name) => name,
        Name::Dot => return Err(Errno::Inval),
        Name::DotDot => return Err(Errno::Notempty),
    };
    Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

pub(crate) fn unlink_file(
    resolver: Resolver,
    dir: &Dir,
    path: &GuestPath<'_>,
) -> Result<(), Errno> {
    dir.writable()?;
    let parent = resolver.parent(dir.as_fd(), path)?;
    let name = path.normal_name().ok_or(Errno::Isdir)?;
    if path.has_trailing_slash() {
        let stat = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        return Err(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Errno::Isdir,
            _ => Errno::Notdir,
        });
    }
    Ok(rustix::fs::unlinkat(parent, name, AtFlags::empty())?)
}

/// The type of an entry of a directory, asked for where the file system does not list it.
pub(crate) fn entry_type(dir: BorrowedFd<'_>, entry: &RawDirEntry<'_>) -> FileType {
    match entry.file_type() {
        FileType::Unknown => rustix::fs::statat(dir, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
            .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)),
        known => known,
    }
}

//! `path_open`.
//!
//! Invariant: nothing is changed before it is known that it may be; a descriptor opened beneath a read-only grant is open for reading on the host too,
//! opening never waits, and no descriptor number is missing when the host has already acted.

use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags, PROC_SUPER_MAGIC};

use super::path::guest_path;
use super::{Failure, take};
use crate::descriptor::{Class, Descriptor, Dir, Host, Object, State, fdflags};
use crate::path::GuestPath;
use crate::rights::Rights;
use crate::{Access, Ctx, Errno, GuestMemory};

/// Lookup flag: follow a link in the last component.
pub(super) const SYMLINK_FOLLOW: u16 = 1;

const CREAT: u16 = 1;
const DIRECTORY: u16 = 2;
const EXCL: u16 = 4;
const TRUNC: u16 = 8;

pub(super) fn path_open(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, dirflags, path, len, oflags, base, _inheriting, fdflags, opened_fd] = take(args)?;
    memory.check_array(opened_fd.u32(), 1, 4)?;
    let request = Request {
        follow: dirflags.flags(SYMLINK_FOLLOW)? != 0,
        oflags: oflags.flags(CREAT | DIRECTORY | EXCL | TRUNC)?,
        rights: Rights(base.u64()),
        fdflags: fdflags.flags(fdflags::ALL)?,
    };
    let number = ctx.table.reserve()?;
    let descriptor = ctx.table.get(fd.u32())?;
    let (dir, state) = (descriptor.dir()?, descriptor.state());
    let path = guest_path(memory, path, len)?;
    let path = GuestPath::new(&path)?;
    request.check(&path, state, dir.grant.access)?;
    let opened = request.open(ctx, dir, &path, state.inheriting)?;
    let number = number.insert(opened)?;
    Ok(memory.write_u32(opened_fd.u32(), number)?)
}

/// How the guest wants a file opened.
struct Request {
    follow: bool,
    oflags: u16,
    rights: Rights,
    fdflags: u16,
}

impl Request {
    fn has(&self, oflag: u16) -> bool {
        self.oflags & oflag != 0
    }

    fn reads(&self) -> bool {
        self.rights.contains(Rights::FD_READ)
    }

    fn writes(&self) -> bool {
        self.rights.contains(Rights::FD_WRITE)
    }

    /// Refuses what the path, the rights of the directory or the grant do not allow.
    fn check(&self, path: &GuestPath<'_>, dir: State, access: Access) -> Result<(), Errno> {
        let mut needed = Rights::PATH_OPEN;
        if self.has(CREAT) {
            needed = needed | Rights::PATH_CREATE_FILE;
        }
        if self.has(TRUNC) {
            needed = needed | Rights::PATH_FILESTAT_SET_SIZE;
        }
        dir.require(needed)?;
        let opened = self.rights & (Rights::FD_READ | Rights::FD_WRITE);
        if !dir.inheriting.contains(opened) {
            return Err(Errno::Notcapable);
        }
        if self.has(CREAT) && self.has(DIRECTORY) {
            return Err(Errno::Inval);
        }
        if self.has(CREAT) && path.has_trailing_slash() {
            return Err(Errno::Isdir);
        }
        if access == Access::ReadOnly && (self.writes() || self.has(TRUNC)) {
            return Err(Errno::Rofs);
        }
        Ok(())
    }

    /// The host flags. Opening a FIFO or device must not wait, nor a terminal become ours.
    fn flags(&self) -> OFlags {
        let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        flags |= match (self.reads(), self.writes()) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            // The host can truncate only what it could write, though the guest cannot.
            (_, false) if self.has(TRUNC) => OFlags::RDWR,
            (_, false) => OFlags::RDONLY,
        };
        flags.set(OFlags::NOFOLLOW, !self.follow);
        flags.set(OFlags::CREATE, self.has(CREAT));
        flags.set(OFlags::EXCL, self.has(CREAT) && self.has(EXCL));
        flags.set(OFlags::DIRECTORY, self.has(DIRECTORY));
        flags.set(OFlags::APPEND, self.fdflags & fdflags::APPEND != 0);
        flags.set(OFlags::DSYNC, self.fdflags & fdflags::DSYNC != 0);
        flags.set(OFlags::RSYNC, self.fdflags & fdflags::RSYNC != 0);
        flags.set(OFlags::SYNC, self.fdflags & fdflags::SYNC != 0);
        flags
    }

    fn open(
        &self,
        ctx: &Ctx,
        dir: &Dir,
        path: &GuestPath<'_>,
        inheriting: Rights,
    ) -> Result<Descriptor, Errno> {
        let mode = Mode::from_raw_mode(0o666);
        let creates_nothing = dir.grant.access == Access::ReadOnly && self.has(CREAT);
        let mut flags = self.flags();
        if creates_nothing {
            flags.remove(OFlags::CREATE | OFlags::EXCL);
        }
        let fd = match ctx.resolver.open(dir.as_fd(), path.bytes, flags, mode) {
            Ok(_) if creates_nothing && self.has(EXCL) => return Err(Errno::Exist),
            Err(Errno::Noent) if creates_nothing => return Err(Errno::Rofs),
            result => result?,
        };
        let stat = rustix::fs::fstat(&fd)?;
        let (object, base) = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                (Object::Dir(Arc::new(Dir::beneath(dir.grant.clone(), fd))), Rights::DIRECTORY)
            }
            _ => {
                // Through /proc a process can rewrite its own code: not even a grant of / is meant
                // to allow that.
                if self.writes() && rustix::fs::fstatfs(&fd)?.f_type == PROC_SUPER_MAGIC {
                    return Err(Errno::Perm);
                }
                let class = Class::of(&stat);
                if self.writes() || self.has(TRUNC) {
                    ctx.sealed.permits(&stat)?;
                }
                if self.has(TRUNC) && class == Class::File {
                    rustix::fs::ftruncate(&fd, 0)?;
                }
                let host = Host::new(fd, class, dir.grant.access);
                (Object::Host(host), self.file_rights(class))
            }
        };
        let base = base & inheriting;
        let inheriting = if matches!(object, Object::Dir(_)) { inheriting } else { base };
        Ok(Descriptor::with(object, State { base, inheriting, flags: self.fdflags }))
    }

    fn file_rights(&self, class: Class) -> Rights {
        let mut rights = Rights::FILE;
        if !self.reads() {
            rights = rights.without(Rights::FD_READ);
        }
        if !self.writes() {
            rights = rights.without(Rights::FILE_WRITE);
        }
        if class != Class::File { rights.without(Rights::FD_ALLOCATE) } else { rights }
    }
}

//! Opening files and directories beneath a directory, for preview 1 and 0.2.
//!
//! Invariant: nothing is changed before it is known that it may be; what is opened beneath a read-only grant is open for
//! reading on the host too, and opening never waits.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags, PROC_SUPER_MAGIC};

use crate::descriptor::{Class, Dir};
use crate::path::GuestPath;
use crate::{Access, Ctx, Errno};

/// How a guest wants something opened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Open {
    /// Follow a link in the last component.
    pub follow: bool,
    pub create: bool,
    pub directory: bool,
    pub exclusive: bool,
    pub truncate: bool,
    pub read: bool,
    pub write: bool,
    pub append: bool,
    pub dsync: bool,
    pub rsync: bool,
    pub sync: bool,
}

/// What was opened.
#[derive(Debug)]
pub(crate) enum Opened {
    Dir(Arc<Dir>),
    File(OwnedFd, Class),
}

impl Open {
    /// Refuses what the path or the grant do not allow.
    pub fn check(&self, path: &GuestPath<'_>, access: Access) -> Result<(), Errno> {
        if self.create && self.directory {
            return Err(Errno::Inval);
        }
        if self.create && path.has_trailing_slash() {
            return Err(Errno::Isdir);
        }
        if access == Access::ReadOnly && (self.write || self.truncate) {
            return Err(Errno::Rofs);
        }
        Ok(())
    }

    /// The host flags. Opening a FIFO or device must not wait, nor a terminal become ours.
    fn flags(&self) -> OFlags {
        let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        flags |= match (self.read, self.write) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            // The host can truncate only what it could write, though the guest cannot.
            (_, false) if self.truncate => OFlags::RDWR,
            (_, false) => OFlags::RDONLY,
        };
        flags.set(OFlags::NOFOLLOW, !self.follow);
        flags.set(OFlags::CREATE, self.create);
        flags.set(OFlags::EXCL, self.create && self.exclusive);
        flags.set(OFlags::DIRECTORY, self.directory);
        flags.set(OFlags::APPEND, self.append);
        flags.set(OFlags::DSYNC, self.dsync);
        flags.set(OFlags::RSYNC, self.rsync);
        flags.set(OFlags::SYNC, self.sync);
        flags
    }

    /// Opens a path that [`Open::check`] let through.
    pub fn open(&self, ctx: &Ctx, dir: &Dir, path: &GuestPath<'_>) -> Result<Opened, Errno> {
        let mode = Mode::from_raw_mode(0o666);
        let creates_nothing = dir.grant.access == Access::ReadOnly && self.create;
        let mut flags = self.flags();
        if creates_nothing {
            flags.remove(OFlags::CREATE | OFlags::EXCL);
        }
        let fd = match ctx.resolver.open(dir.as_fd(), path.bytes, flags, mode) {
            Ok(_) if creates_nothing && self.exclusive => return Err(Errno::Exist),
            Err(Errno::Noent) if creates_nothing => return Err(Errno::Rofs),
            result => result?,
        };
        let stat = rustix::fs::fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Ok(Opened::Dir(Arc::new(Dir::beneath(dir.grant.clone(), fd))));
        }
        // Through /proc a process can rewrite its own code: not even a grant of / is meant
        // to allow that.
        if self.write && rustix::fs::fstatfs(&fd)?.f_type == PROC_SUPER_MAGIC {
            return Err(Errno::Perm);
        }
        let class = Class::of(&stat);
        if self.write || self.truncate {
            ctx.sealed.permits(&stat)?;
        }
        if self.truncate && class == Class::File {
            rustix::fs::ftruncate(&fd, 0)?;
        }
        Ok(Opened::File(fd, class))
    }
}

//! `path_open`.
//!
//! Invariant: a descriptor has no right that the directory does not hand on, and no descriptor number is missing when
//! the host has already acted.

use super::path::guest_path;
use super::{Failure, take};
use crate::descriptor::{Class, Descriptor, Host, Object, State, fdflags};
use crate::open::{Open, Opened};
use crate::path::GuestPath;
use crate::rights::Rights;
use crate::{Ctx, Errno, GuestMemory};

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
    let follow = dirflags.flags(SYMLINK_FOLLOW)? != 0;
    let oflags = oflags.flags(CREAT | DIRECTORY | EXCL | TRUNC)?;
    let (rights, fdflags) = (Rights(base.u64()), fdflags.flags(fdflags::ALL)?);
    let request = Open {
        follow,
        create: oflags & CREAT != 0,
        directory: oflags & DIRECTORY != 0,
        exclusive: oflags & EXCL != 0,
        truncate: oflags & TRUNC != 0,
        read: rights.contains(Rights::FD_READ),
        write: rights.contains(Rights::FD_WRITE),
        append: fdflags & fdflags::APPEND != 0,
        dsync: fdflags & fdflags::DSYNC != 0,
        rsync: fdflags & fdflags::RSYNC != 0,
        sync: fdflags & fdflags::SYNC != 0,
    };
    let number = ctx.table.reserve()?;
    let descriptor = ctx.table.get(fd.u32())?;
    let (dir, state) = (descriptor.dir()?, descriptor.state());
    let path = guest_path(memory, path, len)?;
    let path = GuestPath::new(&path)?;
    request.permitted(state)?;
    request.check(&path, dir.grant.access)?;
    let inheriting = state.inheriting;
    let opened = match request.open(ctx, dir, &path)? {
        Opened::Dir(opened) => {
            let base = Rights::DIRECTORY & inheriting;
            Descriptor::with(Object::Dir(opened), State { base, inheriting, flags: fdflags })
        }
        Opened::File(fd, class) => {
            let base = request.file_rights(class) & inheriting;
            let host = Host::new(fd, class, dir.grant.access);
            let state = State { base, inheriting: base, flags: fdflags };
            Descriptor::with(Object::Host(host), state)
        }
    };
    let number = number.insert(opened)?;
    Ok(memory.write_u32(opened_fd.u32(), number)?)
}

impl Open {
    /// Refuses what the rights of the directory do not allow.
    fn permitted(&self, dir: State) -> Result<(), Errno> {
        let mut needed = Rights::PATH_OPEN;
        if self.create {
            needed = needed | Rights::PATH_CREATE_FILE;
        }
        if self.truncate {
            needed = needed | Rights::PATH_FILESTAT_SET_SIZE;
        }
        dir.require(needed)?;
        let opened = [(self.read, Rights::FD_READ), (self.write, Rights::FD_WRITE)];
        match opened.into_iter().all(|(wanted, right)| !wanted || dir.inheriting.contains(right)) {
            true => Ok(()),
            false => Err(Errno::Notcapable),
        }
    }

    fn file_rights(&self, class: Class) -> Rights {
        let mut rights = Rights::FILE;
        if !self.read {
            rights = rights.without(Rights::FD_READ);
        }
        if !self.write {
            rights = rights.without(Rights::FILE_WRITE);
        }
        if class != Class::File { rights.without(Rights::FD_ALLOCATE) } else { rights }
    }
}

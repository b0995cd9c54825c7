//! `wasi:filesystem/types.descriptor`: what its functions do. Invariant: paths go through the resolver that preview 1
//! uses too, and nothing beneath a read-only grant is opened for writing, created, renamed, removed or touched.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU64;
use std::sync::Arc;

use lithe::Error;
use lithe_component::Resource;
use rustix::fs::{FileType, Stat};

use super::entries::DirectoryEntryStream;
use super::file::File;
use super::types::{
    Advice, DescriptorFlags, ErrorCode, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
    timestamps,
};
use crate::descriptor::Dir;
use crate::open::{Open, Opened};
use crate::p2::{P2, failed};
use crate::path::GuestPath;
use crate::table::Seat;
use crate::{Access, Ctx, Errno, Failure, names};

/// `wasi:filesystem/types.descriptor`
pub struct Descriptor(pub(super) Object);

pub(super) enum Object {
    File(File),
    /// A directory; a granted one counts as a descriptor since the grants were opened.
    Dir(Arc<Dir>, #[expect(dead_code, reason = "held, not read")] Option<Seat>),
}

pub(super) type This = Resource<Descriptor>;

/// Why a function gave nothing.
pub(super) enum Stop {
    Code(ErrorCode),
    Trap(Error),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Stop {
        Stop::Code(errno.into())
    }
}

impl From<rustix::io::Errno> for Stop {
    fn from(errno: rustix::io::Errno) -> Stop {
        Errno::from(errno).into()
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Trap(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        match failure {
            Failure::Errno(errno) => errno.into(),
            failure => Stop::Trap(failed(failure)),
        }
    }
}

pub(super) type Outcome<T> = Result<T, Stop>;

impl Descriptor {
    pub(super) fn granted(dir: Arc<Dir>) -> Descriptor {
        Descriptor(Object::Dir(dir, None))
    }

    fn dir(&self) -> Result<&Arc<Dir>, Errno> {
        match &self.0 {
            Object::Dir(dir, _) => Ok(dir),
            Object::File(_) => Err(Errno::Notdir),
        }
    }

    /// The file that is read.
    pub(super) fn input(&self) -> Result<&File, Errno> {
        match &self.0 {
            Object::File(file) => Ok(file),
            Object::Dir(..) => Err(Errno::Isdir),
        }
    }

    /// The file that is written. Directories are never open for that.
    pub(super) fn output(&self) -> Result<&File, Errno> {
        match &self.0 {
            Object::File(file) => Ok(file),
            Object::Dir(..) => Err(Errno::Badf),
        }
    }

    pub(super) fn flags(&self) -> DescriptorFlags {
        match &self.0 {
            Object::File(file) => file.flags,
            Object::Dir(dir, _) => match dir.grant.access {
                Access::ReadWrite => DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY,
                Access::ReadOnly => DescriptorFlags::READ,
            },
        }
    }

    pub(super) fn stat(&self) -> Result<Stat, Errno> {
        Ok(match &self.0 {
            Object::File(file) => rustix::fs::fstat(&file.fd)?,
            Object::Dir(dir, _) => rustix::fs::fstat(&**dir)?,
        })
    }

    pub(super) fn kind(&self) -> Result<FileType, Errno> {
        Ok(FileType::from_raw_mode(self.stat()?.st_mode))
    }

    pub(super) fn advise(&self, offset: u64, len: u64, advice: Advice) -> Result<(), Errno> {
        let file = self.output()?;
        Ok(rustix::fs::fadvise(&file.fd, offset, NonZeroU64::new(len), advice.into())?)
    }

    /// Writes data to the disk, and what else there is to the file if `all`.
    pub(super) fn sync(&self, all: bool) -> Result<(), Errno> {
        let fd = match &self.0 {
            Object::File(file) if file.writable().is_err() => return Ok(()),
            Object::File(file) => std::os::fd::AsFd::as_fd(&file.fd),
            Object::Dir(dir, _) => dir.readable()?,
        };
        match all {
            true => Ok(rustix::fs::fsync(fd)?),
            false => Ok(rustix::fs::fdatasync(fd)?),
        }
    }

    pub(super) fn set_size(&self, size: u64) -> Result<(), Errno> {
        let file = self.output()?;
        file.writable()?;
        Ok(rustix::fs::ftruncate(&file.fd, size)?)
    }

    pub(super) fn set_times(
        &self,
        access: NewTimestamp,
        modified: NewTimestamp,
    ) -> Result<(), Errno> {
        let times = timestamps(access, modified)?;
        match &self.0 {
            Object::Dir(dir, _) => names::set_dir_times(dir, &times),
            Object::File(file) if file.access == Access::ReadOnly => Err(Errno::Rofs),
            Object::File(file) => Ok(rustix::fs::futimens(&file.fd, &times)?),
        }
    }

    pub(super) fn is_same_object(&self, other: &Descriptor) -> bool {
        let object =
            |descriptor: &Descriptor| descriptor.stat().ok().map(|stat| (stat.st_dev, stat.st_ino));
        object(self).is_some_and(|this| object(other) == Some(this))
    }
}

/// Does something beneath a directory, and notes what a grant was the reason to refuse.
pub(super) fn at<T>(
    p2: &P2,
    this: &This,
    path: &str,
    follow: bool,
    operation: impl FnOnce(&Ctx, &Dir, &GuestPath<'_>) -> Result<T, Errno>,
) -> Outcome<T> {
    let dir = p2.table.at(this)?.dir()?;
    let path = path.as_bytes();
    let result = GuestPath::new(path).and_then(|path| operation(&p2.ctx, dir, &path));
    result.map_err(|errno| {
        p2.ctx.denials().record_file(p2.ctx.resolver, dir, Some(path), follow, errno);
        errno.into()
    })
}

/// Does something beneath two directories.
pub(super) fn between(
    p2: &P2,
    (this, path): (&This, &str),
    (other, other_path): (&This, &str),
    operation: impl FnOnce(&Ctx, (&Dir, &GuestPath<'_>), (&Dir, &GuestPath<'_>)) -> Result<(), Errno>,
) -> Outcome<()> {
    let other_dir = p2.table.at(other)?.dir()?;
    let other_bytes = other_path.as_bytes();
    at(p2, this, path, false, |ctx, dir, path| {
        let result = GuestPath::new(other_bytes)
            .and_then(|other| operation(ctx, (dir, path), (other_dir, &other)));
        result.inspect_err(|errno| {
            let path = Some(other_bytes);
            ctx.denials().record_file(ctx.resolver, other_dir, path, false, *errno);
        })
    })
}

/// Sets the times of what a descriptor stands for.
pub(super) fn set_times(
    p2: &P2,
    this: &This,
    access: NewTimestamp,
    modified: NewTimestamp,
) -> Outcome<()> {
    let descriptor = p2.table.at(this)?;
    descriptor.set_times(access, modified).map_err(|errno| {
        if let Ok(dir) = descriptor.dir() {
            p2.ctx.denials().record_file(p2.ctx.resolver, dir, None, false, errno);
        }
        errno.into()
    })
}

pub(super) fn open_at(
    p2: &mut P2,
    this: &This,
    path_flags: PathFlags,
    path: &str,
    open_flags: OpenFlags,
    flags: DescriptorFlags,
) -> Outcome<This> {
    let has = |flag| flags.contains(flag);
    let open = Open {
        follow: path_flags.follow(),
        create: open_flags.contains(OpenFlags::CREATE),
        directory: open_flags.contains(OpenFlags::DIRECTORY),
        exclusive: open_flags.contains(OpenFlags::EXCLUSIVE),
        truncate: open_flags.contains(OpenFlags::TRUNCATE),
        read: has(DescriptorFlags::READ),
        write: has(DescriptorFlags::WRITE),
        append: false,
        dsync: has(DescriptorFlags::DATA_INTEGRITY_SYNC),
        rsync: has(DescriptorFlags::REQUESTED_WRITE_SYNC),
        sync: has(DescriptorFlags::FILE_INTEGRITY_SYNC),
    };
    let seat = p2.ctx.table.seat()?;
    let (opened, access) = at(p2, this, path, open.follow, |ctx, dir, path| {
        let access = dir.grant.access;
        let changes = open.create || has(DescriptorFlags::MUTATE_DIRECTORY);
        open.check(path, access)?;
        if changes && access == Access::ReadOnly {
            return Err(Errno::Rofs);
        }
        Ok((open.open(ctx, dir, path)?, access))
    })?;
    let object = match opened {
        Opened::Dir(dir) => Object::Dir(dir, Some(seat)),
        Opened::File(fd, class) => {
            // Libraries of guests ask to change directories whenever they write; files have no such flag.
            let flags = flags.without(DescriptorFlags::MUTATE_DIRECTORY);
            Object::File(File::new(fd, class, access, flags, seat))
        }
    };
    Ok(p2.table.push(Descriptor(object))?)
}

pub(super) fn read_directory(p2: &mut P2, this: &This) -> Outcome<Resource<DirectoryEntryStream>> {
    let seat = p2.ctx.table.seat()?;
    let stream = DirectoryEntryStream::new(p2.table.at(this)?.dir()?, seat)?;
    Ok(p2.table.push(stream)?)
}

/// A hash of the identity of a file. Libraries of guests make inode numbers of it, so it stays the same while the file is
/// written to; a secret keeps the host's numbers from being told.
pub(super) fn metadata_hash(ctx: &Ctx, stat: &Stat) -> Result<MetadataHashValue, Failure> {
    let secret = ctx.source.secret()?;
    let half = |number: u8| {
        let mut hasher = DefaultHasher::new();
        (secret, number, stat.st_dev, stat.st_ino).hash(&mut hasher);
        hasher.finish()
    };
    Ok(MetadataHashValue { lower: half(0), upper: half(1) })
}

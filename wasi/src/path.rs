//! Resolving guest paths beneath a directory descriptor.
//!
//! Used by every `path_*` function. Two steps keep it safe: [`GuestPath`] refuses what can never be
//! beneath (absolute paths, NUL), and [`Resolver`] turns a path into a host descriptor or into a
//! parent directory and one name. Invariant: whatever links, `..`, slashes or concurrent renames
//! do, the host never looks outside the directory it starts at, and system calls that act on a
//! name never follow a link behind that name.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno as HostErrno;

use crate::{Errno, walk};

/// Longest path, in bytes, that a guest may name (`PATH_MAX` of Linux).
pub const MAX_PATH: usize = 4096;

/// Most symbolic links followed for one path, as in Linux.
pub(crate) const MAX_LINKS: u32 = 40;

/// How often the kernel may report a race with a rename before the path is walked by component.
const MAX_RACES: u32 = 16;

/// Whether this kernel has turned out not to know `openat2`.
static NO_OPENAT2: AtomicBool = AtomicBool::new(false);

/// A relative path without NUL, split at its last component.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuestPath<'a> {
    /// The whole path.
    pub bytes: &'a [u8],
    /// Everything before the last component, possibly empty.
    parent: &'a [u8],
    /// The last component without slashes.
    pub name: Name<'a>,
    /// The last component with the slashes behind it.
    pub tail: &'a [u8],
}

/// The last component of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name<'a> {
    Normal(&'a [u8]),
    Dot,
    DotDot,
}

impl<'a> GuestPath<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<GuestPath<'a>, Errno> {
        if bytes.len() >= MAX_PATH {
            return Err(Errno::Nametoolong);
        }
        if bytes.contains(&0) {
            return Err(Errno::Inval);
        }
        let Some(last) = bytes.iter().rposition(|&byte| byte != b'/') else {
            return Err(if bytes.is_empty() { Errno::Noent } else { Errno::Perm });
        };
        if bytes[0] == b'/' {
            return Err(Errno::Perm);
        }
        let start = bytes[..last].iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
        let name = match &bytes[start..=last] {
            b"." => Name::Dot,
            b".." => Name::DotDot,
            name => Name::Normal(name),
        };
        Ok(GuestPath { bytes, parent: &bytes[..start], name, tail: &bytes[start..] })
    }

    /// Whether slashes follow the last component, which makes it stand for a directory.
    pub fn has_trailing_slash(&self) -> bool {
        self.tail.last() == Some(&b'/')
    }

    /// The last component, if the path can name something that may be created or removed.
    pub fn normal_name(&self) -> Option<&'a [u8]> {
        match self.name {
            Name::Normal(name) => Some(name),
            Name::Dot | Name::DotDot => None,
        }
    }
}

/// A directory found beneath another one, or that one itself.
#[derive(Debug)]
pub(crate) enum Parent<'d> {
    Start(BorrowedFd<'d>),
    Opened(OwnedFd),
}

impl AsFd for Parent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Parent::Start(fd) => *fd,
            Parent::Opened(fd) => fd.as_fd(),
        }
    }
}

/// A directory and a name in it that system calls act on without following links.
///
/// The name is `.` when the path stands for the directory itself.
#[derive(Debug)]
pub(crate) struct Entry<'d> {
    pub parent: Parent<'d>,
    pub name: Vec<u8>,
}

/// Who resolves paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolver {
    /// `openat2` where the kernel has it, otherwise as [`Walk`](Resolver::Walk).
    Kernel,
    /// [`walk`], component by component.
    Walk,
}

impl Resolver {
    /// Opens `path` beneath `start`.
    pub fn open(
        self,
        start: BorrowedFd<'_>,
        path: &[u8],
        flags: OFlags,
        mode: Mode,
    ) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::CLOEXEC;
        let mode = if flags.contains(OFlags::CREATE) { mode } else { Mode::empty() };
        if self == Resolver::Kernel
            && let Some(result) = openat2(start, path, flags, mode)
        {
            return result;
        }
        walk::open(start, path, flags, mode)
    }

    /// The directory that `path` stands for, as an `O_PATH` descriptor.
    fn directory(self, start: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
        self.open(start, path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())
    }

    /// The directory in which the last component of `path` is a name.
    pub fn parent<'d>(
        self,
        start: BorrowedFd<'d>,
        path: &GuestPath<'_>,
    ) -> Result<Parent<'d>, Errno> {
        if path.parent.is_empty() {
            return Ok(Parent::Start(start));
        }
        self.directory(start, path.parent).map(Parent::Opened)
    }

    /// The entry `path` stands for; a link in the last component is its own entry.
    pub fn entry<'d>(
        self,
        start: BorrowedFd<'d>,
        path: &GuestPath<'_>,
    ) -> Result<Entry<'d>, Errno> {
        match path.normal_name() {
            Some(name) if !path.has_trailing_slash() => {
                Ok(Entry { parent: self.parent(start, path)?, name: name.to_vec() })
            }
            _ => {
                let directory = self.directory(start, path.bytes)?;
                Ok(Entry { parent: Parent::Opened(directory), name: b".".to_vec() })
            }
        }
    }

    /// The entry `path` stands for once links in its last component are followed.
    ///
    /// Links are read and their text is resolved again from `start`, so that acting on the entry
    /// needs no system call that follows links.
    pub fn followed_entry<'d>(
        self,
        start: BorrowedFd<'d>,
        path: &GuestPath<'_>,
    ) -> Result<Entry<'d>, Errno> {
        let mut entry = self.entry(start, path)?;
        let mut text = path.bytes.to_vec();
        for _ in 0..MAX_LINKS {
            let target = match read_link(&entry) {
                Ok(target) => target,
                Err(Errno::Inval) => return Ok(entry),
                Err(error) => return Err(error),
            };
            // An absolute target stays absolute and is refused when it is parsed.
            if !target.starts_with(b"/") {
                let parent = GuestPath::new(&text)?.parent.len();
                text.truncate(parent);
                text.extend_from_slice(&target);
            } else {
                text = target;
            }
            entry = self.entry(start, &GuestPath::new(&text)?)?;
        }
        Err(Errno::Loop)
    }
}

/// The text of the link that `entry` is; `inval` if it is not a link.
pub(crate) fn read_link(entry: &Entry<'_>) -> Result<Vec<u8>, Errno> {
    let buffer = Vec::with_capacity(256);
    Ok(rustix::fs::readlinkat(&entry.parent, &entry.name, buffer)?.into_bytes())
}

/// Opens beneath `start` in the kernel; `None` when it cannot tell.
fn openat2(
    start: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    mode: Mode,
) -> Option<Result<OwnedFd, Errno>> {
    if NO_OPENAT2.load(Ordering::Relaxed) {
        return None;
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..MAX_RACES {
        return match rustix::fs::openat2(start, path, flags, mode, resolve) {
            // A rename or mount somewhere made the kernel unsure about `..`, or a signal came.
            Err(HostErrno::AGAIN | HostErrno::INTR) => continue,
            Err(HostErrno::NOSYS) => {
                NO_OPENAT2.store(true, Ordering::Relaxed);
                None
            }
            // Some seccomp filters answer so for system calls they do not know.
            Err(HostErrno::PERM) => None,
            // The path leads outside.
            Err(HostErrno::XDEV) => Some(Err(Errno::Perm)),
            result => Some(result.map_err(Errno::from)),
        };
    }
    None
}

//! Resolving a path beneath a directory one component at a time.
//!
//! Used by [`Resolver`](crate::path::Resolver) where the kernel has no `openat2`. Each component is
//! opened by itself without following links; links are read and their text takes the component's
//! place; `..` goes back to the directory that was walked through, never to what the kernel says
//! the parent is. Invariant: every system call names one component, which is neither `..` nor
//! followed, so no rename by anybody can lead outside.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno as HostErrno;

use crate::Errno;
use crate::path::MAX_LINKS;

/// Most directories kept open during one walk; deeper paths are `nametoolong`.
const MAX_DEPTH: usize = 128;

/// Opens `path` beneath `start`, as `openat2` with `RESOLVE_BENEATH` and `RESOLVE_NO_MAGICLINKS`.
pub(crate) fn open(
    start: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Errno> {
    let mut walk = Walk { start, dirs: Vec::new(), pending: path.to_vec(), links: 0 };
    loop {
        let Some((name, is_last)) = walk.next_component() else {
            return Ok(rustix::fs::openat(walk.current(), ".", flags, mode)?);
        };
        match &name[..] {
            b"" | b"." => {}
            b".." => {
                walk.dirs.pop().ok_or(Errno::Perm)?;
            }
            _ if is_last => {
                if let Some(fd) = walk.open_last(&name, flags, mode)? {
                    return Ok(fd);
                }
            }
            _ => walk.descend(&name)?,
        }
    }
}

struct Walk<'d> {
    start: BorrowedFd<'d>,
    /// The directories between `start` and the current one, which is the last.
    dirs: Vec<OwnedFd>,
    /// The text that is still to be resolved.
    pending: Vec<u8>,
    /// Links followed and races lost so far.
    links: u32,
}

impl Walk<'_> {
    fn current(&self) -> BorrowedFd<'_> {
        self.dirs.last().map_or(self.start, |fd| fd.as_fd())
    }

    /// Takes the next component; it is the last one if not even a slash follows.
    fn next_component(&mut self) -> Option<(Vec<u8>, bool)> {
        if self.pending.is_empty() {
            return None;
        }
        match self.pending.iter().position(|&byte| byte == b'/') {
            Some(slash) => {
                let rest = self.pending.split_off(slash + 1);
                let mut name = std::mem::replace(&mut self.pending, rest);
                name.pop();
                Some((name, false))
            }
            None => Some((std::mem::take(&mut self.pending), true)),
        }
    }

    /// Enters the directory `name`, or puts the text of the link `name` in its place.
    fn descend(&mut self, name: &[u8]) -> Result<(), Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(self.current(), name, flags, Mode::empty())?;
        match FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) {
            FileType::Directory if self.dirs.len() == MAX_DEPTH => Err(Errno::Nametoolong),
            FileType::Directory => {
                self.dirs.push(fd);
                Ok(())
            }
            FileType::Symlink => {
                let mut target = rustix::fs::readlinkat(&fd, "", Vec::new())?.into_bytes();
                target.push(b'/');
                target.append(&mut self.pending);
                self.substitute(target)
            }
            _ => Err(Errno::Notdir),
        }
    }

    /// Opens the last component; `None` if it was a link, whose text is pending now.
    fn open_last(
        &mut self,
        name: &[u8],
        flags: OFlags,
        mode: Mode,
    ) -> Result<Option<OwnedFd>, Errno> {
        let result = rustix::fs::openat(self.current(), name, flags | OFlags::NOFOLLOW, mode);
        let exclusive = OFlags::CREATE | OFlags::EXCL;
        let follows = !flags.contains(OFlags::NOFOLLOW) && !flags.contains(exclusive);
        match result {
            // With O_DIRECTORY, a link is reported as not being a directory.
            Err(error @ (HostErrno::LOOP | HostErrno::NOTDIR)) if follows => {
                match rustix::fs::readlinkat(self.current(), name, Vec::new()) {
                    Ok(target) => self.substitute(target.into_bytes())?,
                    // It was a link a moment ago: try again.
                    Err(HostErrno::INVAL) if error == HostErrno::LOOP => {
                        self.substitute(name.to_vec())?;
                    }
                    Err(HostErrno::INVAL) => return Err(Errno::Notdir),
                    Err(error) => return Err(error.into()),
                }
                Ok(None)
            }
            result => Ok(Some(result?)),
        }
    }

    fn substitute(&mut self, text: Vec<u8>) -> Result<(), Errno> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::Loop);
        }
        if text.first() == Some(&b'/') {
            return Err(Errno::Perm);
        }
        self.pending = text;
        Ok(())
    }
}

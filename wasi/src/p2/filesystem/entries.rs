//! `wasi:filesystem/types.directory-entry-stream`. Invariant: the host holds one buffer of entries at a time, however
//! many there are; a name that is not UTF-8 is an error in its place, and the entries behind it follow.

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::Errno as HostErrno;

use super::types::DirectoryEntry;
use crate::Errno;
use crate::descriptor::Dir;
use crate::names::entry_type;
use crate::table::Seat;

/// Bytes of entries that are fetched at a time.
const FETCH: usize = 8192;

/// The entries of a directory that a guest lists.
pub(super) struct DirectoryEntryStream {
    fd: OwnedFd,
    fetched: VecDeque<Result<DirectoryEntry, Errno>>,
    ended: bool,
    _seat: Seat,
}

impl DirectoryEntryStream {
    pub fn new(dir: &Dir, seat: Seat) -> Result<DirectoryEntryStream, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(dir, ".", flags, Mode::empty())?;
        Ok(DirectoryEntryStream { fd, fetched: VecDeque::new(), ended: false, _seat: seat })
    }

    /// The next entry.
    pub fn next(&mut self) -> Result<Option<DirectoryEntry>, Errno> {
        while self.fetched.is_empty() && !self.ended {
            self.fetch()?;
        }
        self.fetched.pop_front().transpose()
    }

    fn fetch(&mut self) -> Result<(), Errno> {
        let mut buffer = [MaybeUninit::uninit(); FETCH];
        let mut entries = RawDir::new(&self.fd, &mut buffer);
        loop {
            let entry = match entries.next() {
                // A directory that was removed has no entries.
                None | Some(Err(HostErrno::NOENT)) => {
                    self.ended = true;
                    return Ok(());
                }
                Some(entry) => entry?,
            };
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                let kind = entry_type(self.fd.as_fd(), &entry).into();
                self.fetched.push_back(match std::str::from_utf8(name) {
                    Ok(name) => Ok(DirectoryEntry { kind, name: name.to_owned() }),
                    Err(_) => Err(Errno::Ilseq),
                });
            }
            if entries.is_buffer_empty() {
                return Ok(());
            }
        }
    }
}

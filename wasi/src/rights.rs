//! [`Rights`]: the capability bits of preview 1 and the sets that new descriptors start with.
//!
//! Rights only ever shrink: the sets below are what `path_open` and the preopens hand out, limited
//! by the inheriting rights of the directory, and `fd_fdstat_set_rights` takes bits away. They let
//! a guest limit itself; what a *grant* allows is checked separately, by its access.

use std::ops::{BitAnd, BitOr};

/// A set of preview 1 rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rights(pub u64);

macro_rules! rights {
    ($($name:ident = $bit:literal;)*) => {$(pub const $name: Rights = Rights(1 << $bit);)*};
}

impl Rights {
    rights! {
        FD_DATASYNC = 0;
        FD_READ = 1;
        FD_SEEK = 2;
        FD_FDSTAT_SET_FLAGS = 3;
        FD_SYNC = 4;
        FD_TELL = 5;
        FD_WRITE = 6;
        FD_ADVISE = 7;
        FD_ALLOCATE = 8;
        PATH_CREATE_DIRECTORY = 9;
        PATH_CREATE_FILE = 10;
        PATH_LINK_SOURCE = 11;
        PATH_LINK_TARGET = 12;
        PATH_OPEN = 13;
        FD_READDIR = 14;
        PATH_READLINK = 15;
        PATH_RENAME_SOURCE = 16;
        PATH_RENAME_TARGET = 17;
        PATH_FILESTAT_GET = 18;
        PATH_FILESTAT_SET_SIZE = 19;
        PATH_FILESTAT_SET_TIMES = 20;
        FD_FILESTAT_GET = 21;
        FD_FILESTAT_SET_SIZE = 22;
        FD_FILESTAT_SET_TIMES = 23;
        PATH_SYMLINK = 24;
        PATH_REMOVE_DIRECTORY = 25;
        PATH_UNLINK_FILE = 26;
        POLL_FD_READWRITE = 27;
        SOCK_SHUTDOWN = 28;
        SOCK_ACCEPT = 29;
    }

    const SYNC: Rights = Self::FD_DATASYNC.or(Self::FD_SYNC);

    /// Bits that only make sense where a position exists; terminals lack them, which is how libc
    /// recognizes a terminal.
    pub const POSITION: Rights = Self::FD_SEEK.or(Self::FD_TELL);

    /// A regular file opened for reading and writing.
    pub const FILE: Rights = Self::SYNC
        .or(Self::POSITION)
        .or(Self::FD_READ)
        .or(Self::FD_WRITE)
        .or(Self::FD_FDSTAT_SET_FLAGS)
        .or(Self::FD_ADVISE)
        .or(Self::FD_ALLOCATE)
        .or(Self::FD_FILESTAT_GET)
        .or(Self::FD_FILESTAT_SET_SIZE)
        .or(Self::FD_FILESTAT_SET_TIMES)
        .or(Self::POLL_FD_READWRITE);

    /// What a file loses when it is not opened for writing.
    pub const FILE_WRITE: Rights =
        Self::FD_WRITE.or(Self::FD_ALLOCATE).or(Self::FD_FILESTAT_SET_SIZE);

    /// A directory. Read-only grants report the same set: libc computes the rights it asks for
    /// from these, and a missing bit would turn a refused write into a silent read-only open.
    pub const DIRECTORY: Rights = Self::SYNC
        .or(Self::FD_FDSTAT_SET_FLAGS)
        .or(Self::PATH_CREATE_DIRECTORY)
        .or(Self::PATH_CREATE_FILE)
        .or(Self::PATH_LINK_SOURCE)
        .or(Self::PATH_LINK_TARGET)
        .or(Self::PATH_OPEN)
        .or(Self::FD_READDIR)
        .or(Self::PATH_READLINK)
        .or(Self::PATH_RENAME_SOURCE)
        .or(Self::PATH_RENAME_TARGET)
        .or(Self::PATH_FILESTAT_GET)
        .or(Self::PATH_FILESTAT_SET_SIZE)
        .or(Self::PATH_FILESTAT_SET_TIMES)
        .or(Self::FD_FILESTAT_GET)
        .or(Self::FD_FILESTAT_SET_TIMES)
        .or(Self::PATH_SYMLINK)
        .or(Self::PATH_REMOVE_DIRECTORY)
        .or(Self::PATH_UNLINK_FILE);

    /// Everything that can be opened beneath a directory.
    pub const DIRECTORY_INHERITING: Rights = Self::DIRECTORY.or(Self::FILE);

    const STDIO: Rights = Self::POSITION
        .or(Self::FD_FDSTAT_SET_FLAGS)
        .or(Self::FD_ADVISE)
        .or(Self::FD_FILESTAT_GET)
        .or(Self::POLL_FD_READWRITE);

    /// Standard input.
    pub const STDIN: Rights = Self::STDIO.or(Self::FD_READ);

    /// Standard output and standard error.
    pub const STDOUT: Rights = Self::STDIO.or(Self::SYNC).or(Self::FD_WRITE);

    /// A connected socket.
    pub const SOCKET: Rights = Self::FD_READ
        .or(Self::FD_WRITE)
        .or(Self::FD_FDSTAT_SET_FLAGS)
        .or(Self::FD_FILESTAT_GET)
        .or(Self::POLL_FD_READWRITE)
        .or(Self::SOCK_SHUTDOWN);

    /// A listening socket.
    pub const LISTENER: Rights = Self::FD_READ
        .or(Self::FD_FDSTAT_SET_FLAGS)
        .or(Self::FD_FILESTAT_GET)
        .or(Self::POLL_FD_READWRITE)
        .or(Self::SOCK_ACCEPT);

    const fn or(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }

    /// This set without the bits of `other`.
    pub const fn without(self, other: Rights) -> Rights {
        Rights(self.0 & !other.0)
    }

    /// Whether every bit of `other` is in this set.
    pub const fn contains(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitAnd for Rights {
    type Output = Rights;
    fn bitand(self, other: Rights) -> Rights {
        Rights(self.0 & other.0)
    }
}

impl BitOr for Rights {
    type Output = Rights;
    fn bitor(self, other: Rights) -> Rights {
        self.or(other)
    }
}

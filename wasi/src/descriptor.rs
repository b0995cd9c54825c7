//! [`Descriptor`]: what a guest descriptor number stands for.
//!
//! Held by the [`Table`](crate::table::Table), made by [`Ctx::new`](crate::Ctx::new), `path_open`
//! and `sock_accept`. Invariant: host descriptors made here are close-on-exec and, unless they are
//! regular files or directories, non-blocking; inherited streams keep the mode they came with.

use std::cell::OnceCell;
use std::io::IsTerminal;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags, Stat};

use crate::rights::Rights;
use crate::{Access, Errno, Failure, Input, Output, OutputPipe};

/// Descriptor flags of preview 1.
pub(crate) mod fdflags {
    pub const APPEND: u16 = 1;
    pub const DSYNC: u16 = 2;
    pub const NONBLOCK: u16 = 4;
    pub const RSYNC: u16 = 8;
    pub const SYNC: u16 = 16;
    pub const ALL: u16 = APPEND | DSYNC | NONBLOCK | RSYNC | SYNC;
}

/// An open descriptor of a guest.
#[derive(Debug)]
pub(crate) struct Descriptor {
    pub object: Object,
    pub base: Rights,
    pub inheriting: Rights,
    pub flags: u16,
}

/// The thing behind a descriptor.
#[derive(Debug)]
pub(crate) enum Object {
    Dir(Dir),
    Host(Host),
    Listener(OwnedFd),
    Bytes { bytes: Arc<[u8]>, read: usize },
    Pipe(OutputPipe),
    Null,
}

/// A host descriptor that bytes are read from or written to.
#[derive(Debug)]
pub(crate) struct Host {
    fd: HostFd,
    class: OnceCell<Class>,
    /// The access of the grant the file was opened beneath.
    pub access: Access,
}

#[derive(Debug)]
enum HostFd {
    Owned(OwnedFd),
    Stdin,
    Stdout,
    Stderr,
}

/// How a host descriptor behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Regular file or block device: has a position, never waits.
    File,
    /// Pipe, terminal or other device: may wait.
    Stream,
    /// Connected socket: may wait, and must not raise `SIGPIPE`.
    Socket,
}

/// What `fd_fdstat_get` and `fd_filestat_get` report as the type of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Filetype {
    Unknown = 0,
    BlockDevice = 1,
    CharacterDevice = 2,
    Directory = 3,
    RegularFile = 4,
    SocketStream = 6,
    SymbolicLink = 7,
}

impl From<FileType> for Filetype {
    fn from(host: FileType) -> Filetype {
        match host {
            FileType::BlockDevice => Filetype::BlockDevice,
            FileType::CharacterDevice => Filetype::CharacterDevice,
            FileType::Directory => Filetype::Directory,
            FileType::RegularFile => Filetype::RegularFile,
            FileType::Socket => Filetype::SocketStream,
            FileType::Symlink => Filetype::SymbolicLink,
            FileType::Fifo | FileType::Unknown => Filetype::Unknown,
        }
    }
}

impl Class {
    /// The class of an opened file that is not a directory.
    pub fn of(stat: &Stat) -> Class {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::BlockDevice => Class::File,
            _ => Class::Stream,
        }
    }
}

impl Host {
    pub fn new(fd: OwnedFd, class: Class, access: Access) -> Host {
        Host { fd: HostFd::Owned(fd), class: OnceCell::from(class), access }
    }

    fn inherited(fd: HostFd) -> Host {
        Host { fd, class: OnceCell::new(), access: Access::ReadWrite }
    }

    /// The class; inherited streams are classified when they are first used.
    pub fn class(&self) -> Class {
        *self.class.get_or_init(|| rustix::fs::fstat(self).map_or(Class::Stream, |s| Class::of(&s)))
    }

    /// Whether an operation on the host descriptor itself may wait.
    pub fn waits(&self) -> bool {
        !matches!(self.fd, HostFd::Owned(_)) && self.class() != Class::File
    }

    /// Makes an owned file append, or stop appending.
    pub fn set_append(&self, append: bool) -> Result<(), Errno> {
        let append = if append { OFlags::APPEND } else { OFlags::empty() };
        Ok(rustix::fs::fcntl_setfl(self, OFlags::NONBLOCK | append)?)
    }

    /// Whether the flags of the open file description belong to this guest alone.
    pub fn is_owned(&self) -> bool {
        matches!(self.fd, HostFd::Owned(_))
    }
}

impl AsFd for Host {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.fd {
            HostFd::Owned(fd) => fd.as_fd(),
            HostFd::Stdin => rustix::stdio::stdin(),
            HostFd::Stdout => rustix::stdio::stdout(),
            HostFd::Stderr => rustix::stdio::stderr(),
        }
    }
}

/// A granted directory, shared by everything opened beneath it.
#[derive(Debug)]
pub(crate) struct Grant {
    /// Opened with `O_PATH`.
    pub root: OwnedFd,
    pub guest: Vec<u8>,
    pub access: Access,
}

/// A directory descriptor: the root of a grant, or a directory opened beneath it.
#[derive(Debug)]
pub(crate) struct Dir {
    pub grant: Arc<Grant>,
    /// Readable; `None` stands for the root of the grant.
    opened: Option<OwnedFd>,
    /// Whether this is the preopen itself, which `fd_prestat_get` describes.
    pub preopen: bool,
}

impl Dir {
    pub fn root(grant: Arc<Grant>) -> Dir {
        Dir { grant, opened: None, preopen: true }
    }

    pub fn beneath(grant: Arc<Grant>, opened: OwnedFd) -> Dir {
        Dir { grant, opened: Some(opened), preopen: false }
    }

    /// Fails unless things beneath this directory may change.
    pub fn writable(&self) -> Result<(), Errno> {
        match self.grant.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(Errno::Rofs),
        }
    }

    /// A descriptor that can be listed and synchronized, which one opened with `O_PATH` cannot.
    pub fn readable(&mut self) -> Result<BorrowedFd<'_>, Errno> {
        let opened = match self.opened.take() {
            Some(fd) => fd,
            None => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                rustix::fs::openat(&self.grant.root, ".", flags, Mode::empty())?
            }
        };
        let opened: &OwnedFd = self.opened.insert(opened);
        Ok(opened.as_fd())
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.opened.as_ref().unwrap_or(&self.grant.root).as_fd()
    }
}

impl Descriptor {
    fn new(object: Object, base: Rights) -> Descriptor {
        Descriptor { object, base, inheriting: base, flags: 0 }
    }

    pub fn stdin(input: &Input) -> Descriptor {
        let object = match input {
            Input::Null => Object::Null,
            Input::Inherit => Object::Host(Host::inherited(HostFd::Stdin)),
            Input::Bytes(bytes) => Object::Bytes { bytes: bytes.clone(), read: 0 },
        };
        Descriptor::new(object, Rights::STDIN)
    }

    pub fn stdout(output: &Output) -> Descriptor {
        Descriptor::output(output, HostFd::Stdout)
    }

    pub fn stderr(output: &Output) -> Descriptor {
        Descriptor::output(output, HostFd::Stderr)
    }

    fn output(output: &Output, inherited: HostFd) -> Descriptor {
        let object = match output {
            Output::Null => Object::Null,
            Output::Inherit => Object::Host(Host::inherited(inherited)),
            Output::Pipe(pipe) => Object::Pipe(pipe.clone()),
        };
        Descriptor::new(object, Rights::STDOUT)
    }

    pub fn listener(fd: OwnedFd) -> Descriptor {
        Descriptor::new(Object::Listener(fd), Rights::LISTENER)
    }

    pub fn socket(fd: OwnedFd) -> Descriptor {
        let host = Host::new(fd, Class::Socket, Access::ReadWrite);
        Descriptor::new(Object::Host(host), Rights::SOCKET)
    }

    pub fn preopen(grant: Grant) -> Descriptor {
        Descriptor {
            object: Object::Dir(Dir::root(Arc::new(grant))),
            base: Rights::DIRECTORY,
            inheriting: Rights::DIRECTORY_INHERITING,
            flags: 0,
        }
    }

    /// Fails with `notcapable` unless the descriptor has `rights`.
    pub fn require(&self, rights: Rights) -> Result<(), Errno> {
        if self.base.contains(rights) { Ok(()) } else { Err(Errno::Notcapable) }
    }

    /// The directory behind the descriptor.
    pub fn dir(&self) -> Result<&Dir, Errno> {
        match &self.object {
            Object::Dir(dir) => Ok(dir),
            _ => Err(Errno::Notdir),
        }
    }

    /// Whether the guest asked not to wait.
    pub fn nonblocking(&self) -> bool {
        self.flags & fdflags::NONBLOCK != 0
    }

    /// The type to report, and the rights that make sense for it.
    pub fn kind(&self) -> Result<(Filetype, Rights), Failure> {
        let positionless = self.base.without(Rights::POSITION);
        Ok(match &self.object {
            Object::Dir(_) => (Filetype::Directory, self.base),
            Object::Listener(_) => (Filetype::SocketStream, self.base),
            Object::Bytes { .. } | Object::Pipe(_) | Object::Null => {
                (Filetype::Unknown, positionless)
            }
            Object::Host(host) => {
                let stat = rustix::fs::fstat(host)?;
                let filetype = Filetype::from(FileType::from_raw_mode(stat.st_mode));
                let has_position = match filetype {
                    Filetype::RegularFile | Filetype::BlockDevice => true,
                    // A device such as /dev/null is not a terminal, and must not look like one.
                    Filetype::CharacterDevice => !host.as_fd().is_terminal(),
                    _ => false,
                };
                (filetype, if has_position { self.base } else { positionless })
            }
        })
    }
}

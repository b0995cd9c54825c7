//! [`Descriptor`]: what a guest descriptor number stands for.
//!
//! Held by the [`Table`](crate::table::Table), made by [`Ctx::new`](crate::Ctx::new), `path_open`
//! and `sock_accept`. Invariant: host descriptors made here are close-on-exec and, unless they are
//! regular files or directories, non-blocking; inherited streams keep the mode they came with. What
//! changes about a descriptor is behind locks, none of which is held while a call waits.

use std::io::IsTerminal;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

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

/// An open descriptor of a guest. Its threads may use it at the same time.
#[derive(Debug)]
pub(crate) struct Descriptor {
    pub object: Object,
    base: AtomicU64,
    inheriting: AtomicU64,
    flags: AtomicU16,
    /// Held by those who change the state.
    changing: Mutex<()>,
}

/// What a guest may change about a descriptor, as it is at one time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    pub base: Rights,
    pub inheriting: Rights,
    pub flags: u16,
}

impl State {
    /// Fails with `notcapable` without `rights`.
    pub fn require(self, rights: Rights) -> Result<(), Errno> {
        if self.base.contains(rights) { Ok(()) } else { Err(Errno::Notcapable) }
    }

    /// Whether the guest asked not to wait.
    pub fn nonblocking(self) -> bool {
        self.flags & fdflags::NONBLOCK != 0
    }

    pub fn appends(self) -> bool {
        self.flags & fdflags::APPEND != 0
    }
}

/// The thing behind a descriptor.
#[derive(Debug)]
pub(crate) enum Object {
    Dir(Arc<Dir>),
    Host(Host),
    Listener(OwnedFd),
    /// Bytes, and how many of them were read.
    Bytes {
        bytes: Arc<[u8]>,
        read: Mutex<usize>,
    },
    Pipe(OutputPipe),
    Null,
}

/// A host descriptor that bytes are read from or written to.
#[derive(Debug)]
pub(crate) struct Host {
    fd: HostFd,
    class: OnceLock<Class>,
    /// The access of the grant the file was opened beneath.
    pub access: Access,
    /// Held by those who write to a file in append mode, and by those who change the mode.
    appending: Mutex<()>,
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
        Host {
            fd: HostFd::Owned(fd),
            class: OnceLock::from(class),
            access,
            appending: Mutex::default(),
        }
    }

    fn inherited(fd: HostFd) -> Host {
        Host { fd, class: OnceLock::new(), access: Access::ReadWrite, appending: Mutex::default() }
    }

    /// The class; inherited streams are classified when they are first used.
    pub fn class(&self) -> Class {
        *self.class.get_or_init(|| rustix::fs::fstat(self).map_or(Class::Stream, |s| Class::of(&s)))
    }

    /// Whether an operation on the host descriptor itself may wait.
    pub fn waits(&self) -> bool {
        !matches!(self.fd, HostFd::Owned(_)) && self.class() != Class::File
    }

    /// Keeps the mode of a file that never waits from changing while somebody writes to it.
    pub fn hold_append_mode(&self) -> MutexGuard<'_, ()> {
        lock(&self.appending)
    }

    /// Makes an owned file append, or stop appending.
    pub fn set_append(&self, append: bool) -> Result<(), Errno> {
        let append = if append { OFlags::APPEND } else { OFlags::empty() };
        Ok(rustix::fs::fcntl_setfl(self, OFlags::NONBLOCK | append)?)
    }

    /// The process's own stream that this is.
    pub fn inherited_stream(&self) -> Option<BorrowedFd<'static>> {
        match self.fd {
            HostFd::Owned(_) => None,
            HostFd::Stdin => Some(rustix::stdio::stdin()),
            HostFd::Stdout => Some(rustix::stdio::stdout()),
            HostFd::Stderr => Some(rustix::stdio::stderr()),
        }
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
    /// What was granted, for people.
    pub host: PathBuf,
    pub guest: Vec<u8>,
    pub access: Access,
}

/// A directory descriptor: the root of a grant, or a directory opened beneath it.
#[derive(Debug)]
pub(crate) struct Dir {
    pub grant: Arc<Grant>,
    /// Readable; nothing stands for the root of the grant.
    opened: OnceLock<OwnedFd>,
    /// Whether this is the preopen itself, which `fd_prestat_get` describes.
    pub preopen: bool,
    listing: Mutex<()>,
}

impl Dir {
    pub fn root(grant: Arc<Grant>) -> Dir {
        Dir { grant, opened: OnceLock::new(), preopen: true, listing: Mutex::default() }
    }

    pub fn beneath(grant: Arc<Grant>, opened: OwnedFd) -> Dir {
        Dir { grant, opened: OnceLock::from(opened), preopen: false, listing: Mutex::default() }
    }

    /// Fails unless things beneath this directory may change.
    pub fn writable(&self) -> Result<(), Errno> {
        match self.grant.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(Errno::Rofs),
        }
    }

    /// A descriptor that can be listed and synchronized, which one opened with `O_PATH` cannot.
    pub fn readable(&self) -> Result<BorrowedFd<'_>, Errno> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened.as_fd());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.grant.root, ".", flags, Mode::empty())?;
        // Another thread's descriptor is as good.
        Ok(self.opened.get_or_init(|| opened).as_fd())
    }

    /// Keeps the position in the listing for one reader at a time.
    pub fn hold_listing(&self) -> MutexGuard<'_, ()> {
        lock(&self.listing)
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.opened.get().unwrap_or(&self.grant.root).as_fd()
    }
}

impl Descriptor {
    fn new(object: Object, base: Rights) -> Descriptor {
        Descriptor::with(object, State { base, inheriting: base, flags: 0 })
    }

    pub fn with(object: Object, state: State) -> Descriptor {
        Descriptor {
            object,
            base: AtomicU64::new(state.base.0),
            inheriting: AtomicU64::new(state.inheriting.0),
            flags: AtomicU16::new(state.flags),
            changing: Mutex::default(),
        }
    }

    /// The state as it is now.
    pub fn state(&self) -> State {
        State {
            base: Rights(self.base.load(Ordering::Relaxed)),
            inheriting: Rights(self.inheriting.load(Ordering::Relaxed)),
            flags: self.flags.load(Ordering::Relaxed),
        }
    }

    /// Changes the state, while nobody else does.
    pub fn change(
        &self,
        change: impl FnOnce(&mut State) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let _changing = lock(&self.changing);
        let mut state = self.state();
        change(&mut state)?;
        self.base.store(state.base.0, Ordering::Relaxed);
        self.inheriting.store(state.inheriting.0, Ordering::Relaxed);
        self.flags.store(state.flags, Ordering::Relaxed);
        Ok(())
    }

    /// The host descriptor that can be waited for.
    pub fn waitable(&self) -> Option<BorrowedFd<'_>> {
        match &self.object {
            Object::Host(host) => Some(host.as_fd()),
            Object::Listener(fd) => Some(fd.as_fd()),
            _ => None,
        }
    }

    pub fn stdin(input: &Input) -> Descriptor {
        let object = match input {
            Input::Null => Object::Null,
            Input::Inherit => Object::Host(Host::inherited(HostFd::Stdin)),
            Input::Bytes(bytes) => Object::Bytes { bytes: bytes.clone(), read: Mutex::default() },
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

    pub fn socket(fd: OwnedFd, flags: u16) -> Descriptor {
        let host = Host::new(fd, Class::Socket, Access::ReadWrite);
        let state = State { base: Rights::SOCKET, inheriting: Rights::SOCKET, flags };
        Descriptor::with(Object::Host(host), state)
    }

    pub fn preopen(grant: Grant) -> Descriptor {
        let (base, inheriting) = (Rights::DIRECTORY, Rights::DIRECTORY_INHERITING);
        let object = Object::Dir(Arc::new(Dir::root(Arc::new(grant))));
        Descriptor::with(object, State { base, inheriting, flags: 0 })
    }

    /// Fails with `notcapable` unless the descriptor has `rights`.
    pub fn require(&self, rights: Rights) -> Result<(), Errno> {
        self.state().require(rights)
    }

    /// The directory behind the descriptor.
    pub fn dir(&self) -> Result<&Arc<Dir>, Errno> {
        match &self.object {
            Object::Dir(dir) => Ok(dir),
            _ => Err(Errno::Notdir),
        }
    }

    /// The type to report, and those of the rights `base` that make sense for it.
    pub fn kind(&self, base: Rights) -> Result<(Filetype, Rights), Failure> {
        let positionless = base.without(Rights::POSITION);
        Ok(match &self.object {
            Object::Dir(_) => (Filetype::Directory, base),
            Object::Listener(_) => (Filetype::SocketStream, base),
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
                (filetype, if has_position { base } else { positionless })
            }
        })
    }
}

/// Locks that guard plain values stay usable after a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

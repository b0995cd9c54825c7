//! `wasi_snapshot_preview1`: one table of its 46 functions, and the entry through which hosts call.
//!
//! Linking, `--trace` and the tests derive from [`FUNCTIONS`]; every implementation beneath this
//! module has the same shape and is reached only through [`call`]. Invariant: whatever a guest
//! passes, a call ends in an [`Errno`] or in a [`Stop`], never in a panic.

mod clock;
mod dir;
mod env;
mod fd;
mod io;
mod open;
mod path;
mod poll;
mod process;
mod sock;
mod stat;
mod time;
mod trace;

pub use poll::MAX_SUBSCRIPTIONS;
pub use trace::Trace;

use open::SYMLINK_FOLLOW;

use crate::{Ctx, Errno, GuestMemory, MAX_PATH};

/// The module name under which guests import these functions.
pub const MODULE: &str = "wasi_snapshot_preview1";

/// A function of preview 1.
#[derive(Debug)]
pub struct Function {
    /// The name guests import.
    pub name: &'static str,
    /// The parameters, in order.
    pub params: &'static [Param],
    /// The implementation; hosts go through [`call`].
    call: fn(&mut Ctx, &mut GuestMemory<'_>, &[u64]) -> Result<(), Failure>,
}

impl Function {
    /// Whether the function returns its errno as an `i32`; only `proc_exit` returns nothing.
    pub fn has_result(&self) -> bool {
        self.name != "proc_exit"
    }
}

/// A parameter of a [`Function`].
#[derive(Debug)]
pub struct Param {
    /// The name in the specification.
    pub name: &'static str,
    /// What its value means.
    pub kind: Kind,
}

/// What the value of a parameter means; decides its type and how it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A descriptor number.
    Fd,
    /// A pointer to input or output data.
    Ptr,
    /// A pointer to a path whose length is the next parameter.
    Path,
    /// A length in bytes or elements.
    Len,
    /// A bit set of at most 32 bits.
    Flags,
    /// An enumeration or a plain number.
    Number,
    /// A set of rights.
    Rights,
    /// A 64-bit size, offset, time or cookie.
    Wide,
    /// A signed 64-bit offset.
    Delta,
}

/// A WebAssembly parameter type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// 32 bits.
    I32,
    /// 64 bits.
    I64,
}

impl Kind {
    /// The WebAssembly type of a parameter of this kind.
    pub fn ty(self) -> ParamType {
        match self {
            Kind::Rights | Kind::Wide | Kind::Delta => ParamType::I64,
            _ => ParamType::I32,
        }
    }
}

/// How an implementation ends when it does not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The guest receives an error number.
    Errno(Errno),
    /// The guest asked to end with this code.
    Exit(i32),
    /// The host misused the interface; the guest must trap with this message.
    Trap(&'static str),
    /// The deadline passed while the call was waiting.
    Deadline,
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Failure {
        Failure::Errno(errno)
    }
}

impl From<rustix::io::Errno> for Failure {
    fn from(errno: rustix::io::Errno) -> Failure {
        Failure::Errno(errno.into())
    }
}

/// Why the guest must not continue after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// `proc_exit` was called with this code.
    Exit(i32),
    /// The guest must trap with this message.
    Trap(&'static str),
    /// The deadline of [`Ctx::set_deadline`] passed during a wait.
    Deadline,
}

/// Calls `function` with `args`, one per parameter, `i32` values zero-extended.
pub fn call(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    function: &Function,
    args: &[u64],
) -> Result<Errno, Stop> {
    match (function.call)(ctx, memory, args) {
        Ok(()) => Ok(Errno::Success),
        Err(Failure::Errno(errno)) => {
            if let Errno::Perm | Errno::Rofs | Errno::Xdev = errno {
                note_denial(ctx, memory, function, args, errno);
            }
            Ok(errno)
        }
        Err(Failure::Exit(code)) => Err(Stop::Exit(code)),
        Err(Failure::Trap(message)) => Err(Stop::Trap(message)),
        Err(Failure::Deadline) => Err(Stop::Deadline),
    }
}

/// Records a call on directories that a grant may have been the reason to refuse. In every function a descriptor comes
/// before the path beneath it, and between them perhaps whether the path's last link is followed.
fn note_denial(
    ctx: &Ctx,
    memory: &GuestMemory<'_>,
    function: &Function,
    args: &[u64],
    errno: Errno,
) {
    let note = |fd: u64, follow: bool, path: Option<&[u8]>| {
        if let Ok(descriptor) = ctx.table.get(fd as u32)
            && let Ok(dir) = descriptor.dir()
        {
            ctx.denials().record_file(ctx.resolver, dir, path, follow, errno);
        }
    };
    let (mut fd, mut follow) = (None, false);
    let lengths = args.iter().skip(1).chain([&0]);
    for ((param, &arg), &len) in function.params.iter().zip(args).zip(lengths) {
        match (param.kind, fd) {
            (Kind::Fd, _) => (fd, follow) = (Some(arg), false),
            (Kind::Flags, Some(_)) => follow = arg & u64::from(SYMLINK_FOLLOW) != 0,
            (Kind::Path, Some(of)) => {
                fd = None;
                if let Ok(path) = memory.text(arg as u32, len as u32, MAX_PATH) {
                    note(of, follow, Some(&path));
                }
            }
            _ => {}
        }
    }
    if let Some(fd) = fd {
        note(fd, false, None);
    }
}

/// The function called `name`.
pub fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// One argument as the guest passed it.
#[derive(Clone, Copy)]
struct Arg(u64);

impl Arg {
    fn u32(self) -> u32 {
        self.0 as u32
    }

    fn u64(self) -> u64 {
        self.0
    }

    /// A bit set; bits outside of `known` are `inval`.
    fn flags(self, known: u16) -> Result<u16, Errno> {
        let flags = u16::try_from(self.u32()).map_err(|_| Errno::Inval)?;
        if flags & !known == 0 { Ok(flags) } else { Err(Errno::Inval) }
    }
}

/// The arguments of a function with `N` parameters.
fn take<const N: usize>(args: &[u64]) -> Result<[Arg; N], Failure> {
    let args: &[u64; N] =
        args.try_into().map_err(|_| Failure::Trap("wrong number of arguments for WASI"))?;
    Ok(args.map(Arg))
}

macro_rules! functions {
    ($($module:ident::$name:ident($($param:ident: $kind:ident),*);)*) => {
        /// Every function of `wasi_snapshot_preview1`.
        pub static FUNCTIONS: &[Function] = &[$(Function {
            name: stringify!($name),
            params: &[$(Param { name: stringify!($param), kind: Kind::$kind }),*],
            call: $module::$name,
        }),*];
    };
}

functions! {
    env::args_get(argv: Ptr, argv_buf: Ptr);
    env::args_sizes_get(argc: Ptr, argv_buf_size: Ptr);
    env::environ_get(environ: Ptr, environ_buf: Ptr);
    env::environ_sizes_get(environc: Ptr, environ_buf_size: Ptr);
    clock::clock_res_get(id: Number, resolution: Ptr);
    clock::clock_time_get(id: Number, precision: Wide, time: Ptr);
    fd::fd_advise(fd: Fd, offset: Wide, len: Wide, advice: Number);
    fd::fd_allocate(fd: Fd, offset: Wide, len: Wide);
    fd::fd_close(fd: Fd);
    fd::fd_datasync(fd: Fd);
    fd::fd_fdstat_get(fd: Fd, stat: Ptr);
    fd::fd_fdstat_set_flags(fd: Fd, flags: Flags);
    fd::fd_fdstat_set_rights(fd: Fd, fs_rights_base: Rights, fs_rights_inheriting: Rights);
    fd::fd_filestat_get(fd: Fd, buf: Ptr);
    fd::fd_filestat_set_size(fd: Fd, size: Wide);
    fd::fd_filestat_set_times(fd: Fd, atim: Wide, mtim: Wide, fst_flags: Flags);
    io::fd_pread(fd: Fd, iovs: Ptr, iovs_len: Len, offset: Wide, nread: Ptr);
    dir::fd_prestat_get(fd: Fd, buf: Ptr);
    dir::fd_prestat_dir_name(fd: Fd, path: Ptr, path_len: Len);
    io::fd_pwrite(fd: Fd, iovs: Ptr, iovs_len: Len, offset: Wide, nwritten: Ptr);
    io::fd_read(fd: Fd, iovs: Ptr, iovs_len: Len, nread: Ptr);
    dir::fd_readdir(fd: Fd, buf: Ptr, buf_len: Len, cookie: Wide, bufused: Ptr);
    fd::fd_renumber(fd: Fd, to: Fd);
    fd::fd_seek(fd: Fd, offset: Delta, whence: Number, newoffset: Ptr);
    fd::fd_sync(fd: Fd);
    fd::fd_tell(fd: Fd, offset: Ptr);
    io::fd_write(fd: Fd, iovs: Ptr, iovs_len: Len, nwritten: Ptr);
    path::path_create_directory(fd: Fd, path: Path, path_len: Len);
    path::path_filestat_get(fd: Fd, flags: Flags, path: Path, path_len: Len, buf: Ptr);
    path::path_filestat_set_times(fd: Fd, flags: Flags, path: Path, path_len: Len, atim: Wide,
        mtim: Wide, fst_flags: Flags);
    path::path_link(old_fd: Fd, old_flags: Flags, old_path: Path, old_path_len: Len, new_fd: Fd,
        new_path: Path, new_path_len: Len);
    open::path_open(fd: Fd, dirflags: Flags, path: Path, path_len: Len, oflags: Flags,
        fs_rights_base: Rights, fs_rights_inheriting: Rights, fdflags: Flags, opened_fd: Ptr);
    path::path_readlink(fd: Fd, path: Path, path_len: Len, buf: Ptr, buf_len: Len, bufused: Ptr);
    path::path_remove_directory(fd: Fd, path: Path, path_len: Len);
    path::path_rename(fd: Fd, old_path: Path, old_path_len: Len, new_fd: Fd, new_path: Path,
        new_path_len: Len);
    path::path_symlink(old_path: Path, old_path_len: Len, fd: Fd, new_path: Path,
        new_path_len: Len);
    path::path_unlink_file(fd: Fd, path: Path, path_len: Len);
    poll::poll_oneoff(subscriptions: Ptr, events: Ptr, nsubscriptions: Len, nevents: Ptr);
    process::proc_exit(rval: Number);
    process::proc_raise(sig: Number);
    process::sched_yield();
    process::random_get(buf: Ptr, buf_len: Len);
    sock::sock_accept(fd: Fd, flags: Flags, connection: Ptr);
    sock::sock_recv(fd: Fd, ri_data: Ptr, ri_data_len: Len, ri_flags: Flags, ro_datalen: Ptr,
        ro_flags: Ptr);
    sock::sock_send(fd: Fd, si_data: Ptr, si_data_len: Len, si_flags: Flags, so_datalen: Ptr);
    sock::sock_shutdown(fd: Fd, how: Flags);
}

//! Directories as descriptors: `fd_prestat_get`, `fd_prestat_dir_name` and `fd_readdir`.
//!
//! Invariant: a cookie is the kernel's own position behind an entry, so listings resume correctly
//! with any buffer size and while entries come and go; the host keeps no listing in memory.

use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

use rustix::fs::{RawDir, RawDirEntry, SeekFrom};
use rustix::io::Errno as HostErrno;

use super::{Failure, take};
use crate::descriptor::{Filetype, Grant, Object};
use crate::names::entry_type;
use crate::rights::Rights;
use crate::{Ctx, Errno, GuestMemory};

/// Size of the fixed part of a directory entry.
const DIRENT_SIZE: usize = 24;

/// Bounds of the buffer that entries are fetched into: the longest name fits, the stack too.
const MIN_FETCH: usize = 2048;
const MAX_FETCH: usize = 8192;

/// Preopen types. The specification knows directories only; libc and Go skip other ones, while
/// they stop looking for directories at a descriptor that is no preopen at all.
const PREOPEN_DIRECTORY: u8 = 0;
const PREOPEN_LISTENER: u8 = 1;

pub(super) fn fd_prestat_get(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, buf] = take(args)?;
    let (kind, name_len) = match &ctx.table.get(fd.u32())?.object {
        Object::Dir(dir) if dir.preopen => (PREOPEN_DIRECTORY, dir.grant.guest.len()),
        Object::Listener(_) => (PREOPEN_LISTENER, 0),
        _ => return Err(Errno::Badf.into()),
    };
    let name_len = u32::try_from(name_len).map_err(|_| Errno::Overflow)?;
    let mut bytes = [0; 8];
    bytes[0] = kind;
    bytes[4..].copy_from_slice(&name_len.to_le_bytes());
    Ok(memory.write(buf.u32(), &bytes)?)
}

pub(super) fn fd_prestat_dir_name(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, path, len] = take(args)?;
    match &ctx.table.get(fd.u32())?.object {
        Object::Dir(dir) if dir.preopen => {
            let guest = &dir.grant.guest;
            if guest.len() as u64 > u64::from(len.u32()) {
                return Err(Errno::Nametoolong.into());
            }
            Ok(memory.write(path.u32(), guest)?)
        }
        _ => Err(Errno::Notdir.into()),
    }
}

pub(super) fn fd_readdir(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [fd, buf, len, cookie, bufused] = take(args)?;
    memory.check_array(bufused.u32(), 1, 4)?;
    memory.check_array(buf.u32(), len.u32(), 1)?;
    let dir = ctx.table.dir(fd.u32(), Rights::FD_READDIR)?;
    let _held = dir.hold_listing();
    let buffer = Buffer { memory, ptr: buf.u32(), len: len.u32() as usize };
    let used = list(dir.readable()?, &dir.grant, cookie.u64(), buffer)?;
    Ok(memory.write_u32(bufused.u32(), used as u32)?)
}

/// Where entries are written to.
struct Buffer<'m, 'a> {
    memory: &'m mut GuestMemory<'a>,
    ptr: u32,
    len: usize,
}

impl Buffer<'_, '_> {
    /// Writes what fits of `bytes` at `used`.
    fn append(&mut self, used: usize, bytes: &[u8]) -> Result<usize, Errno> {
        let len = bytes.len().min(self.len - used);
        // The buffer lies inside the memory, so this does not wrap unless it ends there.
        self.memory.write(self.ptr.wrapping_add(used as u32), &bytes[..len])?;
        Ok(len)
    }
}

/// Fills `buffer` with entries behind `cookie`, cutting the last one where the buffer ends.
fn list(
    dir: BorrowedFd<'_>,
    grant: &Grant,
    cookie: u64,
    mut buffer: Buffer<'_, '_>,
) -> Result<usize, Errno> {
    rustix::fs::seek(dir, SeekFrom::Start(cookie))?;
    let mut fetched = [MaybeUninit::uninit(); MAX_FETCH];
    let fetch = buffer.len.clamp(MIN_FETCH, MAX_FETCH);
    let mut entries = RawDir::new(dir, &mut fetched[..fetch]);
    let mut used = 0;
    while used < buffer.len {
        let entry = match entries.next() {
            // A directory that was removed has no entries.
            None | Some(Err(HostErrno::NOENT)) => break,
            Some(Err(_)) if used > 0 => break,
            Some(entry) => entry?,
        };
        let name = entry.file_name().to_bytes();
        used += buffer.append(used, &header(dir, grant, &entry))?;
        used += buffer.append(used, name)?;
    }
    Ok(used)
}

fn header(dir: BorrowedFd<'_>, grant: &Grant, entry: &RawDirEntry<'_>) -> [u8; DIRENT_SIZE] {
    let name = entry.file_name().to_bytes();
    let mut bytes = [0; DIRENT_SIZE];
    bytes[..8].copy_from_slice(&entry.next_entry_cookie().to_le_bytes());
    bytes[8..16].copy_from_slice(&inode(dir, grant, entry).to_le_bytes());
    bytes[16..20].copy_from_slice(&(name.len() as u32).to_le_bytes());
    bytes[20] = Filetype::from(entry_type(dir, entry)) as u8;
    bytes
}

/// The inode of an entry. The parent of a grant's root is, as for `/`, the root itself.
fn inode(dir: BorrowedFd<'_>, grant: &Grant, entry: &RawDirEntry<'_>) -> u64 {
    if entry.file_name().to_bytes() == b".."
        && let (Ok(here), Ok(root)) = (rustix::fs::fstat(dir), rustix::fs::fstat(&grant.root))
        && (here.st_dev, here.st_ino) == (root.st_dev, root.st_ino)
    {
        return here.st_ino;
    }
    entry.ino()
}

//! The layouts of `fdstat` and `filestat` in guest memory.
//!
//! Invariant: all bytes of a structure are written, padding included, so nothing of the host leaks.

use rustix::fs::{FileType, Stat, Timespec};

use crate::descriptor::Filetype;
use crate::rights::Rights;
use crate::source::nanoseconds;
use crate::{Errno, GuestMemory};

/// Size of `filestat`.
pub(super) const FILESTAT_SIZE: u32 = 64;

/// Writes the `fdstat` of a descriptor.
pub(super) fn write_fdstat(
    memory: &mut GuestMemory<'_>,
    ptr: u32,
    filetype: Filetype,
    flags: u16,
    base: Rights,
    inheriting: Rights,
) -> Result<(), Errno> {
    let mut bytes = [0; 24];
    bytes[0] = filetype as u8;
    bytes[2..4].copy_from_slice(&flags.to_le_bytes());
    bytes[8..16].copy_from_slice(&base.0.to_le_bytes());
    bytes[16..24].copy_from_slice(&inheriting.0.to_le_bytes());
    memory.write(ptr, &bytes)
}

/// Writes the `filestat` of a host file.
#[allow(clippy::useless_conversion, reason = "the link count has 32 bits on some architectures")]
pub(super) fn write_filestat(
    memory: &mut GuestMemory<'_>,
    ptr: u32,
    stat: &Stat,
) -> Result<(), Errno> {
    let time = |seconds, nanos| nanoseconds(Timespec { tv_sec: seconds, tv_nsec: nanos });
    write_filestat_fields(
        memory,
        ptr,
        FileType::from_raw_mode(stat.st_mode).into(),
        [
            stat.st_dev,
            stat.st_ino,
            u64::from(stat.st_nlink),
            u64::try_from(stat.st_size).unwrap_or(0),
            time(stat.st_atime, stat.st_atime_nsec as i64),
            time(stat.st_mtime, stat.st_mtime_nsec as i64),
            time(stat.st_ctime, stat.st_ctime_nsec as i64),
        ],
    )
}

/// Writes the `filestat` of something that is not a host file.
pub(super) fn write_empty_filestat(memory: &mut GuestMemory<'_>, ptr: u32) -> Result<(), Errno> {
    write_filestat_fields(memory, ptr, Filetype::Unknown, [0; 7])
}

/// `fields`: device, inode, links, size, access, modification and change time.
fn write_filestat_fields(
    memory: &mut GuestMemory<'_>,
    ptr: u32,
    filetype: Filetype,
    fields: [u64; 7],
) -> Result<(), Errno> {
    let mut bytes = [0; FILESTAT_SIZE as usize];
    for (field, at) in fields.into_iter().zip([0, 8, 24, 32, 40, 48, 56]) {
        bytes[at..at + 8].copy_from_slice(&field.to_le_bytes());
    }
    bytes[16] = filetype as u8;
    memory.write(ptr, &bytes)
}

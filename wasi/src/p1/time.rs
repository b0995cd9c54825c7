//! The times that `fd_filestat_set_times` and `path_filestat_set_times` set.

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

use super::Arg;
use super::clock::timespec;
use crate::Errno;

const ATIM: u16 = 1;
const ATIM_NOW: u16 = 2;
const MTIM: u16 = 4;
const MTIM_NOW: u16 = 8;

/// The host form of the arguments; a time both given and "now" is `inval`.
pub(super) fn timestamps(atim: Arg, mtim: Arg, flags: Arg) -> Result<Timestamps, Errno> {
    let flags = flags.flags(ATIM | ATIM_NOW | MTIM | MTIM_NOW)?;
    let time = |given: Arg, set, now| match (flags & set != 0, flags & now != 0) {
        (true, true) => Err(Errno::Inval),
        (true, false) => Ok(timespec(given.u64())),
        (false, true) => Ok(Timespec { tv_sec: 0, tv_nsec: UTIME_NOW }),
        (false, false) => Ok(Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }),
    };
    Ok(Timestamps {
        last_access: time(atim, ATIM, ATIM_NOW)?,
        last_modification: time(mtim, MTIM, MTIM_NOW)?,
    })
}

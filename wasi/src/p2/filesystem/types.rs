//! The types of `wasi:filesystem/types`, and what they are on the host. Invariant: every error number of the host has a
//! code, and no time, size or number of a guest is cut to fit.

use lithe_component::{flags, record, variant};
use rustix::fs::{FileType, Stat, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

use crate::Errno;
use crate::p2::clocks::{Datetime, NANOS};

variant! {
    /// `wasi:filesystem/types.descriptor-type`
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum DescriptorType {
        "unknown" Unknown,
        "block-device" BlockDevice,
        "character-device" CharacterDevice,
        "directory" Directory,
        "fifo" Fifo,
        "symbolic-link" SymbolicLink,
        "regular-file" RegularFile,
        "socket" Socket,
    }
}

impl From<FileType> for DescriptorType {
    fn from(host: FileType) -> DescriptorType {
        match host {
            FileType::BlockDevice => DescriptorType::BlockDevice,
            FileType::CharacterDevice => DescriptorType::CharacterDevice,
            FileType::Directory => DescriptorType::Directory,
            FileType::Fifo => DescriptorType::Fifo,
            FileType::Symlink => DescriptorType::SymbolicLink,
            FileType::RegularFile => DescriptorType::RegularFile,
            FileType::Socket => DescriptorType::Socket,
            FileType::Unknown => DescriptorType::Unknown,
        }
    }
}

flags! {
    /// `wasi:filesystem/types.descriptor-flags`
    pub struct DescriptorFlags {
        "read" READ,
        "write" WRITE,
        "file-integrity-sync" FILE_INTEGRITY_SYNC,
        "data-integrity-sync" DATA_INTEGRITY_SYNC,
        "requested-write-sync" REQUESTED_WRITE_SYNC,
        "mutate-directory" MUTATE_DIRECTORY,
    }
}

flags! {
    /// `wasi:filesystem/types.path-flags`
    pub struct PathFlags { "symlink-follow" SYMLINK_FOLLOW }
}

impl PathFlags {
    /// Whether a link in the last component is followed.
    pub fn follow(self) -> bool {
        self.contains(PathFlags::SYMLINK_FOLLOW)
    }
}

flags! {
    /// `wasi:filesystem/types.open-flags`
    pub struct OpenFlags {
        "create" CREATE,
        "directory" DIRECTORY,
        "exclusive" EXCLUSIVE,
        "truncate" TRUNCATE,
    }
}

record! {
    /// `wasi:filesystem/types.descriptor-stat`
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct DescriptorStat {
        "type" kind: DescriptorType,
        "link-count" link_count: u64,
        "size" size: u64,
        "data-access-timestamp" data_access_timestamp: Option<Datetime>,
        "data-modification-timestamp" data_modification_timestamp: Option<Datetime>,
        "status-change-timestamp" status_change_timestamp: Option<Datetime>,
    }
}

impl From<Stat> for DescriptorStat {
    #[allow(clippy::useless_conversion, reason = "the link count has 32 bits on some hosts")]
    fn from(stat: Stat) -> DescriptorStat {
        DescriptorStat {
            kind: FileType::from_raw_mode(stat.st_mode).into(),
            link_count: u64::from(stat.st_nlink),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            data_access_timestamp: Some(datetime(stat.st_atime, stat.st_atime_nsec as i64)),
            data_modification_timestamp: Some(datetime(stat.st_mtime, stat.st_mtime_nsec as i64)),
            status_change_timestamp: Some(datetime(stat.st_ctime, stat.st_ctime_nsec as i64)),
        }
    }
}

/// A time of a file. Those before 1970 have no form here, and are 1970.
fn datetime(seconds: i64, nanoseconds: i64) -> Datetime {
    match (u64::try_from(seconds), u32::try_from(nanoseconds)) {
        (Ok(seconds), Ok(nanoseconds)) => Datetime { seconds, nanoseconds },
        _ => Datetime { seconds: 0, nanoseconds: 0 },
    }
}

variant! {
    /// `wasi:filesystem/types.new-timestamp`
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum NewTimestamp { "no-change" NoChange, "now" Now, "timestamp" Timestamp(Datetime) }
}

impl NewTimestamp {
    fn timespec(self) -> Result<Timespec, Errno> {
        Ok(match self {
            NewTimestamp::NoChange => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            NewTimestamp::Now => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
            // The host gives larger numbers of nanoseconds meanings of their own.
            NewTimestamp::Timestamp(time) if u64::from(time.nanoseconds) >= NANOS => {
                return Err(Errno::Inval);
            }
            NewTimestamp::Timestamp(time) => Timespec {
                tv_sec: time.seconds.try_into().map_err(|_| Errno::Overflow)?,
                tv_nsec: time.nanoseconds.into(),
            },
        })
    }
}

/// The times that a guest sets.
pub(super) fn timestamps(
    access: NewTimestamp,
    modification: NewTimestamp,
) -> Result<Timestamps, Errno> {
    Ok(Timestamps { last_access: access.timespec()?, last_modification: modification.timespec()? })
}

record! {
    /// `wasi:filesystem/types.directory-entry`
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct DirectoryEntry { "type" kind: DescriptorType, "name" name: String }
}

record! {
    /// `wasi:filesystem/types.metadata-hash-value`
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct MetadataHashValue { "lower" lower: u64, "upper" upper: u64 }
}

variant! {
    /// `wasi:filesystem/types.advice`
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum Advice {
        "normal" Normal,
        "sequential" Sequential,
        "random" Random,
        "will-need" WillNeed,
        "dont-need" DontNeed,
        "no-reuse" NoReuse,
    }
}

impl From<Advice> for rustix::fs::Advice {
    fn from(advice: Advice) -> rustix::fs::Advice {
        match advice {
            Advice::Normal => rustix::fs::Advice::Normal,
            Advice::Sequential => rustix::fs::Advice::Sequential,
            Advice::Random => rustix::fs::Advice::Random,
            Advice::WillNeed => rustix::fs::Advice::WillNeed,
            Advice::DontNeed => rustix::fs::Advice::DontNeed,
            Advice::NoReuse => rustix::fs::Advice::NoReuse,
        }
    }
}

macro_rules! error_codes {
    ($($label:literal $code:ident = $($errno:ident)|+,)*) => {
        variant! {
            /// `wasi:filesystem/types.error-code`
            #[derive(Clone, Copy, PartialEq, Eq, Debug)]
            pub enum ErrorCode { $($label $code,)* }
        }

        impl ErrorCode {
            /// The code of an error number, when there is one.
            pub(super) fn of(errno: Errno) -> Option<ErrorCode> {
                match errno {
                    $($(Errno::$errno)|+ => Some(ErrorCode::$code),)*
                    _ => None,
                }
            }
        }
    };
}

error_codes! {
    "access" Access = Acces,
    "would-block" WouldBlock = Again,
    "already" Already = Already,
    "bad-descriptor" BadDescriptor = Badf,
    "busy" Busy = Busy,
    "deadlock" Deadlock = Deadlk,
    "quota" Quota = Dquot,
    "exist" Exist = Exist,
    "file-too-large" FileTooLarge = Fbig,
    "illegal-byte-sequence" IllegalByteSequence = Ilseq,
    "in-progress" InProgress = Inprogress,
    "interrupted" Interrupted = Intr,
    "invalid" Invalid = Inval,
    "io" Io = Io,
    "is-directory" IsDirectory = Isdir,
    "loop" Loop = Loop,
    "too-many-links" TooManyLinks = Mlink,
    "message-size" MessageSize = Msgsize,
    "name-too-long" NameTooLong = Nametoolong,
    "no-device" NoDevice = Nodev,
    "no-entry" NoEntry = Noent,
    "no-lock" NoLock = Nolck,
    // There is no code for too many open descriptors.
    "insufficient-memory" InsufficientMemory = Nomem | Mfile | Nfile | Nobufs,
    "insufficient-space" InsufficientSpace = Nospc,
    "not-directory" NotDirectory = Notdir,
    "not-empty" NotEmpty = Notempty,
    "not-recoverable" NotRecoverable = Notrecoverable,
    "unsupported" Unsupported = Notsup | Nosys,
    "no-tty" NoTty = Notty,
    "no-such-device" NoSuchDevice = Nxio,
    "overflow" Overflow = Overflow,
    "not-permitted" NotPermitted = Perm | Notcapable,
    "pipe" Pipe = Pipe,
    "read-only" ReadOnly = Rofs,
    "invalid-seek" InvalidSeek = Spipe,
    "text-file-busy" TextFileBusy = Txtbsy,
    "cross-device" CrossDevice = Xdev,
}

impl From<Errno> for ErrorCode {
    fn from(errno: Errno) -> ErrorCode {
        ErrorCode::of(errno).unwrap_or(ErrorCode::Io)
    }
}

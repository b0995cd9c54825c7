//! Open files and their streams. Invariant: files are read and written at once, in the guest's thread and at the guest's
//! own positions, so they are always ready, and one stream does not move another; a file counts as one of the guest's
//! descriptors until its last stream is gone.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use lithe_component::HostBytes;
use rustix::buffer::spare_capacity;
use rustix::io::{Errno as HostErrno, ReadWriteFlags};

use super::types::DescriptorFlags;
use crate::descriptor::Class;
use crate::p2::io::{
    HostInput, HostOutput, Input, InputStream, Output, OutputStream, StreamFailure, StreamResult,
};
use crate::p2::{Readiness, WaitFd};
use crate::table::Seat;
use crate::wait::Deadline;
use crate::{Access, Errno};

/// Bytes that one call reads at most, and that a stream takes at a time.
const PIECE: usize = 1 << 20;
/// From so many bytes on, reading straight into the guest's memory saves more than asking for the size costs.
const DIRECT: usize = 16 << 10;

/// An open file that is not a directory.
#[derive(Clone)]
pub(super) struct File {
    pub fd: Arc<OwnedFd>,
    pub class: Class,
    /// What the grant allows that the file was opened beneath.
    pub access: Access,
    pub flags: DescriptorFlags,
    /// Whether a failure has come up that only [`File::read_at`] can tell the guest.
    failed: Arc<AtomicBool>,
    seat: Arc<Seat>,
}

fn again<T>(mut operation: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match operation() {
            Err(HostErrno::INTR) => {}
            result => return result,
        }
    }
}

impl File {
    pub fn new(
        fd: OwnedFd,
        class: Class,
        access: Access,
        flags: DescriptorFlags,
        seat: Seat,
    ) -> File {
        let (fd, seat) = (Arc::new(fd), Arc::new(seat));
        File { fd, class, access, flags, failed: Arc::default(), seat }
    }

    /// Fails unless it is open for reading.
    fn readable(&self) -> Result<(), Errno> {
        match self.flags.contains(DescriptorFlags::READ) {
            true => Ok(()),
            false => Err(Errno::Badf),
        }
    }

    /// Fails unless it is open for writing.
    pub fn writable(&self) -> Result<(), Errno> {
        match self.flags.contains(DescriptorFlags::WRITE) {
            true => Ok(()),
            false => Err(Errno::Badf),
        }
    }

    /// Reads at a position; nothing means the end.
    fn read_at(&self, max: usize, at: u64) -> Result<Vec<u8>, HostErrno> {
        let mut bytes = Vec::with_capacity(max.min(PIECE));
        again(|| rustix::io::pread(&self.fd, spare_capacity(&mut bytes), at))?;
        Ok(bytes)
    }

    /// Reads at a position straight into the guest's memory, when there is much; then moves on `next`.
    fn direct_at(&self, max: usize, at: u64, next: &Arc<AtomicU64>) -> Option<HostBytes> {
        if max < DIRECT || self.class != Class::File || self.failed.load(Ordering::Relaxed) {
            return None;
        }
        let size = u64::try_from(rustix::fs::fstat(&self.fd).ok()?.st_size).ok()?;
        let len = size.saturating_sub(at).min(max.min(PIECE) as u64) as usize;
        if len < DIRECT {
            return None;
        }
        let (file, next) = (self.clone(), next.clone());
        Some(HostBytes::filled(len, move |place| {
            match again(|| rustix::io::pread(&file.fd, &mut *place, at)) {
                Ok(count) if count > 0 => {
                    next.store(at + count as u64, Ordering::Relaxed);
                    count
                }
                // The next call meets it again, and tells.
                _ => {
                    file.failed.store(true, Ordering::Relaxed);
                    0
                }
            }
        }))
    }

    /// What is at a position, and whether that is the end.
    pub fn read(&self, len: u64, at: u64) -> Result<(HostBytes, bool), Errno> {
        self.readable()?;
        if len == 0 {
            return Ok((Vec::new().into(), false));
        }
        let len = len.min(PIECE as u64) as usize;
        if let Some(bytes) = self.direct_at(len, at, &Arc::default()) {
            return Ok((bytes, false));
        }
        let bytes = self.read_at(len, at)?;
        let ended = bytes.is_empty();
        Ok((bytes.into(), ended))
    }

    /// Writes to a position; how much that was.
    pub fn write(&self, bytes: &[u8], at: u64) -> Result<u64, Errno> {
        self.writable()?;
        Ok(again(|| rustix::io::pwrite(&self.fd, bytes, at))? as u64)
    }

    fn shared(&self) -> WaitFd {
        WaitFd::Shared(self.fd.clone())
    }

    /// A stream that reads from a position on. What has no positions is read where it is.
    pub fn read_stream(&self, at: u64) -> Result<Input, Errno> {
        self.readable()?;
        Ok(match self.class {
            Class::File => {
                let at = Arc::new(AtomicU64::new(at));
                Input::new(FileInput { file: self.clone(), at, ended: false })
            }
            _ => Input::new(HostInput::new(self.shared(), Some(self.seat.clone()))),
        })
    }

    /// A stream that writes from a position on, or at the end without one.
    pub fn write_stream(&self, at: Option<u64>, deadline: Deadline) -> Result<Output, Errno> {
        self.writable()?;
        Ok(match self.class {
            Class::File => Output::new(FileOutput { file: self.clone(), at, ended: false }),
            _ => {
                let seat = Some(self.seat.clone());
                Output::new(HostOutput::new(self.shared(), false, deadline, seat))
            }
        })
    }
}

struct FileInput {
    file: File,
    /// Shared with those who read when the place for the bytes is known.
    at: Arc<AtomicU64>,
    ended: bool,
}

impl InputStream for FileInput {
    fn read(&mut self, max: usize) -> StreamResult<Vec<u8>> {
        match (self.ended, max) {
            (true, _) => return Err(StreamFailure::Closed),
            (false, 0) => return Ok(Vec::new()),
            _ => {}
        }
        // Whatever ends the stream, it stays at its end.
        self.ended = true;
        let at = self.at.load(Ordering::Relaxed);
        let bytes = self.file.read_at(max, at)?;
        if bytes.is_empty() {
            return Err(StreamFailure::Closed);
        }
        self.ended = false;
        self.at.store(at + bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    fn read_to_guest(&mut self, max: usize) -> StreamResult<HostBytes> {
        let at = self.at.load(Ordering::Relaxed);
        match self.ended {
            false if let Some(bytes) = self.file.direct_at(max, at, &self.at) => Ok(bytes),
            _ => self.read(max).map(HostBytes::from),
        }
    }

    fn readiness(&mut self) -> Readiness {
        Readiness::Ready
    }
}

struct FileOutput {
    file: File,
    /// Where it writes; at the end if nothing stands here.
    at: Option<u64>,
    ended: bool,
}

impl FileOutput {
    fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), Errno> {
        let fd = &self.file.fd;
        while !bytes.is_empty() {
            let count = again(|| match self.at {
                Some(at) => rustix::io::pwrite(fd, bytes, at),
                None => {
                    let slices = [std::io::IoSlice::new(bytes)];
                    rustix::io::pwritev2(fd, &slices, 0, ReadWriteFlags::APPEND)
                }
            })?;
            if count == 0 {
                return Err(Errno::Io);
            }
            self.at = self.at.map(|at| at + count as u64);
            bytes = &bytes[count..];
        }
        Ok(())
    }

    fn open(&self) -> StreamResult<()> {
        match self.ended {
            true => Err(StreamFailure::Closed),
            false => Ok(()),
        }
    }
}

impl OutputStream for FileOutput {
    fn check_write(&mut self) -> StreamResult<usize> {
        self.open().map(|()| PIECE)
    }

    fn write(&mut self, bytes: &[u8]) -> StreamResult<()> {
        self.open()?;
        let result = self.write_all(bytes);
        self.ended = result.is_err();
        Ok(result?)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.open()
    }

    fn readiness(&mut self) -> Readiness {
        Readiness::Ready
    }
}

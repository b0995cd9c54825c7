//! [`GuestMemory`]: checked access to the memory of the calling guest.
//!
//! Every WASI function reads its structures and writes its results through this type. File data moves
//! between the kernel and the guest without a copy, except for memories that threads share: nobody may
//! hold slices of those, so their bytes pass through a bounded buffer of the host's. Invariant: no
//! access outside the memory; a bad pointer, length or iovec is [`Errno::Fault`].

use std::borrow::Cow;
use std::io::{IoSlice, IoSliceMut};

use lithe::SharedMemory;

use crate::{Errno, Failure};

/// The most buffers that one vectored system call receives (`IOV_MAX` of Linux).
pub(crate) const MAX_IOVECS: usize = 1024;

/// Size of a guest iovec: a pointer and a length.
const IOVEC_SIZE: u64 = 8;

/// Bytes of a shared memory that pass through the host's buffer at a time.
const STAGE: usize = 1 << 16;

/// Bytes of other memories that are filled at a time; some milliseconds of work.
const PIECE: usize = 1 << 20;

/// The linear memory of a guest for the duration of one call.
#[derive(Debug)]
pub struct GuestMemory<'a> {
    bytes: Bytes<'a>,
}

#[derive(Debug)]
enum Bytes<'a> {
    /// Only this call reaches them.
    Own(&'a mut [u8]),
    /// Threads reach them too; `stage` is where copies stand.
    Shared { memory: SharedMemory, stage: Vec<u8> },
}

/// A guest array of iovecs whose own bounds have been checked; its buffers have not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Iovecs {
    ptr: u32,
    count: u32,
}

/// A place in the bytes that an iovec array describes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The iovec.
    index: u32,
    /// Bytes of it that lie before the place.
    skip: u32,
}

/// What one vectored system call moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    /// How many bytes.
    pub bytes: usize,
    /// How many its buffers had.
    pub asked: u64,
    /// The place behind its buffers; `None` if there are no more.
    pub next: Option<Position>,
}

/// Host index ranges of a batch, their total size, and the place behind them.
type Ranges = (Vec<(usize, usize)>, u64, Option<Position>);

macro_rules! accessors {
    ($($read:ident $write:ident $ty:ident;)*) => {$(
        #[doc = concat!("Reads a little-endian `", stringify!($ty), "`.")]
        pub fn $read(&self, ptr: u32) -> Result<$ty, Errno> {
            self.array(ptr).map($ty::from_le_bytes)
        }

        #[doc = concat!("Writes a little-endian `", stringify!($ty), "`.")]
        pub fn $write(&mut self, ptr: u32, value: $ty) -> Result<(), Errno> {
            self.write(ptr, &value.to_le_bytes())
        }
    )*};
}

impl<'a> GuestMemory<'a> {
    /// Wraps the current contents of a linear memory.
    pub fn new(bytes: &'a mut [u8]) -> GuestMemory<'a> {
        GuestMemory { bytes: Bytes::Own(bytes) }
    }

    /// Wraps a memory that other threads may access during the call.
    pub fn shared(memory: SharedMemory) -> GuestMemory<'a> {
        GuestMemory { bytes: Bytes::Shared { memory, stage: Vec::new() } }
    }

    /// The size in bytes. A shared memory may grow at any time, and never shrinks.
    fn size(&self) -> usize {
        match &self.bytes {
            Bytes::Own(bytes) => bytes.len(),
            Bytes::Shared { memory, .. } => memory.byte_size(),
        }
    }

    accessors! {
        read_u8 write_u8 u8;
        read_u16 write_u16 u16;
        read_u32 write_u32 u32;
        read_u64 write_u64 u64;
    }

    /// The first `most` of the `len` bytes at `ptr`, all of which must lie inside the memory. They are read
    /// once: what a shared memory holds later changes nothing.
    pub fn text(&self, ptr: u32, len: u32, most: usize) -> Result<Cow<'_, [u8]>, Errno> {
        let (start, end) = self.range(ptr, len)?;
        let end = end.min(start.saturating_add(most));
        match &self.bytes {
            Bytes::Own(bytes) => bytes.get(start..end).map(Cow::Borrowed).ok_or(Errno::Fault),
            Bytes::Shared { memory, .. } => {
                let mut copy = vec![0; end - start];
                memory.read(start, &mut copy).map_err(|_| Errno::Fault)?;
                Ok(Cow::Owned(copy))
            }
        }
    }

    /// Copies `bytes` to `ptr`.
    pub fn write(&mut self, ptr: u32, bytes: &[u8]) -> Result<(), Errno> {
        let len = u32::try_from(bytes.len()).map_err(|_| Errno::Fault)?;
        let (start, end) = self.range(ptr, len)?;
        match &mut self.bytes {
            Bytes::Own(own) => own.get_mut(start..end).ok_or(Errno::Fault)?.copy_from_slice(bytes),
            Bytes::Shared { memory, .. } => {
                memory.write(start, bytes).map_err(|_| Errno::Fault)?;
            }
        }
        Ok(())
    }

    /// Has the `len` bytes at `ptr` written by `fill`, piece by piece.
    pub(crate) fn fill(
        &mut self,
        ptr: u32,
        len: u32,
        mut fill: impl FnMut(&mut [u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (start, end) = self.range(ptr, len)?;
        match &mut self.bytes {
            Bytes::Own(bytes) => {
                let bytes = bytes.get_mut(start..end).ok_or(Errno::Fault)?;
                bytes.chunks_mut(PIECE).try_for_each(fill)
            }
            Bytes::Shared { memory, stage } => {
                for at in (start..end).step_by(STAGE) {
                    stage.resize(STAGE.min(end - at), 0);
                    fill(stage)?;
                    memory.write(at, stage).map_err(|_| Errno::Fault)?;
                }
                Ok(())
            }
        }
    }

    /// Host indices of `len` bytes at `ptr`, which lie inside the memory.
    fn range(&self, ptr: u32, len: u32) -> Result<(usize, usize), Errno> {
        // Cannot overflow, hosts have 64-bit addresses.
        let (start, end) = (ptr as usize, ptr as usize + len as usize);
        if end <= self.size() { Ok((start, end)) } else { Err(Errno::Fault) }
    }

    /// Checks that an array of `count` elements of `size` bytes lies inside the memory.
    pub(crate) fn check_array(&self, ptr: u32, count: u32, size: u32) -> Result<(), Errno> {
        let end = u64::from(ptr) + u64::from(count) * u64::from(size);
        if end <= self.size() as u64 { Ok(()) } else { Err(Errno::Fault) }
    }

    /// The iovec array of `count` elements at `ptr`.
    pub(crate) fn iovecs(&self, ptr: u32, count: u32) -> Result<Iovecs, Errno> {
        self.check_array(ptr, count, IOVEC_SIZE as u32)?;
        Ok(Iovecs { ptr, count })
    }

    /// Has the next buffers written somewhere by `send`, which gets at most `limit` bytes, beginning at
    /// `from`, and says how many it took. `None` when there are none.
    pub(crate) fn send(
        &mut self,
        iovecs: Iovecs,
        from: Position,
        limit: u64,
        send: impl FnOnce(&[IoSlice<'_>]) -> Result<usize, Failure>,
    ) -> Result<Option<Moved>, Failure> {
        let (ranges, asked, next) = self.ranges(iovecs, from, limit)?;
        if ranges.is_empty() {
            return Ok(None);
        }
        let bytes = match &mut self.bytes {
            Bytes::Own(bytes) => {
                let slice = |(start, end)| IoSlice::new(bytes.get(start..end).unwrap_or_default());
                let (one, many);
                let slices: &[IoSlice<'_>] = match ranges[..] {
                    [range] => {
                        one = [slice(range)];
                        &one
                    }
                    _ => {
                        many = ranges.into_iter().map(slice).collect::<Vec<_>>();
                        &many
                    }
                };
                send(slices)?
            }
            Bytes::Shared { memory, stage } => {
                stage.resize(asked as usize, 0);
                let mut rest = &mut stage[..];
                for (start, end) in ranges {
                    let (part, tail) = rest.split_at_mut(end - start);
                    memory.read(start, part).map_err(|_| Errno::Fault)?;
                    rest = tail;
                }
                send(&[IoSlice::new(stage)])?
            }
        };
        Ok(Some(Moved { bytes, asked, next }))
    }

    /// Has the next buffers filled by `receive`, which gets at most `limit` bytes, beginning at `from`, and
    /// says how many it wrote. `None` when there are none.
    ///
    /// Buffers that overlap cannot be borrowed together; then the first one alone is filled, which the
    /// guest sees as a short read.
    pub(crate) fn receive(
        &mut self,
        iovecs: Iovecs,
        from: Position,
        limit: u64,
        receive: impl FnOnce(&mut [IoSliceMut<'_>]) -> Result<usize, Failure>,
    ) -> Result<Option<Moved>, Failure> {
        let (mut ranges, mut asked, mut next) = self.ranges(iovecs, from, limit)?;
        if ranges.is_empty() {
            return Ok(None);
        }
        let bytes = match &mut self.bytes {
            Bytes::Own(bytes) => {
                let mut order: Vec<usize> = (0..ranges.len()).collect();
                order.sort_unstable_by_key(|&i| ranges[i].0);
                if order.windows(2).any(|pair| ranges[pair[0]].1 > ranges[pair[1]].0) {
                    ranges.truncate(1);
                    order = vec![0];
                    asked = (ranges[0].1 - ranges[0].0) as u64;
                    next = None;
                }
                let mut slots: Vec<Option<IoSliceMut<'_>>> = Vec::new();
                slots.resize_with(ranges.len(), || None);
                let (mut rest, mut base) = (&mut **bytes, 0);
                for index in order {
                    let (start, end) = ranges[index];
                    let (_, tail) = rest.split_at_mut(start - base);
                    let (buffer, tail) = tail.split_at_mut(end - start);
                    slots[index] = Some(IoSliceMut::new(buffer));
                    (rest, base) = (tail, end);
                }
                let mut slices: Vec<IoSliceMut<'_>> = slots.into_iter().flatten().collect();
                receive(&mut slices)?
            }
            Bytes::Shared { memory, stage } => {
                stage.resize(asked as usize, 0);
                let moved = receive(&mut [IoSliceMut::new(stage)])?.min(stage.len());
                let mut rest = &stage[..moved];
                for (start, end) in ranges {
                    let (part, tail) = rest.split_at(rest.len().min(end - start));
                    memory.write(start, part).map_err(|_| Errno::Fault)?;
                    rest = tail;
                }
                moved
            }
        };
        Ok(Some(Moved { bytes, asked, next }))
    }

    /// The place `bytes` behind `from`.
    pub(crate) fn advance(
        &self,
        iovecs: Iovecs,
        from: Position,
        mut bytes: u64,
    ) -> Result<Position, Errno> {
        let mut at = from;
        while at.index < iovecs.count {
            let (_, len) = self.iovec(iovecs, at.index)?;
            let left = u64::from(len.saturating_sub(at.skip));
            if bytes < left {
                return Ok(Position { skip: at.skip + bytes as u32, ..at });
            }
            bytes -= left;
            at = Position { index: at.index + 1, skip: 0 };
        }
        Ok(at)
    }

    /// The in-bounds ranges of the next batch. Each iovec is read once.
    fn ranges(&self, iovecs: Iovecs, from: Position, limit: u64) -> Result<Ranges, Errno> {
        let limit = match self.bytes {
            Bytes::Own(_) => limit,
            Bytes::Shared { .. } => limit.min(STAGE as u64),
        };
        let size = self.size();
        let mut bytes = 0;
        let Position { mut index, mut skip } = from;
        let left = iovecs.count.saturating_sub(index) as usize;
        let mut ranges = Vec::with_capacity(left.min(MAX_IOVECS));
        while index < iovecs.count && ranges.len() < MAX_IOVECS && bytes < limit {
            let (ptr, len) = self.iovec(iovecs, index)?;
            let left = len.saturating_sub(std::mem::take(&mut skip));
            index += 1;
            if left == 0 {
                continue;
            }
            if ptr as usize + len as usize > size {
                return Err(Errno::Fault);
            }
            let take = u64::from(left).min(limit - bytes) as u32;
            let start = (ptr + (len - left)) as usize;
            ranges.push((start, start + take as usize));
            bytes += u64::from(take);
            if take < left {
                let behind = Position { index: index - 1, skip: len - left + take };
                return Ok((ranges, bytes, Some(behind)));
            }
        }
        Ok((ranges, bytes, (index < iovecs.count).then_some(Position { index, skip: 0 })))
    }

    fn iovec(&self, iovecs: Iovecs, index: u32) -> Result<(u32, u32), Errno> {
        let at = u64::from(iovecs.ptr) + u64::from(index) * IOVEC_SIZE;
        let [p0, p1, p2, p3, l0, l1, l2, l3] =
            self.array(u32::try_from(at).map_err(|_| Errno::Fault)?)?;
        Ok((u32::from_le_bytes([p0, p1, p2, p3]), u32::from_le_bytes([l0, l1, l2, l3])))
    }

    fn array<const N: usize>(&self, ptr: u32) -> Result<[u8; N], Errno> {
        let (start, end) = self.range(ptr, N as u32)?;
        match &self.bytes {
            Bytes::Own(bytes) => {
                bytes.get(start..end).and_then(|bytes| bytes.try_into().ok()).ok_or(Errno::Fault)
            }
            Bytes::Shared { memory, .. } => copy(memory, start),
        }
    }
}

/// Bytes of a shared memory. Not part of its callers, which are made for the other kind.
#[inline(never)]
fn copy<const N: usize>(memory: &SharedMemory, start: usize) -> Result<[u8; N], Errno> {
    let mut array = [0; N];
    memory.read(start, &mut array).map_err(|_| Errno::Fault)?;
    Ok(array)
}

#[cfg(not(target_pointer_width = "64"))]
compile_error!("lithe-wasi needs a host with 64-bit addresses");

#[cfg(test)]
mod tests {
    use lithe::{Config, Engine, Features, Limits, MemoryType};

    use super::*;

    fn with_iovecs(iovecs: &[(u32, u32)]) -> Vec<u8> {
        let mut bytes = vec![0; 1 << 18];
        for (i, (ptr, len)) in iovecs.iter().enumerate() {
            bytes[i * 8..i * 8 + 4].copy_from_slice(&ptr.to_le_bytes());
            bytes[i * 8 + 4..i * 8 + 8].copy_from_slice(&len.to_le_bytes());
        }
        bytes
    }

    /// Runs a test on a memory with these contents, of either kind.
    fn both(mut bytes: Vec<u8>, test: impl Fn(GuestMemory<'_>)) {
        let engine = Engine::new(&Config::new().features(Features::WASM3.union(Features::THREADS)));
        let limits = Limits { min: bytes.len() as u64, max: Some(1 << 20) };
        let ty = MemoryType { limits, is64: false, shared: true, page_log2: 0 };
        let shared = SharedMemory::new(&engine, ty).unwrap();
        shared.write(0, &bytes).unwrap();
        test(GuestMemory::new(&mut bytes));
        test(GuestMemory::shared(shared));
    }

    #[test]
    fn bounds_are_exact() {
        both(vec![0; 16], |mut memory| {
            memory.write_u64(8, 7).unwrap();
            assert_eq!(memory.read_u64(8), Ok(7));
            assert_eq!(memory.read_u64(9), Err(Errno::Fault));
            assert_eq!(memory.write_u8(16, 0), Err(Errno::Fault));
            assert_eq!(memory.read_u32(u32::MAX), Err(Errno::Fault));
            assert_eq!(memory.text(16, 0, 9).as_deref(), Ok(&[][..]));
            assert_eq!(memory.text(7, 9, 3).as_deref(), Ok(&[0, 7, 0][..]));
            assert_eq!(memory.text(17, 0, 9), Err(Errno::Fault));
            assert_eq!(memory.text(1, u32::MAX, 9), Err(Errno::Fault));
            assert_eq!(memory.check_array(0, u32::MAX, 48), Err(Errno::Fault));
            assert!(memory.iovecs(0, 3).is_err());
            assert!(memory.fill(9, 8, |_| Ok(())).is_err());
        });
    }

    #[test]
    fn receiving_keeps_guest_order() {
        both(with_iovecs(&[(300, 2), (200, 3), (0, 0), (400, 1)]), |mut memory| {
            let iovecs = memory.iovecs(0, 4).unwrap();
            let moved = memory.receive(iovecs, Position::default(), u64::MAX, |slices| {
                let bytes = slices.iter_mut().flat_map(|slice| slice.iter_mut());
                Ok(bytes.zip(1..6).map(|(byte, value)| *byte = value).count())
            });
            assert_eq!(moved, Ok(Some(Moved { bytes: 5, asked: 6, next: None })));
            assert_eq!(memory.text(300, 2, 9).as_deref(), Ok(&[1, 2][..]));
            assert_eq!(memory.text(200, 3, 9).as_deref(), Ok(&[3, 4, 5][..]));
            assert_eq!(memory.text(400, 1, 9).as_deref(), Ok(&[0][..]));
        });
    }

    #[test]
    fn overlapping_buffers_are_read_one_by_one() {
        let mut bytes = with_iovecs(&[(300, 10), (305, 10)]);
        let mut memory = GuestMemory::new(&mut bytes);
        let iovecs = memory.iovecs(0, 2).unwrap();
        let moved = memory.receive(iovecs, Position::default(), u64::MAX, |slices| {
            assert_eq!(slices.len(), 1);
            Ok(slices[0].len())
        });
        assert_eq!(moved, Ok(Some(Moved { bytes: 10, asked: 10, next: None })));
    }

    #[test]
    fn limits_cut_the_last_buffer() {
        both(with_iovecs(&[(300, 10), (400, 10)]), |mut memory| {
            let iovecs = memory.iovecs(0, 2).unwrap();
            let count = |slices: &[IoSlice<'_>]| Ok(slices.iter().map(|slice| slice.len()).sum());
            let moved = memory.send(iovecs, Position::default(), 15, count).unwrap().unwrap();
            let next = Position { index: 1, skip: 5 };
            assert_eq!(moved, Moved { bytes: 15, asked: 15, next: Some(next) });
            let moved = memory.send(iovecs, next, 15, count).unwrap().unwrap();
            assert_eq!(moved, Moved { bytes: 5, asked: 5, next: None });
            assert_eq!(memory.send(iovecs, Position { index: 2, skip: 0 }, 15, count), Ok(None));
        });
    }

    #[test]
    fn positions_lie_within_buffers() {
        both(with_iovecs(&[(300, 10), (0, 0), (400, 10)]), |mut memory| {
            let iovecs = memory.iovecs(0, 3).unwrap();
            let at = memory.advance(iovecs, Position::default(), 13).unwrap();
            assert_eq!(at, Position { index: 2, skip: 3 });
            let moved = memory.send(iovecs, at, u64::MAX, |_| Ok(0)).unwrap().unwrap();
            assert_eq!(moved.asked, 7);
            assert_eq!(memory.advance(iovecs, at, 7).unwrap(), Position { index: 3, skip: 0 });
        });
    }

    /// More than the buffer of the host holds goes through it in pieces, and nothing is left out.
    #[test]
    fn large_buffers_move_piece_by_piece() {
        both(with_iovecs(&[(1000, 100_000), (110_000, 50_000)]), |mut memory| {
            let iovecs = memory.iovecs(0, 2).unwrap();
            let (mut at, mut value) = (Position::default(), 0u8);
            let mut next_value = || {
                value = value.wrapping_mul(31).wrapping_add(7);
                value
            };
            loop {
                let moved = memory.receive(iovecs, at, u64::MAX, |slices| {
                    let bytes = slices.iter_mut().flat_map(|slice| slice.iter_mut());
                    Ok(bytes.map(|byte| *byte = next_value()).count())
                });
                match moved.unwrap().unwrap().next {
                    Some(next) => at = next,
                    None => break,
                }
            }
            let (mut at, mut sent) = (Position::default(), Vec::new());
            loop {
                let moved = memory.send(iovecs, at, u64::MAX, |slices| {
                    slices.iter().for_each(|slice| sent.extend_from_slice(slice));
                    Ok(slices.iter().map(|slice| slice.len()).sum())
                });
                match moved.unwrap().unwrap().next {
                    Some(next) => at = next,
                    None => break,
                }
            }
            value = 0;
            let mut next_value = || {
                value = value.wrapping_mul(31).wrapping_add(7);
                value
            };
            assert_eq!(sent.len(), 150_000);
            assert!(sent.iter().all(|byte| *byte == next_value()));
            memory
                .fill(2000, 200_000, |piece| {
                    piece.fill(9);
                    Ok(())
                })
                .unwrap();
            let filled = memory.text(1999, 200_002, usize::MAX).unwrap();
            assert!(filled[1..200_001].iter().all(|byte| *byte == 9));
            assert_ne!((filled[0], filled[200_001]), (9, 9));
        });
    }
}

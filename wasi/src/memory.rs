//! [`GuestMemory`]: checked access to the memory of the calling guest.
//!
//! Every WASI function reads its structures and writes its results through this type, and file data
//! moves between the kernel and guest memory through the slices it hands out, without a copy.
//! Invariant: no access outside the memory; a bad pointer, length or iovec is [`Errno::Fault`].

use std::io::{IoSlice, IoSliceMut};

use crate::Errno;

/// The most buffers that one vectored system call receives (`IOV_MAX` of Linux).
pub(crate) const MAX_IOVECS: usize = 1024;

/// Size of a guest iovec: a pointer and a length.
const IOVEC_SIZE: u64 = 8;

/// The linear memory of a guest for the duration of one call.
#[derive(Debug)]
pub struct GuestMemory<'a> {
    bytes: &'a mut [u8],
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

/// The buffers for one vectored system call.
#[derive(Debug)]
pub(crate) struct Batch<S> {
    /// At most [`MAX_IOVECS`] non-empty buffers, in guest order.
    pub slices: Vec<S>,
    /// Sum of the lengths of `slices`.
    pub bytes: u64,
    /// The place behind this batch; `None` if the batch is the last one.
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
        GuestMemory { bytes }
    }

    accessors! {
        read_u8 write_u8 u8;
        read_u16 write_u16 u16;
        read_u32 write_u32 u32;
        read_u64 write_u64 u64;
    }

    /// The `len` bytes at `ptr`.
    pub fn slice(&self, ptr: u32, len: u32) -> Result<&[u8], Errno> {
        let (start, end) = range(ptr, len);
        self.bytes.get(start..end).ok_or(Errno::Fault)
    }

    /// The `len` bytes at `ptr`, for writing.
    pub fn slice_mut(&mut self, ptr: u32, len: u32) -> Result<&mut [u8], Errno> {
        let (start, end) = range(ptr, len);
        self.bytes.get_mut(start..end).ok_or(Errno::Fault)
    }

    /// Copies `bytes` to `ptr`.
    pub fn write(&mut self, ptr: u32, bytes: &[u8]) -> Result<(), Errno> {
        let len = u32::try_from(bytes.len()).map_err(|_| Errno::Fault)?;
        self.slice_mut(ptr, len)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Checks that an array of `count` elements of `size` bytes lies inside the memory.
    pub(crate) fn check_array(&self, ptr: u32, count: u32, size: u32) -> Result<(), Errno> {
        let end = u64::from(ptr) + u64::from(count) * u64::from(size);
        if end <= self.bytes.len() as u64 { Ok(()) } else { Err(Errno::Fault) }
    }

    /// The iovec array of `count` elements at `ptr`.
    pub(crate) fn iovecs(&self, ptr: u32, count: u32) -> Result<Iovecs, Errno> {
        self.check_array(ptr, count, IOVEC_SIZE as u32)?;
        Ok(Iovecs { ptr, count })
    }

    /// The next buffers to write from: at most `limit` bytes, beginning at `from`.
    pub(crate) fn gather(
        &self,
        iovecs: Iovecs,
        from: Position,
        limit: u64,
    ) -> Result<Batch<IoSlice<'_>>, Errno> {
        let (ranges, bytes, next) = self.ranges(iovecs, from, limit)?;
        let slices = ranges
            .into_iter()
            .filter_map(|(start, end)| self.bytes.get(start..end).map(IoSlice::new))
            .collect();
        Ok(Batch { slices, bytes, next })
    }

    /// The next buffers to read into: at most `limit` bytes, beginning at `from`.
    ///
    /// Buffers that overlap cannot be borrowed together; then the batch holds the first one only
    /// and is the last, which the guest sees as a short read.
    pub(crate) fn scatter(
        &mut self,
        iovecs: Iovecs,
        from: Position,
        limit: u64,
    ) -> Result<Batch<IoSliceMut<'_>>, Errno> {
        let (mut ranges, mut bytes, mut next) = self.ranges(iovecs, from, limit)?;
        let mut order: Vec<usize> = (0..ranges.len()).collect();
        order.sort_unstable_by_key(|&i| ranges[i].0);
        if order.windows(2).any(|pair| ranges[pair[0]].1 > ranges[pair[1]].0) {
            ranges.truncate(1);
            order = vec![0];
            bytes = (ranges[0].1 - ranges[0].0) as u64;
            next = None;
        }
        let mut slots: Vec<Option<IoSliceMut<'_>>> = Vec::new();
        slots.resize_with(ranges.len(), || None);
        let (mut rest, mut base) = (&mut *self.bytes, 0);
        for index in order {
            let (start, end) = ranges[index];
            let (_, tail) = rest.split_at_mut(start - base);
            let (buffer, tail) = tail.split_at_mut(end - start);
            slots[index] = Some(IoSliceMut::new(buffer));
            (rest, base) = (tail, end);
        }
        Ok(Batch { slices: slots.into_iter().flatten().collect(), bytes, next })
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

    /// The in-bounds ranges of the next batch.
    fn ranges(&self, iovecs: Iovecs, from: Position, limit: u64) -> Result<Ranges, Errno> {
        let mut ranges = Vec::new();
        let mut bytes = 0;
        let Position { mut index, mut skip } = from;
        while index < iovecs.count && ranges.len() < MAX_IOVECS && bytes < limit {
            let (ptr, len) = self.iovec(iovecs, index)?;
            let left = len.saturating_sub(std::mem::take(&mut skip));
            index += 1;
            if left == 0 {
                continue;
            }
            self.slice(ptr, len)?;
            let take = u64::from(left).min(limit - bytes) as u32;
            ranges.push(range(ptr + (len - left), take));
            bytes += u64::from(take);
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
        let bytes = self.slice(ptr, N as u32)?;
        bytes.try_into().map_err(|_| Errno::Fault)
    }
}

/// Host indices of `len` bytes at `ptr`: cannot overflow, hosts have 64-bit addresses.
fn range(ptr: u32, len: u32) -> (usize, usize) {
    (ptr as usize, ptr as usize + len as usize)
}

#[cfg(not(target_pointer_width = "64"))]
compile_error!("lithe-wasi needs a host with 64-bit addresses");

#[cfg(test)]
mod tests {
    use super::*;

    fn with_iovecs(iovecs: &[(u32, u32)]) -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        for (i, (ptr, len)) in iovecs.iter().enumerate() {
            bytes[i * 8..i * 8 + 4].copy_from_slice(&ptr.to_le_bytes());
            bytes[i * 8 + 4..i * 8 + 8].copy_from_slice(&len.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn bounds_are_exact() {
        let mut bytes = [0; 16];
        let mut memory = GuestMemory::new(&mut bytes);
        memory.write_u64(8, 7).unwrap();
        assert_eq!(memory.read_u64(8), Ok(7));
        assert_eq!(memory.read_u64(9), Err(Errno::Fault));
        assert_eq!(memory.write_u8(16, 0), Err(Errno::Fault));
        assert_eq!(memory.read_u32(u32::MAX), Err(Errno::Fault));
        assert_eq!(memory.slice(16, 0), Ok(&[][..]));
        assert_eq!(memory.slice(17, 0), Err(Errno::Fault));
        assert_eq!(memory.slice(1, u32::MAX), Err(Errno::Fault));
        assert_eq!(memory.check_array(0, u32::MAX, 48), Err(Errno::Fault));
        assert!(memory.iovecs(0, 3).is_err());
    }

    #[test]
    fn scatter_keeps_guest_order() {
        let mut bytes = with_iovecs(&[(300, 2), (200, 3), (0, 0), (400, 1)]);
        let mut memory = GuestMemory::new(&mut bytes);
        let iovecs = memory.iovecs(0, 4).unwrap();
        let batch = memory.scatter(iovecs, Position::default(), u64::MAX).unwrap();
        let lengths: Vec<usize> = batch.slices.iter().map(|s| s.len()).collect();
        assert_eq!((lengths, batch.bytes, batch.next), (vec![2, 3, 1], 6, None));
    }

    #[test]
    fn overlapping_buffers_are_read_one_by_one() {
        let mut bytes = with_iovecs(&[(300, 10), (305, 10)]);
        let mut memory = GuestMemory::new(&mut bytes);
        let iovecs = memory.iovecs(0, 2).unwrap();
        let batch = memory.scatter(iovecs, Position::default(), u64::MAX).unwrap();
        assert_eq!((batch.slices.len(), batch.bytes), (1, 10));
        assert_eq!(batch.next, None);
    }

    #[test]
    fn limits_cut_the_last_buffer() {
        let mut bytes = with_iovecs(&[(300, 10), (400, 10)]);
        let memory = GuestMemory::new(&mut bytes);
        let iovecs = memory.iovecs(0, 2).unwrap();
        let batch = memory.gather(iovecs, Position::default(), 15).unwrap();
        assert_eq!((batch.slices[1].len(), batch.bytes), (5, 15));
    }

    #[test]
    fn positions_lie_within_buffers() {
        let mut bytes = with_iovecs(&[(300, 10), (0, 0), (400, 10)]);
        let memory = GuestMemory::new(&mut bytes);
        let iovecs = memory.iovecs(0, 3).unwrap();
        let at = memory.advance(iovecs, Position::default(), 13).unwrap();
        assert_eq!(at, Position { index: 2, skip: 3 });
        assert_eq!(memory.gather(iovecs, at, u64::MAX).unwrap().bytes, 7);
        assert_eq!(memory.advance(iovecs, at, 7).unwrap(), Position { index: 3, skip: 0 });
    }
}

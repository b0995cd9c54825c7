//! Bytes on their way to a guest. Host functions that read give them. Invariant: what a host function writes in a guest's
//! memory lies where the guest's own allocation function said, as long as that said.

use lithe::Result;

use crate::abi::{LowerCx, SlotWriter};
use crate::typed::{Kinds, Lower, Typed};
use crate::types::Type;

/// A `list<u8>` for a guest: bytes that the host has, or bytes that it reads straight into the guest's memory.
pub struct HostBytes(Content);

enum Content {
    Bytes(Vec<u8>),
    Fill(usize, Box<Fill>),
}

type Fill = dyn Fn(&mut [u8]) -> usize;

impl From<Vec<u8>> for HostBytes {
    fn from(bytes: Vec<u8>) -> HostBytes {
        HostBytes(Content::Bytes(bytes))
    }
}

impl HostBytes {
    /// Bytes that `fill` writes once there is a place for `len` of them; it gives how many there are.
    pub fn filled(len: usize, fill: impl Fn(&mut [u8]) -> usize + 'static) -> HostBytes {
        HostBytes(Content::Fill(len, Box::new(fill)))
    }

    /// How many bytes there are at most.
    pub fn len(&self) -> usize {
        match &self.0 {
            Content::Bytes(bytes) => bytes.len(),
            Content::Fill(len, _) => *len,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts them in memory of the guest's; their address and number.
    fn give(&self, cx: &mut LowerCx<'_>) -> Result<(u32, u32)> {
        let at = cx.allocate_list(1, 1, self.len())?;
        match &self.0 {
            Content::Bytes(bytes) => {
                cx.write(at, bytes)?;
                Ok((at, bytes.len() as u32))
            }
            Content::Fill(len, fill) => {
                let count = fill(cx.bytes_mut(at, *len)?).min(*len);
                // The guest frees as much as the list has; its allocator knows no place without bytes.
                let at = match count == *len {
                    true => at,
                    false => cx.reallocate(at, *len as u32, 1, count.max(1) as u32)?,
                };
                Ok((at, count as u32))
            }
        }
    }
}

impl Typed for HostBytes {
    fn check(ty: &Type, _: &dyn Kinds) -> bool {
        matches!(ty, Type::List(element) if **element == Type::U8)
    }
}

impl Lower for HostBytes {
    fn lower(&self, cx: &mut LowerCx<'_>, _: &Type, out: &mut SlotWriter<'_>) -> Result<()> {
        let (at, len) = self.give(cx)?;
        out.push(at.into());
        out.push(len.into());
        Ok(())
    }
    fn store(&self, cx: &mut LowerCx<'_>, _: &Type, at: u32) -> Result<()> {
        let (to, len) = self.give(cx)?;
        cx.write(at, &to.to_le_bytes())?;
        cx.write(at + 4, &len.to_le_bytes())
    }
}

//! From a guest: reading slots and memory. Invariant: reading changes nothing in the guest but its handles.

use lithe::{Error, Memory, Result};

use super::{Encoding, MAX_LIST_BYTES};
use crate::Type;
use crate::error::violation;
use crate::handles::ResourceId;
use crate::state::State;
use crate::types::ResourceType;

/// What values are lifted from: a memory, and the handles of a component instance.
pub struct LiftCx<'a> {
    pub(crate) memory: &'a [u8],
    /// The memory itself, for who reads it later.
    pub(crate) handle: Option<Memory>,
    pub(crate) encoding: Encoding,
    pub(crate) state: &'a mut State,
    pub(crate) root: usize,
    pub(crate) instance: usize,
    /// Bytes of the host that may still be taken.
    pub(crate) budget: usize,
}

/// Slots that are read one after the other.
pub struct SlotReader<'a> {
    slots: &'a [u64],
    at: usize,
}

impl<'a> SlotReader<'a> {
    pub(crate) fn new(slots: &'a [u64]) -> SlotReader<'a> {
        SlotReader { slots, at: 0 }
    }

    /// The next slot.
    pub fn read(&mut self) -> u64 {
        self.at += 1;
        // Types decide how many slots there are, and callers give as many.
        self.slots.get(self.at - 1).copied().unwrap_or(0)
    }

    pub(crate) fn read_u32(&mut self) -> u32 {
        self.read() as u32
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn skip_to(&mut self, position: usize) {
        self.at = position;
    }
}

fn beyond(what: &str) -> Error {
    violation(format!("{what} out-of-bounds"))
}

impl LiftCx<'_> {
    /// So many bytes at an address.
    pub fn bytes(&self, at: u32, len: u32) -> Result<&[u8]> {
        let at = at as usize;
        let bytes = self.memory.get(at..).and_then(|rest| rest.get(..len as usize));
        bytes.ok_or_else(|| beyond("pointer"))
    }

    fn array<const N: usize>(&self, at: u32) -> Result<[u8; N]> {
        let bytes = self.memory.get(at as usize..).and_then(|rest| rest.first_chunk());
        bytes.copied().ok_or_else(|| beyond("pointer"))
    }

    /// The byte at an address.
    pub fn u8(&self, at: u32) -> Result<u8> {
        self.array(at).map(|[byte]| byte)
    }

    /// The 16-bit number at an address.
    pub fn u16(&self, at: u32) -> Result<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    /// The 32-bit number at an address.
    pub fn u32(&self, at: u32) -> Result<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    /// The 64-bit number at an address.
    pub fn u64(&self, at: u32) -> Result<u64> {
        self.array(at).map(u64::from_le_bytes)
    }

    /// The unsigned number of 1, 2 or 4 bytes at an address.
    pub(crate) fn unsigned(&self, at: u32, size: u32) -> Result<u32> {
        match size {
            1 => self.u8(at).map(u32::from),
            2 => self.u16(at).map(u32::from),
            _ => self.u32(at),
        }
    }

    /// Checks that a value of this size and alignment lies at an address.
    pub(crate) fn place(&self, at: u32, size: u32, align: u32) -> Result<()> {
        if !at.is_multiple_of(align) {
            return Err(violation("unaligned pointer"));
        }
        self.bytes(at, size).map(drop)
    }

    /// Takes bytes of the host's memory into account.
    pub fn charge(&mut self, bytes: usize) -> Result<()> {
        match self.budget.checked_sub(bytes) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => Err(violation(
                "the values of one call take more of the host's memory than its limit allows",
            )),
        }
    }

    /// Gives back what was taken into account and not needed.
    pub(crate) fn refund(&mut self, bytes: usize) {
        self.budget = self.budget.saturating_add(bytes);
    }

    /// Checks where a list lies.
    pub fn list(&self, at: u32, count: u32, element: &Type) -> Result<()> {
        let abi = element.abi();
        let size = abi.size.checked_mul(count).filter(|size| *size <= MAX_LIST_BYTES);
        let size = size.ok_or_else(|| beyond("list content"))?;
        if !at.is_multiple_of(abi.align) {
            return Err(violation("unaligned pointer"));
        }
        self.bytes(at, size).map(drop).map_err(|_| beyond("list content"))
    }

    /// The string at an address with a length in the units of its encoding.
    pub fn string(&mut self, at: u32, len: u32) -> Result<String> {
        super::text::load(self, at, len)
    }

    pub(crate) fn resource(&self, ty: ResourceType) -> Result<ResourceId> {
        self.state.resource(self.root, ty)
    }

    /// Takes an owned handle from the guest; gives its representation.
    pub(crate) fn own(&mut self, index: u32, ty: ResourceType) -> Result<(ResourceId, u32)> {
        let resource = self.resource(ty)?;
        let handles = self.state.handles(self.root, self.instance)?;
        let handle = *handles.at(index, resource)?;
        if handle.scope.is_some() {
            return Err(violation("cannot lift own resource from a borrow"));
        }
        handles.remove(index, resource)?;
        Ok((resource, handle.rep))
    }

    /// Borrows what a handle of the guest stands for, until the call under way ends.
    pub(crate) fn borrow(&mut self, index: u32, ty: ResourceType) -> Result<(ResourceId, u32)> {
        let resource = self.resource(ty)?;
        let handles = self.state.handles(self.root, self.instance)?;
        let handle = handles.at(index, resource)?;
        handle.lends += 1;
        let rep = handle.rep;
        self.state.lend(self.root, self.instance, index);
        Ok((resource, rep))
    }
}

/// A character that a guest names by its number.
pub(crate) fn character(number: u32) -> Result<char> {
    char::from_u32(number).ok_or_else(|| violation("converted integer out of range for `char`"))
}

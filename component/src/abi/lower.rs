//! To a guest: writing slots and memory. Invariant: what a guest's allocation function gives is checked before it is
//! written to.

use lithe::{AsContextMut, Memory, Result, TrapKind};

use super::{Encoding, MAX_LIST_BYTES};
use crate::error::{usage, violation};
use crate::handles::{Handle, ResourceId};
use crate::state::State;
use crate::types::ResourceType;

/// A guest that values are lowered to.
pub(crate) trait Guest {
    fn memory(&mut self) -> Result<&mut [u8]>;
    fn realloc(&mut self, old: u32, old_size: u32, align: u32, size: u32) -> Result<u32>;
    fn state(&mut self) -> Result<&mut State>;
}

/// What values are lowered to: a memory with its allocation function, and the handles of a component instance.
pub struct LowerCx<'a> {
    pub(crate) guest: &'a mut dyn Guest,
    pub(crate) encoding: Encoding,
    pub(crate) root: usize,
    pub(crate) instance: usize,
}

/// Slots that are written one after the other.
pub struct SlotWriter<'a> {
    slots: &'a mut [u64],
    at: usize,
}

impl<'a> SlotWriter<'a> {
    /// All zero.
    pub(crate) fn new(slots: &'a mut [u64]) -> SlotWriter<'a> {
        slots.fill(0);
        SlotWriter { slots, at: 0 }
    }

    /// Writes the next slot.
    pub fn push(&mut self, value: u64) {
        // Types decide how many slots there are, and callers give as many.
        if let Some(slot) = self.slots.get_mut(self.at) {
            *slot = value;
        }
        self.at += 1;
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn skip_to(&mut self, position: usize) {
        self.at = position;
    }
}

impl LowerCx<'_> {
    /// So many bytes at an address, to be written.
    pub(crate) fn bytes_mut(&mut self, at: u32, len: usize) -> Result<&mut [u8]> {
        let memory = self.guest.memory()?;
        let place = memory.get_mut(at as usize..).and_then(|rest| rest.get_mut(..len));
        place.ok_or_else(|| violation("pointer out-of-bounds"))
    }

    /// Writes bytes to an address.
    pub fn write(&mut self, at: u32, bytes: &[u8]) -> Result<()> {
        self.bytes_mut(at, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// Writes an unsigned number of 1, 2 or 4 bytes.
    pub(crate) fn write_unsigned(&mut self, at: u32, size: u32, value: u32) -> Result<()> {
        self.write(at, &value.to_le_bytes()[..size as usize])
    }

    /// Checks that a value of this size and alignment lies at an address.
    pub(crate) fn place(&mut self, at: u32, size: u32, align: u32) -> Result<()> {
        if !at.is_multiple_of(align) {
            return Err(violation("unaligned pointer"));
        }
        let end = u64::from(at) + u64::from(size);
        if end > self.guest.memory()?.len() as u64 {
            return Err(violation("pointer out-of-bounds"));
        }
        Ok(())
    }

    /// Memory of the guest's for so many bytes.
    pub fn allocate(&mut self, align: u32, size: u32) -> Result<u32> {
        self.reallocate(0, 0, align, size)
    }

    /// Memory of the guest's for a list; its size must fit.
    pub fn allocate_list(&mut self, align: u32, size: u32, count: usize) -> Result<u32> {
        let bytes = u32::try_from(count).ok().and_then(|count| size.checked_mul(count));
        let bytes = bytes.filter(|bytes| *bytes <= MAX_LIST_BYTES);
        self.allocate(align, bytes.ok_or_else(|| violation("a list is too long for the guest"))?)
    }

    pub(crate) fn reallocate(&mut self, old: u32, had: u32, align: u32, size: u32) -> Result<u32> {
        let at = self.guest.realloc(old, had, align, size)?;
        if !at.is_multiple_of(align) {
            return Err(violation("realloc return: result not aligned"));
        }
        let end = u64::from(at) + u64::from(size);
        if end > self.guest.memory()?.len() as u64 {
            return Err(violation("realloc return: beyond end of memory"));
        }
        Ok(at)
    }

    /// Writes a string to memory of the guest's; gives its address and length.
    pub fn string(&mut self, text: &str) -> Result<(u32, u32)> {
        super::text::store(self, text)
    }

    /// Gives the guest a handle that it owns.
    pub(crate) fn own(&mut self, resource: ResourceId, rep: u32, ty: ResourceType) -> Result<u32> {
        let (root, instance) = (self.root, self.instance);
        let state = self.guest.state()?;
        check(state, root, ty, resource)?;
        let handle = Handle { resource, rep, lends: 0, scope: None };
        state.handles(root, instance)?.insert(handle)
    }

    /// Lends the guest a resource for the call under way: as a handle, or as its representation where the guest
    /// implements the resource type.
    pub(crate) fn borrow(
        &mut self,
        resource: ResourceId,
        rep: u32,
        ty: ResourceType,
    ) -> Result<u32> {
        let (root, instance) = (self.root, self.instance);
        let state = self.guest.state()?;
        check(state, root, ty, resource)?;
        if state.implements(root, instance, resource) {
            return Ok(rep);
        }
        let scope = state.borrowed()?;
        let handle = Handle { resource, rep, lends: 0, scope: Some(scope) };
        state.handles(root, instance)?.insert(handle)
    }
}

fn check(state: &State, root: usize, ty: ResourceType, found: ResourceId) -> Result<()> {
    match state.resource(root, ty)? == found {
        true => Ok(()),
        false => Err(usage("a resource is of another type than the guest expects")),
    }
}

/// The guest of a store.
pub(crate) struct GuestOf<'a, S> {
    pub store: &'a mut S,
    pub memory: Option<Memory>,
    pub realloc: Option<lithe::Func>,
    pub root: usize,
    pub instance: usize,
}

impl<S: AsContextMut> Guest for GuestOf<'_, S> {
    fn memory(&mut self) -> Result<&mut [u8]> {
        match &self.memory {
            Some(memory) => memory.data_mut(self.store),
            None => Ok(&mut []),
        }
    }

    fn realloc(&mut self, old: u32, old_size: u32, align: u32, size: u32) -> Result<u32> {
        let Some(realloc) = self.realloc else {
            return Err(violation("memory is needed, and there is no `realloc` option"));
        };
        let mut slots = [u64::from(old), u64::from(old_size), u64::from(align), u64::from(size)];
        let (root, instance) = (self.root, self.instance);
        let instance = self.state()?.instance(root, instance)?;
        if !instance.may_leave {
            return Err(lithe::Error::trap_of(TrapKind::CannotLeave));
        }
        instance.may_leave = false;
        crate::call::core(self.store, &realloc, &mut slots)?;
        let (root, instance) = (self.root, self.instance);
        self.state()?.instance(root, instance)?.may_leave = true;
        Ok(slots[0] as u32)
    }

    fn state(&mut self) -> Result<&mut State> {
        State::of(self.store)
    }
}

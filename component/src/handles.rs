//! The table of handles of one component instance (CanonicalABI.md, "Table State"). Every handle that a guest shows is
//! looked up here. Invariant: an index is given out again only after it was freed, the last freed one first; the table
//! never holds more than its limit.

use lithe::{Error, Result};

use crate::error::violation;

/// Handles that one component instance may have at once, unless the store's limits say otherwise.
pub const DEFAULT_MAX_HANDLES: usize = 1 << 20;

/// The identity of a resource type in a store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ResourceId(pub(crate) u32);

/// What a handle stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handle {
    pub resource: ResourceId,
    /// The representation: a number that means something to whoever implements the resource type.
    pub rep: u32,
    /// How many calls under way borrow it.
    pub lends: u32,
    /// The call that it was borrowed for; nothing for one that is owned.
    pub scope: Option<u32>,
}

enum Slot {
    /// The next free one, or 0.
    Free(u32),
    Used(Handle),
}

/// The handles of one component instance.
pub(crate) struct Handles {
    slots: Vec<Slot>,
    free: u32,
    limit: usize,
}

fn unknown(index: u32) -> Error {
    violation(format!("unknown handle index {index}"))
}

impl Handles {
    pub fn new(limit: usize) -> Handles {
        // Index 0 is never given out.
        Handles { slots: vec![Slot::Free(0)], free: 0, limit }
    }

    pub fn insert(&mut self, handle: Handle) -> Result<u32> {
        if self.free != 0 {
            let index = self.free;
            let slot = &mut self.slots[index as usize];
            if let Slot::Free(next) = *slot {
                self.free = next;
                *slot = Slot::Used(handle);
                return Ok(index);
            }
        }
        if self.slots.len() > self.limit {
            let limit = self.limit;
            return Err(violation(format!(
                "the component instance has {limit} handles, its limit"
            )));
        }
        self.slots.push(Slot::Used(handle));
        Ok(self.slots.len() as u32 - 1)
    }

    /// The handle with this index, of this type.
    pub fn at(&mut self, index: u32, resource: ResourceId) -> Result<&mut Handle> {
        match self.slots.get_mut(index as usize) {
            Some(Slot::Used(handle)) if handle.resource == resource => Ok(handle),
            Some(Slot::Used(_)) => {
                Err(violation(format!("handle index {index} used with the wrong type")))
            }
            _ => Err(unknown(index)),
        }
    }

    /// The handle with this index, whatever its type.
    pub fn any(&mut self, index: u32) -> Option<&mut Handle> {
        match self.slots.get_mut(index as usize) {
            Some(Slot::Used(handle)) => Some(handle),
            _ => None,
        }
    }

    /// Takes a handle out, which no call borrows.
    pub fn remove(&mut self, index: u32, resource: ResourceId) -> Result<Handle> {
        let handle = *self.at(index, resource)?;
        if handle.lends > 0 {
            return Err(violation("cannot remove owned resource while borrowed"));
        }
        self.slots[index as usize] = Slot::Free(self.free);
        self.free = index;
        Ok(handle)
    }
}

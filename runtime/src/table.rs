//! Tables (Core specification, section 4.2.7). Invariant: `base` and `len` describe `elements`.

use alloc::vec::Vec;

use lithe_types::TableType;

use crate::{LimitError, StoreLimits, Table};

impl Table {
    /// A table of its minimum size, every element `init`. `holds_objects` says whether elements refer to heap
    /// objects.
    pub(crate) fn new(
        ty: TableType,
        holds_objects: bool,
        init: u64,
        limits: &StoreLimits,
    ) -> Result<Table, LimitError> {
        let cap = limits.table_elements as u64;
        if ty.limits.min > cap {
            let (min, cap) = (u128::from(ty.limits.min), u128::from(cap));
            return Err(LimitError::size("a table", min, cap, "elements"));
        }
        let max_len = ty.limits.max.unwrap_or(u64::MAX).min(cap) as usize;
        let mut table = Table {
            base: core::ptr::null_mut(),
            len: 0,
            ty,
            max_len,
            holds_objects,
            elements: Vec::new(),
        };
        match table.grow(ty.limits.min, init) {
            Some(_) => Ok(table),
            None => Err(LimitError::no_memory("a table", ty.limits.min as usize * 8)),
        }
    }

    /// Grows by `delta` elements of value `init` and gives the old size, or `None` when that is refused.
    pub fn grow(&mut self, delta: u64, init: u64) -> Option<u64> {
        let old = self.elements.len();
        let delta = usize::try_from(delta).ok()?;
        let new = old.checked_add(delta).filter(|new| *new <= self.max_len)?;
        self.elements.try_reserve(delta).ok()?;
        self.elements.resize(new, init);
        self.base = self.elements.as_mut_ptr();
        self.len = new;
        Some(old as u64)
    }

    /// The elements.
    pub fn elements(&self) -> &[u64] {
        &self.elements
    }

    /// The elements, writable.
    pub fn elements_mut(&mut self) -> &mut [u64] {
        &mut self.elements
    }
}

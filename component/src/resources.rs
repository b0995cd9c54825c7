//! A table of the host's values that guests hold handles of. Host functions keep one in the store's data. Invariant: a
//! number leads to the value that it was given for, or to nothing; a value with children stays until they are gone.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

use lithe::{Error, ErrorKind, Result};

use crate::error::violation;

/// Values that a [`ResourceTable`] holds at most, unless it is told otherwise.
pub const DEFAULT_MAX_RESOURCES: usize = 1 << 20;

/// A value of the host by its number in a [`ResourceTable`]: as a parameter, a handle that the guest gave or lent; as a
/// result, one that it gets.
pub struct Resource<T: ?Sized> {
    rep: u32,
    kind: PhantomData<fn() -> Box<T>>,
}

impl<T: ?Sized> Clone for Resource<T> {
    fn clone(&self) -> Resource<T> {
        *self
    }
}

impl<T: ?Sized> Copy for Resource<T> {}

impl<T: ?Sized> fmt::Debug for Resource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resource({})", self.rep)
    }
}

impl<T: ?Sized> Resource<T> {
    /// The value with this number.
    pub fn new(rep: u32) -> Resource<T> {
        Resource { rep, kind: PhantomData }
    }

    /// Its number.
    pub fn rep(&self) -> u32 {
        self.rep
    }
}

struct Entry {
    value: Box<dyn Any + Send>,
    parent: Option<u32>,
    children: u32,
}

/// Values of the host by number.
pub struct ResourceTable {
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    limit: usize,
}

impl Default for ResourceTable {
    fn default() -> ResourceTable {
        ResourceTable::new(DEFAULT_MAX_RESOURCES)
    }
}

impl ResourceTable {
    /// An empty table for so many values.
    pub fn new(limit: usize) -> ResourceTable {
        ResourceTable { entries: Vec::new(), free: Vec::new(), limit }
    }

    fn insert(&mut self, entry: Entry) -> Result<u32> {
        if let Some(at) = self.free.pop() {
            self.entries[at as usize] = Some(entry);
            return Ok(at);
        }
        if self.entries.len() >= self.limit {
            let words = format!("the guest holds {} resources of the host, its limit", self.limit);
            return Err(Error::new(ErrorKind::Limit, words));
        }
        self.entries.push(Some(entry));
        Ok(self.entries.len() as u32 - 1)
    }

    fn entry(&self, rep: u32) -> Result<&Entry> {
        let entry = self.entries.get(rep as usize).and_then(Option::as_ref);
        entry.ok_or_else(|| violation("the resource is gone"))
    }

    fn entry_mut(&mut self, rep: u32) -> Result<&mut Entry> {
        let entry = self.entries.get_mut(rep as usize).and_then(Option::as_mut);
        entry.ok_or_else(|| violation("the resource is gone"))
    }

    /// Adds a value.
    pub fn push<T: Any + Send>(&mut self, value: T) -> Result<Resource<T>> {
        let entry = Entry { value: Box::new(value), parent: None, children: 0 };
        self.insert(entry).map(Resource::new)
    }

    /// Adds a value that needs another one, which cannot be removed before it.
    pub fn push_child<T: Any + Send, P: ?Sized>(
        &mut self,
        value: T,
        parent: &Resource<P>,
    ) -> Result<Resource<T>> {
        self.entry(parent.rep)?;
        let entry = Entry { value: Box::new(value), parent: Some(parent.rep), children: 0 };
        let child = self.insert(entry)?;
        self.entry_mut(parent.rep)?.children += 1;
        Ok(Resource::new(child))
    }

    /// The value that a resource stands for.
    pub fn at<T: Any>(&self, resource: &Resource<T>) -> Result<&T> {
        let value = self.entry(resource.rep)?.value.downcast_ref();
        value.ok_or_else(|| violation("the resource is of another type"))
    }

    /// The value that a resource stands for, writable.
    pub fn at_mut<T: Any>(&mut self, resource: &Resource<T>) -> Result<&mut T> {
        let value = self.entry_mut(resource.rep)?.value.downcast_mut();
        value.ok_or_else(|| violation("the resource is of another type"))
    }

    /// Takes a value out that has no children.
    pub fn remove<T: Any>(&mut self, resource: Resource<T>) -> Result<T> {
        let entry = self.entry(resource.rep)?;
        if entry.children > 0 {
            return Err(violation("the resource has children, which must be dropped before it"));
        }
        if !entry.value.is::<T>() {
            return Err(violation("the resource is of another type"));
        }
        let entry = self.entries[resource.rep as usize].take();
        self.free.push(resource.rep);
        let entry = entry.ok_or_else(|| violation("the resource is gone"))?;
        if let Some(parent) = entry.parent.and_then(|parent| self.entry_mut(parent).ok()) {
            parent.children -= 1;
        }
        let value =
            entry.value.downcast().map_err(|_| violation("the resource is of another type"));
        value.map(|value| *value)
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

//! Memories, tables and globals, and the sum of what can be imported and exported.

use lithe_runtime as rt;
use lithe_types::{ExternType, GlobalType, MemoryType, TableType, ValType};

use crate::{
    AsContext, AsContextMut, Error, Func, Result, SharedMemory, Tag, Val, check,
    raw::{self, Handle, StoreId},
};

/// Something that can be imported and exported.
#[derive(Clone, Copy)]
pub enum Extern {
    /// A function.
    Func(Func),
    /// A table.
    Table(Table),
    /// A memory.
    Memory(Memory),
    /// A global.
    Global(Global),
    /// A tag.
    Tag(Tag),
}

impl Extern {
    /// The type as it is now: the minimum of a table or memory is its current size.
    pub fn ty(&self, store: impl AsContext) -> Result<ExternType> {
        let store = store.store();
        raw::extern_type(store.id, &store.rt, *self)
    }

    /// The function, when it is one.
    pub fn func(self) -> Option<Func> {
        match self {
            Extern::Func(func) => Some(func),
            _ => None,
        }
    }

    /// The table, when it is one.
    pub fn table(self) -> Option<Table> {
        match self {
            Extern::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The memory, when it is one.
    pub fn memory(self) -> Option<Memory> {
        match self {
            Extern::Memory(memory) => Some(memory),
            _ => None,
        }
    }

    /// The global, when it is one.
    pub fn global(self) -> Option<Global> {
        match self {
            Extern::Global(global) => Some(global),
            _ => None,
        }
    }

    /// The tag, when it is one.
    pub fn tag(self) -> Option<Tag> {
        match self {
            Extern::Tag(tag) => Some(tag),
            _ => None,
        }
    }

    pub(crate) fn from_rt(store: StoreId, entity: rt::Extern) -> Extern {
        match entity {
            rt::Extern::Func(pointer) => Extern::Func(Func { handle: Handle::new(store, pointer) }),
            rt::Extern::Table(pointer) => {
                Extern::Table(Table { handle: Handle::new(store, pointer) })
            }
            rt::Extern::Memory(pointer) => {
                Extern::Memory(Memory { handle: Handle::new(store, pointer) })
            }
            rt::Extern::Global(pointer) => {
                Extern::Global(Global { handle: Handle::new(store, pointer) })
            }
            rt::Extern::Tag(pointer) => Extern::Tag(Tag { handle: Handle::new(store, pointer) }),
        }
    }

    pub(crate) fn to_rt(self, store: StoreId) -> Result<rt::Extern> {
        Ok(match self {
            Extern::Func(func) => rt::Extern::Func(func.handle.pointer(store)?),
            Extern::Table(table) => rt::Extern::Table(table.handle.pointer(store)?),
            Extern::Memory(memory) => rt::Extern::Memory(memory.handle.pointer(store)?),
            Extern::Global(global) => rt::Extern::Global(global.handle.pointer(store)?),
            Extern::Tag(tag) => rt::Extern::Tag(tag.handle.pointer(store)?),
        })
    }
}

macro_rules! into_extern {
    ($($ty:ident)*) => {$(
        impl From<$ty> for Extern {
            fn from(entity: $ty) -> Extern {
                Extern::$ty(entity)
            }
        }
    )*};
}

into_extern! { Func Table Memory Global Tag }

fn shared() -> Error {
    Error::usage("the memory is shared: its bytes can only be copied")
}

/// A linear memory.
#[derive(Clone, Copy)]
pub struct Memory {
    pub(crate) handle: Handle<rt::Memory>,
}

impl Memory {
    /// A memory of its minimum size, all zero.
    pub fn new(mut store: impl AsContextMut, ty: MemoryType) -> Result<Memory> {
        let store = store.store_mut();
        check::memory_type(&ty, &store.engine)?;
        Ok(Memory { handle: Handle::new(store.id, store.rt.add_memory(ty)?) })
    }

    /// The entity of a store that stands for a shared memory; the same one each time.
    pub fn from_shared(mut store: impl AsContextMut, memory: &SharedMemory) -> Result<Memory> {
        let store = store.store_mut();
        Ok(Memory { handle: Handle::new(store.id, store.rt.refer_memory(&memory.0)?) })
    }

    /// The shared memory that this stands for, when it does.
    pub fn shared(&self, store: impl AsContext) -> Result<Option<SharedMemory>> {
        let store = store.store();
        let memory = self.handle.get(store.id, &store.rt)?;
        Ok(memory.shared().cloned().map(SharedMemory))
    }

    /// The type as declared.
    pub fn ty(&self, store: impl AsContext) -> Result<MemoryType> {
        let store = store.store();
        Ok(self.handle.get(store.id, &store.rt)?.ty)
    }

    /// The bytes. An error when the memory is shared: other threads may write them.
    pub fn data<'s>(&self, store: &'s impl AsContext) -> Result<&'s [u8]> {
        let store = store.store();
        self.handle.get(store.id, &store.rt)?.bytes().ok_or_else(shared)
    }

    /// The bytes, writable. An error when the memory is shared.
    pub fn data_mut<'s>(&self, store: &'s mut impl AsContextMut) -> Result<&'s mut [u8]> {
        let store = store.store_mut();
        self.handle.get_mut(store.id, &mut store.rt)?.bytes_mut().ok_or_else(shared)
    }

    /// Copies bytes from `offset` on into `buffer`.
    pub fn read(&self, store: impl AsContext, offset: usize, buffer: &mut [u8]) -> Result<()> {
        let store = store.store();
        let memory = self.handle.get(store.id, &store.rt)?;
        memory.read(offset, buffer).map_err(|error| Error::usage(error.to_string()))
    }

    /// Copies `buffer` to `offset`.
    pub fn write(&self, mut store: impl AsContextMut, offset: usize, buffer: &[u8]) -> Result<()> {
        let store = store.store_mut();
        let memory = self.handle.get_mut(store.id, &mut store.rt)?;
        memory.write(offset, buffer).map_err(|error| Error::usage(error.to_string()))
    }

    /// The size in pages.
    pub fn size(&self, store: impl AsContext) -> Result<u64> {
        let store = store.store();
        Ok(self.handle.get(store.id, &store.rt)?.pages())
    }

    /// Grows by `delta` pages and gives the old size.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64) -> Result<u64> {
        let store = store.store_mut();
        let memory = self.handle.get_mut(store.id, &mut store.rt)?;
        memory.grow(delta).ok_or_else(|| {
            Error::new(crate::ErrorKind::Limit, format!("the memory cannot grow by {delta} pages"))
        })
    }
}

/// A table.
#[derive(Clone, Copy)]
pub struct Table {
    pub(crate) handle: Handle<rt::Table>,
}

impl Table {
    /// A table of its minimum size, every element `init`.
    pub fn new(mut store: impl AsContextMut, ty: TableType, init: Val) -> Result<Table> {
        let store = store.store_mut();
        check::table_type(&ty, store)?;
        let [init, _] = init.to_slots(ValType::Ref(ty.element), store)?;
        Ok(Table { handle: Handle::new(store.id, store.rt.add_table(ty, init)?) })
    }

    /// The type as declared.
    pub fn ty(&self, store: impl AsContext) -> Result<TableType> {
        let store = store.store();
        Ok(self.handle.get(store.id, &store.rt)?.ty)
    }

    /// The number of elements.
    pub fn size(&self, store: impl AsContext) -> Result<u64> {
        let store = store.store();
        Ok(self.handle.get(store.id, &store.rt)?.len as u64)
    }

    /// The element at `index`; `None` beyond the end.
    pub fn get(&self, store: impl AsContext, index: u64) -> Result<Option<Val>> {
        let store = store.store();
        let table = self.handle.get(store.id, &store.rt)?;
        let slot = usize::try_from(index).ok().and_then(|index| table.elements().get(index));
        let ty = ValType::Ref(table.ty.element);
        Ok(slot.map(|slot| Val::from_slots(ty, &[*slot], store.id, &store.rt)))
    }

    /// Writes the element at `index`.
    pub fn set(&self, mut store: impl AsContextMut, index: u64, value: Val) -> Result<()> {
        let ty = self.ty(&store)?;
        let store = store.store_mut();
        let [slot, _] = value.to_slots(ValType::Ref(ty.element), store)?;
        let table = self.handle.get_mut(store.id, &mut store.rt)?;
        let element = usize::try_from(index).ok().and_then(|i| table.elements_mut().get_mut(i));
        *element.ok_or_else(|| Error::usage(format!("the table has no element {index}")))? = slot;
        Ok(())
    }

    /// Grows by `delta` elements of value `init` and gives the old size.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64, init: Val) -> Result<u64> {
        let ty = self.ty(&store)?;
        let store = store.store_mut();
        let [slot, _] = init.to_slots(ValType::Ref(ty.element), store)?;
        let table = self.handle.get_mut(store.id, &mut store.rt)?;
        table.grow(delta, slot).ok_or_else(|| {
            let message = format!("the table cannot grow by {delta} elements");
            Error::new(crate::ErrorKind::Limit, message)
        })
    }
}

/// A global.
#[derive(Clone, Copy)]
pub struct Global {
    pub(crate) handle: Handle<rt::Global>,
}

impl Global {
    /// A global with this value.
    pub fn new(mut store: impl AsContextMut, ty: GlobalType, value: Val) -> Result<Global> {
        let store = store.store_mut();
        check::value_type(ty.value, store)?;
        let slots = value.to_slots(ty.value, store)?;
        Ok(Global { handle: Handle::new(store.id, store.rt.add_global(ty, slots)) })
    }

    /// The type.
    pub fn ty(&self, store: impl AsContext) -> Result<GlobalType> {
        let store = store.store();
        Ok(self.handle.get(store.id, &store.rt)?.ty)
    }

    /// The value.
    pub fn get(&self, store: impl AsContext) -> Result<Val> {
        let store = store.store();
        let global = self.handle.get(store.id, &store.rt)?;
        Ok(Val::from_slots(global.ty.value, &global.value, store.id, &store.rt))
    }

    /// Sets the value of a mutable global.
    pub fn set(&self, mut store: impl AsContextMut, value: Val) -> Result<()> {
        let ty = self.ty(&store)?;
        if !ty.mutable {
            return Err(Error::usage("the global is immutable"));
        }
        let store = store.store_mut();
        let slots = value.to_slots(ty.value, store)?;
        self.handle.get_mut(store.id, &mut store.rt)?.value = slots;
        Ok(())
    }
}

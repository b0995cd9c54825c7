//! References to objects of a store's heap in the host's hands. Invariant: what such a reference leads to stays
//! alive for as long as the reference is valid; using one whose scope has ended is an error.

use std::any::Any;

use lithe_runtime as rt;
use lithe_types::{HeapType, RefType, StorageType, ValType};

use crate::{
    AsContext, AsContextMut, Error, Result, Val,
    raw::{self, StoreId},
};

/// A reference to a struct, an array, an `i31`, or a host value seen from inside.
///
/// A reference made at top level is valid for as long as its store. One made within a host function or within
/// [`crate::Store::scope`] is valid until that ends.
#[derive(Clone, Copy, Debug)]
pub struct AnyRef(pub(crate) Ref);

/// A reference to a host value that guests can pass around but not look into; its scope is as for [`AnyRef`].
#[derive(Clone, Copy, Debug)]
pub struct ExternRef(pub(crate) Ref);

/// A reference of a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ref {
    pub store: StoreId,
    pub rooted: rt::Rooted,
}

/// What an [`AnyRef`] leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// A number of 31 bits, sign-extended.
    I31(i32),
    /// A struct of the type with this id, see [`HeapType::Concrete`].
    Struct(u32),
    /// An array of the type with this id.
    Array(u32),
    /// A host value, or an exception.
    Opaque,
}

impl Ref {
    /// A reference for the host to the object that a slot refers to; `None` for null.
    pub(crate) fn from_slot(id: StoreId, store: &rt::Store, slot: u64) -> Option<Ref> {
        (slot != 0).then(|| Ref { store: id, rooted: raw::root(store, slot) })
    }

    /// The slot, when the store is the right one and the reference still valid.
    pub(crate) fn slot(&self, id: StoreId, store: &rt::Store) -> Result<u64> {
        if self.store != id {
            return Err(Error::usage("the reference belongs to another store"));
        }
        let slot = store.rooted(self.rooted);
        slot.ok_or_else(|| Error::usage("the scope that the reference was made in has ended"))
    }

    /// Whether both refer to the same object.
    pub(crate) fn same(&self, other: &Ref, store: impl AsContext) -> Result<bool> {
        let store = store.store();
        Ok(self.slot(store.id, &store.rt)? == other.slot(store.id, &store.rt)?)
    }

    /// The type that the object has, as a reference type.
    pub(crate) fn ty(&self, id: StoreId, store: &rt::Store) -> Result<RefType> {
        self.slot(id, store)?;
        let heap = match store.object(self.rooted) {
            Some(rt::Object::I31(_)) => HeapType::I31,
            Some(rt::Object::Defined(id)) => HeapType::Concrete(id),
            Some(rt::Object::Exception) => HeapType::Exn,
            Some(rt::Object::External) | None => HeapType::Any,
        };
        Ok(RefType { nullable: false, heap })
    }
}

impl AnyRef {
    /// The reference that stands for the lower 31 bits of a number.
    pub fn from_i31(mut store: impl AsContextMut, value: i32) -> AnyRef {
        let store = store.store_mut();
        let slot = u64::from((value as u32) << 1 | 1);
        AnyRef(Ref { store: store.id, rooted: raw::root(&store.rt, slot) })
    }

    /// What the reference leads to.
    pub fn kind(&self, store: impl AsContext) -> Result<Kind> {
        let store = store.store();
        self.0.slot(store.id, &store.rt)?;
        Ok(match store.rt.object(self.0.rooted) {
            Some(rt::Object::I31(value)) => Kind::I31(value),
            Some(rt::Object::Defined(id)) => match store.rt.registry().shape(id).kind {
                rt::ShapeKind::Array => Kind::Array(id),
                _ => Kind::Struct(id),
            },
            _ => Kind::Opaque,
        })
    }

    /// Whether both refer to the same object.
    pub fn same(&self, other: &AnyRef, store: impl AsContext) -> Result<bool> {
        self.0.same(&other.0, store)
    }

    /// The number of fields of a struct or of elements of an array; `None` for others.
    pub fn len(&self, store: impl AsContext) -> Result<Option<u32>> {
        let store = store.store();
        self.0.slot(store.id, &store.rt)?;
        Ok(store.rt.object_len(self.0.rooted))
    }

    /// Field or element `index` of a struct or array; packed integers are zero-extended.
    pub fn get(&self, store: impl AsContext, index: u32) -> Result<Val> {
        let store = store.store();
        self.0.slot(store.id, &store.rt)?;
        let found = store.rt.object_field(self.0.rooted, index);
        let (slots, field) = found.ok_or_else(|| no_field(index))?;
        Ok(Val::from_slots(unpacked(field.ty.storage), &slots, store.id, &store.rt))
    }

    /// Writes field or element `index` of a struct or array, where its type allows that.
    pub fn set(&self, mut store: impl AsContextMut, index: u32, value: Val) -> Result<()> {
        let store = store.store_mut();
        self.0.slot(store.id, &store.rt)?;
        let found = store.rt.object_field(self.0.rooted, index);
        let (_, field) = found.ok_or_else(|| no_field(index))?;
        if !field.ty.mutable {
            return Err(Error::usage(format!("field {index} of the object is immutable")));
        }
        let slots = value.to_slots(unpacked(field.ty.storage), store)?;
        raw::set_object_field(&mut store.rt, self.0.rooted, index, slots);
        Ok(())
    }

    /// The same reference as guests see it from outside: `extern.convert_any`.
    pub fn to_extern(&self) -> ExternRef {
        ExternRef(self.0)
    }
}

fn no_field(index: u32) -> Error {
    Error::usage(format!("the reference leads to nothing with a field or element {index}"))
}

fn unpacked(storage: StorageType) -> ValType {
    match storage {
        StorageType::I8 | StorageType::I16 => ValType::I32,
        StorageType::Val(ty) => ty,
    }
}

impl ExternRef {
    /// Gives `value` to the store, which keeps it for as long as it can be reached.
    pub fn new(mut store: impl AsContextMut, value: impl Any + Send + Sync) -> Result<ExternRef> {
        let store = store.store_mut();
        let rooted = store.rt.add_external(Box::new(value)).map_err(Error::from)?;
        Ok(ExternRef(Ref { store: store.id, rooted }))
    }

    /// The host value.
    pub fn data<'s>(&self, store: &'s impl AsContext) -> Result<&'s (dyn Any + Send + Sync)> {
        let store = store.store();
        self.0.slot(store.id, &store.rt)?;
        let value = store.rt.external(self.0.rooted);
        value.ok_or_else(|| Error::usage("the reference leads to no host value"))
    }

    /// Whether both refer to the same value, given to the store once.
    pub fn same(&self, other: &ExternRef, store: impl AsContext) -> Result<bool> {
        self.0.same(&other.0, store)
    }

    /// The same reference as guests see it from inside: `any.convert_extern`.
    pub fn to_any(&self) -> AnyRef {
        AnyRef(self.0)
    }
}

//! Values of the untyped API, and their form as slots of a frame.

use std::any::Any;
use std::fmt;

use lithe_types::{HeapType, RefType, ValType};

use crate::{
    AsContext, AsContextMut, Error, ExnRef, Func, Result,
    raw::{self, StoreId},
    store::StoreInner,
};

/// A WebAssembly value. Floats are kept as bits, so NaN payloads survive.
#[derive(Clone, Copy, Debug)]
pub enum Val {
    /// An `i32`.
    I32(i32),
    /// An `i64`.
    I64(i64),
    /// An `f32`, as bits.
    F32(u32),
    /// An `f64`, as bits.
    F64(u64),
    /// A `v128`, little-endian.
    V128(u128),
    /// A function reference; `None` is null.
    FuncRef(Option<Func>),
    /// An external reference; `None` is null.
    ExternRef(Option<ExternRef>),
    /// A reference to an exception; `None` is null.
    ExnRef(Option<ExnRef>),
}

/// A reference to a host value that guests can pass around but not look into.
#[derive(Clone, Copy, PartialEq)]
pub struct ExternRef {
    store: StoreId,
    slot: u64,
}

impl fmt::Debug for ExternRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExternRef({})", self.slot)
    }
}

impl ExternRef {
    /// Gives `value` to the store, which keeps it for as long as it lives.
    pub fn new(mut store: impl AsContextMut, value: impl Any + Send + Sync) -> ExternRef {
        let store = store.store_mut();
        let slot = store.rt.add_extern(Box::new(value));
        ExternRef { store: store.id, slot }
    }

    /// The value.
    pub fn data<'s>(&self, store: &'s impl AsContext) -> Result<&'s (dyn Any + Send + Sync)> {
        let store = store.store();
        let value = (self.store == store.id).then(|| store.rt.external(self.slot)).flatten();
        value.ok_or_else(|| Error::usage("the external reference belongs to another store"))
    }

    pub(crate) fn from_slot(store: StoreId, slot: u64) -> Option<ExternRef> {
        (slot != 0).then_some(ExternRef { store, slot })
    }

    pub(crate) fn slot_in(&self, store: StoreId) -> Result<u64> {
        match self.store == store {
            true => Ok(self.slot),
            false => Err(Error::usage("the external reference belongs to another store")),
        }
    }
}

impl Val {
    /// The default value of a type; `None` for references that cannot be null.
    pub fn default_of(ty: ValType) -> Option<Val> {
        Some(match ty {
            ValType::I32 => Val::I32(0),
            ValType::I64 => Val::I64(0),
            ValType::F32 => Val::F32(0),
            ValType::F64 => Val::F64(0),
            ValType::V128 => Val::V128(0),
            ValType::Ref(RefType { nullable: false, .. }) => return None,
            ValType::Ref(ty) if is_func(ty) => Val::FuncRef(None),
            ValType::Ref(ty) if is_exn(ty) => Val::ExnRef(None),
            ValType::Ref(_) => Val::ExternRef(None),
        })
    }

    /// The value as one or two slots, when it has type `ty` in this store.
    pub(crate) fn to_slots<T>(self, ty: ValType, store: &StoreInner<T>) -> Result<[u64; 2]> {
        Ok(match (self, ty) {
            (Val::I32(value), ValType::I32) => [u64::from(value as u32), 0],
            (Val::I64(value), ValType::I64) => [value as u64, 0],
            (Val::F32(bits), ValType::F32) => [u64::from(bits), 0],
            (Val::F64(bits), ValType::F64) => [bits, 0],
            (Val::V128(bits), ValType::V128) => [bits as u64, (bits >> 64) as u64],
            (Val::FuncRef(None), ValType::Ref(ty)) if ty.nullable && is_func(ty) => [0, 0],
            (Val::FuncRef(Some(func)), ValType::Ref(ty)) if is_func(ty) => {
                let have = func.handle.get(store.id, &store.rt)?.ty;
                let have = RefType { nullable: false, heap: HeapType::Concrete(have) };
                if !store.rt.registry().ref_matches(have, ty) {
                    return Err(Error::usage(format!("the function is not a {ty}")));
                }
                [raw::slot_of_func(&func.handle), 0]
            }
            (Val::ExternRef(None), ValType::Ref(ty)) if ty.nullable && is_extern(ty) => [0, 0],
            (Val::ExternRef(Some(value)), ValType::Ref(ty)) if ty.heap == HeapType::Extern => {
                [value.slot_in(store.id)?, 0]
            }
            (Val::ExnRef(None), ValType::Ref(ty)) if ty.nullable && is_exn(ty) => [0, 0],
            (Val::ExnRef(Some(value)), ValType::Ref(ty)) if ty.heap == HeapType::Exn => {
                [value.slot_in(store.id)?, 0]
            }
            (value, ty) => {
                return Err(Error::usage(format!(
                    "expected a value of type {ty}, found {value:?}"
                )));
            }
        })
    }

    /// The value of type `ty` that slots hold.
    pub(crate) fn from_slots(ty: ValType, slots: &[u64], store: StoreId) -> Val {
        let low = slots.first().copied().unwrap_or(0);
        match ty {
            ValType::I32 => Val::I32(low as i32),
            ValType::I64 => Val::I64(low as i64),
            ValType::F32 => Val::F32(low as u32),
            ValType::F64 => Val::F64(low),
            ValType::V128 => {
                let high = slots.get(1).copied().unwrap_or(0);
                Val::V128(u128::from(low) | u128::from(high) << 64)
            }
            ValType::Ref(ty) if is_func(ty) => {
                Val::FuncRef(raw::func_of_slot(store, low).map(|handle| Func { handle }))
            }
            ValType::Ref(ty) if is_exn(ty) => Val::ExnRef(ExnRef::from_slot(store, low)),
            ValType::Ref(_) => Val::ExternRef(ExternRef::from_slot(store, low)),
        }
    }
}

/// Whether a reference type is one of functions. Concrete types are: the engine executes no others yet.
fn is_func(ty: RefType) -> bool {
    matches!(ty.heap, HeapType::Func | HeapType::NoFunc | HeapType::Concrete(_))
}

fn is_extern(ty: RefType) -> bool {
    matches!(ty.heap, HeapType::Extern | HeapType::NoExtern)
}

fn is_exn(ty: RefType) -> bool {
    matches!(ty.heap, HeapType::Exn | HeapType::NoExn)
}

macro_rules! from {
    ($($ty:ty => |$x:ident| $val:expr;)*) => {$(
        impl From<$ty> for Val {
            fn from($x: $ty) -> Val {
                $val
            }
        }
    )*};
}

from! {
    i32 => |x| Val::I32(x);
    u32 => |x| Val::I32(x as i32);
    i64 => |x| Val::I64(x);
    u64 => |x| Val::I64(x as i64);
    f32 => |x| Val::F32(x.to_bits());
    f64 => |x| Val::F64(x.to_bits());
}

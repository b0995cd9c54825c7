//! Values of the untyped API, and their form as slots of a frame.

use lithe_runtime as rt;
use lithe_types::{HeapType, RefType, ValType};

use crate::{
    AnyRef, Error, ExnRef, ExternRef, Func, Result,
    raw::{self, StoreId},
    refs::Ref,
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
    /// A reference to a struct, array, `i31` or anything else that is no function; `None` is null.
    AnyRef(Option<AnyRef>),
    /// A reference to an exception; `None` is null.
    ExnRef(Option<ExnRef>),
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
            ValType::Ref(ty) => match ty.heap {
                HeapType::Extern | HeapType::NoExtern => Val::ExternRef(None),
                HeapType::Func | HeapType::NoFunc => Val::FuncRef(None),
                HeapType::Exn | HeapType::NoExn => Val::ExnRef(None),
                _ => Val::AnyRef(None),
            },
        })
    }

    /// Whether this is a null reference.
    pub fn is_null(&self) -> bool {
        matches!(
            self,
            Val::FuncRef(None) | Val::ExternRef(None) | Val::AnyRef(None) | Val::ExnRef(None)
        )
    }

    /// The value as one or two slots, when it has type `ty` in this store.
    pub(crate) fn to_slots<T>(self, ty: ValType, store: &StoreInner<T>) -> Result<[u64; 2]> {
        Ok(match (self, ty) {
            (Val::I32(value), ValType::I32) => [u64::from(value as u32), 0],
            (Val::I64(value), ValType::I64) => [value as u64, 0],
            (Val::F32(bits), ValType::F32) => [u64::from(bits), 0],
            (Val::F64(bits), ValType::F64) => [bits, 0],
            (Val::V128(bits), ValType::V128) => [bits as u64, (bits >> 64) as u64],
            // Null is null in every hierarchy; the null of a concrete type may be given as any of them.
            (value, ValType::Ref(ty)) if value.is_null() && ty.nullable => {
                let concrete = matches!(ty.heap, HeapType::Concrete(_));
                let default = Val::default_of(ValType::Ref(ty));
                let same =
                    |default| std::mem::discriminant(&default) == std::mem::discriminant(&value);
                if !concrete && !default.is_some_and(same) {
                    return Err(Error::usage(format!("expected a null {ty}, found {value:?}")));
                }
                [0, 0]
            }
            (Val::FuncRef(Some(func)), ValType::Ref(ty)) => {
                let have = func.handle.get(store.id, &store.rt)?.ty;
                let have = RefType { nullable: false, heap: HeapType::Concrete(have) };
                fits(store, have, ty)?;
                [raw::slot_of_func(&func.handle), 0]
            }
            (Val::ExternRef(Some(value)), ValType::Ref(ty)) if ty.heap == HeapType::Extern => {
                [value.0.slot(store.id, &store.rt)?, 0]
            }
            (Val::AnyRef(Some(value)), ValType::Ref(ty)) => {
                fits(store, value.0.ty(store.id, &store.rt)?, ty)?;
                [value.0.slot(store.id, &store.rt)?, 0]
            }
            (Val::ExnRef(Some(value)), ValType::Ref(ty)) if ty.heap == HeapType::Exn => {
                [value.0.slot(store.id, &store.rt)?, 0]
            }
            (value, ty) => {
                return Err(Error::usage(format!(
                    "expected a value of type {ty}, found {value:?}"
                )));
            }
        })
    }

    /// The value of type `ty` that slots hold.
    pub(crate) fn from_slots(ty: ValType, slots: &[u64], id: StoreId, store: &rt::Store) -> Val {
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
            ValType::Ref(ty) if !store.registry().refers_to_objects(ty) => {
                Val::FuncRef(raw::func_of_slot(id, low).map(|handle| Func { handle }))
            }
            ValType::Ref(ty) => {
                let found = Ref::from_slot(id, store, low);
                match ty.heap {
                    HeapType::Extern | HeapType::NoExtern => Val::ExternRef(found.map(ExternRef)),
                    HeapType::Exn | HeapType::NoExn => Val::ExnRef(found.map(ExnRef)),
                    _ => Val::AnyRef(found.map(AnyRef)),
                }
            }
        }
    }
}

/// Checks that a reference of type `have` may stand where `want` is wanted.
fn fits<T>(store: &StoreInner<T>, have: RefType, want: RefType) -> Result<()> {
    match store.rt.registry().ref_matches(have, want) {
        true => Ok(()),
        false => Err(Error::usage(format!("the reference is a {have}, not a {want}"))),
    }
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

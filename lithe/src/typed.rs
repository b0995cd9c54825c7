//! Rust types that stand for WebAssembly types, and closures as host functions.

use std::sync::Arc;

use lithe_runtime as rt;
use lithe_types::{FuncType, ValType};

use crate::{
    AnyRef, Caller, Error, ExternRef, Func, Result,
    raw::{self, StoreId},
    refs::Ref,
    store::HostFunc,
};

/// A Rust type that stands for one WebAssembly type of one slot.
pub trait WasmTy: Copy + Send + 'static {
    /// The WebAssembly type.
    const TYPE: ValType;
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate implements and calls it")]
    fn to_slot(self, id: StoreId, store: &rt::Store) -> Result<u64>;
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate implements and calls it")]
    fn from_slot(slot: u64, id: StoreId, store: &rt::Store) -> Self;
}

macro_rules! wasm_ty {
    ($($ty:ty = $wasm:expr, |$x:ident $(, $to:ident, $to_store:ident)?| $slot:expr, |$s:ident $(, $from:ident, $from_store:ident)?| $value:expr;)*) => {$(
        #[allow(private_interfaces, reason = "only this crate implements and calls it")]
        impl WasmTy for $ty {
            const TYPE: ValType = $wasm;
            fn to_slot(self, id: StoreId, store: &rt::Store) -> Result<u64> {
                let ($x, _, _) = (self, id, store);
                $(let ($to, $to_store) = (id, store);)?
                Ok($slot)
            }
            fn from_slot($s: u64, id: StoreId, store: &rt::Store) -> Self {
                let _ = (id, store);
                $(let ($from, $from_store) = (id, store);)?
                $value
            }
        }
    )*};
}

wasm_ty! {
    i32 = ValType::I32, |x| u64::from(x as u32), |slot| slot as i32;
    u32 = ValType::I32, |x| u64::from(x), |slot| slot as u32;
    i64 = ValType::I64, |x| x as u64, |slot| slot as i64;
    u64 = ValType::I64, |x| x, |slot| slot;
    f32 = ValType::F32, |x| u64::from(x.to_bits()), |slot| f32::from_bits(slot as u32);
    f64 = ValType::F64, |x| x.to_bits(), |slot| f64::from_bits(slot);
    Option<Func> = ValType::FUNCREF,
        |x, id, store| match x {
            Some(func) => {
                func.handle.get(id, store)?;
                raw::slot_of_func(&func.handle)
            }
            None => 0,
        },
        |slot, id, _store| raw::func_of_slot(id, slot).map(|handle| Func { handle });
    Option<ExternRef> = ValType::EXTERNREF,
        |x, id, store| match x {
            Some(value) => value.0.slot(id, store)?,
            None => 0,
        },
        |slot, id, store| Ref::from_slot(id, store, slot).map(ExternRef);
    Option<AnyRef> = ValType::ANYREF,
        |x, id, store| match x {
            // A reference of this type may lead to anything but an exception, which no `AnyRef` does.
            Some(value) => value.0.slot(id, store)?,
            None => 0,
        },
        |slot, id, store| Ref::from_slot(id, store, slot).map(AnyRef);
}

/// Parameters of a [`crate::TypedFunc`]: a type, or a tuple of types.
pub trait WasmParams: Send {
    #[doc(hidden)]
    const SLOTS: usize;
    /// The WebAssembly types.
    fn types() -> Vec<ValType>;
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate implements and calls it")]
    fn store(self, id: StoreId, store: &rt::Store, slots: &mut [u64]) -> Result<()>;
}

/// Results of a [`crate::TypedFunc`] or of a host closure: nothing, a type, or a tuple of types.
pub trait WasmResults: Send {
    #[doc(hidden)]
    const SLOTS: usize;
    /// The WebAssembly types.
    fn types() -> Vec<ValType>;
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate implements and calls it")]
    fn load(id: StoreId, store: &rt::Store, slots: &[u64]) -> Self;
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate implements and calls it")]
    fn give(self, id: StoreId, store: &rt::Store, slots: &mut [u64]) -> Result<()>;
}

#[allow(private_interfaces, reason = "only this crate implements and calls it")]
impl<A: WasmTy> WasmParams for A {
    const SLOTS: usize = 1;
    fn types() -> Vec<ValType> {
        vec![A::TYPE]
    }
    fn store(self, id: StoreId, store: &rt::Store, slots: &mut [u64]) -> Result<()> {
        slots[0] = self.to_slot(id, store)?;
        Ok(())
    }
}

#[allow(private_interfaces, reason = "only this crate implements and calls it")]
impl<A: WasmTy> WasmResults for A {
    const SLOTS: usize = 1;
    fn types() -> Vec<ValType> {
        vec![A::TYPE]
    }
    fn load(id: StoreId, store: &rt::Store, slots: &[u64]) -> A {
        A::from_slot(slots[0], id, store)
    }
    fn give(self, id: StoreId, store: &rt::Store, slots: &mut [u64]) -> Result<()> {
        slots[0] = self.to_slot(id, store)?;
        Ok(())
    }
}

/// What a host closure may return: results, or a `Result` of them.
pub trait HostResult {
    #[doc(hidden)]
    type Results: WasmResults;
    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Results>;
}

impl<R: WasmResults> HostResult for R {
    type Results = R;
    fn into_result(self) -> Result<R> {
        Ok(self)
    }
}

impl<R: WasmResults, E: Into<Error>> HostResult for Result<R, E> {
    type Results = R;
    fn into_result(self) -> Result<R> {
        self.map_err(Into::into)
    }
}

/// A closure that can become a host function: with or without a [`Caller`] first, then at most twelve
/// parameters.
pub trait IntoFunc<T, Marker>: Send + Sync + 'static {
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate implements and calls it")]
    fn into_func(self) -> (FuncType, HostFunc<T>);
}

macro_rules! tuples {
    ($($count:literal: $($name:ident)*;)*) => {$(
        #[allow(private_interfaces, reason = "only this crate implements and calls it")]
        #[allow(non_snake_case, unused_variables, unused_mut, reason = "one body serves every length")]
        impl<$($name: WasmTy),*> WasmParams for ($($name,)*) {
            const SLOTS: usize = $count;
            fn types() -> Vec<ValType> {
                vec![$($name::TYPE),*]
            }
            fn store(self, id: StoreId, store: &rt::Store, slots: &mut [u64]) -> Result<()> {
                let ($($name,)*) = self;
                let mut slots = slots.iter_mut();
                $(if let Some(slot) = slots.next() { *slot = $name.to_slot(id, store)?; })*
                Ok(())
            }
        }

        #[allow(private_interfaces, reason = "only this crate implements and calls it")]
        #[allow(non_snake_case, unused_variables, unused_mut, clippy::unused_unit, reason = "one body serves every length")]
        impl<$($name: WasmTy),*> WasmResults for ($($name,)*) {
            const SLOTS: usize = $count;
            fn types() -> Vec<ValType> {
                vec![$($name::TYPE),*]
            }
            fn load(id: StoreId, store: &rt::Store, slots: &[u64]) -> Self {
                let mut slots = slots.iter().copied();
                ($($name::from_slot(slots.next().unwrap_or(0), id, store),)*)
            }
            fn give(self, id: StoreId, store: &rt::Store, slots: &mut [u64]) -> Result<()> {
                WasmParams::store(self, id, store, slots)
            }
        }

        #[allow(private_interfaces, reason = "only this crate implements and calls it")]
        #[allow(non_snake_case, unused_variables, unused_mut, reason = "one body serves every length")]
        impl<T, Func, R, $($name),*> IntoFunc<T, (R, $($name),*)> for Func
        where
            Func: Fn($($name),*) -> R + Send + Sync + 'static,
            R: HostResult,
            $($name: WasmTy,)*
        {
            fn into_func(self) -> (FuncType, HostFunc<T>) {
                let ty = FuncType::new([$($name::TYPE),*], R::Results::types());
                (ty, Arc::new(move |caller: Caller<'_, T>, slots: &mut [u64]| {
                    let (id, store) = (caller.store.id, &caller.store.rt);
                    let mut args = slots.iter().copied();
                    $(let $name = $name::from_slot(args.next().unwrap_or(0), id, store);)*
                    self($($name),*).into_result()?.give(id, store, slots)
                }))
            }
        }

        #[allow(private_interfaces, reason = "only this crate implements and calls it")]
        #[allow(non_snake_case, unused_variables, unused_mut, reason = "one body serves every length")]
        impl<T, Func, R, $($name),*> IntoFunc<T, (Caller<'_, T>, R, $($name),*)> for Func
        where
            Func: Fn(Caller<'_, T>, $($name),*) -> R + Send + Sync + 'static,
            R: HostResult,
            $($name: WasmTy,)*
        {
            fn into_func(self) -> (FuncType, HostFunc<T>) {
                let ty = FuncType::new([$($name::TYPE),*], R::Results::types());
                (ty, Arc::new(move |caller: Caller<'_, T>, slots: &mut [u64]| {
                    let Caller { store, instance } = caller;
                    let (id, mut args) = (store.id, slots.iter().copied());
                    $(let $name = $name::from_slot(args.next().unwrap_or(0), id, &store.rt);)*
                    let results = self(Caller { store: &mut *store, instance }, $($name),*);
                    results.into_result()?.give(id, &store.rt, slots)
                }))
            }
        }
    )*};
}

tuples! {
    0: ;
    1: A;
    2: A B;
    3: A B C;
    4: A B C D;
    5: A B C D E;
    6: A B C D E F;
    7: A B C D E F G;
    8: A B C D E F G H;
    9: A B C D E F G H I;
    10: A B C D E F G H I J;
    11: A B C D E F G H I J K;
    12: A B C D E F G H I J K L;
}

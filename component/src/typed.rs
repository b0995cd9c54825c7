//! Types of Rust as component values. Host functions and typed calls use them; `record!`, `variant!`, `enumeration!` and
//! `flags!` make more. Invariant: a type lifts and lowers only what [`Typed::check`] admitted.

use std::any::TypeId;

use lithe::{AsContext, Caller, Memory, Result, low};

use crate::Type;
use crate::abi::node::tag;
use crate::abi::{LiftCx, LowerCx, SlotReader, SlotWriter};
use crate::resources::Resource;
use crate::types::{Field, ResourceType, Variant};

/// The host's types behind the resource types of a component.
pub trait Kinds {
    /// The type of Rust whose values a resource type stands for, when it is one of the host.
    fn kind(&self, ty: ResourceType) -> Option<TypeId>;
}

/// A type of Rust that stands for types of components.
pub trait Typed: 'static {
    /// Whether it stands for this one.
    fn check(ty: &Type, kinds: &dyn Kinds) -> bool;
}

/// A type whose values come from guests.
pub trait Lift: Typed + Sized {
    /// Lifts a value from slots.
    fn lift(cx: &mut LiftCx<'_>, ty: &Type, slots: &mut SlotReader<'_>) -> Result<Self>;
    /// Loads a value from memory that is known to be there.
    fn load(cx: &mut LiftCx<'_>, ty: &Type, at: u32) -> Result<Self>;
    /// Loads the elements of a list, which are known to be there.
    fn load_all(cx: &mut LiftCx<'_>, ty: &Type, at: u32, count: u32) -> Result<Vec<Self>> {
        let size = ty.abi().size;
        cx.charge((count as usize).saturating_mul(size_of::<Self>()))?;
        (0..count).map(|i| Self::load(cx, ty, at + i * size)).collect()
    }
}

/// A type whose values go to guests.
pub trait Lower: Typed {
    /// Lowers a value to slots.
    fn lower(&self, cx: &mut LowerCx<'_>, ty: &Type, out: &mut SlotWriter<'_>) -> Result<()>;
    /// Stores a value to memory that is known to be there.
    fn store(&self, cx: &mut LowerCx<'_>, ty: &Type, at: u32) -> Result<()>;
    /// Stores the elements of a list.
    fn store_all(items: &[Self], cx: &mut LowerCx<'_>, ty: &Type, at: u32) -> Result<()>
    where
        Self: Sized,
    {
        let size = ty.abi().size;
        for (item, i) in items.iter().zip(0..) {
            item.store(cx, ty, at + i * size)?;
        }
        Ok(())
    }
}

macro_rules! numbers {
    ($($ty:ident $variant:ident $size:literal, $slot:expr, $unslot:expr;)*) => {$(
        impl Typed for $ty {
            fn check(ty: &Type, _: &dyn Kinds) -> bool {
                *ty == Type::$variant
            }
        }
        impl Lift for $ty {
            fn lift(_: &mut LiftCx<'_>, _: &Type, slots: &mut SlotReader<'_>) -> Result<$ty> {
                Ok($unslot(slots.read()))
            }
            fn load(cx: &mut LiftCx<'_>, _: &Type, at: u32) -> Result<$ty> {
                let bytes = cx.bytes(at, $size)?;
                Ok(bytes.first_chunk().map_or_else(Default::default, |b| $ty::from_le_bytes(*b)))
            }
            fn load_all(cx: &mut LiftCx<'_>, _: &Type, at: u32, count: u32) -> Result<Vec<$ty>> {
                cx.charge(count as usize * $size)?;
                let bytes = cx.bytes(at, count * $size)?;
                Ok(bytes.as_chunks().0.iter().map(|bytes| $ty::from_le_bytes(*bytes)).collect())
            }
        }
        impl Lower for $ty {
            fn lower(&self, _: &mut LowerCx<'_>, _: &Type, out: &mut SlotWriter<'_>) -> Result<()> {
                out.push($slot(*self));
                Ok(())
            }
            fn store(&self, cx: &mut LowerCx<'_>, _: &Type, at: u32) -> Result<()> {
                cx.write(at, &self.to_le_bytes())
            }
            fn store_all(items: &[$ty], cx: &mut LowerCx<'_>, _: &Type, at: u32) -> Result<()> {
                let memory = cx.guest.memory()?;
                let place = memory.get_mut(at as usize..).unwrap_or_default().as_chunks_mut().0;
                for (item, place) in items.iter().zip(place) {
                    *place = item.to_le_bytes();
                }
                Ok(())
            }
        }
    )*};
}

numbers! {
    u8 U8 1, u64::from, |slot| slot as u8;
    s8 S8 1, |value| u64::from(value as i32 as u32), |slot| slot as s8;
    u16 U16 2, u64::from, |slot| slot as u16;
    s16 S16 2, |value| u64::from(value as i32 as u32), |slot| slot as s16;
    u32 U32 4, u64::from, |slot| slot as u32;
    s32 S32 4, |value| u64::from(value as u32), |slot| slot as s32;
    u64 U64 8, |value| value, |slot| slot;
    s64 S64 8, |value| value as u64, |slot| slot as s64;
    f32 F32 4, |value: f32| u64::from(value.to_bits()), |slot| f32::from_bits(slot as u32);
    f64 F64 8, |value: f64| value.to_bits(), f64::from_bits;
}

#[expect(non_camel_case_types, reason = "the names of WIT, for the table above")]
mod signed {
    pub type s8 = i8;
    pub type s16 = i16;
    pub type s32 = i32;
    pub type s64 = i64;
}
use signed::*;

impl Typed for bool {
    fn check(ty: &Type, _: &dyn Kinds) -> bool {
        *ty == Type::Bool
    }
}

impl Lift for bool {
    fn lift(_: &mut LiftCx<'_>, _: &Type, slots: &mut SlotReader<'_>) -> Result<bool> {
        Ok(slots.read_u32() != 0)
    }
    fn load(cx: &mut LiftCx<'_>, _: &Type, at: u32) -> Result<bool> {
        Ok(cx.u8(at)? != 0)
    }
}

impl Lower for bool {
    fn lower(&self, _: &mut LowerCx<'_>, _: &Type, out: &mut SlotWriter<'_>) -> Result<()> {
        out.push((*self).into());
        Ok(())
    }
    fn store(&self, cx: &mut LowerCx<'_>, _: &Type, at: u32) -> Result<()> {
        cx.write(at, &[u8::from(*self)])
    }
}

impl Typed for char {
    fn check(ty: &Type, _: &dyn Kinds) -> bool {
        *ty == Type::Char
    }
}

impl Lift for char {
    fn lift(_: &mut LiftCx<'_>, _: &Type, slots: &mut SlotReader<'_>) -> Result<char> {
        crate::abi::character(slots.read_u32())
    }
    fn load(cx: &mut LiftCx<'_>, _: &Type, at: u32) -> Result<char> {
        crate::abi::character(cx.u32(at)?)
    }
}

impl Lower for char {
    fn lower(&self, _: &mut LowerCx<'_>, _: &Type, out: &mut SlotWriter<'_>) -> Result<()> {
        out.push(u32::from(*self).into());
        Ok(())
    }
    fn store(&self, cx: &mut LowerCx<'_>, _: &Type, at: u32) -> Result<()> {
        cx.write(at, &u32::from(*self).to_le_bytes())
    }
}

/// What is passed as an address and a length.
macro_rules! pairs {
    ($(($($generic:tt)*) $ty:ty, |$check:ident, $kinds:ident| $admits:expr, |$value:ident, $cx:ident, $t:ident| $store:expr;)*) => {$(
        impl<$($generic)*> Typed for $ty {
            fn check($check: &Type, $kinds: &dyn Kinds) -> bool {
                $admits
            }
        }
        impl<$($generic)*> Lower for $ty {
            fn lower(&self, $cx: &mut LowerCx<'_>, $t: &Type, out: &mut SlotWriter<'_>) -> Result<()> {
                let $value = self;
                let (at, len) = $store?;
                out.push(at.into());
                out.push(len.into());
                Ok(())
            }
            fn store(&self, $cx: &mut LowerCx<'_>, $t: &Type, at: u32) -> Result<()> {
                let $value = self;
                let (to, len) = $store?;
                $cx.write(at, &to.to_le_bytes())?;
                $cx.write(at + 4, &len.to_le_bytes())
            }
        }
    )*};
}

fn element(ty: &Type) -> &Type {
    match ty {
        Type::List(element) => element,
        // `check` admits lists only.
        ty => ty,
    }
}

fn store_list<T: Lower>(items: &[T], cx: &mut LowerCx<'_>, ty: &Type) -> Result<(u32, u32)> {
    let element = element(ty);
    let abi = element.abi();
    let at = cx.allocate_list(abi.align, abi.size, items.len())?;
    T::store_all(items, cx, element, at)?;
    Ok((at, items.len() as u32))
}

pairs! {
    () String, |ty, _kinds| *ty == Type::String, |value, cx, _ty| cx.string(value);
    () &'static str, |ty, _kinds| *ty == Type::String, |value, cx, _ty| cx.string(value);
    (T: Lower) Vec<T>, |ty, kinds| matches!(ty, Type::List(element) if T::check(element, kinds)),
        |value, cx, ty| store_list(value, cx, ty);
}

impl Lift for String {
    fn lift(cx: &mut LiftCx<'_>, _: &Type, slots: &mut SlotReader<'_>) -> Result<String> {
        let (at, len) = (slots.read_u32(), slots.read_u32());
        cx.string(at, len)
    }
    fn load(cx: &mut LiftCx<'_>, _: &Type, at: u32) -> Result<String> {
        let (at, len) = (cx.u32(at)?, cx.u32(at + 4)?);
        cx.string(at, len)
    }
}

impl<T: Lift + Lower> Lift for Vec<T> {
    fn lift(cx: &mut LiftCx<'_>, ty: &Type, slots: &mut SlotReader<'_>) -> Result<Vec<T>> {
        let (at, count) = (slots.read_u32(), slots.read_u32());
        cx.list(at, count, element(ty))?;
        T::load_all(cx, element(ty), at, count)
    }
    fn load(cx: &mut LiftCx<'_>, ty: &Type, at: u32) -> Result<Vec<T>> {
        let (at, count) = (cx.u32(at)?, cx.u32(at + 4)?);
        cx.list(at, count, element(ty))?;
        T::load_all(cx, element(ty), at, count)
    }
}

/// A `list<u8>` that stays in the guest's memory until a host function reads it.
#[derive(Clone, Copy)]
pub struct GuestBytes {
    memory: Option<Memory>,
    at: u32,
    len: u32,
}

impl GuestBytes {
    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes.
    pub fn bytes<'s>(&self, store: &'s impl AsContext) -> Result<&'s [u8]> {
        let Some(memory) = &self.memory else { return Ok(&[]) };
        let range = self.at as usize..self.at as usize + self.len as usize;
        let bytes = memory.data(store)?.get(range);
        bytes.ok_or_else(|| crate::error::violation("list content out-of-bounds"))
    }

    /// The bytes together with the store's data.
    pub fn with_data<'s, T>(&self, caller: &'s mut Caller<'_, T>) -> Result<(&'s [u8], &'s mut T)> {
        let Some(memory) = &self.memory else { return Ok((&[], caller.data_mut())) };
        let range = self.at as usize..self.at as usize + self.len as usize;
        let (bytes, data) = low::memory_and_data(caller, memory)?;
        let bytes = bytes.get(range);
        Ok((bytes.ok_or_else(|| crate::error::violation("list content out-of-bounds"))?, data))
    }
}

impl Typed for GuestBytes {
    fn check(ty: &Type, _: &dyn Kinds) -> bool {
        matches!(ty, Type::List(element) if **element == Type::U8)
    }
}

impl Lift for GuestBytes {
    fn lift(cx: &mut LiftCx<'_>, ty: &Type, slots: &mut SlotReader<'_>) -> Result<GuestBytes> {
        let (at, len) = (slots.read_u32(), slots.read_u32());
        cx.list(at, len, element(ty))?;
        Ok(GuestBytes { memory: cx.handle, at, len })
    }
    fn load(cx: &mut LiftCx<'_>, ty: &Type, at: u32) -> Result<GuestBytes> {
        let (at, len) = (cx.u32(at)?, cx.u32(at + 4)?);
        cx.list(at, len, element(ty))?;
        Ok(GuestBytes { memory: cx.handle, at, len })
    }
}

/// The type of a case of a variant, which has one.
fn case(variant: &Variant, number: usize) -> &Type {
    // `check` admits variants with such a case only.
    variant.cases.get(number).and_then(|case| case.ty.as_ref()).unwrap_or(&Type::Bool)
}

fn variant_of(ty: &Type) -> Option<&Variant> {
    match ty {
        Type::Variant(variant)
        | Type::Enum(variant)
        | Type::Option(variant)
        | Type::Result(variant) => Some(variant),
        _ => None,
    }
}

/// Lifts a variant from slots; `payload` gets the number of the case.
#[doc(hidden)]
pub fn lift_variant<T>(
    cx: &mut LiftCx<'_>,
    ty: &Type,
    slots: &mut SlotReader<'_>,
    payload: impl FnOnce(&mut LiftCx<'_>, u32, &Type, &mut SlotReader<'_>) -> Result<T>,
) -> Result<T> {
    let Some(variant) = variant_of(ty) else { return Err(crate::error::usage("not a variant")) };
    let end = slots.position() + usize::from(variant.abi.flat);
    let number = slots.read_u32();
    tag(variant, number)?;
    let value = payload(cx, number, case(variant, number as usize), slots)?;
    slots.skip_to(end);
    Ok(value)
}

/// Loads a variant from memory; `payload` gets the number of the case.
#[doc(hidden)]
pub fn load_variant<T>(
    cx: &mut LiftCx<'_>,
    ty: &Type,
    at: u32,
    payload: impl FnOnce(&mut LiftCx<'_>, u32, &Type, u32) -> Result<T>,
) -> Result<T> {
    let Some(variant) = variant_of(ty) else { return Err(crate::error::usage("not a variant")) };
    let number = cx.unsigned(at, variant.tag_size)?;
    tag(variant, number)?;
    payload(cx, number, case(variant, number as usize), at + variant.payload)
}

/// Lowers a variant to slots.
#[doc(hidden)]
pub fn lower_variant(
    cx: &mut LowerCx<'_>,
    ty: &Type,
    out: &mut SlotWriter<'_>,
    number: u32,
    payload: impl FnOnce(&mut LowerCx<'_>, &Type, &mut SlotWriter<'_>) -> Result<()>,
) -> Result<()> {
    let Some(variant) = variant_of(ty) else { return Err(crate::error::usage("not a variant")) };
    let end = out.position() + usize::from(variant.abi.flat);
    out.push(number.into());
    payload(cx, case(variant, number as usize), out)?;
    out.skip_to(end);
    Ok(())
}

/// Stores a variant to memory.
#[doc(hidden)]
pub fn store_variant(
    cx: &mut LowerCx<'_>,
    ty: &Type,
    at: u32,
    number: u32,
    payload: impl FnOnce(&mut LowerCx<'_>, &Type, u32) -> Result<()>,
) -> Result<()> {
    let Some(variant) = variant_of(ty) else { return Err(crate::error::usage("not a variant")) };
    cx.write_unsigned(at, variant.tag_size, number)?;
    payload(cx, case(variant, number as usize), at + variant.payload)
}

/// How the payload of a case is checked, when it has one.
type CheckCase = Option<fn(&Type, &dyn Kinds) -> bool>;

/// Whether a variant has these cases; a case without payload is checked by `None`.
#[doc(hidden)]
pub fn check_variant(ty: &Type, kinds: &dyn Kinds, cases: &[(&str, CheckCase)]) -> bool {
    let Some(variant) = variant_of(ty) else { return false };
    variant.cases.len() == cases.len()
        && variant.cases.iter().zip(cases).all(|(case, (name, check))| {
            *case.name == **name
                && match (&case.ty, check) {
                    (Some(ty), Some(check)) => check(ty, kinds),
                    (None, None) => true,
                    _ => false,
                }
        })
}

impl<T: Typed> Typed for Option<T> {
    fn check(ty: &Type, kinds: &dyn Kinds) -> bool {
        matches!(ty, Type::Option(variant) if T::check(case(variant, 1), kinds))
    }
}

impl<T: Lift> Lift for Option<T> {
    fn lift(cx: &mut LiftCx<'_>, ty: &Type, slots: &mut SlotReader<'_>) -> Result<Option<T>> {
        lift_variant(cx, ty, slots, |cx, number, ty, slots| match number {
            0 => Ok(None),
            _ => T::lift(cx, ty, slots).map(Some),
        })
    }
    fn load(cx: &mut LiftCx<'_>, ty: &Type, at: u32) -> Result<Option<T>> {
        load_variant(cx, ty, at, |cx, number, ty, at| match number {
            0 => Ok(None),
            _ => T::load(cx, ty, at).map(Some),
        })
    }
}

impl<T: Lower> Lower for Option<T> {
    fn lower(&self, cx: &mut LowerCx<'_>, ty: &Type, out: &mut SlotWriter<'_>) -> Result<()> {
        let number = self.is_some().into();
        lower_variant(cx, ty, out, number, |cx, ty, out| match self {
            Some(value) => value.lower(cx, ty, out),
            None => Ok(()),
        })
    }
    fn store(&self, cx: &mut LowerCx<'_>, ty: &Type, at: u32) -> Result<()> {
        store_variant(cx, ty, at, self.is_some().into(), |cx, ty, at| match self {
            Some(value) => value.store(cx, ty, at),
            None => Ok(()),
        })
    }
}

/// Nothing, as the payload of a case of `result`.
impl Typed for () {
    fn check(_: &Type, _: &dyn Kinds) -> bool {
        false
    }
}

impl Lift for () {
    fn lift(_: &mut LiftCx<'_>, _: &Type, _: &mut SlotReader<'_>) -> Result<()> {
        Ok(())
    }
    fn load(_: &mut LiftCx<'_>, _: &Type, _: u32) -> Result<()> {
        Ok(())
    }
}

impl Lower for () {
    fn lower(&self, _: &mut LowerCx<'_>, _: &Type, _: &mut SlotWriter<'_>) -> Result<()> {
        Ok(())
    }
    fn store(&self, _: &mut LowerCx<'_>, _: &Type, _: u32) -> Result<()> {
        Ok(())
    }
}

/// Whether a type stands for what may be there or not: only `()` stands for nothing.
pub(crate) fn check_optional<T: Typed>(ty: &Option<Type>, kinds: &dyn Kinds) -> bool {
    match ty {
        Some(ty) => T::check(ty, kinds),
        None => TypeId::of::<T>() == TypeId::of::<()>(),
    }
}

impl<T: Typed, E: Typed> Typed for std::result::Result<T, E> {
    fn check(ty: &Type, kinds: &dyn Kinds) -> bool {
        let Type::Result(variant) = ty else { return false };
        check_optional::<T>(&variant.cases[0].ty, kinds)
            && check_optional::<E>(&variant.cases[1].ty, kinds)
    }
}

impl<T: Lift, E: Lift> Lift for std::result::Result<T, E> {
    fn lift(cx: &mut LiftCx<'_>, ty: &Type, slots: &mut SlotReader<'_>) -> Result<Self> {
        lift_variant(cx, ty, slots, |cx, number, ty, slots| match number {
            0 => T::lift(cx, ty, slots).map(Ok),
            _ => E::lift(cx, ty, slots).map(Err),
        })
    }
    fn load(cx: &mut LiftCx<'_>, ty: &Type, at: u32) -> Result<Self> {
        load_variant(cx, ty, at, |cx, number, ty, at| match number {
            0 => T::load(cx, ty, at).map(Ok),
            _ => E::load(cx, ty, at).map(Err),
        })
    }
}

impl<T: Lower, E: Lower> Lower for std::result::Result<T, E> {
    fn lower(&self, cx: &mut LowerCx<'_>, ty: &Type, out: &mut SlotWriter<'_>) -> Result<()> {
        let number = self.is_err().into();
        lower_variant(cx, ty, out, number, |cx, ty, out| match self {
            Ok(value) => value.lower(cx, ty, out),
            Err(error) => error.lower(cx, ty, out),
        })
    }
    fn store(&self, cx: &mut LowerCx<'_>, ty: &Type, at: u32) -> Result<()> {
        store_variant(cx, ty, at, self.is_err().into(), |cx, ty, at| match self {
            Ok(value) => value.store(cx, ty, at),
            Err(error) => error.store(cx, ty, at),
        })
    }
}

impl<T: 'static + ?Sized> Typed for Resource<T> {
    fn check(ty: &Type, kinds: &dyn Kinds) -> bool {
        match ty {
            Type::Own(ty) | Type::Borrow(ty) => {
                kinds.kind(*ty) == Some(TypeId::of::<Resource<T>>())
            }
            _ => false,
        }
    }
}

impl<T: 'static + ?Sized> Lift for Resource<T> {
    fn lift(cx: &mut LiftCx<'_>, ty: &Type, slots: &mut SlotReader<'_>) -> Result<Self> {
        take(cx, ty, slots.read_u32())
    }
    fn load(cx: &mut LiftCx<'_>, ty: &Type, at: u32) -> Result<Self> {
        let index = cx.u32(at)?;
        take(cx, ty, index)
    }
}

fn take<T: ?Sized>(cx: &mut LiftCx<'_>, ty: &Type, index: u32) -> Result<Resource<T>> {
    let (_, rep) = match ty {
        Type::Own(ty) => cx.own(index, *ty)?,
        Type::Borrow(ty) => cx.borrow(index, *ty)?,
        _ => return Err(crate::error::usage("not a resource")),
    };
    Ok(Resource::new(rep))
}

fn give<T: ?Sized>(resource: &Resource<T>, cx: &mut LowerCx<'_>, ty: &Type) -> Result<u32> {
    let root = cx.root;
    match ty {
        Type::Own(ty) => {
            let id = cx.guest.state()?.resource(root, *ty)?;
            cx.own(id, resource.rep(), *ty)
        }
        Type::Borrow(ty) => {
            let id = cx.guest.state()?.resource(root, *ty)?;
            cx.borrow(id, resource.rep(), *ty)
        }
        _ => Err(crate::error::usage("not a resource")),
    }
}

impl<T: 'static + ?Sized> Lower for Resource<T> {
    fn lower(&self, cx: &mut LowerCx<'_>, ty: &Type, out: &mut SlotWriter<'_>) -> Result<()> {
        out.push(give(self, cx, ty)?.into());
        Ok(())
    }
    fn store(&self, cx: &mut LowerCx<'_>, ty: &Type, at: u32) -> Result<()> {
        let index = give(self, cx, ty)?;
        cx.write(at, &index.to_le_bytes())
    }
}

/// The fields of a record or tuple.
#[doc(hidden)]
pub fn fields_of(ty: &Type) -> &[Field] {
    match ty {
        Type::Record(record) | Type::Tuple(record) => &record.fields,
        _ => &[],
    }
}

/// The type of the next field.
#[doc(hidden)]
pub fn next_type<'t>(fields: &mut std::slice::Iter<'t, Field>) -> Result<&'t Type> {
    next_field(fields).map(|(ty, _)| ty)
}

/// The type of the next field, and where it lies.
#[doc(hidden)]
pub fn next_field<'t>(fields: &mut std::slice::Iter<'t, Field>) -> Result<(&'t Type, u32)> {
    match fields.next() {
        Some(field) => Ok((&field.ty, field.offset)),
        None => Err(crate::error::usage("a record has fewer fields than its type of Rust")),
    }
}

/// The error of a case that a type of Rust does not have.
#[doc(hidden)]
pub fn no_case() -> lithe::Error {
    crate::error::usage("a variant has more cases than its type of Rust")
}

/// The bits of flags that have names.
#[doc(hidden)]
pub fn flag_mask(ty: &Type) -> u32 {
    match ty {
        Type::Flags(flags) => flags.mask(),
        _ => 0,
    }
}

/// Loads flags from memory.
#[doc(hidden)]
pub fn load_flags(cx: &mut LiftCx<'_>, ty: &Type, at: u32) -> Result<u32> {
    Ok(cx.unsigned(at, ty.abi().size)? & flag_mask(ty))
}

/// Stores flags to memory.
#[doc(hidden)]
pub fn store_flags(cx: &mut LowerCx<'_>, ty: &Type, at: u32, bits: u32) -> Result<()> {
    cx.write_unsigned(at, ty.abi().size, bits)
}

/// Parameters that come from guests.
pub trait LiftParams: 'static + Sized {
    /// Whether they are those of a function of this type.
    fn check_params(fields: &[Field], kinds: &dyn Kinds) -> bool;
    /// Lifts them from slots.
    fn lift_params(
        cx: &mut LiftCx<'_>,
        fields: &[Field],
        slots: &mut SlotReader<'_>,
    ) -> Result<Self>;
    /// Loads them from memory.
    fn load_params(cx: &mut LiftCx<'_>, fields: &[Field], at: u32) -> Result<Self>;
}

/// Arguments that go to guests.
pub trait LowerParams: 'static {
    /// Whether they are those of a function of this type.
    fn check_params(fields: &[Field], kinds: &dyn Kinds) -> bool;
    /// Lowers them to slots.
    fn lower_params(
        &self,
        cx: &mut LowerCx<'_>,
        fields: &[Field],
        out: &mut SlotWriter<'_>,
    ) -> Result<()>;
    /// Stores them to memory.
    fn store_params(&self, cx: &mut LowerCx<'_>, fields: &[Field], at: u32) -> Result<()>;
}

macro_rules! tuples {
    ($($($name:ident $at:tt)*;)*) => {$(
        impl<$($name: Lift,)*> LiftParams for ($($name,)*) {
            fn check_params(fields: &[Field], kinds: &dyn Kinds) -> bool {
                const COUNT: usize = 0 $(+ { let _ = $at; 1 })*;
                let _ = kinds;
                fields.len() == COUNT $(&& $name::check(&fields[$at].ty, kinds))*
            }
            fn lift_params(cx: &mut LiftCx<'_>, fields: &[Field], slots: &mut SlotReader<'_>) -> Result<Self> {
                let _ = (&cx, fields, &slots);
                Ok(($($name::lift(cx, &fields[$at].ty, slots)?,)*))
            }
            fn load_params(cx: &mut LiftCx<'_>, fields: &[Field], at: u32) -> Result<Self> {
                let _ = (&cx, fields, at);
                Ok(($($name::load(cx, &fields[$at].ty, at + fields[$at].offset)?,)*))
            }
        }
        impl<$($name: Lower,)*> LowerParams for ($($name,)*) {
            fn check_params(fields: &[Field], kinds: &dyn Kinds) -> bool {
                const COUNT: usize = 0 $(+ { let _ = $at; 1 })*;
                let _ = kinds;
                fields.len() == COUNT $(&& $name::check(&fields[$at].ty, kinds))*
            }
            fn lower_params(&self, cx: &mut LowerCx<'_>, fields: &[Field], out: &mut SlotWriter<'_>) -> Result<()> {
                let _ = (&cx, fields, &out);
                $(self.$at.lower(cx, &fields[$at].ty, out)?;)*
                Ok(())
            }
            fn store_params(&self, cx: &mut LowerCx<'_>, fields: &[Field], at: u32) -> Result<()> {
                let _ = (&cx, fields, at);
                $(self.$at.store(cx, &fields[$at].ty, at + fields[$at].offset)?;)*
                Ok(())
            }
        }
    )*};
}

tuples! {
    ;
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
}

macro_rules! tuple_values {
    ($($($name:ident $at:tt)*;)*) => {$(
        impl<$($name: Typed,)*> Typed for ($($name,)*) {
            fn check(ty: &Type, kinds: &dyn Kinds) -> bool {
                const COUNT: usize = 0 $(+ { let _ = $at; 1 })*;
                let Type::Tuple(record) = ty else { return false };
                record.fields.len() == COUNT $(&& $name::check(&record.fields[$at].ty, kinds))*
            }
        }
        impl<$($name: Lift,)*> Lift for ($($name,)*) {
            fn lift(cx: &mut LiftCx<'_>, ty: &Type, slots: &mut SlotReader<'_>) -> Result<Self> {
                LiftParams::lift_params(cx, fields_of(ty), slots)
            }
            fn load(cx: &mut LiftCx<'_>, ty: &Type, at: u32) -> Result<Self> {
                LiftParams::load_params(cx, fields_of(ty), at)
            }
        }
        impl<$($name: Lower,)*> Lower for ($($name,)*) {
            fn lower(&self, cx: &mut LowerCx<'_>, ty: &Type, out: &mut SlotWriter<'_>) -> Result<()> {
                self.lower_params(cx, fields_of(ty), out)
            }
            fn store(&self, cx: &mut LowerCx<'_>, ty: &Type, at: u32) -> Result<()> {
                self.store_params(cx, fields_of(ty), at)
            }
        }
    )*};
}

tuple_values! {
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
}

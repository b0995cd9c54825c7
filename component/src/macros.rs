//! Macros that make types of Rust for records, variants, enums and flags of WIT. Invariant: what they make checks names
//! and order against the component's type once, when it is linked.

/// A struct that stands for a record.
///
/// ```
/// lithe_component::record! {
///     /// A point.
///     #[derive(Clone, Copy, PartialEq, Debug)]
///     pub struct Point { "x" x: f64, "y" y: f64 }
/// }
/// ```
#[macro_export]
macro_rules! record {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($label:literal $field:ident: $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        $vis struct $name {
            $(
                #[doc = concat!("`", $label, "`")]
                pub $field: $ty,
            )*
        }
        impl $crate::Typed for $name {
            fn check(ty: &$crate::Type, kinds: &dyn $crate::Kinds) -> bool {
                let $crate::Type::Record(record) = ty else { return false };
                let mut fields = record.fields.iter();
                $(fields.next().is_some_and(|f| {
                    &*f.name == $label && <$ty as $crate::Typed>::check(&f.ty, kinds)
                }) &&)* fields.next().is_none()
            }
        }
        impl $crate::Lift for $name {
            fn lift(
                cx: &mut $crate::LiftCx<'_>,
                ty: &$crate::Type,
                slots: &mut $crate::SlotReader<'_>,
            ) -> $crate::Result<Self> {
                let mut fields = $crate::fields_of(ty).iter();
                $(let $field = $crate::Lift::lift(cx, $crate::next_type(&mut fields)?, slots)?;)*
                Ok($name { $($field),* })
            }
            fn load(
                cx: &mut $crate::LiftCx<'_>,
                ty: &$crate::Type,
                at: u32,
            ) -> $crate::Result<Self> {
                let mut fields = $crate::fields_of(ty).iter();
                $(let $field = {
                    let (ty, offset) = $crate::next_field(&mut fields)?;
                    $crate::Lift::load(cx, ty, at + offset)?
                };)*
                Ok($name { $($field),* })
            }
        }
        impl $crate::Lower for $name {
            fn lower(
                &self,
                cx: &mut $crate::LowerCx<'_>,
                ty: &$crate::Type,
                out: &mut $crate::SlotWriter<'_>,
            ) -> $crate::Result<()> {
                let mut fields = $crate::fields_of(ty).iter();
                $($crate::Lower::lower(&self.$field, cx, $crate::next_type(&mut fields)?, out)?;)*
                Ok(())
            }
            fn store(
                &self,
                cx: &mut $crate::LowerCx<'_>,
                ty: &$crate::Type,
                at: u32,
            ) -> $crate::Result<()> {
                let mut fields = $crate::fields_of(ty).iter();
                $({
                    let (ty, offset) = $crate::next_field(&mut fields)?;
                    $crate::Lower::store(&self.$field, cx, ty, at + offset)?;
                })*
                Ok(())
            }
        }
    };
}

/// An enum that stands for a variant; cases have one value at most.
///
/// ```
/// lithe_component::variant! {
///     /// A shape.
///     #[derive(Clone, PartialEq, Debug)]
///     pub enum Shape { "none" None, "circle" Circle(f64), "rect" Rect((f64, f64)) }
/// }
/// ```
#[macro_export]
macro_rules! variant {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($label:literal $case:ident $(($ty:ty))?),* $(,)? }) => {
        $(#[$meta])*
        $vis enum $name {
            $(
                #[doc = concat!("`", $label, "`")]
                $case $(($ty))?,
            )*
        }
        const _: () = {
            /// The cases by number.
            #[allow(dead_code, reason = "numbers are what it is for")]
            #[repr(u32)]
            enum Number { $($case),* }
            impl $crate::Typed for $name {
                fn check(ty: &$crate::Type, kinds: &dyn $crate::Kinds) -> bool {
                    matches!(ty, $crate::Type::Variant(_) | $crate::Type::Enum(_))
                        && $crate::check_variant(ty, kinds, &[$(
                            ($label, $crate::variant!(@check $($ty)?))
                        ),*])
                }
            }
            impl $crate::Lift for $name {
                fn lift(
                    cx: &mut $crate::LiftCx<'_>,
                    ty: &$crate::Type,
                    slots: &mut $crate::SlotReader<'_>,
                ) -> $crate::Result<Self> {
                    $crate::lift_variant(cx, ty, slots, |cx, number, ty, slots| {
                        let _ = (&cx, ty, &slots);
                        $(if number == Number::$case as u32 {
                            return Ok($name::$case $((<$ty as $crate::Lift>::lift(cx, ty, slots)?))?);
                        })*
                        Err($crate::no_case())
                    })
                }
                fn load(
                    cx: &mut $crate::LiftCx<'_>,
                    ty: &$crate::Type,
                    at: u32,
                ) -> $crate::Result<Self> {
                    $crate::load_variant(cx, ty, at, |cx, number, ty, at| {
                        let _ = (&cx, ty, at);
                        $(if number == Number::$case as u32 {
                            return Ok($name::$case $((<$ty as $crate::Lift>::load(cx, ty, at)?))?);
                        })*
                        Err($crate::no_case())
                    })
                }
            }
            impl $crate::Lower for $name {
                fn lower(
                    &self,
                    cx: &mut $crate::LowerCx<'_>,
                    ty: &$crate::Type,
                    out: &mut $crate::SlotWriter<'_>,
                ) -> $crate::Result<()> {
                    match self {
                        $($crate::variant!(@pattern $name $case value $($ty)?) => {
                            let number = Number::$case as u32;
                            $crate::lower_variant(cx, ty, out, number, |cx, ty, out| {
                                let _ = (&cx, ty, &out);
                                $crate::variant!(@lower cx ty out value $($ty)?)
                            })
                        })*
                    }
                }
                fn store(
                    &self,
                    cx: &mut $crate::LowerCx<'_>,
                    ty: &$crate::Type,
                    at: u32,
                ) -> $crate::Result<()> {
                    match self {
                        $($crate::variant!(@pattern $name $case value $($ty)?) => {
                            let number = Number::$case as u32;
                            $crate::store_variant(cx, ty, at, number, |cx, ty, at| {
                                let _ = (&cx, ty, at);
                                $crate::variant!(@store cx ty at value $($ty)?)
                            })
                        })*
                    }
                }
            }
        };
    };
    (@check) => { None };
    (@check $ty:ty) => { Some(<$ty as $crate::Typed>::check) };
    (@pattern $name:ident $case:ident $value:ident) => { $name::$case };
    (@pattern $name:ident $case:ident $value:ident $ty:ty) => { $name::$case($value) };
    (@lower $cx:ident $t:ident $out:ident $value:ident) => { Ok(()) };
    (@lower $cx:ident $t:ident $out:ident $value:ident $ty:ty) => {
        $crate::Lower::lower($value, $cx, $t, $out)
    };
    (@store $cx:ident $t:ident $at:ident $value:ident) => { Ok(()) };
    (@store $cx:ident $t:ident $at:ident $value:ident $ty:ty) => {
        $crate::Lower::store($value, $cx, $t, $at)
    };
}

/// A set of bits that stands for flags.
///
/// ```
/// lithe_component::flags! {
///     /// What may be done.
///     pub struct Permissions { "read" READ, "write" WRITE }
/// }
/// assert!((Permissions::READ | Permissions::WRITE).contains(Permissions::READ));
/// ```
#[macro_export]
macro_rules! flags {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($label:literal $flag:ident),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        $vis struct $name(u32);
        #[allow(dead_code, reason = "not every set of flags is used in all ways")]
        impl $name {
            $crate::flags!(@consts 0u32; $($label $flag,)*);
            /// No flag.
            pub const NONE: $name = $name(0);
            /// Whether all of these are set.
            pub const fn contains(self, other: $name) -> bool {
                self.0 & other.0 == other.0
            }
            /// These without others.
            pub const fn without(self, other: $name) -> $name {
                $name(self.0 & !other.0)
            }
            /// The bits, the first flag lowest.
            pub const fn bits(self) -> u32 {
                self.0
            }
        }
        impl std::ops::BitOr for $name {
            type Output = $name;
            fn bitor(self, other: $name) -> $name {
                $name(self.0 | other.0)
            }
        }
        impl $crate::Typed for $name {
            fn check(ty: &$crate::Type, _: &dyn $crate::Kinds) -> bool {
                let names: &[&str] = &[$($label),*];
                matches!(ty, $crate::Type::Flags(flags) if flags.names.iter().map(|n| &**n).eq(names.iter().copied()))
            }
        }
        impl $crate::Lift for $name {
            fn lift(
                _: &mut $crate::LiftCx<'_>,
                ty: &$crate::Type,
                slots: &mut $crate::SlotReader<'_>,
            ) -> $crate::Result<Self> {
                Ok($name(slots.read() as u32 & $crate::flag_mask(ty)))
            }
            fn load(cx: &mut $crate::LiftCx<'_>, ty: &$crate::Type, at: u32) -> $crate::Result<Self> {
                Ok($name($crate::load_flags(cx, ty, at)?))
            }
        }
        impl $crate::Lower for $name {
            fn lower(
                &self,
                _: &mut $crate::LowerCx<'_>,
                _: &$crate::Type,
                out: &mut $crate::SlotWriter<'_>,
            ) -> $crate::Result<()> {
                out.push(u64::from(self.0));
                Ok(())
            }
            fn store(&self, cx: &mut $crate::LowerCx<'_>, ty: &$crate::Type, at: u32) -> $crate::Result<()> {
                $crate::store_flags(cx, ty, at, self.0)
            }
        }
    };
    (@consts $bit:expr; ) => {};
    (@consts $bit:expr; $label:literal $flag:ident, $($rest:tt)*) => {
        #[doc = concat!("`", $label, "`")]
        pub const $flag: Self = Self(1 << ($bit));
        $crate::flags!(@consts $bit + 1; $($rest)*);
    };
}

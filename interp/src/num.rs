//! Scalar operators whose meaning is more than one machine operation (Core specification, section 4.3).
//! Handlers and the vector operators call them. The float functions come from `std` where it exists.

use lithe_types::TrapKind;

macro_rules! float {
    ($($name:ident $ty:ident $std:ident $libm:ident;)*) => {$(
        #[inline(always)]
        pub(crate) fn $name(x: $ty) -> $ty {
            // The library functions return a signaling NaN as it is; an operator has to quiet it.
            if x.is_nan() {
                return x + x;
            }
            #[cfg(feature = "std")]
            { x.$std() }
            #[cfg(not(feature = "std"))]
            { libm::$libm(x) }
        }
    )*};
}

float! {
    f32_sqrt f32 sqrt sqrtf;
    f32_ceil f32 ceil ceilf;
    f32_floor f32 floor floorf;
    f32_trunc f32 trunc truncf;
    f32_nearest f32 round_ties_even rintf;
    f64_sqrt f64 sqrt sqrt;
    f64_ceil f64 ceil ceil;
    f64_floor f64 floor floor;
    f64_trunc f64 trunc trunc;
    f64_nearest f64 round_ties_even rint;
}

macro_rules! min_max {
    ($($min:ident $max:ident $ty:ident;)*) => {$(
        #[inline(always)]
        pub(crate) fn $min(a: $ty, b: $ty) -> $ty {
            if a < b {
                a
            } else if b < a {
                b
            } else if a == b {
                // Equal, or zeros of either sign: the negative one wins.
                $ty::from_bits(a.to_bits() | b.to_bits())
            } else {
                a + b
            }
        }

        #[inline(always)]
        pub(crate) fn $max(a: $ty, b: $ty) -> $ty {
            if a > b {
                a
            } else if b > a {
                b
            } else if a == b {
                $ty::from_bits(a.to_bits() & b.to_bits())
            } else {
                a + b
            }
        }
    )*};
}

min_max! {
    f32_min f32_max f32;
    f64_min f64_max f64;
}

macro_rules! division {
    ($($div_s:ident $div_u:ident $rem_s:ident $rem_u:ident $signed:ident $unsigned:ident;)*) => {$(
        #[inline(always)]
        pub(crate) fn $div_s(a: $unsigned, b: $unsigned) -> Result<$unsigned, TrapKind> {
            match (a as $signed).checked_div(b as $signed) {
                Some(quotient) => Ok(quotient as $unsigned),
                None if b == 0 => Err(TrapKind::IntegerDivideByZero),
                None => Err(TrapKind::IntegerOverflow),
            }
        }

        #[inline(always)]
        pub(crate) fn $div_u(a: $unsigned, b: $unsigned) -> Result<$unsigned, TrapKind> {
            a.checked_div(b).ok_or(TrapKind::IntegerDivideByZero)
        }

        #[inline(always)]
        pub(crate) fn $rem_s(a: $unsigned, b: $unsigned) -> Result<$unsigned, TrapKind> {
            match b {
                0 => Err(TrapKind::IntegerDivideByZero),
                _ => Ok((a as $signed).wrapping_rem(b as $signed) as $unsigned),
            }
        }

        #[inline(always)]
        pub(crate) fn $rem_u(a: $unsigned, b: $unsigned) -> Result<$unsigned, TrapKind> {
            a.checked_rem(b).ok_or(TrapKind::IntegerDivideByZero)
        }
    )*};
}

division! {
    i32_div_s i32_div_u i32_rem_s i32_rem_u i32 u32;
    i64_div_s i64_div_u i64_rem_s i64_rem_u i64 u64;
}

/// Conversions that trap: the float must lie strictly between the bounds, which are exact in its type.
macro_rules! truncation {
    ($($name:ident $from:ident $to:ident $low:expr, $high:expr;)*) => {$(
        #[inline(always)]
        pub(crate) fn $name(x: $from) -> Result<$to, TrapKind> {
            if x > $low && x < $high {
                Ok(x as $to)
            } else if x.is_nan() {
                Err(TrapKind::InvalidConversion)
            } else {
                Err(TrapKind::IntegerOverflow)
            }
        }
    )*};
}

truncation! {
    i32_trunc_f32 f32 i32 -2147483904.0, 2147483648.0;
    u32_trunc_f32 f32 u32 -1.0, 4294967296.0;
    i32_trunc_f64 f64 i32 -2147483649.0, 2147483648.0;
    u32_trunc_f64 f64 u32 -1.0, 4294967296.0;
    i64_trunc_f32 f32 i64 -9223373136366403584.0, 9223372036854775808.0;
    u64_trunc_f32 f32 u64 -1.0, 18446744073709551616.0;
    i64_trunc_f64 f64 i64 -9223372036854777856.0, 9223372036854775808.0;
    u64_trunc_f64 f64 u64 -1.0, 18446744073709551616.0;
}

/// The value, or the canonical NaN for every NaN.
#[inline(always)]
pub(crate) fn canonical_f32(x: f32) -> f32 {
    if x.is_nan() { f32::from_bits(0x7fc0_0000) } else { x }
}

/// The value, or the canonical NaN for every NaN.
#[inline(always)]
pub(crate) fn canonical_f64(x: f64) -> f64 {
    if x.is_nan() { f64::from_bits(0x7ff8_0000_0000_0000) } else { x }
}

/// The number in an `i31` reference, sign-extended.
#[inline(always)]
pub(crate) fn i31_get_s(reference: u32) -> Result<u32, TrapKind> {
    if reference == 0 { Err(TrapKind::NullI31) } else { Ok((reference as i32 >> 1) as u32) }
}

/// The number in an `i31` reference, zero-extended.
#[inline(always)]
pub(crate) fn i31_get_u(reference: u32) -> Result<u32, TrapKind> {
    if reference == 0 { Err(TrapKind::NullI31) } else { Ok(reference >> 1) }
}

//! Operators that move lanes or carry them between vectors and scalars: splat, extract, replace,
//! shuffle, swizzle, and the loads that fill a vector from fewer than 16 bytes. A lane number
//! beyond the last is reduced, not refused: the validator has excluded it.

use super::convert::*;
use super::v128::V128;

/// A table of operators between one lane and a scalar: names of the splat and the replacement, lane
/// type and count, scalar type, and the extractions, each with the lane type that decides how it
/// is extended.
macro_rules! scalar {
    ($($splat:ident $replace:ident $lane:ident $count:literal $scalar:ident:
       $($extract:ident $as:ident)*;)*) => {$(
        #[doc = concat!("Operator `", stringify!($splat), "`: every lane is `x`, wrapped.")]
        #[inline(always)]
        pub fn $splat(x: $scalar) -> V128 {
            V128::from([x as $lane; $count])
        }

        #[doc = concat!("Operator `", stringify!($replace), "`: `a` with one lane set to `x`.")]
        #[inline(always)]
        pub fn $replace(a: V128, lane: u8, x: $scalar) -> V128 {
            let (a, lane) = (<[$lane; $count]>::from(a), lane as usize % $count);
            V128::from(core::array::from_fn::<$lane, $count, _>(|i| {
                if i == lane { x as $lane } else { a[i] }
            }))
        }

        $(
            #[doc = concat!("Operator `", stringify!($extract), "`: one lane, extended.")]
            #[inline(always)]
            pub fn $extract(a: V128, lane: u8) -> $scalar {
                <[$as; $count]>::from(a)[lane as usize % $count] as $scalar
            }
        )*
    )*};
}

scalar! {
    i8x16_splat i8x16_replace_lane u8 16 u32: i8x16_extract_lane_s i8 i8x16_extract_lane_u u8;
    i16x8_splat i16x8_replace_lane u16 8 u32: i16x8_extract_lane_s i16 i16x8_extract_lane_u u16;
    i32x4_splat i32x4_replace_lane u32 4 u32: i32x4_extract_lane u32;
    i64x2_splat i64x2_replace_lane u64 2 u64: i64x2_extract_lane u64;
    f32x4_splat f32x4_replace_lane f32 4 f32: f32x4_extract_lane f32;
    f64x2_splat f64x2_replace_lane f64 2 f64: f64x2_extract_lane f64;
}

/// Operator `i8x16_shuffle`: lane `i` of the result is lane `lanes[i]` of `a` followed by `b`.
#[inline(always)]
pub fn i8x16_shuffle(a: V128, b: V128, lanes: [u8; 16]) -> V128 {
    let both = [<[u8; 16]>::from(a), <[u8; 16]>::from(b)];
    V128::from(lanes.map(|lane| both.as_flattened()[lane as usize % 32]))
}

/// Operator `i8x16_swizzle`: lane `i` of the result is the lane of `a` that lane `i` of `lanes`
/// names, or zero if there is none.
#[inline(always)]
pub fn i8x16_swizzle(a: V128, lanes: V128) -> V128 {
    let zero_extended = [<[u8; 16]>::from(a), [0; 16]];
    V128::from(
        <[u8; 16]>::from(lanes).map(|lane| zero_extended.as_flattened()[lane.min(16) as usize]),
    )
}

/// A table of loads that copy what they read to every lane: name and what is read.
macro_rules! load_splat {
    ($($name:ident $lane:ident $count:literal;)*) => {$(
        #[doc = concat!("Operator `", stringify!($name), "`, given what it read.")]
        #[inline(always)]
        pub fn $name(x: $lane) -> V128 {
            V128::from([x; $count])
        }
    )*};
}

load_splat! {
    v128_load8_splat u8 16;
    v128_load16_splat u16 8;
    v128_load32_splat u32 4;
    v128_load64_splat u64 2;
}

/// A table of loads of eight bytes that widen each lane: name and the widening operator.
macro_rules! load_extend {
    ($($name:ident = $extend:ident;)*) => {$(
        #[doc = concat!("Operator `", stringify!($name), "`, given its little-endian bytes.")]
        #[inline(always)]
        pub fn $name(bits: u64) -> V128 {
            $extend(V128([bits, 0]))
        }
    )*};
}

load_extend! {
    v128_load8x8_s = i16x8_extend_low_i8x16_s;
    v128_load8x8_u = i16x8_extend_low_i8x16_u;
    v128_load16x4_s = i32x4_extend_low_i16x8_s;
    v128_load16x4_u = i32x4_extend_low_i16x8_u;
    v128_load32x2_s = i64x2_extend_low_i32x4_s;
    v128_load32x2_u = i64x2_extend_low_i32x4_u;
}

/// Operator `v128_load32_zero`, given what it read.
#[inline(always)]
pub fn v128_load32_zero(x: u32) -> V128 {
    V128([x as u64, 0])
}

/// Operator `v128_load64_zero`, given what it read.
#[inline(always)]
pub fn v128_load64_zero(x: u64) -> V128 {
    V128([x, 0])
}

//! Integer operators whose operands and results have lanes of one width: arithmetic, shifts,
//! comparisons, tests of all lanes, and the fixed-point and dot products. Arithmetic wraps unless
//! the name says `sat`.

use super::v128::{V128, binary, compare, map1, map2, unary};

unary! {
    i8x16_abs: i8 16, i8::wrapping_abs;
    i8x16_neg: i8 16, i8::wrapping_neg;
    i16x8_abs: i16 8, i16::wrapping_abs;
    i16x8_neg: i16 8, i16::wrapping_neg;
    i32x4_abs: i32 4, i32::wrapping_abs;
    i32x4_neg: i32 4, i32::wrapping_neg;
    i64x2_abs: i64 2, i64::wrapping_abs;
    i64x2_neg: i64 2, i64::wrapping_neg;
    i8x16_popcnt: u8 16, |a| a.count_ones() as u8;
}

binary! {
    i8x16_add: u8 16, u8::wrapping_add;
    i8x16_sub: u8 16, u8::wrapping_sub;
    i8x16_add_sat_s: i8 16, i8::saturating_add;
    i8x16_add_sat_u: u8 16, u8::saturating_add;
    i8x16_sub_sat_s: i8 16, i8::saturating_sub;
    i8x16_sub_sat_u: u8 16, u8::saturating_sub;
    i8x16_min_s: i8 16, i8::min;
    i8x16_min_u: u8 16, u8::min;
    i8x16_max_s: i8 16, i8::max;
    i8x16_max_u: u8 16, u8::max;
    i16x8_add: u16 8, u16::wrapping_add;
    i16x8_sub: u16 8, u16::wrapping_sub;
    i16x8_mul: u16 8, u16::wrapping_mul;
    i16x8_add_sat_s: i16 8, i16::saturating_add;
    i16x8_add_sat_u: u16 8, u16::saturating_add;
    i16x8_sub_sat_s: i16 8, i16::saturating_sub;
    i16x8_sub_sat_u: u16 8, u16::saturating_sub;
    i16x8_min_s: i16 8, i16::min;
    i16x8_min_u: u16 8, u16::min;
    i16x8_max_s: i16 8, i16::max;
    i16x8_max_u: u16 8, u16::max;
    i32x4_add: u32 4, u32::wrapping_add;
    i32x4_sub: u32 4, u32::wrapping_sub;
    i32x4_mul: u32 4, u32::wrapping_mul;
    i32x4_min_s: i32 4, i32::min;
    i32x4_min_u: u32 4, u32::min;
    i32x4_max_s: i32 4, i32::max;
    i32x4_max_u: u32 4, u32::max;
    i64x2_add: u64 2, u64::wrapping_add;
    i64x2_sub: u64 2, u64::wrapping_sub;
    i64x2_mul: u64 2, u64::wrapping_mul;
    i8x16_avgr_u: u8 16, |a, b| ((a as u16 + b as u16 + 1) >> 1) as u8;
    i16x8_avgr_u: u16 8, |a, b| ((a as u32 + b as u32 + 1) >> 1) as u16;
    // Only -1.0 times -1.0 exceeds the range, so one bound is enough.
    i16x8_q15mulr_sat_s: i16 8, |a, b| ((a as i32 * b as i32 + 0x4000) >> 15).min(0x7fff) as i16;
}

compare! {
    i8x16_eq: u8 16 i8, ==;
    i8x16_ne: u8 16 i8, !=;
    i8x16_lt_s: i8 16 i8, <;
    i8x16_lt_u: u8 16 i8, <;
    i8x16_gt_s: i8 16 i8, >;
    i8x16_gt_u: u8 16 i8, >;
    i8x16_le_s: i8 16 i8, <=;
    i8x16_le_u: u8 16 i8, <=;
    i8x16_ge_s: i8 16 i8, >=;
    i8x16_ge_u: u8 16 i8, >=;
    i16x8_eq: u16 8 i16, ==;
    i16x8_ne: u16 8 i16, !=;
    i16x8_lt_s: i16 8 i16, <;
    i16x8_lt_u: u16 8 i16, <;
    i16x8_gt_s: i16 8 i16, >;
    i16x8_gt_u: u16 8 i16, >;
    i16x8_le_s: i16 8 i16, <=;
    i16x8_le_u: u16 8 i16, <=;
    i16x8_ge_s: i16 8 i16, >=;
    i16x8_ge_u: u16 8 i16, >=;
    i32x4_eq: u32 4 i32, ==;
    i32x4_ne: u32 4 i32, !=;
    i32x4_lt_s: i32 4 i32, <;
    i32x4_lt_u: u32 4 i32, <;
    i32x4_gt_s: i32 4 i32, >;
    i32x4_gt_u: u32 4 i32, >;
    i32x4_le_s: i32 4 i32, <=;
    i32x4_le_u: u32 4 i32, <=;
    i32x4_ge_s: i32 4 i32, >=;
    i32x4_ge_u: u32 4 i32, >=;
    i64x2_eq: u64 2 i64, ==;
    i64x2_ne: u64 2 i64, !=;
    i64x2_lt_s: i64 2 i64, <;
    i64x2_gt_s: i64 2 i64, >;
    i64x2_le_s: i64 2 i64, <=;
    i64x2_ge_s: i64 2 i64, >=;
}

/// A table of shifts: name, lane type and count, and the function. The distance is taken modulo
/// the width of a lane, which the `wrapping` shifts do.
macro_rules! shift {
    ($($name:ident: $lane:ident $count:literal, $f:expr;)*) => {$(
        #[doc = concat!("Operator `", stringify!($name), "`: `n` is taken modulo the lane width.")]
        #[inline(always)]
        pub fn $name(a: V128, n: u32) -> V128 {
            map1::<$lane, $lane, $count>(a, |a| $f(a, n))
        }
    )*};
}

shift! {
    i8x16_shl: u8 16, u8::wrapping_shl;
    i8x16_shr_s: i8 16, i8::wrapping_shr;
    i8x16_shr_u: u8 16, u8::wrapping_shr;
    i16x8_shl: u16 8, u16::wrapping_shl;
    i16x8_shr_s: i16 8, i16::wrapping_shr;
    i16x8_shr_u: u16 8, u16::wrapping_shr;
    i32x4_shl: u32 4, u32::wrapping_shl;
    i32x4_shr_s: i32 4, i32::wrapping_shr;
    i32x4_shr_u: u32 4, u32::wrapping_shr;
    i64x2_shl: u64 2, u64::wrapping_shl;
    i64x2_shr_s: i64 2, i64::wrapping_shr;
    i64x2_shr_u: u64 2, u64::wrapping_shr;
}

/// The sign bits of the lanes, `width` bits each, the lowest lane in the lowest bit.
///
/// One multiplication per half gathers them: the partial product for lane `n - 1 - k` of the `n`
/// in a half moves its sign to bit `63 - k`, and no two partial products share a bit, so nothing
/// carries.
#[inline(always)]
fn signs(a: V128, width: u32) -> u32 {
    let lanes = 64 / width;
    let (mut mask, mut gather) = (0u64, 0u64);
    for lane in 0..lanes {
        mask |= 1 << (lane * width + width - 1);
        gather |= 1 << (lane * (width - 1));
    }
    let [low, high] = a.0.map(|half| ((half & mask).wrapping_mul(gather) >> (64 - lanes)) as u32);
    low | high << lanes
}

/// A table of tests: name of `all_true`, name of `bitmask`, lane type and count.
macro_rules! test {
    ($($all_true:ident $bitmask:ident: $lane:ident $count:literal;)*) => {$(
        #[doc = concat!("Operator `", stringify!($all_true), "`: 1 if no lane is zero.")]
        #[inline(always)]
        pub fn $all_true(a: V128) -> u32 {
            <[$lane; $count]>::from(a).iter().fold(true, |all, &lane| all & (lane != 0)) as u32
        }

        #[doc = concat!("Operator `", stringify!($bitmask), "`: bit `i` is the sign of lane `i`.")]
        #[inline(always)]
        pub fn $bitmask(a: V128) -> u32 {
            signs(a, $lane::BITS)
        }
    )*};
}

test! {
    i8x16_all_true i8x16_bitmask: u8 16;
    i16x8_all_true i16x8_bitmask: u16 8;
    i32x4_all_true i32x4_bitmask: u32 4;
    i64x2_all_true i64x2_bitmask: u64 2;
}

/// Operator `i32x4_dot_i16x8_s`: the sum of the products of each pair of adjacent lanes.
#[inline(always)]
pub fn i32x4_dot_i16x8_s(a: V128, b: V128) -> V128 {
    // As lanes of 32 bits, a pair is a low and a high half; LLVM vectorizes this form only.
    map2::<i32, i32, 4>(a, b, |a, b| {
        let (low, high) = (a as i16 as i32 * b as i16 as i32, (a >> 16) * (b >> 16));
        // Wraps only if all four factors are -32768.
        low.wrapping_add(high)
    })
}

//! Relaxed operators. Where the specification allows several results this is always the one of its
//! deterministic profile, so a module computes the same on every host; most are then other names
//! of fixed-width operators.

use super::convert::i32x4_extadd_pairwise_i16x8_s;
use super::int::i32x4_add;
use super::v128::V128;

pub use super::convert::{
    i32x4_trunc_sat_f32x4_s as i32x4_relaxed_trunc_f32x4_s,
    i32x4_trunc_sat_f32x4_u as i32x4_relaxed_trunc_f32x4_u,
    i32x4_trunc_sat_f64x2_s_zero as i32x4_relaxed_trunc_f64x2_s_zero,
    i32x4_trunc_sat_f64x2_u_zero as i32x4_relaxed_trunc_f64x2_u_zero,
};
pub use super::float::{
    f32x4_max as f32x4_relaxed_max, f32x4_min as f32x4_relaxed_min, f64x2_max as f64x2_relaxed_max,
    f64x2_min as f64x2_relaxed_min,
};
pub use super::int::i16x8_q15mulr_sat_s as i16x8_relaxed_q15mulr_s;
pub use super::lanes::i8x16_swizzle as i8x16_relaxed_swizzle;
pub use super::v128::{
    v128_bitselect as i8x16_relaxed_laneselect, v128_bitselect as i16x8_relaxed_laneselect,
    v128_bitselect as i32x4_relaxed_laneselect, v128_bitselect as i64x2_relaxed_laneselect,
};

/// A table of multiply-adds: name, lane type and count, and the function of three lanes. Two
/// roundings, not a fused operation.
macro_rules! multiply_add {
    ($($name:ident: $lane:ident $count:literal, $f:expr;)*) => {$(
        #[doc = concat!("Operator `", stringify!($name), "`, lane by lane, rounded twice.")]
        #[inline(always)]
        pub fn $name(a: V128, b: V128, c: V128) -> V128 {
            let [a, b, c] = [a, b, c].map(<[$lane; $count]>::from);
            V128::from(core::array::from_fn::<$lane, $count, _>(|i| $f(a[i], b[i], c[i])))
        }
    )*};
}

multiply_add! {
    f32x4_relaxed_madd: f32 4, |a, b, c| a * b + c;
    f32x4_relaxed_nmadd: f32 4, |a: f32, b, c| -a * b + c;
    f64x2_relaxed_madd: f64 2, |a, b, c| a * b + c;
    f64x2_relaxed_nmadd: f64 2, |a: f64, b, c| -a * b + c;
}

/// Operator `i16x8_relaxed_dot_i8x16_i7x16_s`: both operands signed, sums of pairs saturated.
#[inline(always)]
pub fn i16x8_relaxed_dot_i8x16_i7x16_s(a: V128, b: V128) -> V128 {
    let (a, b) = (<[i8; 16]>::from(a), <[i8; 16]>::from(b));
    let product = |i: usize| a[i] as i16 * b[i] as i16;
    V128::from(core::array::from_fn::<i16, 8, _>(|i| {
        product(2 * i).saturating_add(product(2 * i + 1))
    }))
}

/// Operator `i32x4_relaxed_dot_i8x16_i7x16_add_s`: the dot product above, summed over pairs once
/// more, plus `c`.
#[inline(always)]
pub fn i32x4_relaxed_dot_i8x16_i7x16_add_s(a: V128, b: V128, c: V128) -> V128 {
    i32x4_add(i32x4_extadd_pairwise_i16x8_s(i16x8_relaxed_dot_i8x16_i7x16_s(a, b)), c)
}

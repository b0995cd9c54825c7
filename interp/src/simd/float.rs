//! Floating-point arithmetic and comparisons. Scalar functions whose result Rust's operators leave
//! open or that `core` lacks come from `crate::num`, shared with the scalar handlers, so vector
//! and scalar code agree bit for bit.

use super::v128::{V128, binary, compare, map1, map2, unary};
use crate::num;

unary! {
    // The sign operators work on the bits: a NaN keeps its payload.
    f32x4_abs: u32 4, |a| a & !(1 << 31);
    f32x4_neg: u32 4, |a| a ^ (1 << 31);
    f32x4_sqrt: f32 4, num::f32_sqrt;
    f32x4_ceil: f32 4, num::f32_ceil;
    f32x4_floor: f32 4, num::f32_floor;
    f32x4_trunc: f32 4, num::f32_trunc;
    f32x4_nearest: f32 4, num::f32_nearest;
    f64x2_abs: u64 2, |a| a & !(1 << 63);
    f64x2_neg: u64 2, |a| a ^ (1 << 63);
    f64x2_sqrt: f64 2, num::f64_sqrt;
    f64x2_ceil: f64 2, num::f64_ceil;
    f64x2_floor: f64 2, num::f64_floor;
    f64x2_trunc: f64 2, num::f64_trunc;
    f64x2_nearest: f64 2, num::f64_nearest;
    // No operators of WebAssembly: what deterministic code does to the results of those above and below.
    f32x4_canonical: f32 4, num::canonical_f32;
    f64x2_canonical: f64 2, num::canonical_f64;
}

binary! {
    f32x4_add: f32 4, |a, b| a + b;
    f32x4_sub: f32 4, |a, b| a - b;
    f32x4_mul: f32 4, |a, b| a * b;
    f32x4_div: f32 4, |a, b| a / b;
    f32x4_min: f32 4, num::f32_min;
    f32x4_max: f32 4, num::f32_max;
    f32x4_pmin: f32 4, |a, b| if b < a { b } else { a };
    f32x4_pmax: f32 4, |a, b| if a < b { b } else { a };
    f64x2_add: f64 2, |a, b| a + b;
    f64x2_sub: f64 2, |a, b| a - b;
    f64x2_mul: f64 2, |a, b| a * b;
    f64x2_div: f64 2, |a, b| a / b;
    f64x2_min: f64 2, num::f64_min;
    f64x2_max: f64 2, num::f64_max;
    f64x2_pmin: f64 2, |a, b| if b < a { b } else { a };
    f64x2_pmax: f64 2, |a, b| if a < b { b } else { a };
}

compare! {
    f32x4_eq: f32 4 i32, ==;
    f32x4_ne: f32 4 i32, !=;
    f32x4_lt: f32 4 i32, <;
    f32x4_gt: f32 4 i32, >;
    f32x4_le: f32 4 i32, <=;
    f32x4_ge: f32 4 i32, >=;
    f64x2_eq: f64 2 i64, ==;
    f64x2_ne: f64 2 i64, !=;
    f64x2_lt: f64 2 i64, <;
    f64x2_gt: f64 2 i64, >;
    f64x2_le: f64 2 i64, <=;
    f64x2_ge: f64 2 i64, >=;
}

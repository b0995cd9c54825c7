//! Operators whose result has lanes of another width or kind than the operands: narrowing and
//! widening of integers, widening products and sums, and conversions from and to floating point.
//! No conversion traps: those that may not fit saturate, and a NaN becomes zero.

use super::v128::V128;

/// A table of narrowings of two vectors into one: name, lane type and count of the operands, lane
/// type of the result. The operands are signed; the result saturates.
macro_rules! narrow {
    ($($name:ident: $from:ident $count:literal -> $to:ident;)*) => {$(
        #[doc = concat!("Operator `", stringify!($name), "`: lanes of `a`, then of `b`.")]
        #[inline(always)]
        pub fn $name(a: V128, b: V128) -> V128 {
            let both = [<[$from; $count]>::from(a), <[$from; $count]>::from(b)];
            V128::from(core::array::from_fn::<$to, { 2 * $count }, _>(|i| {
                both[i / $count][i % $count].clamp($to::MIN as $from, $to::MAX as $from) as $to
            }))
        }
    )*};
}

narrow! {
    i8x16_narrow_i16x8_s: i16 8 -> i8;
    i8x16_narrow_i16x8_u: i16 8 -> u8;
    i16x8_narrow_i32x4_s: i32 4 -> i16;
    i16x8_narrow_i32x4_u: i32 4 -> u16;
}

/// A table of operators that widen half of the lanes: names of the widening and of the product of
/// two widenings, lane type and count of the operands, first lane taken, lane type and count of the
/// result.
macro_rules! widen {
    ($($extend:ident $extmul:ident:
       $from:ident $of:literal $first:literal -> $to:ident $count:literal;)*) => {$(
        #[doc = concat!("Operator `", stringify!($extend), "`.")]
        #[inline(always)]
        pub fn $extend(a: V128) -> V128 {
            let a = <[$from; $of]>::from(a);
            V128::from(core::array::from_fn::<$to, $count, _>(|i| a[$first + i] as $to))
        }

        #[doc = concat!("Operator `", stringify!($extmul), "`: exact products.")]
        #[inline(always)]
        pub fn $extmul(a: V128, b: V128) -> V128 {
            let (a, b) = (<[$from; $of]>::from(a), <[$from; $of]>::from(b));
            V128::from(core::array::from_fn::<$to, $count, _>(|i| {
                a[$first + i] as $to * b[$first + i] as $to
            }))
        }
    )*};
}

widen! {
    i16x8_extend_low_i8x16_s i16x8_extmul_low_i8x16_s: i8 16 0 -> i16 8;
    i16x8_extend_low_i8x16_u i16x8_extmul_low_i8x16_u: u8 16 0 -> u16 8;
    i16x8_extend_high_i8x16_s i16x8_extmul_high_i8x16_s: i8 16 8 -> i16 8;
    i16x8_extend_high_i8x16_u i16x8_extmul_high_i8x16_u: u8 16 8 -> u16 8;
    i32x4_extend_low_i16x8_s i32x4_extmul_low_i16x8_s: i16 8 0 -> i32 4;
    i32x4_extend_low_i16x8_u i32x4_extmul_low_i16x8_u: u16 8 0 -> u32 4;
    i32x4_extend_high_i16x8_s i32x4_extmul_high_i16x8_s: i16 8 4 -> i32 4;
    i32x4_extend_high_i16x8_u i32x4_extmul_high_i16x8_u: u16 8 4 -> u32 4;
    i64x2_extend_low_i32x4_s i64x2_extmul_low_i32x4_s: i32 4 0 -> i64 2;
    i64x2_extend_low_i32x4_u i64x2_extmul_low_i32x4_u: u32 4 0 -> u64 2;
    i64x2_extend_high_i32x4_s i64x2_extmul_high_i32x4_s: i32 4 2 -> i64 2;
    i64x2_extend_high_i32x4_u i64x2_extmul_high_i32x4_u: u32 4 2 -> u64 2;
}

/// A table of pairwise sums: name, lane type and count of the operand, lane type and count of the
/// result.
macro_rules! extadd_pairwise {
    ($($name:ident: $from:ident $of:literal -> $to:ident $count:literal;)*) => {$(
        #[doc = concat!("Operator `", stringify!($name), "`: exact sums of adjacent lanes.")]
        #[inline(always)]
        pub fn $name(a: V128) -> V128 {
            let a = <[$from; $of]>::from(a);
            V128::from(core::array::from_fn::<$to, $count, _>(|i| {
                a[2 * i] as $to + a[2 * i + 1] as $to
            }))
        }
    )*};
}

extadd_pairwise! {
    i16x8_extadd_pairwise_i8x16_s: i8 16 -> i16 8;
    i16x8_extadd_pairwise_i8x16_u: u8 16 -> u16 8;
    i32x4_extadd_pairwise_i16x8_s: i16 8 -> i32 4;
    i32x4_extadd_pairwise_i16x8_u: u16 8 -> u32 4;
}

/// A table of conversions between integers and floating point, or between the two formats: name,
/// lane type and count of the operand, lane type and count of the result. Extra lanes of the
/// operand, the upper ones, are ignored; extra lanes of the result are zero.
macro_rules! convert {
    ($($name:ident: $from:ident $of:literal -> $to:ident $count:literal;)*) => {$(
        #[doc = concat!("Operator `", stringify!($name), "`.")]
        #[inline(always)]
        pub fn $name(a: V128) -> V128 {
            let a = <[$from; $of]>::from(a);
            V128::from(core::array::from_fn::<$to, $count, _>(|i| {
                if i < $of { a[i] as $to } else { 0 as $to }
            }))
        }
    )*};
}

convert! {
    i32x4_trunc_sat_f32x4_s: f32 4 -> i32 4;
    i32x4_trunc_sat_f32x4_u: f32 4 -> u32 4;
    i32x4_trunc_sat_f64x2_s_zero: f64 2 -> i32 4;
    i32x4_trunc_sat_f64x2_u_zero: f64 2 -> u32 4;
    f32x4_convert_i32x4_s: i32 4 -> f32 4;
    f32x4_convert_i32x4_u: u32 4 -> f32 4;
    f64x2_convert_low_i32x4_s: i32 4 -> f64 2;
    f64x2_convert_low_i32x4_u: u32 4 -> f64 2;
    f32x4_demote_f64x2_zero: f64 2 -> f32 4;
    f64x2_promote_low_f32x4: f32 4 -> f64 2;
}

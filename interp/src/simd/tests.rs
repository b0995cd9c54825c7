//! The operators whose results surprise: saturation, rounding, NaN and signed zero, shift distances
//! and lane numbers beyond the width. The specification's test suite covers the rest.

use super::*;

/// Checks rows of two operands and the result.
fn check2<A, R>(f: fn(V128, V128) -> V128, rows: &[(A, A, R)])
where
    A: Copy,
    R: Copy,
    V128: From<A> + From<R>,
{
    for (row, &(a, b, want)) in rows.iter().enumerate() {
        assert_eq!(f(a.into(), b.into()), want.into(), "row {row}");
    }
}

/// Checks rows of one operand and the result.
fn check1<A, R>(f: fn(V128) -> V128, rows: &[(A, R)])
where
    A: Copy,
    R: Copy,
    V128: From<A> + From<R>,
{
    for (row, &(a, want)) in rows.iter().enumerate() {
        assert_eq!(f(a.into()), want.into(), "row {row}");
    }
}

#[test]
fn lanes_are_little_endian() {
    let v = V128::from(core::array::from_fn::<u8, 16, _>(|i| i as u8));
    assert_eq!(v, V128([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]));
    assert_eq!(<[u16; 8]>::from(v)[7], 0x0f0e);
    assert_eq!(<[u32; 4]>::from(v)[1], 0x0706_0504);
    assert_eq!(<[u64; 2]>::from(v), v.0);
}

#[test]
fn q15mulr_rounds_and_saturates() {
    let rows = [(
        [-32768, -32768, 32767, 16384, 1, -1, -1, 0i16],
        [-32768, 32767, 32767, 16384, 16384, 16384, 16383, 5],
        [32767, -32767, 32766, 8192, 1, 0, 0, 0i16],
    )];
    check2(i16x8_q15mulr_sat_s, &rows);
    check2(i16x8_relaxed_q15mulr_s, &rows);
}

#[test]
fn narrowing_saturates_signed_operands() {
    let a = [i32::MIN, -32769, -32768, -1];
    let b = [32767, 32768, 65535, i32::MAX];
    check2(
        i16x8_narrow_i32x4_s,
        &[(a, b, [-32768, -32768, -32768, -1i16, 32767, 32767, 32767, 32767])],
    );
    check2(i16x8_narrow_i32x4_u, &[(a, b, [0, 0, 0, 0, 32767, 32768, 65535, 65535u16])]);
    let a = [i16::MIN, -129, -128, -1, 127, 128, 255, i16::MAX];
    check2(
        i8x16_narrow_i16x8_s,
        &[(a, [0; 8], [-128, -128, -128, -1, 127, 127, 127, 127i8, 0, 0, 0, 0, 0, 0, 0, 0])],
    );
    check2(
        i8x16_narrow_i16x8_u,
        &[([0; 8], a, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 127, 128, 255, 255u8])],
    );
}

#[test]
fn dot_products_at_the_edges() {
    check2(
        i32x4_dot_i16x8_s,
        &[(
            [-32768, -32768, 32767, 32767, 1, -2, 0, -1i16],
            [-32768, -32768, 32767, 32767, 3, 4, 9, -1],
            [i32::MIN, 2 * 32767 * 32767, -5, 1],
        )],
    );
    let mut a = [0i8; 16];
    a[..6].copy_from_slice(&[-128, -128, 127, 127, -128, 1]);
    check2(
        i16x8_relaxed_dot_i8x16_i7x16_s,
        &[(a, a, [32767, 2 * 127 * 127, 128 * 128 + 1, 0, 0, 0, 0, 0i16])],
    );
    let sum = i32x4_relaxed_dot_i8x16_i7x16_add_s(a.into(), a.into(), [i32::MAX, 1, 0, 0].into());
    assert_eq!(<[i32; 4]>::from(sum), [i32::MAX.wrapping_add(65025), 16386, 0, 0]);
}

#[test]
fn averages_round_up_without_overflow() {
    check2(i8x16_avgr_u, &[([255u8; 16], [254; 16], [255u8; 16]), ([0; 16], [1; 16], [1; 16])]);
    check2(i16x8_avgr_u, &[([65535u16; 8], [65534; 8], [65535u16; 8])]);
}

#[test]
fn lane_numbers_beyond_the_last() {
    let a = core::array::from_fn(|i| i as u8 + 100);
    let lanes = [15, 16, 17, 31, 32, 127, 128, 255, 240, 0, 1, 2, 3, 4, 5, 6];
    let want = [115, 0, 0, 0, 0, 0, 0, 0, 0, 100, 101, 102, 103, 104, 105, 106u8];
    check2(i8x16_swizzle, &[(a, lanes, want)]);
    let shuffled = i8x16_shuffle(a.into(), [7u8; 16].into(), [16; 16]);
    assert_eq!(shuffled, [7u8; 16].into());
    // The validator excludes these; they must still not panic.
    i8x16_shuffle(a.into(), a.into(), [255; 16]);
    assert_eq!(i8x16_extract_lane_u(a.into(), 255), 115);
    assert_eq!(f64x2_extract_lane([1.0, 2.0].into(), 3), 2.0);
    assert_eq!(i64x2_replace_lane([1u64, 2].into(), 2, 9), [9u64, 2].into());
}

#[test]
fn scalars_are_wrapped_and_extended() {
    let v = i8x16_splat(0xffff_ff80);
    assert_eq!((i8x16_extract_lane_s(v, 3), i8x16_extract_lane_u(v, 3)), (0xffff_ff80, 0x80));
    let v = i16x8_replace_lane(v, 7, 0x1_8001);
    assert_eq!((i16x8_extract_lane_s(v, 7), i16x8_extract_lane_u(v, 7)), (0xffff_8001, 0x8001));
    assert_eq!(v128_load8x8_s(0xff00_7f80), [-128, 127, 0, -1, 0, 0, 0, 0i16].into());
    assert_eq!(v128_load32x2_u(u64::MAX), [0xffff_ffff, 0xffff_ffffu64].into());
    assert_eq!(v128_load32_zero(5), [5u32, 0, 0, 0].into());
}

#[test]
fn shift_distances_wrap_at_the_lane_width() {
    type Shift = fn(V128, u32) -> V128;
    let rows: [(Shift, Shift, Shift, u32); 4] = [
        (i8x16_shl, i8x16_shr_s, i8x16_shr_u, 8),
        (i16x8_shl, i16x8_shr_s, i16x8_shr_u, 16),
        (i32x4_shl, i32x4_shr_s, i32x4_shr_u, 32),
        (i64x2_shl, i64x2_shr_s, i64x2_shr_u, 64),
    ];
    let a = V128([0x8123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]);
    for (shl, shr_s, shr_u, width) in rows {
        for shift in [shl, shr_s, shr_u] {
            assert_eq!(shift(a, width), a);
            assert_eq!(shift(a, width + 1), shift(a, 1));
            assert_ne!(shift(a, 1), a);
            assert_eq!(shift(a, u32::MAX), shift(a, width - 1));
        }
    }
}

#[test]
fn tests_of_all_lanes() {
    type Test = fn(V128) -> u32;
    let (zero, ones) = (V128([0, 0]), V128([u64::MAX, u64::MAX]));
    let rows: [(Test, Test, u32); 4] = [
        (i8x16_all_true, i8x16_bitmask, 16),
        (i16x8_all_true, i16x8_bitmask, 8),
        (i32x4_all_true, i32x4_bitmask, 4),
        (i64x2_all_true, i64x2_bitmask, 2),
    ];
    for (all_true, bitmask, lanes) in rows {
        assert_eq!((all_true(zero), all_true(ones)), (0, 1));
        assert_eq!((bitmask(zero), bitmask(ones)), (0, (1 << lanes) - 1));
        for lane in 0..lanes {
            let sign = 1u128 << ((lane + 1) * (128 / lanes) - 1);
            let (only, others) =
                (V128::from(sign.to_le_bytes()), V128::from((!sign).to_le_bytes()));
            assert_eq!(
                (bitmask(only), bitmask(others)),
                (1 << lane, (1 << lanes) - 1 - (1 << lane))
            );
            assert_eq!(all_true(only), 0);
        }
    }
    assert_eq!([zero, V128([0, 1]), V128([1 << 63, 0])].map(v128_any_true), [0, 1, 1]);
}

#[test]
fn nearest_takes_ties_to_even() {
    let bits = |x: [f32; 4]| x.map(f32::to_bits);
    check1(
        f32x4_nearest,
        &[
            (bits([0.5, 1.5, 2.5, -0.5]), bits([0.0, 2.0, 2.0, -0.0])),
            (bits([-1.5, -2.5, 8388609.0, 0.49999997]), bits([-2.0, -2.0, 8388609.0, 0.0])),
        ],
    );
    check1(f64x2_nearest, &[([-0.5f64, 4.5], [-0.0f64, 4.0])]);
}

#[test]
fn minimum_and_maximum_of_zeros_and_nans() {
    // Lanes: both orders of the zeros, then both places of a NaN.
    let (a, b) = ([0.0, -0.0, f32::NAN, 1.0], [-0.0, 0.0, 1.0, f32::NAN]);
    let lanes = |f: fn(V128, V128) -> V128| <[u32; 4]>::from(f(a.into(), b.into()));
    let (zero, minus_zero, one) = (0, 1 << 31, 1f32.to_bits());
    for (min, max) in [
        (f32x4_min as fn(_, _) -> _, f32x4_max as fn(_, _) -> _),
        (f32x4_relaxed_min, f32x4_relaxed_max),
    ] {
        assert_eq!(lanes(min)[..2], [minus_zero, minus_zero]);
        assert_eq!(lanes(max)[..2], [zero, zero]);
        for lane in [lanes(min)[2], lanes(min)[3], lanes(max)[2], lanes(max)[3]] {
            assert!(f32::from_bits(lane).is_nan());
        }
    }
    // The pseudo-minimum and -maximum are `b < a ? b : a` and `a < b ? b : a` to the bit.
    let nan = f32::NAN.to_bits();
    assert_eq!(lanes(f32x4_pmin), [zero, minus_zero, nan, one]);
    assert_eq!(lanes(f32x4_pmax), [zero, minus_zero, nan, one]);
    let signaling = V128::from([0x7ff0_0000_0000_0001u64, 0xfff0_0000_0000_0001]);
    for f in [f64x2_min, f64x2_max, f64x2_relaxed_min, f64x2_relaxed_max] {
        let quiet = <[u64; 2]>::from(f(signaling, [0.0f64, 0.0].into()));
        assert!(quiet.iter().all(|bits| bits & (1 << 51) != 0), "a signaling NaN came through");
    }
    check2(f64x2_pmin, &[(signaling.0, [0; 2], signaling.0)]);
}

#[test]
fn sign_operations_keep_payloads() {
    let a = [0x7f80_0001u32, 0xff80_0001, 0x8000_0000, 0x3f80_0000];
    check1(f32x4_abs, &[(a, [0x7f80_0001u32, 0x7f80_0001, 0, 0x3f80_0000])]);
    check1(f32x4_neg, &[(a, [0xff80_0001u32, 0x7f80_0001, 0, 0xbf80_0000])]);
}

#[test]
fn truncation_saturates_and_zeroes_nan() {
    let a = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.9];
    check1(i32x4_trunc_sat_f32x4_s, &[(a, [0, i32::MAX, i32::MIN, -1])]);
    check1(i32x4_trunc_sat_f32x4_u, &[(a, [0, u32::MAX, 0, 0])]);
    let rows = [([f64::NAN, -3e9], [0, i32::MIN, 0, 0]), ([3e9, -0.9], [i32::MAX, 0, 0, 0])];
    check1(i32x4_trunc_sat_f64x2_s_zero, &rows);
    check1(i32x4_relaxed_trunc_f64x2_s_zero, &rows);
    let rows = [
        ([5e9, 4294967295.9], [u32::MAX, u32::MAX, 0, 0]),
        ([-1.0, 3e9], [0, 3_000_000_000, 0, 0]),
    ];
    check1(i32x4_trunc_sat_f64x2_u_zero, &rows);
    check1(i32x4_relaxed_trunc_f64x2_u_zero, &rows);
}

#[test]
fn multiply_add_rounds_twice() {
    // The exact product is 1 + 2^-11 + 2^-24, whose last term only a fused operation keeps.
    let x = V128::from([1.0 + f32::EPSILON * 2048.0; 4]);
    let minus_rounded = V128::from([-(1.0 + f32::EPSILON * 4096.0); 4]);
    assert_eq!(f32x4_relaxed_madd(x, x, minus_rounded), V128([0, 0]));
    let sum = f64x2_relaxed_nmadd([2.0, 2.0].into(), [3.0, 3.0].into(), [9.0, 9.0].into());
    assert_eq!(sum, [3.0, 3.0].into());
}

;; Relaxed vector operators have one result each, that of the deterministic profile, on every machine.

(module
  (func (export "swizzle") (param v128 v128) (result v128)
    (i8x16.relaxed_swizzle (local.get 0) (local.get 1)))
  (func (export "trunc-s") (param v128) (result v128)
    (i32x4.relaxed_trunc_f32x4_s (local.get 0)))
  (func (export "trunc-u") (param v128) (result v128)
    (i32x4.relaxed_trunc_f32x4_u (local.get 0)))
  (func (export "trunc-double-s") (param v128) (result v128)
    (i32x4.relaxed_trunc_f64x2_s_zero (local.get 0)))
  (func (export "trunc-double-u") (param v128) (result v128)
    (i32x4.relaxed_trunc_f64x2_u_zero (local.get 0)))
  (func (export "madd") (param v128 v128 v128) (result v128)
    (f32x4.relaxed_madd (local.get 0) (local.get 1) (local.get 2)))
  (func (export "nmadd") (param v128 v128 v128) (result v128)
    (f32x4.relaxed_nmadd (local.get 0) (local.get 1) (local.get 2)))
  (func (export "madd-double") (param v128 v128 v128) (result v128)
    (f64x2.relaxed_madd (local.get 0) (local.get 1) (local.get 2)))
  (func (export "nmadd-double") (param v128 v128 v128) (result v128)
    (f64x2.relaxed_nmadd (local.get 0) (local.get 1) (local.get 2)))
  (func (export "select-bytes") (param v128 v128 v128) (result v128)
    (i8x16.relaxed_laneselect (local.get 0) (local.get 1) (local.get 2)))
  (func (export "select-doubles") (param v128 v128 v128) (result v128)
    (i64x2.relaxed_laneselect (local.get 0) (local.get 1) (local.get 2)))
  (func (export "min") (param v128 v128) (result v128)
    (f32x4.relaxed_min (local.get 0) (local.get 1)))
  (func (export "max") (param v128 v128) (result v128)
    (f64x2.relaxed_max (local.get 0) (local.get 1)))
  (func (export "q15mulr") (param v128 v128) (result v128)
    (i16x8.relaxed_q15mulr_s (local.get 0) (local.get 1)))
  (func (export "dot") (param v128 v128) (result v128)
    (i16x8.relaxed_dot_i8x16_i7x16_s (local.get 0) (local.get 1)))
  (func (export "dot-add") (param v128 v128 v128) (result v128)
    (i32x4.relaxed_dot_i8x16_i7x16_add_s (local.get 0) (local.get 1) (local.get 2))))

;; Numbers of lanes that do not exist give zero.
(assert_return
  (invoke "swizzle" (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
    (v128.const i8x16 0 15 16 17 31 32 127 128 129 143 144 255 1 2 3 4))
  (v128.const i8x16 1 16 0 0 0 0 0 0 0 0 0 0 2 3 4 5))
;; Conversions saturate, and NaN gives zero.
(assert_return (invoke "trunc-s" (v128.const f32x4 nan -inf 2147483648 -1.9))
  (v128.const i32x4 0 0x80000000 0x7fffffff -1))
(assert_return (invoke "trunc-u" (v128.const f32x4 -nan:0x200001 inf -1 4294967040))
  (v128.const i32x4 0 0xffffffff 0 0xffffff00))
(assert_return (invoke "trunc-double-s" (v128.const f64x2 nan 1e300))
  (v128.const i32x4 0 0x7fffffff 0 0))
(assert_return (invoke "trunc-double-s" (v128.const f64x2 -1e300 -2147483648.9))
  (v128.const i32x4 0x80000000 0x80000000 0 0))
(assert_return (invoke "trunc-double-u" (v128.const f64x2 -0.9 4294967296))
  (v128.const i32x4 0 0xffffffff 0 0))
;; The product is rounded before the sum: fused, the low bits of the product would be left.
(assert_return
  (invoke "madd" (v128.const f32x4 0x1.000002p+0 0x1.000002p+0 2 0x1p+127)
    (v128.const f32x4 0x1.000002p+0 0x1.000002p+0 3 2)
    (v128.const f32x4 -0x1.000004p+0 0 -6 -inf))
  (v128.const f32x4 0 0x1.000004p+0 0 nan:canonical))
(assert_return
  (invoke "nmadd" (v128.const f32x4 0x1.000002p+0 0x1.000002p+0 2 -2)
    (v128.const f32x4 0x1.000002p+0 0x1.000002p+0 3 3)
    (v128.const f32x4 0x1.000004p+0 0 6 1))
  (v128.const f32x4 0 -0x1.000004p+0 0 7))
(assert_return
  (invoke "madd-double" (v128.const f64x2 0x1.0000000000001p+0 2)
    (v128.const f64x2 0x1.0000000000001p+0 3) (v128.const f64x2 -0x1.0000000000002p+0 4))
  (v128.const f64x2 0 10))
(assert_return
  (invoke "nmadd-double" (v128.const f64x2 0x1.0000000000001p+0 2)
    (v128.const f64x2 0x1.0000000000001p+0 3) (v128.const f64x2 0x1.0000000000002p+0 4))
  (v128.const f64x2 0 -2))
;; Every bit is selected by its own.
(assert_return
  (invoke "select-bytes" (v128.const i64x2 0x1111111111111111 -1) (v128.const i64x2 0x2222222222222222 0)
    (v128.const i64x2 0xff00f00f80017ffe 0x0f0f0f0f0f0f0f0f))
  (v128.const i64x2 0x1122122122231110 0x0f0f0f0f0f0f0f0f))
(assert_return
  (invoke "select-doubles" (v128.const i64x2 -1 0) (v128.const i64x2 0 -1)
    (v128.const i64x2 0x8000000000000000 0x8000000000000000))
  (v128.const i64x2 0x8000000000000000 0x7fffffffffffffff))
;; NaN prevails, and zeros are ordered by their signs.
(assert_return
  (invoke "min" (v128.const f32x4 nan 1 -0 0) (v128.const f32x4 1 nan 0 -0))
  (v128.const f32x4 nan:canonical nan:canonical -0 -0))
(assert_return (invoke "max" (v128.const f64x2 -0 nan) (v128.const f64x2 0 1))
  (v128.const f64x2 0 nan:canonical))
;; What exceeds the range saturates.
(assert_return
  (invoke "q15mulr" (v128.const i16x8 -32768 -32768 32767 1 0 0 0 0)
    (v128.const i16x8 -32768 32767 32767 16384 0 0 0 0))
  (v128.const i16x8 32767 -32767 32766 1 0 0 0 0))
;; Both operands are signed; sums of 16 bits saturate.
(assert_return
  (invoke "dot" (v128.const i8x16 -128 -128 -128 127 -1 1 100 100 0 0 0 0 0 0 0 0)
    (v128.const i8x16 -128 -128 127 127 -1 -1 100 100 0 0 0 0 0 0 0 0))
  (v128.const i16x8 32767 -127 0 20000 0 0 0 0))
(assert_return
  (invoke "dot-add" (v128.const i8x16 -128 -128 -128 -128 1 2 3 4 0 0 0 0 -1 -1 -1 -1)
    (v128.const i8x16 -128 -128 -128 -128 5 6 7 8 0 0 0 0 127 127 127 127)
    (v128.const i32x4 1 1000 -5 0x80000000))
  (v128.const i32x4 65535 1070 -5 0x7ffffe04))

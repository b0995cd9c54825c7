;; Wide arithmetic beyond the official script: operands in locals and constants, one result dropped or
;; written back over an operand, results used by what follows.

(module
  (func (export "add-const") (param i64 i64) (result i64 i64)
    (i64.add128 (local.get 0) (local.get 1) (i64.const 1) (i64.const 0)))
  (func (export "add-in-place") (param i64 i64) (result i64 i64)
    (i64.add128 (local.get 0) (local.get 1) (local.get 0) (local.get 1))
    (local.set 1) (local.set 0)
    (i64.sub128 (local.get 0) (local.get 1) (i64.const 1) (i64.const 0))
    (local.set 0) (local.set 1)
    (local.get 0) (local.get 1))
  (func (export "low") (param i64 i64) (result i64)
    (i64.mul_wide_u (local.get 0) (local.get 1)) (drop))
  (func (export "high") (param i64 i64) (result i64) (local i64)
    (i64.mul_wide_u (local.get 0) (local.get 1)) (local.set 2) (drop) (local.get 2))
  (func (export "high-is-zero") (param i64 i64) (result i32) (local i64)
    (i64.mul_wide_s (local.get 0) (local.get 1)) (i64.eqz) (local.set 0 (i64.extend_i32_u)) (drop)
    (i32.wrap_i64 (local.get 0)))
  (func (export "nested") (param i64 i64) (result i64 i64)
    (i64.add128
      (i64.mul_wide_u (local.get 0) (local.get 1))
      (i64.mul_wide_u (local.get 1) (local.get 0))))
  (func (export "below") (param i64 i64) (result i64)
    (local.get 1)
    (i64.mul_wide_u (local.get 0) (local.get 1)) (i64.add) (i64.add))
  ;; Factorial of 30, in a loop.
  (func (export "factorial") (param $n i64) (result i64 i64) (local $low i64) (local $high i64)
    (local.set $low (i64.const 1))
    (loop $again
      (i64.mul_wide_u (local.get $low) (local.get $n))
      (local.set $high (i64.add (i64.mul (local.get $high) (local.get $n))))
      (local.set $low)
      (local.set $n (i64.sub (local.get $n) (i64.const 1)))
      (br_if $again (i64.ne (local.get $n) (i64.const 0))))
    (local.get $low) (local.get $high)))

(assert_return (invoke "add-const" (i64.const -1) (i64.const -1)) (i64.const 0) (i64.const 0))
(assert_return (invoke "add-const" (i64.const -1) (i64.const 7)) (i64.const 0) (i64.const 8))
(assert_return (invoke "add-in-place" (i64.const 0x8000000000000000) (i64.const 1))
  (i64.const 2) (i64.const -1))
(assert_return (invoke "low" (i64.const 0x100000001) (i64.const 0x100000001))
  (i64.const 0x200000001))
(assert_return (invoke "high" (i64.const -1) (i64.const -1)) (i64.const -2))
(assert_return (invoke "high-is-zero" (i64.const 3) (i64.const 4)) (i32.const 1))
(assert_return (invoke "high-is-zero" (i64.const -3) (i64.const 4)) (i32.const 0))
(assert_return (invoke "nested" (i64.const -1) (i64.const -1)) (i64.const 2) (i64.const -4))
(assert_return (invoke "below" (i64.const 5) (i64.const 6)) (i64.const 36))
(assert_return (invoke "factorial" (i64.const 30)) (i64.const 0x865df5dd54000000) (i64.const 0xd13f6370f96))

(assert_invalid
  (module (func (result i64 i64) (i64.add128 (i64.const 0) (i64.const 0) (i64.const 0))))
  "type mismatch")

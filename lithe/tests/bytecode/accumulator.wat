;; The result of an operation is taken from the accumulator of its class by the next one.
(module
  (memory 1)
  (func $chain (param i32) (result i32)
    (i32.xor (i32.shl (i32.add (local.get 0) (i32.const 1)) (i32.const 2)) (local.get 0)))
  (func $second_operand (param i32 i32) (result i32)
    (i32.sub (local.get 0) (i32.mul (local.get 1) (i32.const 3))))
  (func $address (param i32) (result i32)
    (i32.load offset=8 (i32.add (local.get 0) (i32.const 16))))
  (func $stored (param i32 i32)
    (i32.store (local.get 0) (i32.add (local.get 1) (i32.const 1))))
  (func $classes (param f64 f32 i32) (result f64)
    (f64.add
      (f64.mul (local.get 0) (f64.const 0.5))
      (f64.promote_f32 (f32.add (local.get 1) (f32.convert_i32_s (local.get 2))))))
  ;; After a label nothing is known.
  (func $label (param i32) (result i32)
    (local.set 0 (i32.add (local.get 0) (i32.const 1)))
    (block (br_if 0 (local.get 0)))
    (i32.add (local.get 0) (i32.const 2))))

;; Functions to call with --invoke, and to preload.
(module $math
  (memory (export "memory") 1 2)
  (global (export "limit") i32 (i32.const 100))
  (func $add (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "echo") (param i64 f32 f64) (result i64 f32 f64)
    (local.get 0) (local.get 1) (local.get 2))
  (func (export "vector") (param v128) (result v128) (local.get 0))
  (func (export "nulls") (param externref) (result funcref externref)
    (ref.null func) (local.get 0))
  (func (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1))))

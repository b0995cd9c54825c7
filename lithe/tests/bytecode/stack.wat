;; Values stay in locals and constants until something needs them in their own slots.
(module
  ;; The old value is saved before the local is written.
  (func $swap (param i32 i32) (result i32)
    (local.get 0) (local.get 1)
    (local.set 0) (local.set 1)
    (i32.sub (local.get 0) (local.get 1)))
  (func $pending (param i32) (result i32)
    (local.get 0)
    (local.set 0 (i32.const 5))
    (i32.add (local.get 0)))
  ;; A block may write what stands in a local.
  (func $block (param i32 i32) (result i32)
    (local.get 0)
    (block (br_if 0 (local.get 1)) (local.set 0 (i32.const 3)))
    (i32.add (local.get 0)))
  (func $select (param i32 i32 i32) (result i32)
    (select (local.get 0) (i32.const 4) (i32.eqz (local.get 2))))
  (func $wide (param v128 v128) (result v128)
    (local v128)
    (local.set 2 (v128.and (local.get 0) (local.get 1)))
    (i32x4.add (local.get 2) (v128.const i32x4 1 2 3 4)))
  (func $many_results (param i64) (result i64 v128 i64)
    (local.get 0) (i64x2.splat (local.get 0)) (i64.const 6)))

;; A program that fails: its status comes from another core module, which stands there twice.
(component
  (core module (func (export "status") (result i32) (i32.const 1)))
  (core module (func (export "status") (result i32) (i32.const 1)))
  (core module
    (import "status" "status" (func (result i32)))
    (func (export "run") (result i32) (call 0)))
  (core instance $status (instantiate 0))
  (core instance (instantiate 1))
  (core instance $program (instantiate 2 (with "status" (instance $status))))
  (func $run (result (result)) (canon lift (core func $program "run")))
  (instance $i (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $i)))

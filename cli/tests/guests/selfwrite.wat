;; Truncates the file `self.wasm`, from which it runs, and then calls functions for the first time.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "self.wasm")
  (func $later (result i32) (i32.const 42))
  (func (export "_start")
    ;; O_TRUNC, with the right to write.
    (if (call $path_open
      (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 9) (i32.const 8)
      (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0))
      (then (call $proc_exit (i32.const 1))))
    (call $proc_exit (call $later))))

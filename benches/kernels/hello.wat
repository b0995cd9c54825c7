;; Prints one line: the smallest program that does anything, for `native.py --start`.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "hello, world\n")
  (data (i32.const 24) "\08\00\00\00\0d\00\00\00")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 24) (i32.const 1) (i32.const 32)))))

;; Imports that cannot be satisfied, for every reason there is.
(module
  (import "math" "add" (func (param i64 i64) (result i64)))
  (import "math" "ad" (func (param i32 i32) (result i32)))
  (import "math" "memory" (memory 2))
  (import "env" "log" (func (param i32)))
  (import "env" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_wirte" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func (param i64)))
  (import "wasi_unstable" "proc_exit" (func (param i32)))
  (import "wasi:cli/exit@0.2.0" "exit" (func (param i32)))
  (import "\1b[31mred" "two\0alines" (func))
  (func (export "_start")))

;; Writes a mebibyte to standard output, again and again.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 32)
  ;; One iovec: 2^20 bytes at 65536.
  (data (i32.const 0) "\00\00\01\00\00\00\10\00")
  (func (export "_start")
    (loop $again
      (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br $again))))

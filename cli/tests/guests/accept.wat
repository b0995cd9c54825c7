;; Accepts a connection on its first socket, says hello, and ends.
(module
  (import "wasi_snapshot_preview1" "sock_accept" (func $accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  ;; One iovec: 6 bytes at 64.
  (data (i32.const 0) "\40\00\00\00\06\00\00\00")
  (data (i32.const 64) "hello\n")
  (func (export "_start")
    (if (call $accept (i32.const 3) (i32.const 0) (i32.const 16))
      (then (call $proc_exit (i32.const 1))))
    (if (call $fd_write (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8))
      (then (call $proc_exit (i32.const 2))))))

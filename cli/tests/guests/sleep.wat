;; Waits for ten seconds inside of one host call.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; One subscription: the monotonic clock, ten seconds from now.
  (data (i32.const 16) "\01\00\00\00\00\00\00\00\00\e4\0b\54\02\00\00\00")
  (func $wait (export "_start")
    (drop (call $poll_oneoff (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))

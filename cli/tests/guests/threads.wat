;; What threads do to the run of a program; each export begins one case.
(module
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func $sched_yield (result i32)))
  (memory (import "env" "memory") 1 2 shared)
  (export "memory" (memory 0))
  (func $wait (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))
  (func (export "wasi_thread_start") (param $tid i32) (param $case i32)
    (if (i32.eq (local.get $case) (i32.const 1)) (then (unreachable)))
    (if (i32.eq (local.get $case) (i32.const 2)) (then (call $proc_exit (i32.const 7))))
    (if (i32.eq (local.get $case) (i32.const 3)) (then (loop $forever (br $forever))))
    (if (i32.eq (local.get $case) (i32.const 4))
      (then
        (i32.atomic.store (i32.const 4) (local.get $tid))
        (drop (memory.atomic.notify (i32.const 4) (i32.const 1)))))
    (if (i32.eq (local.get $case) (i32.const 5)) (then (call $wait)))
    (if (i32.eq (local.get $case) (i32.const 6))
      (then (drop (call $sched_yield)) (call $proc_exit (i32.const 0)))))
  (func $start (param $case i32)
    (if (i32.le_s (call $spawn (local.get $case)) (i32.const 0)) (then (unreachable))))
  (func (export "trap") (call $start (i32.const 1)) (call $wait))
  (func (export "exit") (call $start (i32.const 2)) (call $wait))
  (func (export "leave") (call $start (i32.const 3)))
  (func (export "yield") (call $start (i32.const 6)) (call $wait))
  ;; Nobody notifies, neither the first thread nor the other one.
  (func (export "wait") (call $start (i32.const 5)) (call $wait))
  (func (export "alone") (call $wait))
  ;; The first number, told by the thread itself.
  (func (export "number") (result i32) (local $seen i32)
    (call $start (i32.const 4))
    (block $done
      (loop $again
        (br_if $done (local.tee $seen (i32.atomic.load (i32.const 4))))
        (drop (memory.atomic.wait32 (i32.const 4) (i32.const 0) (i64.const -1)))
        (br $again)))
    (local.get $seen))
  ;; How many threads can wait at a time, at most ten, and what one more gives.
  (func (export "count") (result i32 i32) (local $count i32) (local $last i32)
    (block $full
      (loop $more
        (br_if $full (i32.le_s (local.tee $last (call $spawn (i32.const 5))) (i32.const 0)))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br_if $more (i32.lt_s (local.get $count) (i32.const 10)))))
    (local.get $count) (local.get $last)))

;; Loops over memories with 64-bit addresses, whose checks may leave the loop: pointers that begin beyond the memory,
;; walk out of it, wrap, go back, or are used only in some rounds.

(module
  (memory (export "memory") i64 1)

  ;; Reads from $at on, $count times, $step bytes apart; the sum of what was read.
  (func (export "walk") (param $at i64) (param $count i64) (result i64) (local $sum i64)
    (loop $again
      (local.set $sum (i64.add (local.get $sum) (i64.load (local.get $at))))
      (local.set $at (i64.add (local.get $at) (i64.const 8)))
      (br_if $again (i64.ne (local.tee $count (i64.sub (local.get $count) (i64.const 1))) (i64.const 0))))
    (local.get $sum))

  ;; The same with a step that is almost as wide as the guard.
  (func (export "leap") (param $at i64) (param $count i64)
    (loop $again
      (drop (i64.load offset=0x10 (local.get $at)))
      (local.set $at (i64.add (local.get $at) (i64.const 0x7ffffff0)))
      (br_if $again (i64.ne (local.tee $count (i64.sub (local.get $count) (i64.const 1))) (i64.const 0)))))

  ;; Wider than the guard together with the offset.
  (func (export "leap_far") (param $at i64) (param $count i64)
    (loop $again
      (drop (i64.load offset=0x7ffffff0 (local.get $at)))
      (local.set $at (i64.add (local.get $at) (i64.const 0x7ffffff0)))
      (br_if $again (i64.ne (local.tee $count (i64.sub (local.get $count) (i64.const 1))) (i64.const 0)))))

  (func (export "back") (param $at i64) (param $count i64) (result i64) (local $sum i64)
    (loop $again
      (local.set $sum (i64.add (local.get $sum) (i64.load (local.get $at))))
      (local.set $at (i64.sub (local.get $at) (i64.const 8)))
      (br_if $again (i64.ne (local.tee $count (i64.sub (local.get $count) (i64.const 1))) (i64.const 0))))
    (local.get $sum))

  (func (export "back_by_adding") (param $at i64) (param $count i64) (result i64) (local $sum i64)
    (loop $again
      (local.set $sum (i64.add (local.get $sum) (i64.load (local.get $at))))
      (local.set $at (i64.add (local.get $at) (i64.const -8)))
      (br_if $again (i64.ne (local.tee $count (i64.sub (local.get $count) (i64.const 1))) (i64.const 0))))
    (local.get $sum))

  ;; The pointer moves by a number that the caller chooses.
  (func (export "stride") (param $at i64) (param $step i64) (param $count i64)
    (loop $again
      (drop (i64.load (local.get $at)))
      (local.set $at (i64.add (local.get $at) (local.get $step)))
      (br_if $again (i64.ne (local.tee $count (i64.sub (local.get $count) (i64.const 1))) (i64.const 0)))))

  ;; Moves in every round, reads in some: what does not read proves nothing.
  (func (export "skip") (param $at i64) (param $until i64)
    (loop $again
      (if (i64.eq (local.get $at) (local.get $until)) (then (drop (i64.load (local.get $at))) (return)))
      (local.set $at (i64.add (local.get $at) (i64.const 0x40000000)))
      (br $again)))

  ;; A store before the access is seen, however the access ends.
  (func (export "store_first") (param $at i64) (param $count i64)
    (loop $again
      (i64.store (i64.const 0) (local.get $count))
      (i64.store (local.get $at) (i64.const 7))
      (local.set $at (i64.add (local.get $at) (i64.const 8)))
      (br_if $again (i64.ne (local.tee $count (i64.sub (local.get $count) (i64.const 1))) (i64.const 0)))))

  ;; A division before the access traps first.
  (func (export "divide_first") (param $at i64) (param $by i64) (result i64)
    (loop $again (result i64)
      (i64.add (i64.div_u (i64.const 8) (local.get $by)) (i64.load (local.get $at)))
      (local.set $at (i64.add (local.get $at) (i64.const 8)))
      (drop) (br_if $again (i64.ne (local.tee $by (i64.sub (local.get $by) (i64.const 1))) (i64.const 1000)))
      (i64.const 1)))

  ;; Two pointers of which one moves by the outcome of a comparison.
  (func (export "merge") (param $left i64) (param $right i64) (param $to i64) (param $count i64)
    (local $a i64) (local $b i64)
    (loop $again
      (local.set $a (i64.load (local.get $left)))
      (local.set $b (i64.load (local.get $right)))
      (i64.store (local.get $to) (select (local.get $a) (local.get $b) (i64.lt_u (local.get $a) (local.get $b))))
      (local.set $left (i64.add (local.get $left)
        (i64.shl (i64.extend_i32_u (i64.lt_u (local.get $a) (local.get $b))) (i64.const 3))))
      (local.set $right (select (local.get $right) (i64.add (local.get $right) (i64.const 8))
        (i64.lt_u (local.get $a) (local.get $b))))
      (local.set $to (i64.add (local.get $to) (i64.const 8)))
      (br_if $again (i64.ne (local.tee $count (i64.sub (local.get $count) (i64.const 1))) (i64.const 0)))))

  ;; Sums of the pointer and constants.
  (func (export "unrolled") (param $at i64) (param $count i64) (result i64) (local $sum i64)
    (loop $again
      (local.set $sum (i64.add (local.get $sum) (i64.load (local.get $at))))
      (local.set $sum (i64.add (local.get $sum) (i64.load offset=8 (i64.add (local.get $at) (i64.const 8)))))
      (local.set $sum (i64.add (local.get $sum) (i64.load offset=0x7ffffff0 (i64.add (i64.const -0x7ffffff0) (local.get $at)))))
      (local.set $at (i64.add (local.get $at) (i64.const 16)))
      (br_if $again (i64.ne (local.tee $count (i64.sub (local.get $count) (i64.const 1))) (i64.const 0))))
    (local.get $sum))
  (func (export "beside") (param $at i64) (result i64)
    (drop (i64.load (local.get $at)))
    (i64.load offset=0x7ffffff0 (i64.add (local.get $at) (i64.const 0x7ffffff0))))

  ;; The pointer does not change, the loop is never left by itself.
  (func (export "same") (param $at i64) (param $count i64)
    (loop $again
      (drop (i64.load (local.get $at)))
      (br_if $again (i64.ne (local.tee $count (i64.sub (local.get $count) (i64.const 1))) (i64.const 0)))))

  (func (export "word") (result i64) (i64.load (i64.const 0))))

(assert_return (invoke "walk" (i64.const 0) (i64.const 8192)) (i64.const 0))
(assert_return (invoke "walk" (i64.const 65528) (i64.const 1)) (i64.const 0))
(assert_trap (invoke "walk" (i64.const 65528) (i64.const 2)) "out of bounds memory access")
(assert_trap (invoke "walk" (i64.const 65529) (i64.const 1)) "out of bounds memory access")
(assert_trap (invoke "walk" (i64.const 0x400000000) (i64.const 1)) "out of bounds memory access")
(assert_trap (invoke "walk" (i64.const 0x480000000) (i64.const 1)) "out of bounds memory access")
(assert_trap (invoke "walk" (i64.const -8) (i64.const 2)) "out of bounds memory access")
(assert_trap (invoke "walk" (i64.const 0x8000000000000000) (i64.const 1)) "out of bounds memory access")
(assert_return (invoke "leap" (i64.const 0) (i64.const 1)))
(assert_trap (invoke "leap" (i64.const 0) (i64.const 2)) "out of bounds memory access")
(assert_trap (invoke "leap" (i64.const 0xfff0) (i64.const 1)) "out of bounds memory access")
(assert_trap (invoke "leap" (i64.const -0x7ffffff0) (i64.const 2)) "out of bounds memory access")
(assert_trap (invoke "leap_far" (i64.const 0) (i64.const 2)) "out of bounds memory access")
(assert_trap (invoke "leap_far" (i64.const -0x7ffffff0) (i64.const 2)) "out of bounds memory access")
(assert_return (invoke "back" (i64.const 65528) (i64.const 8192)) (i64.const 0))
(assert_trap (invoke "back" (i64.const 0) (i64.const 2)) "out of bounds memory access")
(assert_return (invoke "back_by_adding" (i64.const 65528) (i64.const 8192)) (i64.const 0))
(assert_trap (invoke "back_by_adding" (i64.const 0) (i64.const 2)) "out of bounds memory access")
(assert_return (invoke "stride" (i64.const 0) (i64.const 8) (i64.const 100)))
(assert_trap (invoke "stride" (i64.const 0) (i64.const 0x400000000) (i64.const 2)) "out of bounds memory access")
(assert_trap (invoke "stride" (i64.const 0) (i64.const 0x500000000) (i64.const 2)) "out of bounds memory access")
(assert_trap (invoke "stride" (i64.const 0) (i64.const -1) (i64.const 2)) "out of bounds memory access")
(assert_return (invoke "skip" (i64.const 0) (i64.const 0)))
(assert_trap (invoke "skip" (i64.const 0) (i64.const 0x40000000)) "out of bounds memory access")
(assert_trap (invoke "skip" (i64.const 0) (i64.const 0x400000000)) "out of bounds memory access")
(assert_trap (invoke "skip" (i64.const 0) (i64.const 0x580000000)) "out of bounds memory access")
(assert_trap (invoke "skip" (i64.const 0) (i64.const 0x10000000000)) "out of bounds memory access")
(assert_trap (invoke "store_first" (i64.const -1) (i64.const 77)) "out of bounds memory access")
(assert_return (invoke "word") (i64.const 77))
(assert_trap (invoke "store_first" (i64.const 65520) (i64.const 5)) "out of bounds memory access")
(assert_return (invoke "word") (i64.const 3))
(assert_trap (invoke "divide_first" (i64.const -1) (i64.const 0)) "integer divide by zero")
(assert_trap (invoke "divide_first" (i64.const 0x400000000) (i64.const 1)) "out of bounds memory access")
(assert_return (invoke "merge" (i64.const 0) (i64.const 256) (i64.const 512) (i64.const 32)))
(assert_trap (invoke "merge" (i64.const 65528) (i64.const 65000) (i64.const 512) (i64.const 1000)) "out of bounds memory access")
(assert_trap (invoke "merge" (i64.const 0x7fffffffff) (i64.const 0) (i64.const 512) (i64.const 1)) "out of bounds memory access")
(assert_trap (invoke "merge" (i64.const 0) (i64.const -8) (i64.const 512) (i64.const 1)) "out of bounds memory access")
(assert_trap (invoke "merge" (i64.const 0) (i64.const 0) (i64.const 0x400000000) (i64.const 1)) "out of bounds memory access")
(assert_trap (invoke "unrolled" (i64.const 0) (i64.const 2)) "out of bounds memory access")
(assert_trap (invoke "unrolled" (i64.const 65520) (i64.const 2)) "out of bounds memory access")
(assert_trap (invoke "unrolled" (i64.const -8) (i64.const 2)) "out of bounds memory access")
(assert_trap (invoke "beside" (i64.const 0)) "out of bounds memory access")
(assert_trap (invoke "beside" (i64.const -0x7ffffff0)) "out of bounds memory access")
(assert_return (invoke "same" (i64.const 65528) (i64.const 1000)))
(assert_trap (invoke "same" (i64.const 65529) (i64.const 1000)) "out of bounds memory access")
(assert_trap (invoke "same" (i64.const 0x500000000) (i64.const 1000)) "out of bounds memory access")

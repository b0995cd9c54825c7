;; Tail calls of every kind, with more, fewer and wider arguments than the caller has, a million deep; and
;; tail calls of imported and of host functions.

(module $callee
  (memory 1) (data (i32.const 0) "\11\22\33\44")
  (global $calls (mut i32) (i32.const 0))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "sub") (param i64 i64) (result i64) (i64.sub (local.get 0) (local.get 1)))
  (func (export "many") (param i32 i64 f32 f64 v128 i32) (result i64)
    (i64.add
      (i64.add (i64.extend_i32_u (local.get 0)) (local.get 1))
      (i64.add (i64x2.extract_lane 1 (local.get 4)) (i64.extend_i32_u (local.get 5)))))
  (func (export "two") (param i32) (result i32 i32)
    (i32.add (local.get 0) (i32.const 1)) (i32.add (local.get 0) (i32.const 2)))
)
(register "callee" $callee)

(module $tail
  (import "callee" "load" (func $load (param i32) (result i32)))
  (import "callee" "sub" (func $sub (param i64 i64) (result i64)))
  (import "callee" "many" (func $many (param i32 i64 f32 f64 v128 i32) (result i64)))
  (import "callee" "two" (func $two (param i32) (result i32 i32)))
  (import "spectest" "print" (func $print))
  (import "spectest" "print_i32_f32" (func $print2 (param i32 f32)))
  (type $i64 (func (param i64) (result i64)))
  (type $sub (func (param i64 i64) (result i64)))
  (type $load (func (param i32) (result i32)))
  (type $print (func))
  (type $count (func (param i32 i64) (result i64)))
  (memory 1) (data (i32.const 0) "\aa\bb\cc\dd")
  (table $t funcref (elem $a $b $c $sub $load $print $ref-count $load-here))

  (func $load-here (type $load) (i32.load (local.get 0)))

  ;; Two functions that call each other, with different numbers of parameters and locals.
  (func $a (export "a") (param $n i64) (result i64)
    (if (i64.eqz (local.get $n)) (then (return (i64.const 44))))
    (return_call $b (i64.sub (local.get $n) (i64.const 1)) (i64.const 1) (i32.const 2)))
  (func $b (param $n i64) (param i64 i32) (result i64) (local v128 i32 i64)
    ;; Locals of a new frame are zero, whatever stood there.
    (if (i64.ne (local.get 5) (i64.const 0)) (then (unreachable)))
    (if (v128.any_true (local.get 3)) (then (unreachable)))
    (if (i64.eqz (local.get $n)) (then (return (i64.const 55))))
    (local.set 5 (i64.const -1)) (local.set 3 (v128.const i64x2 -1 -1)) (local.set 4 (i32.const -1))
    (return_call $c
      (v128.const i64x2 5 6) (local.get 0) (i64.sub (local.get $n) (local.get 1)) (f32.const 1)))
  (func $c (param v128 i64 i64 f32) (result i64)
    (if (i64.eqz (local.get 2)) (then (return (i64x2.extract_lane 1 (local.get 0)))))
    (if (i64.ne (i64.sub (local.get 1) (i64.const 1)) (local.get 2)) (then (unreachable)))
    (return_call $a (i64.sub (local.get 2) (i64.const 1))))

  ;; No arguments, and arguments in the wrong order for their places.
  (func $none (result i64) (i64.const 3))
  (func (export "none") (param i64 i64 i64) (result i64) (return_call $none))
  (func (export "from-none") (result i64) (return_call $sub (i64.const 9) (i64.const 4)))
  (func $gcd (export "gcd") (param $a i64) (param $b i64) (result i64)
    (if (i64.eqz (local.get $b)) (then (return (local.get $a))))
    (return_call $gcd (local.get $b) (i64.rem_u (local.get $a) (local.get $b))))
  (func $swap (export "swap") (param i64 i64 i32) (result i64 i64)
    (if (i32.eqz (local.get 2)) (then (return (local.get 0) (local.get 1))))
    (return_call $swap (local.get 1) (local.get 0) (i32.sub (local.get 2) (i32.const 1))))
  (func (export "below") (param i64) (result i64)
    ;; Values below the arguments are dropped.
    (i32.const 1) (v128.const i64x2 1 1) (f64.const 1)
    (local.get 0) (i64.const 100)
    (return_call $sub))

  ;; Indirect.
  (func $ind (export "indirect") (param $n i64) (param $i i32) (result i64)
    (if (i64.eqz (local.get $n)) (then
      (return_call_indirect (type $i64) (i64.const 0) (local.get $i))))
    (return_call $ind (i64.sub (local.get $n) (i64.const 1)) (local.get $i)))
  (func $even (export "even") (param i64) (result i64)
    (if (i64.eqz (local.get 0)) (then (return (i64.const 1))))
    (return_call_indirect $p (type $i64) (i64.sub (local.get 0) (i64.const 1)) (i32.const 1)))
  (func $odd (param i64) (result i64)
    (if (i64.eqz (local.get 0)) (then (return (i64.const 0))))
    (return_call_indirect $p (type $i64) (i64.sub (local.get 0) (i64.const 1)) (i32.const 0)))
  (table $p funcref (elem $even $odd))

  ;; By reference.
  (func $ref-count (export "ref") (param $n i32) (param $sum i64) (result i64)
    (if (i32.eqz (local.get $n)) (then (return (local.get $sum))))
    (return_call_ref $count
      (i32.sub (local.get $n) (i32.const 1))
      (i64.add (local.get $sum) (i64.extend_i32_u (local.get $n)))
      (ref.func $ref-count)))
  (func (export "ref-null") (result i64)
    (return_call_ref $count (i32.const 1) (i64.const 1) (ref.null $count)))

  ;; Imported: another instance with its own memory runs, and this one's is back afterwards.
  (func $tail-load (param i32) (result i32) (return_call $load (local.get 0)))
  (func (export "memories") (result i32 i32 i32)
    (i32.load (i32.const 0)) (call $tail-load (i32.const 0)) (i32.load (i32.const 0)))
  (func $tail-load-indirect (param i32 i32) (result i32)
    (return_call_indirect (type $load) (local.get 0) (local.get 1)))
  (func (export "memories-indirect") (result i32 i32 i32)
    (call $tail-load-indirect (i32.const 0) (i32.const 4))
    (call $tail-load-indirect (i32.const 0) (i32.const 7))
    (i32.load (i32.const 0)))
  (func (export "imported-more") (param i32) (result i64)
    (return_call $many
      (local.get 0) (i64.const 1) (f32.const 2) (f64.const 3) (v128.const i64x2 4 5) (i32.const 6)))
  (func (export "imported-results") (param i32 i32 i32) (result i32 i32)
    (return_call $two (local.get 2)))
  (func (export "imported-fewer") (param i64 i64 i64 i64) (result i64)
    (return_call $sub (local.get 3) (local.get 2)))

  ;; Host functions.
  (func $host (param i32) (return_call $print))
  (func $host-args (param f32) (return_call $print2 (i32.const 1) (local.get 0)))
  (func $host-indirect (param i32) (return_call_indirect (type $print) (local.get 0)))
  (func (export "host") (param i32) (result i32)
    (call $host (i32.const 1)) (call $host-args (f32.const 1)) (call $host-indirect (i32.const 5))
    (local.get 0))

  ;; Errors.
  (func (export "undefined") (param i32) (result i64)
    (return_call_indirect (type $i64) (i64.const 0) (local.get 0)))

  ;; A tail call from within blocks and from both arms of an if.
  (func (export "nested") (param i32) (result i64)
    (block (result i64)
      (i32.const 5)
      (loop (result i64)
        (if (result i64) (local.get 0)
          (then (i64.const 7) (return_call $sub (i64.const 10) (i64.const 3)))
          (else (i64.const 8) (return_call $sub (i64.const 10) (i64.const 4)))))
      (drop) (drop) (unreachable)))
)

(assert_return (invoke "a" (i64.const 0)) (i64.const 44))
(assert_return (invoke "a" (i64.const 1)) (i64.const 55))
(assert_return (invoke "a" (i64.const 2)) (i64.const 6))
(assert_return (invoke "a" (i64.const 3000000)) (i64.const 44))
(assert_return (invoke "a" (i64.const 3000001)) (i64.const 55))
(assert_return (invoke "a" (i64.const 3000002)) (i64.const 6))
(assert_return (invoke "none" (i64.const 1) (i64.const 2) (i64.const 3)) (i64.const 3))
(assert_return (invoke "from-none") (i64.const 5))
(assert_return (invoke "gcd" (i64.const 1071) (i64.const 462)) (i64.const 21))
(assert_return (invoke "swap" (i64.const 1) (i64.const 2) (i32.const 1000001))
  (i64.const 2) (i64.const 1))
(assert_return (invoke "below" (i64.const 1)) (i64.const -99))
(assert_return (invoke "indirect" (i64.const 1000000) (i32.const 0)) (i64.const 44))
(assert_return (invoke "even" (i64.const 1000000)) (i64.const 1))
(assert_return (invoke "even" (i64.const 1000001)) (i64.const 0))
(assert_return (invoke "ref" (i32.const 1000000) (i64.const 0)) (i64.const 500000500000))
(assert_trap (invoke "ref-null") "null function")
(assert_return (invoke "memories")
  (i32.const 0xddccbbaa) (i32.const 0x44332211) (i32.const 0xddccbbaa))
(assert_return (invoke "memories-indirect")
  (i32.const 0x44332211) (i32.const 0xddccbbaa) (i32.const 0xddccbbaa))
(assert_return (invoke "imported-more" (i32.const 1)) (i64.const 13))
(assert_return (invoke "imported-results" (i32.const 1) (i32.const 2) (i32.const 3))
  (i32.const 4) (i32.const 5))
(assert_return (invoke "imported-fewer" (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4))
  (i64.const 1))
(assert_return (invoke "host" (i32.const 77)) (i32.const 77))
(assert_trap (invoke "undefined" (i32.const 8)) "undefined element")
(assert_trap (invoke "undefined" (i32.const -1)) "undefined element")
(assert_trap (invoke "undefined" (i32.const 3)) "indirect call type mismatch")
(assert_return (invoke "undefined" (i32.const 0)) (i64.const 44))
(assert_return (invoke "nested" (i32.const 1)) (i64.const 7))
(assert_return (invoke "nested" (i32.const 0)) (i64.const 6))

;; Between two instances, each with a memory, a million deep.

(module $ping
  (type $hop (func (param i32 i32) (result i32)))
  (table (export "table") 2 funcref)
  (memory 1) (data (i32.const 0) "\01")
  (func $hop (export "hop") (type $hop)
    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
    (return_call_indirect (type $hop)
      (i32.sub (local.get 0) (i32.const 1))
      (i32.add (local.get 1) (i32.load (i32.const 0)))
      (i32.const 1)))
  (elem (i32.const 0) $hop)
)
(register "ping" $ping)
(module $pong
  (import "ping" "hop" (func $ping (param i32 i32) (result i32)))
  (import "ping" "table" (table 2 funcref))
  (memory 1) (data (i32.const 0) "\e8\03")
  (func $hop (param i32 i32) (result i32) (local i64 f64 i64)
    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
    (return_call $ping
      (i32.sub (local.get 0) (i32.const 1))
      (i32.add (local.get 1) (i32.load (i32.const 0)))))
  (elem (i32.const 1) $hop)
)
(assert_return (invoke $ping "hop" (i32.const 1000000) (i32.const 0)) (i32.const 500500000))
(assert_return (invoke $ping "hop" (i32.const 3) (i32.const 0)) (i32.const 1002))

;; The callee of a tail call grows the memory; the caller's caller sees it.

(module
  (memory 1 10)
  (func $grow (param i32) (result i32) (memory.grow (local.get 0)))
  (func $through (param i32) (result i32) (i32.store (i32.const 0) (local.get 0)) (return_call $grow (local.get 0)))
  (func (export "grow") (result i32 i32)
    (call $through (i32.const 2)) (i32.store offset=0x20000 (i32.const 0xfffc) (i32.const 5))
    (i32.load offset=0x2fffc (i32.const 0)))
)
(assert_return (invoke "grow") (i32.const 1) (i32.const 5))

;; Running out of stack below tail calls, and the instance used again.

(module
  (func $deep (export "deep") (param i32) (result i32)
    (i32.add (i32.const 1) (call $tail (local.get 0))))
  (func $tail (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
    (return_call $deep (i32.sub (local.get 0) (i32.const 1))))
)
(assert_return (invoke "deep" (i32.const 100)) (i32.const 101))
(assert_exhaustion (invoke "deep" (i32.const -1)) "call stack exhausted")
(assert_return (invoke "deep" (i32.const 100)) (i32.const 101))

;; A trap at the end of a chain of tail calls of every kind; the store works afterwards.
(module $trapping
  (type $step (func (param i32 anyref) (result i32)))
  (type $box (struct (field anyref)))
  (table $steps 4 4 funcref)
  (elem (table $steps) (i32.const 0) func $direct $indirect $by-ref $direct)
  (func $end (param $kind i32) (param $it anyref) (result i32)
    (block $e (block $d (block $c (block $b (block $a
      (br_table $a $b $c $d $e (local.get $kind)))
      (unreachable))
      (return (i32.div_u (i32.const 1) (i32.const 0))))
      (return (i31.get_s (ref.cast (ref i31) (local.get $it)))))
      (return (struct.get $box 0 (ref.null $box)) (i32.const 0)))
    (return (i32.const 42)))
  (global $kind (mut i32) (i32.const 0))
  (func $direct (type $step)
    (if (i32.eqz (local.get 0)) (then (return_call $end (global.get $kind) (local.get 1))))
    (return_call $indirect (i32.sub (local.get 0) (i32.const 1)) (struct.new $box (local.get 1))))
  (func $indirect (type $step)
    (if (i32.eqz (local.get 0)) (then (return_call $end (global.get $kind) (local.get 1))))
    (return_call_indirect $steps (type $step)
      (i32.sub (local.get 0) (i32.const 1)) (struct.new $box (ref.null any)) (i32.const 2)))
  (func $by-ref (type $step)
    (if (i32.eqz (local.get 0)) (then (return_call $end (global.get $kind) (local.get 1))))
    (return_call_ref $step
      (i32.sub (local.get 0) (i32.const 1)) (local.get 1) (ref.func $direct)))
  (func (export "run") (param $depth i32) (param $kind i32) (result i32)
    (global.set $kind (local.get $kind))
    (call $direct (local.get $depth) (ref.null any)))
)
(assert_trap (invoke "run" (i32.const 100000) (i32.const 0)) "unreachable")
(assert_trap (invoke "run" (i32.const 100001) (i32.const 1)) "integer divide by zero")
(assert_trap (invoke "run" (i32.const 100002) (i32.const 2)) "cast failure")
(assert_trap (invoke "run" (i32.const 7) (i32.const 3)) "null structure reference")
(assert_return (invoke "run" (i32.const 100000) (i32.const 4)) (i32.const 42))

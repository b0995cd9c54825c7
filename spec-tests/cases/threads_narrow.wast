;; Atomic operators take the lower bits of operands that were computed in more, and leave what surrounds the bytes
;; that they access as it is.

(module
  (memory 1 1 shared)
  (func (export "set") (param i32 i64) (i64.store (local.get 0) (local.get 1)))
  (func (export "get") (param i32) (result i64) (i64.load (local.get 0)))
  (func (export "cmpxchg") (param i32 i64 i64) (result i32)
    (i32.atomic.rmw.cmpxchg (local.get 0)
      (i32.wrap_i64 (i64.mul (local.get 1) (i64.const 3))) (i32.wrap_i64 (local.get 2))))
  (func (export "cmpxchg32") (param i32 i64 i64) (result i64)
    (i64.atomic.rmw32.cmpxchg_u (local.get 0) (local.get 1) (local.get 2)))
  (func (export "cmpxchg16") (param i32 i64 i64) (result i64)
    (i64.atomic.rmw16.cmpxchg_u (local.get 0) (local.get 1) (local.get 2)))
  (func (export "cmpxchg8") (param i32 i32 i32) (result i32)
    (i32.atomic.rmw8.cmpxchg_u (local.get 0) (local.get 1) (local.get 2)))
  (func (export "sub8") (param i32 i32) (result i32)
    (i32.atomic.rmw8.sub_u (local.get 0) (local.get 1)))
  (func (export "xchg16") (param i32 i64) (result i64)
    (i64.atomic.rmw16.xchg_u (local.get 0) (local.get 1))))

(invoke "set" (i32.const 8) (i64.const 0x8877665544332211))
;; Three times this is 0x3000000144332211.
(assert_return (invoke "cmpxchg" (i32.const 8) (i64.const 0x100000006c110b5c) (i64.const -1))
  (i32.const 0x44332211))
(assert_return (invoke "get" (i32.const 8)) (i64.const 0x8877665544332211))
(assert_return
  (invoke "cmpxchg" (i32.const 8) (i64.const 0x100000006c110b5b) (i64.const 0x55555555ddccbbaa))
  (i32.const 0x44332211))
(assert_return (invoke "get" (i32.const 8)) (i64.const 0x88776655ddccbbaa))
(assert_return
  (invoke "cmpxchg32" (i32.const 12) (i64.const 0x9999999988776655) (i64.const 0x99999999fedcba98))
  (i64.const 0x88776655))
(assert_return (invoke "get" (i32.const 8)) (i64.const 0xfedcba98ddccbbaa))
(assert_return
  (invoke "cmpxchg16" (i32.const 10) (i64.const 0x777777777777ddcc) (i64.const 0x6666666666661234))
  (i64.const 0xddcc))
(assert_return (invoke "get" (i32.const 8)) (i64.const 0xfedcba981234bbaa))
(assert_return (invoke "cmpxchg16" (i32.const 14) (i64.const 0xfedd) (i64.const 0)) (i64.const 0xfedc))
(assert_return (invoke "get" (i32.const 8)) (i64.const 0xfedcba981234bbaa))
(assert_return (invoke "cmpxchg8" (i32.const 9) (i32.const 0x55bb) (i32.const 0x4401)) (i32.const 0xbb))
(assert_return (invoke "cmpxchg8" (i32.const 11) (i32.const 0x12) (i32.const -1)) (i32.const 0x12))
(assert_return (invoke "cmpxchg8" (i32.const 8) (i32.const 0) (i32.const 7)) (i32.const 0xaa))
(assert_return (invoke "get" (i32.const 8)) (i64.const 0xfedcba98ff3401aa))
(assert_return (invoke "sub8" (i32.const 9) (i32.const 0xff02)) (i32.const 1))
(assert_return (invoke "xchg16" (i32.const 12) (i64.const -2)) (i64.const 0xba98))
(assert_return (invoke "get" (i32.const 8)) (i64.const 0xfedcfffeff34ffaa))

;; Allocation functions that do what they must not. Each kind of misbehavior traps and makes its component unusable.

(component
  (core module $core
    (memory (export "memory") 1 4)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (i32.const 0x10000))
    (func (export "run") (param i32 i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "bytes") (param i32 i32) (result i32)
      (i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 1))))
    (func (export "many") (param i32) (result i32) (i32.load (local.get 0))))
  (core instance $core (instantiate $core))
  (func (export "run") (param "text" string) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "wide") (param "text" string) (result u32)
    (canon lift (core func $core "run") string-encoding=utf16
      (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "longs") (param "list" (list u64)) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "many") (param "p0" u32) (param "p1" u32) (param "p2" u32) (param "p3" u32) (param "p4" u32) (param "p5" u32) (param "p6" u32) (param "p7" u32) (param "p8" u32) (param "p9" u32) (param "p10" u32) (param "p11" u32) (param "p12" u32) (param "p13" u32) (param "p14" u32) (param "p15" u32) (param "p16" u32) (result u32)
    (canon lift (core func $core "many") (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
(assert_trap (invoke "run" (str.const "a")) "realloc return: beyond end of memory")
(assert_trap (invoke "run" (str.const "a")) "cannot enter component instance")

(component
  (core module $core
    (memory (export "memory") 1 4)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (i32.const 0xffff))
    (func (export "run") (param i32 i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "bytes") (param i32 i32) (result i32)
      (i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 1))))
    (func (export "many") (param i32) (result i32) (i32.load (local.get 0))))
  (core instance $core (instantiate $core))
  (func (export "run") (param "text" string) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "wide") (param "text" string) (result u32)
    (canon lift (core func $core "run") string-encoding=utf16
      (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "longs") (param "list" (list u64)) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "many") (param "p0" u32) (param "p1" u32) (param "p2" u32) (param "p3" u32) (param "p4" u32) (param "p5" u32) (param "p6" u32) (param "p7" u32) (param "p8" u32) (param "p9" u32) (param "p10" u32) (param "p11" u32) (param "p12" u32) (param "p13" u32) (param "p14" u32) (param "p15" u32) (param "p16" u32) (result u32)
    (canon lift (core func $core "many") (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
(assert_trap (invoke "run" (str.const "ab")) "realloc return: beyond end of memory")
(assert_trap (invoke "run" (str.const "ab")) "cannot enter component instance")

(component
  (core module $core
    (memory (export "memory") 1 4)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (i32.const 0xffffffff))
    (func (export "run") (param i32 i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "bytes") (param i32 i32) (result i32)
      (i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 1))))
    (func (export "many") (param i32) (result i32) (i32.load (local.get 0))))
  (core instance $core (instantiate $core))
  (func (export "run") (param "text" string) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "wide") (param "text" string) (result u32)
    (canon lift (core func $core "run") string-encoding=utf16
      (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "longs") (param "list" (list u64)) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "many") (param "p0" u32) (param "p1" u32) (param "p2" u32) (param "p3" u32) (param "p4" u32) (param "p5" u32) (param "p6" u32) (param "p7" u32) (param "p8" u32) (param "p9" u32) (param "p10" u32) (param "p11" u32) (param "p12" u32) (param "p13" u32) (param "p14" u32) (param "p15" u32) (param "p16" u32) (result u32)
    (canon lift (core func $core "many") (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
(assert_trap (invoke "run" (str.const "a")) "realloc return: beyond end of memory")
(assert_trap (invoke "run" (str.const "a")) "cannot enter component instance")

(component
  (core module $core
    (memory (export "memory") 1 4)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (i32.const 0x10001))
    (func (export "run") (param i32 i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "bytes") (param i32 i32) (result i32)
      (i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 1))))
    (func (export "many") (param i32) (result i32) (i32.load (local.get 0))))
  (core instance $core (instantiate $core))
  (func (export "run") (param "text" string) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "wide") (param "text" string) (result u32)
    (canon lift (core func $core "run") string-encoding=utf16
      (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "longs") (param "list" (list u64)) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "many") (param "p0" u32) (param "p1" u32) (param "p2" u32) (param "p3" u32) (param "p4" u32) (param "p5" u32) (param "p6" u32) (param "p7" u32) (param "p8" u32) (param "p9" u32) (param "p10" u32) (param "p11" u32) (param "p12" u32) (param "p13" u32) (param "p14" u32) (param "p15" u32) (param "p16" u32) (result u32)
    (canon lift (core func $core "many") (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
(assert_trap (invoke "run" (str.const "")) "realloc return: beyond end of memory")
(assert_trap (invoke "run" (str.const "")) "cannot enter component instance")

(component
  (core module $core
    (memory (export "memory") 1 4)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (i32.const 1))
    (func (export "run") (param i32 i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "bytes") (param i32 i32) (result i32)
      (i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 1))))
    (func (export "many") (param i32) (result i32) (i32.load (local.get 0))))
  (core instance $core (instantiate $core))
  (func (export "run") (param "text" string) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "wide") (param "text" string) (result u32)
    (canon lift (core func $core "run") string-encoding=utf16
      (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "longs") (param "list" (list u64)) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "many") (param "p0" u32) (param "p1" u32) (param "p2" u32) (param "p3" u32) (param "p4" u32) (param "p5" u32) (param "p6" u32) (param "p7" u32) (param "p8" u32) (param "p9" u32) (param "p10" u32) (param "p11" u32) (param "p12" u32) (param "p13" u32) (param "p14" u32) (param "p15" u32) (param "p16" u32) (result u32)
    (canon lift (core func $core "many") (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
(assert_trap (invoke "wide" (str.const "a")) "realloc return: result not aligned")
(assert_trap (invoke "wide" (str.const "a")) "cannot enter component instance")

(component
  (core module $core
    (memory (export "memory") 1 4)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (i32.const 0xffff))
    (func (export "run") (param i32 i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "bytes") (param i32 i32) (result i32)
      (i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 1))))
    (func (export "many") (param i32) (result i32) (i32.load (local.get 0))))
  (core instance $core (instantiate $core))
  (func (export "run") (param "text" string) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "wide") (param "text" string) (result u32)
    (canon lift (core func $core "run") string-encoding=utf16
      (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "longs") (param "list" (list u64)) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "many") (param "p0" u32) (param "p1" u32) (param "p2" u32) (param "p3" u32) (param "p4" u32) (param "p5" u32) (param "p6" u32) (param "p7" u32) (param "p8" u32) (param "p9" u32) (param "p10" u32) (param "p11" u32) (param "p12" u32) (param "p13" u32) (param "p14" u32) (param "p15" u32) (param "p16" u32) (result u32)
    (canon lift (core func $core "many") (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
(assert_trap (invoke "wide" (str.const "")) "realloc return: result not aligned")
(assert_trap (invoke "wide" (str.const "")) "cannot enter component instance")

(component
  (core module $core
    (memory (export "memory") 1 4)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (i32.const 4))
    (func (export "run") (param i32 i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "bytes") (param i32 i32) (result i32)
      (i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 1))))
    (func (export "many") (param i32) (result i32) (i32.load (local.get 0))))
  (core instance $core (instantiate $core))
  (func (export "run") (param "text" string) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "wide") (param "text" string) (result u32)
    (canon lift (core func $core "run") string-encoding=utf16
      (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "longs") (param "list" (list u64)) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "many") (param "p0" u32) (param "p1" u32) (param "p2" u32) (param "p3" u32) (param "p4" u32) (param "p5" u32) (param "p6" u32) (param "p7" u32) (param "p8" u32) (param "p9" u32) (param "p10" u32) (param "p11" u32) (param "p12" u32) (param "p13" u32) (param "p14" u32) (param "p15" u32) (param "p16" u32) (result u32)
    (canon lift (core func $core "many") (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
(assert_trap (invoke "longs" (list.const (u64.const 1))) "realloc return: result not aligned")
(assert_trap (invoke "longs" (list.const (u64.const 1))) "cannot enter component instance")

(component
  (core module $core
    (memory (export "memory") 1 4)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (i32.const 0xfffffff8))
    (func (export "run") (param i32 i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "bytes") (param i32 i32) (result i32)
      (i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 1))))
    (func (export "many") (param i32) (result i32) (i32.load (local.get 0))))
  (core instance $core (instantiate $core))
  (func (export "run") (param "text" string) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "wide") (param "text" string) (result u32)
    (canon lift (core func $core "run") string-encoding=utf16
      (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "longs") (param "list" (list u64)) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "many") (param "p0" u32) (param "p1" u32) (param "p2" u32) (param "p3" u32) (param "p4" u32) (param "p5" u32) (param "p6" u32) (param "p7" u32) (param "p8" u32) (param "p9" u32) (param "p10" u32) (param "p11" u32) (param "p12" u32) (param "p13" u32) (param "p14" u32) (param "p15" u32) (param "p16" u32) (result u32)
    (canon lift (core func $core "many") (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
(assert_trap (invoke "longs" (list.const (u64.const 1))) "realloc return: beyond end of memory")
(assert_trap (invoke "longs" (list.const (u64.const 1))) "cannot enter component instance")

(component
  (core module $core
    (memory (export "memory") 1 4)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (i32.const 0xfff8))
    (func (export "run") (param i32 i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "bytes") (param i32 i32) (result i32)
      (i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 1))))
    (func (export "many") (param i32) (result i32) (i32.load (local.get 0))))
  (core instance $core (instantiate $core))
  (func (export "run") (param "text" string) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "wide") (param "text" string) (result u32)
    (canon lift (core func $core "run") string-encoding=utf16
      (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "longs") (param "list" (list u64)) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "many") (param "p0" u32) (param "p1" u32) (param "p2" u32) (param "p3" u32) (param "p4" u32) (param "p5" u32) (param "p6" u32) (param "p7" u32) (param "p8" u32) (param "p9" u32) (param "p10" u32) (param "p11" u32) (param "p12" u32) (param "p13" u32) (param "p14" u32) (param "p15" u32) (param "p16" u32) (result u32)
    (canon lift (core func $core "many") (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
(assert_trap (invoke "longs" (list.const (u64.const 1) (u64.const 2))) "realloc return: beyond end of memory")
(assert_trap (invoke "longs" (list.const (u64.const 1) (u64.const 2))) "cannot enter component instance")

(component
  (core module $core
    (memory (export "memory") 1 4)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (i32.const 2))
    (func (export "run") (param i32 i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "bytes") (param i32 i32) (result i32)
      (i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 1))))
    (func (export "many") (param i32) (result i32) (i32.load (local.get 0))))
  (core instance $core (instantiate $core))
  (func (export "run") (param "text" string) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "wide") (param "text" string) (result u32)
    (canon lift (core func $core "run") string-encoding=utf16
      (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "longs") (param "list" (list u64)) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "many") (param "p0" u32) (param "p1" u32) (param "p2" u32) (param "p3" u32) (param "p4" u32) (param "p5" u32) (param "p6" u32) (param "p7" u32) (param "p8" u32) (param "p9" u32) (param "p10" u32) (param "p11" u32) (param "p12" u32) (param "p13" u32) (param "p14" u32) (param "p15" u32) (param "p16" u32) (result u32)
    (canon lift (core func $core "many") (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
(assert_trap (invoke "many" (u32.const 0) (u32.const 1) (u32.const 2) (u32.const 3) (u32.const 4) (u32.const 5) (u32.const 6) (u32.const 7) (u32.const 8) (u32.const 9) (u32.const 10) (u32.const 11) (u32.const 12) (u32.const 13) (u32.const 14) (u32.const 15) (u32.const 16)) "realloc return: result not aligned")
(assert_trap (invoke "many" (u32.const 0) (u32.const 1) (u32.const 2) (u32.const 3) (u32.const 4) (u32.const 5) (u32.const 6) (u32.const 7) (u32.const 8) (u32.const 9) (u32.const 10) (u32.const 11) (u32.const 12) (u32.const 13) (u32.const 14) (u32.const 15) (u32.const 16)) "cannot enter component instance")

(component
  (core module $core
    (memory (export "memory") 1 4)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (i32.const 0xfffc))
    (func (export "run") (param i32 i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "bytes") (param i32 i32) (result i32)
      (i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 1))))
    (func (export "many") (param i32) (result i32) (i32.load (local.get 0))))
  (core instance $core (instantiate $core))
  (func (export "run") (param "text" string) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "wide") (param "text" string) (result u32)
    (canon lift (core func $core "run") string-encoding=utf16
      (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "longs") (param "list" (list u64)) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "many") (param "p0" u32) (param "p1" u32) (param "p2" u32) (param "p3" u32) (param "p4" u32) (param "p5" u32) (param "p6" u32) (param "p7" u32) (param "p8" u32) (param "p9" u32) (param "p10" u32) (param "p11" u32) (param "p12" u32) (param "p13" u32) (param "p14" u32) (param "p15" u32) (param "p16" u32) (result u32)
    (canon lift (core func $core "many") (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
(assert_trap (invoke "many" (u32.const 0) (u32.const 1) (u32.const 2) (u32.const 3) (u32.const 4) (u32.const 5) (u32.const 6) (u32.const 7) (u32.const 8) (u32.const 9) (u32.const 10) (u32.const 11) (u32.const 12) (u32.const 13) (u32.const 14) (u32.const 15) (u32.const 16)) "realloc return: beyond end of memory")
(assert_trap (invoke "many" (u32.const 0) (u32.const 1) (u32.const 2) (u32.const 3) (u32.const 4) (u32.const 5) (u32.const 6) (u32.const 7) (u32.const 8) (u32.const 9) (u32.const 10) (u32.const 11) (u32.const 12) (u32.const 13) (u32.const 14) (u32.const 15) (u32.const 16)) "cannot enter component instance")

;; One that traps.
(component
  (core module $core
    (memory (export "memory") 1 4)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      unreachable)
    (func (export "run") (param i32 i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "bytes") (param i32 i32) (result i32)
      (i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 1))))
    (func (export "many") (param i32) (result i32) (i32.load (local.get 0))))
  (core instance $core (instantiate $core))
  (func (export "run") (param "text" string) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "wide") (param "text" string) (result u32)
    (canon lift (core func $core "run") string-encoding=utf16
      (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "longs") (param "list" (list u64)) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "many") (param "p0" u32) (param "p1" u32) (param "p2" u32) (param "p3" u32) (param "p4" u32) (param "p5" u32) (param "p6" u32) (param "p7" u32) (param "p8" u32) (param "p9" u32) (param "p10" u32) (param "p11" u32) (param "p12" u32) (param "p13" u32) (param "p14" u32) (param "p15" u32) (param "p16" u32) (result u32)
    (canon lift (core func $core "many") (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
(assert_trap (invoke "run" (str.const "a")) "wasm trap: wasm `unreachable` instruction executed")
(assert_trap (invoke "run" (str.const "a")) "cannot enter component instance")

;; One that throws.
(component
  (core module $core
    (tag $tag)
    (memory (export "memory") 1 4)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (throw $tag))
    (func (export "run") (param i32 i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "bytes") (param i32 i32) (result i32)
      (i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 1))))
    (func (export "many") (param i32) (result i32) (i32.load (local.get 0))))
  (core instance $core (instantiate $core))
  (func (export "run") (param "text" string) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "wide") (param "text" string) (result u32)
    (canon lift (core func $core "run") string-encoding=utf16
      (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "longs") (param "list" (list u64)) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "many") (param "p0" u32) (param "p1" u32) (param "p2" u32) (param "p3" u32) (param "p4" u32) (param "p5" u32) (param "p6" u32) (param "p7" u32) (param "p8" u32) (param "p9" u32) (param "p10" u32) (param "p11" u32) (param "p12" u32) (param "p13" u32) (param "p14" u32) (param "p15" u32) (param "p16" u32) (result u32)
    (canon lift (core func $core "many") (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
(assert_trap (invoke "run" (str.const "a")) "an exception left a component function")
(assert_trap (invoke "run" (str.const "a")) "cannot enter component instance")

;; One that never returns would use up the time of the script; one that recurses uses up its stack.
(component
  (core module $core
    (memory (export "memory") 1 4)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (call 0 (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
    (func (export "run") (param i32 i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "bytes") (param i32 i32) (result i32)
      (i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 1))))
    (func (export "many") (param i32) (result i32) (i32.load (local.get 0))))
  (core instance $core (instantiate $core))
  (func (export "run") (param "text" string) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "wide") (param "text" string) (result u32)
    (canon lift (core func $core "run") string-encoding=utf16
      (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "longs") (param "list" (list u64)) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "many") (param "p0" u32) (param "p1" u32) (param "p2" u32) (param "p3" u32) (param "p4" u32) (param "p5" u32) (param "p6" u32) (param "p7" u32) (param "p8" u32) (param "p9" u32) (param "p10" u32) (param "p11" u32) (param "p12" u32) (param "p13" u32) (param "p14" u32) (param "p15" u32) (param "p16" u32) (result u32)
    (canon lift (core func $core "many") (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
(assert_trap (invoke "run" (str.const "a")) "call stack exhausted")

;; One that grows its memory is fine: what it gives lies in the memory as it is then.
(component
  (core module $core
    (memory (export "memory") 1 4)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (if (i32.eq (memory.size) (i32.const 1)) (then (drop (memory.grow (i32.const 1)))))
      (i32.const 0x10000))
    (func (export "run") (param i32 i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "bytes") (param i32 i32) (result i32)
      (i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 1))))
    (func (export "many") (param i32) (result i32) (i32.load (local.get 0))))
  (core instance $core (instantiate $core))
  (func (export "run") (param "text" string) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "wide") (param "text" string) (result u32)
    (canon lift (core func $core "run") string-encoding=utf16
      (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "longs") (param "list" (list u64)) (result u32)
    (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func (export "many") (param "p0" u32) (param "p1" u32) (param "p2" u32) (param "p3" u32) (param "p4" u32) (param "p5" u32) (param "p6" u32) (param "p7" u32) (param "p8" u32) (param "p9" u32) (param "p10" u32) (param "p11" u32) (param "p12" u32) (param "p13" u32) (param "p14" u32) (param "p15" u32) (param "p16" u32) (result u32)
    (canon lift (core func $core "many") (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
(assert_return (invoke "run" (str.const "a")) (u32.const 97))
(assert_return (invoke "longs" (list.const (u64.const 5))) (u32.const 5))
(assert_return (invoke "many" (u32.const 0) (u32.const 1) (u32.const 2) (u32.const 3) (u32.const 4) (u32.const 5) (u32.const 6) (u32.const 7) (u32.const 8) (u32.const 9) (u32.const 10) (u32.const 11) (u32.const 12) (u32.const 13) (u32.const 14) (u32.const 15) (u32.const 16)) (u32.const 0))

;; One that calls an import, even one that would do no harm, may not.
(component
  (component $other
    (core module $core (func (export "nothing")))
    (core instance $core (instantiate $core))
    (func (export "nothing") (canon lift (core func $core "nothing"))))
  (instance $other (instantiate $other))
  (component $guest
    (import "nothing" (func $nothing))
    (core func $nothing (canon lower (func $nothing)))
    (core module $core
      (import "" "nothing" (func $nothing))
      (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (call $nothing) (i32.const 16))
      (func (export "run") (param i32 i32))
      (func (export "fine") (call $nothing)))
    (core instance $core (instantiate $core (with "" (instance (export "nothing" (func $nothing))))))
    (func (export "fine") (canon lift (core func $core "fine")))
    (func (export "run") (param "text" string)
      (canon lift (core func $core "run") (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
  (instance $guest (instantiate $guest (with "nothing" (func $other "nothing"))))
  (export "run" (func $guest "run"))
  (export "fine" (func $guest "fine")))
(assert_return (invoke "fine"))
(assert_return (invoke "fine"))
(assert_trap (invoke "run" (str.const "a")) "cannot leave component instance")
(assert_trap (invoke "fine") "cannot enter component instance")

;; What post-return functions call may not leave either.
(component
  (component $other
    (core module $core (func (export "nothing")))
    (core instance $core (instantiate $core))
    (func (export "nothing") (canon lift (core func $core "nothing"))))
  (instance $other (instantiate $other))
  (component $guest
    (import "nothing" (func $nothing))
    (core func $nothing (canon lower (func $nothing)))
    (core module $core
      (import "" "nothing" (func $nothing))
      (func (export "run") (result i32) (call $nothing) (i32.const 7))
      (func (export "after") (param i32) (call $nothing)))
    (core instance $core (instantiate $core (with "" (instance (export "nothing" (func $nothing))))))
    (func (export "run") (result u32) (canon lift (core func $core "run") (post-return (core func $core "after")))))
  (instance $guest (instantiate $guest (with "nothing" (func $other "nothing"))))
  (export "run" (func $guest "run")))
(assert_trap (invoke "run") "cannot leave component instance")
(assert_trap (invoke "run") "cannot enter component instance")

;; Nor may they make or drop handles; they may look at them.
(component
  (type $r (resource (rep i32)))
  (core func $new (canon resource.new $r))
  (core func $rep (canon resource.rep $r))
  (core func $drop (canon resource.drop $r))
  (core module $core
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "rep" (func $rep (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "run") (drop (call $new (i32.const 5))))
    (func (export "after") (drop (call $new (i32.const 1)))))
  (core instance $core (instantiate $core (with "" (instance
    (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))))
  (func (export "run") (canon lift (core func $core "run") (post-return (core func $core "after")))))
(assert_trap (invoke "run") "cannot leave component instance")

(component
  (type $r (resource (rep i32)))
  (core func $new (canon resource.new $r))
  (core func $rep (canon resource.rep $r))
  (core func $drop (canon resource.drop $r))
  (core module $core
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "rep" (func $rep (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "run") (drop (call $new (i32.const 5))))
    (func (export "after") (call $drop (i32.const 1))))
  (core instance $core (instantiate $core (with "" (instance
    (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))))
  (func (export "run") (canon lift (core func $core "run") (post-return (core func $core "after")))))
(assert_trap (invoke "run") "cannot leave component instance")

(component
  (type $r (resource (rep i32)))
  (core func $new (canon resource.new $r))
  (core func $rep (canon resource.rep $r))
  (core func $drop (canon resource.drop $r))
  (core module $core
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "rep" (func $rep (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "run") (drop (call $new (i32.const 5))))
    (func (export "after") (drop (call $rep (i32.const 1)))))
  (core instance $core (instantiate $core (with "" (instance
    (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))))
  (func (export "run") (canon lift (core func $core "run") (post-return (core func $core "after")))))
(assert_return (invoke "run"))
(assert_return (invoke "run"))


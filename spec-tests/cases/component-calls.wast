;; Calls between components: who may enter whom, what happens after a trap, and that exceptions stay inside.


;; A component instance cannot call itself, its parent or its child.

;; Itself, by lowering what it lifts.
(component
  (core module $core (func (export "f")))
  (core instance $core (instantiate $core))
  (func $f (canon lift (core func $core "f")))
  (core func $f' (canon lower (func $f)))
  (core module $caller (import "" "f" (func $f)) (func (export "g") (call $f)))
  (core instance $caller (instantiate $caller (with "" (instance (export "f" (func $f'))))))
  (export "f" (func $f))
  (func (export "g") (canon lift (core func $caller "g"))))
(assert_return (invoke "f"))
(assert_trap (invoke "g") "cannot enter component instance")
(assert_trap (invoke "f") "cannot enter component instance")

;; Its child.
(component
  (component $child
    (core module $core (func (export "f")))
    (core instance $core (instantiate $core))
    (func (export "f") (canon lift (core func $core "f"))))
  (instance $child (instantiate $child))
  (core func $f (canon lower (func $child "f")))
  (func (export "g") (canon lift (core func $f)))
  (export "f" (func $child "f")))
(assert_return (invoke "f"))
(assert_trap (invoke "g") "cannot enter component instance")

;; Its parent.
(component
  (core module $core (func (export "f")))
  (core instance $core (instantiate $core))
  (func $f (canon lift (core func $core "f")))
  (component $child
    (import "f" (func $f))
    (core func $f (canon lower (func $f)))
    (func (export "g") (canon lift (core func $f))))
  (instance $child (instantiate $child (with "f" (func $f))))
  (export "g" (func $child "g")))
(assert_trap (invoke "g") "cannot enter component instance")

;; Siblings and cousins may, in a chain of any length.
(component
  (component $first
    (core module $core (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))
    (core instance $core (instantiate $core))
    (func (export "f") (param "n" u32) (result u32) (canon lift (core func $core "f"))))
  (component $next
    (import "f" (func $f (param "n" u32) (result u32)))
    (core func $f (canon lower (func $f)))
    (core module $core
      (import "" "f" (func $f (param i32) (result i32)))
      (func (export "f") (param i32) (result i32) (i32.mul (call $f (local.get 0)) (i32.const 2))))
    (core instance $core (instantiate $core (with "" (instance (export "f" (func $f))))))
    (func (export "f") (param "n" u32) (result u32) (canon lift (core func $core "f"))))
  (instance $a (instantiate $first))
  (instance $b (instantiate $next (with "f" (func $a "f"))))
  (instance $c (instantiate $next (with "f" (func $b "f"))))
  (instance $d (instantiate $next (with "f" (func $c "f"))))
  (export "f" (func $d "f")))
(assert_return (invoke "f" (u32.const 4)) (u32.const 40))
(assert_return (invoke "f" (u32.const 0xffffffff)) (u32.const 0))

;; A trap in one component instance ends all of its component.
(component
  (component $bad
    (core module $core (func (export "bad") unreachable) (func (export "good")))
    (core instance $core (instantiate $core))
    (func (export "bad") (canon lift (core func $core "bad")))
    (func (export "good") (canon lift (core func $core "good"))))
  (component $caller
    (import "f" (func $f))
    (core func $f (canon lower (func $f)))
    (core module $core (import "" "f" (func $f)) (func (export "f") (call $f)))
    (core instance $core (instantiate $core (with "" (instance (export "f" (func $f))))))
    (func (export "f") (canon lift (core func $core "f"))))
  (component $bystander
    (core module $core (func (export "f")))
    (core instance $core (instantiate $core))
    (func (export "f") (canon lift (core func $core "f"))))
  (instance $bad (instantiate $bad))
  (instance $caller (instantiate $caller (with "f" (func $bad "bad"))))
  (instance $bystander (instantiate $bystander))
  (export "good" (func $bad "good"))
  (export "call" (func $caller "f"))
  (export "other" (func $bystander "f")))
(assert_return (invoke "good"))
(assert_return (invoke "other"))
(assert_trap (invoke "call") "unreachable")
(assert_trap (invoke "good") "cannot enter component instance")
(assert_trap (invoke "other") "cannot enter component instance")

;; A trap in a start function: the component is never there.
(assert_trap
  (component
    (core module $core (func $start unreachable) (start $start))
    (core instance $core (instantiate $core)))
  "unreachable")

;; An exception that a component function does not catch is a trap: no caller can catch it.
(component
  (component $thrower
    (core module $core (tag $t) (func (export "f") (throw $t)))
    (core instance $core (instantiate $core))
    (func (export "f") (canon lift (core func $core "f"))))
  (component $catcher
    (import "f" (func $f))
    (core func $f (canon lower (func $f)))
    (core module $core
      (import "" "f" (func $f))
      (func (export "f") (result i32)
        (block $caught
          (try_table (catch_all $caught) (call $f))
          (return (i32.const 1)))
        (i32.const 2)))
    (core instance $core (instantiate $core (with "" (instance (export "f" (func $f))))))
    (func (export "f") (result u32) (canon lift (core func $core "f"))))
  (instance $thrower (instantiate $thrower))
  (instance $catcher (instantiate $catcher (with "f" (func $thrower "f"))))
  (export "f" (func $catcher "f")))
(assert_trap (invoke "f") "an exception left a component function")
(assert_trap (invoke "f") "cannot enter component instance")

;; Post-return functions get what was returned, and run after it was read.
(component
  (core module $core
    (memory (export "memory") 1)
    (global $freed (mut i32) (i32.const 0))
    (data (i32.const 8) "hello")
    (func (export "text") (result i32)
      (i32.store (i32.const 32) (i32.const 8))
      (i32.store (i32.const 36) (i32.const 5))
      (i32.const 32))
    (func (export "free") (param i32)
      (i64.store (i32.const 8) (i64.const -1))
      (global.set $freed (i32.add (global.get $freed) (local.get 0))))
    (func (export "number") (result i64) (i64.const 7))
    (func (export "free-number") (param i64) (global.set $freed (i32.add (global.get $freed) (i32.wrap_i64 (local.get 0)))))
    (func (export "nothing"))
    (func (export "free-nothing") (global.set $freed (i32.add (global.get $freed) (i32.const 100))))
    (func (export "freed") (result i32) (global.get $freed)))
  (core instance $core (instantiate $core))
  (func (export "text") (result string)
    (canon lift (core func $core "text") (memory (core memory $core "memory")) (post-return (core func $core "free"))))
  (func (export "number") (result u64) (canon lift (core func $core "number") (post-return (core func $core "free-number"))))
  (func (export "nothing") (canon lift (core func $core "nothing") (post-return (core func $core "free-nothing"))))
  (func (export "freed") (result u32) (canon lift (core func $core "freed"))))
(assert_return (invoke "text") (str.const "hello"))
(assert_return (invoke "freed") (u32.const 32))
(assert_return (invoke "number") (u64.const 7))
(assert_return (invoke "freed") (u32.const 39))
(assert_return (invoke "nothing"))
(assert_return (invoke "freed") (u32.const 139))
(assert_trap (invoke "text") "invalid utf-8")

;; Where a result in memory goes, the caller says; it must be aligned and there.
(component definition $result
  (component $giver
    (core module $core
      (memory (export "memory") 1)
      (func (export "f") (result i32)
        (i32.store (i32.const 16) (i32.const 1))
        (i64.store (i32.const 24) (i64.const 2))
        (i32.const 16)))
    (core instance $core (instantiate $core))
    (func (export "f") (result (tuple u32 u64)) (canon lift (core func $core "f") (memory (core memory $core "memory")))))
  (component $taker
    (import "f" (func $f (result (tuple u32 u64))))
    (core module $memory (memory (export "memory") 1))
    (core instance $memory (instantiate $memory))
    (core func $f (canon lower (func $f) (memory (core memory $memory "memory"))))
    (core module $core
      (import "" "f" (func $f (param i32)))
      (import "" "memory" (memory 1))
      (func (export "f") (param i32) (result i64)
        (call $f (local.get 0))
        (i64.add (i64.load (i32.add (local.get 0) (i32.const 8))) (i64.load32_u (local.get 0)))))
    (core instance $core (instantiate $core (with "" (instance
      (export "f" (func $f)) (export "memory" (memory $memory "memory"))))))
    (func (export "f") (param "at" u32) (result u64) (canon lift (core func $core "f"))))
  (instance $giver (instantiate $giver))
  (instance $taker (instantiate $taker (with "f" (func $giver "f"))))
  (export "f" (func $taker "f")))
(component instance $r $result)
(assert_return (invoke $r "f" (u32.const 0)) (u64.const 3))
(assert_return (invoke $r "f" (u32.const 0xfff0)) (u64.const 3))
(assert_trap (invoke $r "f" (u32.const 4)) "unaligned pointer")
(component instance $r $result)
(assert_trap (invoke $r "f" (u32.const 0xfff8)) "pointer out of bounds")
(component instance $r $result)
(assert_trap (invoke $r "f" (u32.const 0xfffffff8)) "pointer out of bounds")

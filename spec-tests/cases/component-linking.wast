;; Linking components: nesting, aliases, virtualization, modules as values, registered instances, and what does not link.

;; Types and modules of enclosing components.
(component
  (type $pair' (tuple u32 u32))
  (core module $add (func (export "f") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (component $inner
    (alias outer 1 0 (type $pair))
    (alias outer 1 $add (core module $mine))
    (component $innermost
      (alias outer 1 $mine (core module $m))
      (alias outer 2 0 (type $pair))
      (core instance $i (instantiate $m))
      (func (export "sum") (param "p" $pair) (result u32) (canon lift (core func $i "f"))))
    (instance $innermost (instantiate $innermost))
    (export "sum" (func $innermost "sum")))
  (instance $inner (instantiate $inner))
  (export "sum" (func $inner "sum")))
(assert_return (invoke "sum" (tuple.const (u32.const 20) (u32.const 22))) (u32.const 42))

;; A component that another one gets, and instantiates twice; each instance has its own state.
(component
  (component $counter
    (core module $m
      (global $n (mut i32) (i32.const 0))
      (func (export "next") (result i32)
        (global.set $n (i32.add (global.get $n) (i32.const 1)))
        (global.get $n)))
    (core instance $i (instantiate $m))
    (func (export "next") (result u32) (canon lift (core func $i "next"))))
  (component $two
    (import "counter" (component $c (export "next" (func (result u32)))))
    (instance $a (instantiate $c))
    (instance $b (instantiate $c))
    (export "a" (func $a "next"))
    (export "b" (func $b "next")))
  (instance $two (instantiate $two (with "counter" (component $counter))))
  (export "a" (func $two "a"))
  (export "b" (func $two "b")))
(assert_return (invoke "a") (u32.const 1))
(assert_return (invoke "a") (u32.const 2))
(assert_return (invoke "b") (u32.const 1))
(assert_return (invoke "a") (u32.const 3))

;; A core module that a component gets.
(component
  (core module $seven (func (export "f") (result i32) (i32.const 7)))
  (component $runner
    (import "m" (core module $m (export "f" (func (result i32)))))
    (core instance $i (instantiate $m))
    (func (export "run") (result u32) (canon lift (core func $i "f"))))
  (instance $r (instantiate $runner (with "m" (core module $seven))))
  (export "run" (func $r "run")))
(assert_return (invoke "run") (u32.const 7))

;; Virtualization: a component between an interface and its user, which sees nothing of the original.
(component
  (component $system
    (core module $m (func (export "read") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 10))))
    (core instance $i (instantiate $m))
    (func $read (param "n" u32) (result u32) (canon lift (core func $i "read")))
    (instance $files (export "read" (func $read)))
    (export "test:fs/files@0.2.1" (instance $files)))
  (component $sandbox
    (import "test:fs/files@0.2.1" (instance $real (export "read" (func (param "n" u32) (result u32)))))
    (core func $read (canon lower (func $real "read")))
    (core module $m
      (import "" "read" (func $read (param i32) (result i32)))
      (func (export "read") (param i32) (result i32) (i32.add (call $read (local.get 0)) (i32.const 1))))
    (core instance $i (instantiate $m (with "" (instance (export "read" (func $read))))))
    (func $read' (param "n" u32) (result u32) (canon lift (core func $i "read")))
    (instance $files (export "read" (func $read')))
    (export "test:fs/files@0.2.1" (instance $files)))
  (component $program
    (import "test:fs/files@0.2.1" (instance $files (export "read" (func (param "n" u32) (result u32)))))
    (export "run" (func $files "read")))
  (instance $system (instantiate $system))
  (instance $outer (instantiate $sandbox (with "test:fs/files@0.2.1" (instance $system "test:fs/files@0.2.1"))))
  (instance $inner (instantiate $sandbox (with "test:fs/files@0.2.1" (instance $outer "test:fs/files@0.2.1"))))
  (instance $program (instantiate $program (with "test:fs/files@0.2.1" (instance $inner "test:fs/files@0.2.1"))))
  (export "run" (func $program "run")))
(assert_return (invoke "run" (u32.const 4)) (u32.const 42))

;; Core modules that share a memory and a table across core instances.
(component
  (core module $libc
    (memory (export "memory") 1)
    (table (export "table") 2 funcref))
  (core module $plugin
    (import "env" "memory" (memory 1))
    (import "env" "table" (table 2 funcref))
    (func $store (param i32) (i32.store (i32.const 100) (local.get 0)))
    (elem (i32.const 0) $store))
  (core module $main
    (import "env" "memory" (memory 1))
    (import "env" "table" (table 2 funcref))
    (type $f (func (param i32)))
    (func (export "run") (param i32) (result i32)
      (call_indirect (type $f) (local.get 0) (i32.const 0))
      (i32.load (i32.const 100))))
  (core instance $libc (instantiate $libc))
  (core instance $plugin (instantiate $plugin (with "env" (instance $libc))))
  (core instance $main (instantiate $main (with "env" (instance $libc))))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $main "run"))))
(assert_return (invoke "run" (u32.const 1234)) (u32.const 1234))

;; Instances of a script that other components import.
(component $numbers
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 8) "shared")
    (func (export "double") (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1)))
    (func (export "name") (result i32)
      (i32.store (i32.const 0) (i32.const 8)) (i32.store (i32.const 4) (i32.const 6)) (i32.const 0)))
  (core instance $m (instantiate $m))
  (func (export "double") (param "n" u32) (result u32) (canon lift (core func $m "double")))
  (func (export "name") (result string) (canon lift (core func $m "name") (memory (core memory $m "memory"))))
  (type $r' (resource (rep i32)))
  (export $r "r" (type $r'))
  (core func $new (canon resource.new $r'))
  (core func $rep (canon resource.rep $r'))
  (core module $id (func (export "f") (param i32) (result i32) (local.get 0)))
  (core instance $id (instantiate $id))
  (func (export "make") (param "n" u32) (result (own $r)) (canon lift (core func $new)))
  (func (export "peek") (param "r" (borrow $r)) (result u32) (canon lift (core func $id "f"))))
(register "test:numbers/api@1.2.0" $numbers)

;; A version that the registered one can stand for.
(component $user
  (import "test:numbers/api@1.1.0" (instance $n
    (export "double" (func (param "n" u32) (result u32)))
    (export "name" (func (result string)))
    (export "r" (type $r (sub resource)))
    (export "make" (func (param "n" u32) (result (own $r))))
    (export "peek" (func (param "r" (borrow $r)) (result u32)))))
  (alias export $n "r" (type $r))
  (core module $memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64)))
  (core instance $memory (instantiate $memory))
  (core func $double (canon lower (func $n "double")))
  (core func $name (canon lower (func $n "name") (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $make (canon lower (func $n "make")))
  (core func $peek (canon lower (func $n "peek")))
  (core func $drop (canon resource.drop $r))
  (core module $core
    (import "" "double" (func $double (param i32) (result i32)))
    (import "" "name" (func $name (param i32)))
    (import "" "make" (func $make (param i32) (result i32)))
    (import "" "peek" (func $peek (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "run") (param i32) (result i32)
      (local $h i32)
      (local.set $h (call $make (call $double (local.get 0))))
      (call $peek (local.get $h))
      (call $drop (local.get $h)))
    (func (export "name") (result i32) (call $name (i32.const 0)) (i32.const 0)))
  (core instance $core (instantiate $core (with "" (instance
    (export "double" (func $double)) (export "name" (func $name)) (export "make" (func $make))
    (export "peek" (func $peek)) (export "drop" (func $drop))))))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $core "run")))
  (func (export "name") (result string) (canon lift (core func $core "name") (memory (core memory $memory "memory")))))
(assert_return (invoke "run" (u32.const 21)) (u32.const 42))
(assert_return (invoke "name") (str.const "shared"))

;; Not there, of another version, or of another type.
(assert_unlinkable (component (import "nothing" (func))) "missing")
(assert_unlinkable (component (import "nothing" (instance (export "f" (func))))) "missing")
(assert_unlinkable
  (component (import "test:numbers/api@2.0.0" (instance (export "double" (func (param "n" u32) (result u32))))))
  "missing")
(assert_unlinkable
  (component (import "test:numbers/api@1.0.0" (instance (export "double" (func (param "n" u32) (result u64))))))
  "another type")
(assert_unlinkable
  (component (import "test:numbers/api@1.0.0" (instance (export "double" (func (param "m" u32) (result u32))))))
  "another type")
(assert_unlinkable
  (component (import "test:numbers/api@1.0.0" (instance (export "triple" (func (param "n" u32) (result u32))))))
  "missing")
(assert_unlinkable
  (component (import "test:numbers/api@1.0.0" (instance (export "double" (type (sub resource))))))
  "another type")
;; Two resource types where there is one.
(assert_unlinkable
  (component (import "test:numbers/api@1.0.0" (instance $n
    (export "r" (type $r (sub resource)))
    (export "double" (type $s (sub resource)))
    (export "peek" (func (param "r" (borrow $s)) (result u32))))))
  "another type")

;; An instance that imports nothing that it uses, and instances within instances.
(component $nested
  (core module $m (func (export "f") (result i32) (i32.const 3)))
  (core instance $i (instantiate $m))
  (func $f (result u32) (canon lift (core func $i "f")))
  (instance $inner (export "f" (func $f)))
  (instance $outer (export "inner" (instance $inner)))
  (export "outer" (instance $outer))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))
(assert_return (invoke "f") (u32.const 3))
(register "nested" $nested)
(component
  (import "nested" (instance $n
    (export "outer" (instance (export "inner" (instance (export "f" (func (result u32)))))))))
  (alias export $n "outer" (instance $o))
  (alias export $o "inner" (instance $i))
  (core func $f (canon lower (func $i "f")))
  (core module $m (import "" "f" (func $f (result i32))) (func (export "f") (result i32) (i32.add (call $f) (call $f))))
  (core instance $m (instantiate $m (with "" (instance (export "f" (func $f))))))
  (func (export "f") (result u32) (canon lift (core func $m "f"))))
(assert_return (invoke "f") (u32.const 6))

;; Text that is no component, and components that are not valid.
(assert_malformed (component quote "(export \"a\"") "expected")
(assert_invalid (component (export "f" (func 0))) "unknown function")
(assert_invalid (component (core module (func (result i32)))) "type mismatch")
(assert_invalid
  (component
    (core module $m (func (export "f") (param i64)))
    (core instance $i (instantiate $m))
    (func (export "f") (param "n" u32) (canon lift (core func $i "f"))))
  "lowered parameter types")
(assert_invalid
  (component
    (core module $m (import "a" "b" (func)))
    (core instance $i (instantiate $m)))
  "missing module instantiation argument")

;; What this version does not run is valid all the same.
(component definition
  (type $s (stream u8))
  (core func (canon stream.new $s)))
(component definition
  (import "f" (func async (param "n" u32))))

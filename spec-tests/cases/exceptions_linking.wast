;; Tags that several instances share, and exceptions that pass from one to another.

(module $a
  (tag $e (export "e") (param i32))
  (tag $private (export "private") (param i32))
  (memory 1)
  (data (i32.const 0) "\11")
  (global $count (mut i32) (i32.const 0))
  (func (export "throw") (param i32) (throw $e (local.get 0)))
  (func (export "throw-private") (param i32) (throw $private (local.get 0)))
  (func (export "catch") (param $f funcref) (result i32) (i32.const 0))
  (func (export "byte") (result i32) (i32.load8_u (i32.const 0))))
(register "a")

(module $b
  (tag $e (import "a" "e") (param i32))
  (tag $mine (param i32))
  (func $throw (import "a" "throw") (param i32))
  (func $throw-private (import "a" "throw-private") (param i32))
  (memory 1)
  (data (i32.const 0) "\22")
  (export "e" (tag $e))
  (export "mine" (tag $mine))
  (func (export "caught") (param i32) (result i32)
    (block $h (result i32)
      (try_table (catch $e $h) (call $throw (local.get 0)))
      (i32.const -1)))
  ;; The handler runs in its own instance, with its own memory.
  (func (export "memory") (result i32)
    (block $h (result i32)
      (try_table (catch $e $h) (call $throw (i32.const 1)))
      (i32.const -1))
    (drop)
    (i32.load8_u (i32.const 0)))
  ;; A tag of the same type that is another one.
  (func (export "not-mine") (param i32) (result i32)
    (block $h (result i32)
      (try_table (catch $mine $h) (call $throw (local.get 0)))
      (i32.const -1)))
  (func (export "not-imported") (result i32)
    (block $h (result i32)
      (try_table (catch $mine $h) (catch $e $h) (call $throw-private (i32.const 1)))
      (i32.const -1)))
  (func (export "any") (result i32)
    (block $h
      (try_table (catch_all $h) (call $throw-private (i32.const 1)))
      (return (i32.const -1)))
    (i32.load8_u (i32.const 0)))
  (func (export "throw-e") (param i32) (throw $e (local.get 0)))
  (func (export "tail") (param i32)
    (block $h (try_table (catch_all $h) (return_call $throw (local.get 0))))))
(register "b")

(assert_return (invoke $b "caught" (i32.const 5)) (i32.const 5))
(assert_return (invoke $b "memory") (i32.const 0x22))
(assert_exception (invoke $b "not-mine" (i32.const 5)))
(assert_exception (invoke $b "not-imported"))
(assert_return (invoke $b "any") (i32.const 0x22))
(assert_return (invoke $a "byte") (i32.const 0x11))
(assert_exception (invoke $a "throw" (i32.const 5)))
(assert_exception (invoke $b "tail" (i32.const 5)))

;; One tag by two ways is one tag; a new instance has new tags.
(module $c
  (tag $a (import "a" "e") (param i32))
  (tag $b (import "b" "e") (param i32))
  (func $throw-e (import "b" "throw-e") (param i32))
  (func $tail (import "b" "tail") (param i32))
  (func (export "two-ways") (result i32)
    (block $h (result i32)
      (block $first (result i32)
        (try_table (catch $a $first) (throw $b (i32.const 3)))
        (unreachable))))
  (func (export "through") (param i32) (result i32)
    (block $h (result i32)
      (try_table (catch $b $h) (call $throw-e (local.get 0)))
      (i32.const -1)))
  ;; The frame that made the tail call catches nothing, the one before it does.
  (func (export "tail") (param i32) (result i32)
    (block $h (result i32)
      (try_table (catch $a $h) (call $tail (local.get 0)))
      (i32.const -1))))

(assert_return (invoke "two-ways") (i32.const 3))
(assert_return (invoke "through" (i32.const 4)) (i32.const 4))
(assert_return (invoke "tail" (i32.const 6)) (i32.const 6))

(module definition $twice
  (tag $e (export "e") (param i32))
  (func (export "throw") (throw $e (i32.const 1))))
(module instance $first $twice)
(module instance $second $twice)
(register "first" $first)
(register "second" $second)
(module
  (tag $first (import "first" "e") (param i32))
  (tag $second (import "second" "e") (param i32))
  (func $throw (import "second" "throw"))
  (func (export "which") (result i32)
    (block $2 (result i32)
      (block $1 (result i32)
        (try_table (catch $first $1) (catch $second $2) (call $throw))
        (unreachable))
      (drop) (return (i32.const -1)))
    (drop) (i32.const 2)))
(assert_return (invoke "which") (i32.const 2))

;; Through a table that another instance filled.
(module $table
  (type $f (func (param i32)))
  (tag $e (import "a" "e") (param i32))
  (table (export "table") 1 funcref)
  (func (export "call") (param i32) (result i32)
    (block $h (result i32)
      (try_table (catch $e $h) (call_indirect (type $f) (local.get 0) (i32.const 0)))
      (i32.const -1)))
  (func (export "tail") (param i32) (result i32)
    (block $h (result i32)
      (try_table (result i32) (catch $e $h)
        (return_call_indirect (type $g) (local.get 0) (i32.const 0)))))
  (type $g (func (param i32) (result i32))))
(register "table")
(module
  (table (import "table" "table") 1 funcref)
  (func $throw (import "a" "throw") (param i32))
  (elem (i32.const 0) $throw))
(assert_return (invoke $table "call" (i32.const 9)) (i32.const 9))

;; Tags match by their whole type, and only tags are tags.
(assert_unlinkable
  (module (tag (import "a" "e")))
  "incompatible import type")
(assert_unlinkable
  (module (tag (import "a" "e") (param i64)))
  "incompatible import type")
(assert_unlinkable
  (module (tag (import "a" "throw") (param i32)))
  "incompatible import type")
(assert_unlinkable
  (module (func (import "a" "e") (param i32)))
  "incompatible import type")
(assert_unlinkable
  (module (tag (import "a" "none") (param i32)))
  "unknown import")

;; An exception in a start function; what the instance did stays.
(assert_exception
  (module
    (tag $e)
    (table (import "table" "table") 1 funcref)
    (elem (i32.const 0) $f)
    (func $f (param i32))
    (func $start (throw $e))
    (start $start)))
(assert_return (invoke $table "call" (i32.const 9)) (i32.const -1))

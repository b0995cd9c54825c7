;; Strings from one guest to another in all pairs of encodings: the host's text goes to the outer guest, which hands it on
;; to the inner one, which gives it back.

(component
  (component $inner
    (core module $core
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
      (func (export "echo") (param i32 i32) (result i32)
        (i32.store (i32.const 16) (local.get 0))
        (i32.store (i32.const 20) (local.get 1))
        (i32.const 16)))
    (core instance $core (instantiate $core))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=utf8
        (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
  (instance $inner (instantiate $inner))
  (component $outer
    (import "echo" (func $echo (param "text" string) (result string)))
    (core module $memory
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
)
    (core instance $memory (instantiate $memory))
    (core func $echo (canon lower (func $echo) string-encoding=utf8
      (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
    (core module $core
      (import "" "echo" (func $echo (param i32 i32 i32)))
      (func (export "echo") (param i32 i32) (result i32)
        (call $echo (local.get 0) (local.get 1) (i32.const 32))
        (i32.const 32)))
    (core instance $core (instantiate $core (with "" (instance (export "echo" (func $echo))))))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=utf8
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))
  (instance $outer (instantiate $outer (with "echo" (func $inner "echo"))))
  (export "echo" (func $outer "echo")))
(assert_return (invoke "echo" (str.const "")) (str.const ""))
(assert_return (invoke "echo" (str.const "a")) (str.const "a"))
(assert_return (invoke "echo" (str.const "abc")) (str.const "abc"))
(assert_return (invoke "echo" (str.const "\u{ff}\u{fe}")) (str.const "\u{ff}\u{fe}"))
(assert_return (invoke "echo" (str.const "\u{100}")) (str.const "\u{100}"))
(assert_return (invoke "echo" (str.const "caf\u{e9} \u{20ac}")) (str.const "caf\u{e9} \u{20ac}"))
(assert_return (invoke "echo" (str.const "\u{1f600}")) (str.const "\u{1f600}"))
(assert_return (invoke "echo" (str.const "mixed \u{e9}\u{1f600}\u{800} end")) (str.const "mixed \u{e9}\u{1f600}\u{800} end"))
(assert_return (invoke "echo" (str.const "\00")) (str.const "\00"))

(component
  (component $inner
    (core module $core
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
      (func (export "echo") (param i32 i32) (result i32)
        (i32.store (i32.const 16) (local.get 0))
        (i32.store (i32.const 20) (local.get 1))
        (i32.const 16)))
    (core instance $core (instantiate $core))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=utf16
        (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
  (instance $inner (instantiate $inner))
  (component $outer
    (import "echo" (func $echo (param "text" string) (result string)))
    (core module $memory
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
)
    (core instance $memory (instantiate $memory))
    (core func $echo (canon lower (func $echo) string-encoding=utf8
      (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
    (core module $core
      (import "" "echo" (func $echo (param i32 i32 i32)))
      (func (export "echo") (param i32 i32) (result i32)
        (call $echo (local.get 0) (local.get 1) (i32.const 32))
        (i32.const 32)))
    (core instance $core (instantiate $core (with "" (instance (export "echo" (func $echo))))))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=utf8
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))
  (instance $outer (instantiate $outer (with "echo" (func $inner "echo"))))
  (export "echo" (func $outer "echo")))
(assert_return (invoke "echo" (str.const "")) (str.const ""))
(assert_return (invoke "echo" (str.const "a")) (str.const "a"))
(assert_return (invoke "echo" (str.const "abc")) (str.const "abc"))
(assert_return (invoke "echo" (str.const "\u{ff}\u{fe}")) (str.const "\u{ff}\u{fe}"))
(assert_return (invoke "echo" (str.const "\u{100}")) (str.const "\u{100}"))
(assert_return (invoke "echo" (str.const "caf\u{e9} \u{20ac}")) (str.const "caf\u{e9} \u{20ac}"))
(assert_return (invoke "echo" (str.const "\u{1f600}")) (str.const "\u{1f600}"))
(assert_return (invoke "echo" (str.const "mixed \u{e9}\u{1f600}\u{800} end")) (str.const "mixed \u{e9}\u{1f600}\u{800} end"))
(assert_return (invoke "echo" (str.const "\00")) (str.const "\00"))

(component
  (component $inner
    (core module $core
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
      (func (export "echo") (param i32 i32) (result i32)
        (i32.store (i32.const 16) (local.get 0))
        (i32.store (i32.const 20) (local.get 1))
        (i32.const 16)))
    (core instance $core (instantiate $core))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=latin1+utf16
        (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
  (instance $inner (instantiate $inner))
  (component $outer
    (import "echo" (func $echo (param "text" string) (result string)))
    (core module $memory
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
)
    (core instance $memory (instantiate $memory))
    (core func $echo (canon lower (func $echo) string-encoding=utf8
      (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
    (core module $core
      (import "" "echo" (func $echo (param i32 i32 i32)))
      (func (export "echo") (param i32 i32) (result i32)
        (call $echo (local.get 0) (local.get 1) (i32.const 32))
        (i32.const 32)))
    (core instance $core (instantiate $core (with "" (instance (export "echo" (func $echo))))))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=utf8
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))
  (instance $outer (instantiate $outer (with "echo" (func $inner "echo"))))
  (export "echo" (func $outer "echo")))
(assert_return (invoke "echo" (str.const "")) (str.const ""))
(assert_return (invoke "echo" (str.const "a")) (str.const "a"))
(assert_return (invoke "echo" (str.const "abc")) (str.const "abc"))
(assert_return (invoke "echo" (str.const "\u{ff}\u{fe}")) (str.const "\u{ff}\u{fe}"))
(assert_return (invoke "echo" (str.const "\u{100}")) (str.const "\u{100}"))
(assert_return (invoke "echo" (str.const "caf\u{e9} \u{20ac}")) (str.const "caf\u{e9} \u{20ac}"))
(assert_return (invoke "echo" (str.const "\u{1f600}")) (str.const "\u{1f600}"))
(assert_return (invoke "echo" (str.const "mixed \u{e9}\u{1f600}\u{800} end")) (str.const "mixed \u{e9}\u{1f600}\u{800} end"))
(assert_return (invoke "echo" (str.const "\00")) (str.const "\00"))

(component
  (component $inner
    (core module $core
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
      (func (export "echo") (param i32 i32) (result i32)
        (i32.store (i32.const 16) (local.get 0))
        (i32.store (i32.const 20) (local.get 1))
        (i32.const 16)))
    (core instance $core (instantiate $core))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=utf8
        (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
  (instance $inner (instantiate $inner))
  (component $outer
    (import "echo" (func $echo (param "text" string) (result string)))
    (core module $memory
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
)
    (core instance $memory (instantiate $memory))
    (core func $echo (canon lower (func $echo) string-encoding=utf16
      (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
    (core module $core
      (import "" "echo" (func $echo (param i32 i32 i32)))
      (func (export "echo") (param i32 i32) (result i32)
        (call $echo (local.get 0) (local.get 1) (i32.const 32))
        (i32.const 32)))
    (core instance $core (instantiate $core (with "" (instance (export "echo" (func $echo))))))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=utf16
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))
  (instance $outer (instantiate $outer (with "echo" (func $inner "echo"))))
  (export "echo" (func $outer "echo")))
(assert_return (invoke "echo" (str.const "")) (str.const ""))
(assert_return (invoke "echo" (str.const "a")) (str.const "a"))
(assert_return (invoke "echo" (str.const "abc")) (str.const "abc"))
(assert_return (invoke "echo" (str.const "\u{ff}\u{fe}")) (str.const "\u{ff}\u{fe}"))
(assert_return (invoke "echo" (str.const "\u{100}")) (str.const "\u{100}"))
(assert_return (invoke "echo" (str.const "caf\u{e9} \u{20ac}")) (str.const "caf\u{e9} \u{20ac}"))
(assert_return (invoke "echo" (str.const "\u{1f600}")) (str.const "\u{1f600}"))
(assert_return (invoke "echo" (str.const "mixed \u{e9}\u{1f600}\u{800} end")) (str.const "mixed \u{e9}\u{1f600}\u{800} end"))
(assert_return (invoke "echo" (str.const "\00")) (str.const "\00"))

(component
  (component $inner
    (core module $core
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
      (func (export "echo") (param i32 i32) (result i32)
        (i32.store (i32.const 16) (local.get 0))
        (i32.store (i32.const 20) (local.get 1))
        (i32.const 16)))
    (core instance $core (instantiate $core))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=utf16
        (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
  (instance $inner (instantiate $inner))
  (component $outer
    (import "echo" (func $echo (param "text" string) (result string)))
    (core module $memory
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
)
    (core instance $memory (instantiate $memory))
    (core func $echo (canon lower (func $echo) string-encoding=utf16
      (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
    (core module $core
      (import "" "echo" (func $echo (param i32 i32 i32)))
      (func (export "echo") (param i32 i32) (result i32)
        (call $echo (local.get 0) (local.get 1) (i32.const 32))
        (i32.const 32)))
    (core instance $core (instantiate $core (with "" (instance (export "echo" (func $echo))))))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=utf16
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))
  (instance $outer (instantiate $outer (with "echo" (func $inner "echo"))))
  (export "echo" (func $outer "echo")))
(assert_return (invoke "echo" (str.const "")) (str.const ""))
(assert_return (invoke "echo" (str.const "a")) (str.const "a"))
(assert_return (invoke "echo" (str.const "abc")) (str.const "abc"))
(assert_return (invoke "echo" (str.const "\u{ff}\u{fe}")) (str.const "\u{ff}\u{fe}"))
(assert_return (invoke "echo" (str.const "\u{100}")) (str.const "\u{100}"))
(assert_return (invoke "echo" (str.const "caf\u{e9} \u{20ac}")) (str.const "caf\u{e9} \u{20ac}"))
(assert_return (invoke "echo" (str.const "\u{1f600}")) (str.const "\u{1f600}"))
(assert_return (invoke "echo" (str.const "mixed \u{e9}\u{1f600}\u{800} end")) (str.const "mixed \u{e9}\u{1f600}\u{800} end"))
(assert_return (invoke "echo" (str.const "\00")) (str.const "\00"))

(component
  (component $inner
    (core module $core
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
      (func (export "echo") (param i32 i32) (result i32)
        (i32.store (i32.const 16) (local.get 0))
        (i32.store (i32.const 20) (local.get 1))
        (i32.const 16)))
    (core instance $core (instantiate $core))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=latin1+utf16
        (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
  (instance $inner (instantiate $inner))
  (component $outer
    (import "echo" (func $echo (param "text" string) (result string)))
    (core module $memory
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
)
    (core instance $memory (instantiate $memory))
    (core func $echo (canon lower (func $echo) string-encoding=utf16
      (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
    (core module $core
      (import "" "echo" (func $echo (param i32 i32 i32)))
      (func (export "echo") (param i32 i32) (result i32)
        (call $echo (local.get 0) (local.get 1) (i32.const 32))
        (i32.const 32)))
    (core instance $core (instantiate $core (with "" (instance (export "echo" (func $echo))))))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=utf16
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))
  (instance $outer (instantiate $outer (with "echo" (func $inner "echo"))))
  (export "echo" (func $outer "echo")))
(assert_return (invoke "echo" (str.const "")) (str.const ""))
(assert_return (invoke "echo" (str.const "a")) (str.const "a"))
(assert_return (invoke "echo" (str.const "abc")) (str.const "abc"))
(assert_return (invoke "echo" (str.const "\u{ff}\u{fe}")) (str.const "\u{ff}\u{fe}"))
(assert_return (invoke "echo" (str.const "\u{100}")) (str.const "\u{100}"))
(assert_return (invoke "echo" (str.const "caf\u{e9} \u{20ac}")) (str.const "caf\u{e9} \u{20ac}"))
(assert_return (invoke "echo" (str.const "\u{1f600}")) (str.const "\u{1f600}"))
(assert_return (invoke "echo" (str.const "mixed \u{e9}\u{1f600}\u{800} end")) (str.const "mixed \u{e9}\u{1f600}\u{800} end"))
(assert_return (invoke "echo" (str.const "\00")) (str.const "\00"))

(component
  (component $inner
    (core module $core
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
      (func (export "echo") (param i32 i32) (result i32)
        (i32.store (i32.const 16) (local.get 0))
        (i32.store (i32.const 20) (local.get 1))
        (i32.const 16)))
    (core instance $core (instantiate $core))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=utf8
        (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
  (instance $inner (instantiate $inner))
  (component $outer
    (import "echo" (func $echo (param "text" string) (result string)))
    (core module $memory
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
)
    (core instance $memory (instantiate $memory))
    (core func $echo (canon lower (func $echo) string-encoding=latin1+utf16
      (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
    (core module $core
      (import "" "echo" (func $echo (param i32 i32 i32)))
      (func (export "echo") (param i32 i32) (result i32)
        (call $echo (local.get 0) (local.get 1) (i32.const 32))
        (i32.const 32)))
    (core instance $core (instantiate $core (with "" (instance (export "echo" (func $echo))))))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=latin1+utf16
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))
  (instance $outer (instantiate $outer (with "echo" (func $inner "echo"))))
  (export "echo" (func $outer "echo")))
(assert_return (invoke "echo" (str.const "")) (str.const ""))
(assert_return (invoke "echo" (str.const "a")) (str.const "a"))
(assert_return (invoke "echo" (str.const "abc")) (str.const "abc"))
(assert_return (invoke "echo" (str.const "\u{ff}\u{fe}")) (str.const "\u{ff}\u{fe}"))
(assert_return (invoke "echo" (str.const "\u{100}")) (str.const "\u{100}"))
(assert_return (invoke "echo" (str.const "caf\u{e9} \u{20ac}")) (str.const "caf\u{e9} \u{20ac}"))
(assert_return (invoke "echo" (str.const "\u{1f600}")) (str.const "\u{1f600}"))
(assert_return (invoke "echo" (str.const "mixed \u{e9}\u{1f600}\u{800} end")) (str.const "mixed \u{e9}\u{1f600}\u{800} end"))
(assert_return (invoke "echo" (str.const "\00")) (str.const "\00"))

(component
  (component $inner
    (core module $core
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
      (func (export "echo") (param i32 i32) (result i32)
        (i32.store (i32.const 16) (local.get 0))
        (i32.store (i32.const 20) (local.get 1))
        (i32.const 16)))
    (core instance $core (instantiate $core))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=utf16
        (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
  (instance $inner (instantiate $inner))
  (component $outer
    (import "echo" (func $echo (param "text" string) (result string)))
    (core module $memory
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
)
    (core instance $memory (instantiate $memory))
    (core func $echo (canon lower (func $echo) string-encoding=latin1+utf16
      (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
    (core module $core
      (import "" "echo" (func $echo (param i32 i32 i32)))
      (func (export "echo") (param i32 i32) (result i32)
        (call $echo (local.get 0) (local.get 1) (i32.const 32))
        (i32.const 32)))
    (core instance $core (instantiate $core (with "" (instance (export "echo" (func $echo))))))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=latin1+utf16
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))
  (instance $outer (instantiate $outer (with "echo" (func $inner "echo"))))
  (export "echo" (func $outer "echo")))
(assert_return (invoke "echo" (str.const "")) (str.const ""))
(assert_return (invoke "echo" (str.const "a")) (str.const "a"))
(assert_return (invoke "echo" (str.const "abc")) (str.const "abc"))
(assert_return (invoke "echo" (str.const "\u{ff}\u{fe}")) (str.const "\u{ff}\u{fe}"))
(assert_return (invoke "echo" (str.const "\u{100}")) (str.const "\u{100}"))
(assert_return (invoke "echo" (str.const "caf\u{e9} \u{20ac}")) (str.const "caf\u{e9} \u{20ac}"))
(assert_return (invoke "echo" (str.const "\u{1f600}")) (str.const "\u{1f600}"))
(assert_return (invoke "echo" (str.const "mixed \u{e9}\u{1f600}\u{800} end")) (str.const "mixed \u{e9}\u{1f600}\u{800} end"))
(assert_return (invoke "echo" (str.const "\00")) (str.const "\00"))

(component
  (component $inner
    (core module $core
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
      (func (export "echo") (param i32 i32) (result i32)
        (i32.store (i32.const 16) (local.get 0))
        (i32.store (i32.const 20) (local.get 1))
        (i32.const 16)))
    (core instance $core (instantiate $core))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=latin1+utf16
        (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
  (instance $inner (instantiate $inner))
  (component $outer
    (import "echo" (func $echo (param "text" string) (result string)))
    (core module $memory
      (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.or (local.get $old) (local.get $had)) (then unreachable))
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
)
    (core instance $memory (instantiate $memory))
    (core func $echo (canon lower (func $echo) string-encoding=latin1+utf16
      (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
    (core module $core
      (import "" "echo" (func $echo (param i32 i32 i32)))
      (func (export "echo") (param i32 i32) (result i32)
        (call $echo (local.get 0) (local.get 1) (i32.const 32))
        (i32.const 32)))
    (core instance $core (instantiate $core (with "" (instance (export "echo" (func $echo))))))
    (func (export "echo") (param "text" string) (result string)
      (canon lift (core func $core "echo") string-encoding=latin1+utf16
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))
  (instance $outer (instantiate $outer (with "echo" (func $inner "echo"))))
  (export "echo" (func $outer "echo")))
(assert_return (invoke "echo" (str.const "")) (str.const ""))
(assert_return (invoke "echo" (str.const "a")) (str.const "a"))
(assert_return (invoke "echo" (str.const "abc")) (str.const "abc"))
(assert_return (invoke "echo" (str.const "\u{ff}\u{fe}")) (str.const "\u{ff}\u{fe}"))
(assert_return (invoke "echo" (str.const "\u{100}")) (str.const "\u{100}"))
(assert_return (invoke "echo" (str.const "caf\u{e9} \u{20ac}")) (str.const "caf\u{e9} \u{20ac}"))
(assert_return (invoke "echo" (str.const "\u{1f600}")) (str.const "\u{1f600}"))
(assert_return (invoke "echo" (str.const "mixed \u{e9}\u{1f600}\u{800} end")) (str.const "mixed \u{e9}\u{1f600}\u{800} end"))
(assert_return (invoke "echo" (str.const "\00")) (str.const "\00"))


;; Values that the canonical ABI refuses: each traps, and its component instance cannot be called again.

(component definition $values
  (core module $core
    (memory (export "memory") 2)
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
    (func (export "reset") (param i32) (global.set $next (i32.const 4096)))
    (func (export "i32") (param i32) (result i32) (local.get 0))
    (func (export "i64") (param i64) (result i64) (local.get 0))
    (func (export "f32") (param f32) (result f32) (local.get 0))
    (func (export "f64") (param f64) (result f64) (local.get 0))
    (func (export "pair") (param i32 i32) (result i32)
      (i32.store (i32.const 16) (local.get 0))
      (i32.store (i32.const 20) (local.get 1))
      (i32.const 16))
    (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1))))
  (core instance $core (instantiate $core))
  (alias core export $core "memory" (core memory $memory))
  (alias core export $core "realloc" (core func $realloc))
  (alias core export $core "reset" (core func $reset))
  (type $enum' (enum "a" "b" "c"))
  (export $enum "enum-type" (type $enum'))
  (func (export "to-char") (param "v" u32) (result char) (canon lift (core func $core "i32")))
  (func (export "to-enum") (param "v" u32) (result $enum) (canon lift (core func $core "i32")))
  (func (export "to-result") (param "v" u32) (result (result)) (canon lift (core func $core "i32")))
  (func (export "u32") (param "v" u32) (result u32) (canon lift (core func $core "i32")))
  ;; Reads values from where the argument says.
  (func (export "at-string") (param "v" u32) (result string) (canon lift (core func $core "i32") (memory $memory)))
  (func (export "at-list") (param "v" u32) (result (list u64)) (canon lift (core func $core "i32") (memory $memory)))
  (func (export "at-pair") (param "v" u32) (result (tuple u64 u64)) (canon lift (core func $core "i32") (memory $memory)))
  (func (export "at-option") (param "v" u32) (result (option u64)) (canon lift (core func $core "i32") (memory $memory)))
  ;; Reads a string or list whose address and length are the arguments.
  (func (export "utf8") (param "at" u32) (param "len" u32) (result string) (canon lift (core func $core "pair") (memory $memory) string-encoding=utf8))
  (func (export "utf16") (param "at" u32) (param "len" u32) (result string) (canon lift (core func $core "pair") (memory $memory) string-encoding=utf16))
  (func (export "latin1-utf16") (param "at" u32) (param "len" u32) (result string) (canon lift (core func $core "pair") (memory $memory) string-encoding=latin1+utf16))
  (func (export "bytes") (param "at" u32) (param "len" u32) (result (list u8)) (canon lift (core func $core "pair") (memory $memory)))
  (func (export "longs") (param "at" u32) (param "len" u32) (result (list u64)) (canon lift (core func $core "pair") (memory $memory)))
  (func (export "bools") (param "at" u32) (param "len" u32) (result (list bool)) (canon lift (core func $core "pair") (memory $memory)))
  (func (export "chars") (param "at" u32) (param "len" u32) (result (list char)) (canon lift (core func $core "pair") (memory $memory)))
  (func (export "strings") (param "at" u32) (param "len" u32) (result (list string)) (canon lift (core func $core "pair") (memory $memory)))
  (func (export "tuples") (param "at" u32) (param "len" u32) (result (list (tuple u8 u32))) (canon lift (core func $core "pair") (memory $memory)))
  (func (export "lists") (param "at" u32) (param "len" u32) (result (list (list (list u8)))) (canon lift (core func $core "pair") (memory $memory)))
  (func (export "store") (param "at" u32) (param "v" u32) (canon lift (core func $core "store"))))

(component instance $i $values)
(assert_trap (invoke $i "to-char" (u32.const 0xd800)) "invalid `char` bit pattern")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "to-char" (u32.const 0xdfff)) "invalid `char` bit pattern")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "to-char" (u32.const 0x110000)) "invalid `char` bit pattern")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "to-char" (u32.const 0xffffffff)) "invalid `char` bit pattern")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "to-enum" (u32.const 3)) "invalid variant discriminant")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "to-enum" (u32.const 0xffffffff)) "invalid variant discriminant")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "to-enum" (u32.const 0x103)) "invalid variant discriminant")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "to-result" (u32.const 2)) "invalid variant discriminant")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-string" (u32.const 1)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-string" (u32.const 2)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-string" (u32.const 3)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-string" (u32.const 0x20000)) "pointer out of bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-string" (u32.const 0x1fffc)) "pointer out of bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-string" (u32.const 0xfffffffc)) "pointer out of bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-list" (u32.const 1)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-list" (u32.const 2)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-list" (u32.const 3)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-list" (u32.const 0x20000)) "pointer out of bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-list" (u32.const 0x1fffc)) "pointer out of bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-list" (u32.const 0xfffffffc)) "pointer out of bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-pair" (u32.const 4)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-pair" (u32.const 2)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-pair" (u32.const 0x1fff8)) "pointer out of bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-pair" (u32.const 0xfffffff8)) "pointer out of bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-option" (u32.const 4)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "at-option" (u32.const 0x1fff8)) "out of bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 2)))
(assert_trap (invoke $i "at-option" (u32.const 64)) "invalid variant discriminant")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 131071)))
(assert_return (invoke $i "store" (u32.const 68) (u32.const 2)))
(assert_trap (invoke $i "at-string" (u32.const 64)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf8" (u32.const 0x20000) (u32.const 0x1)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf8" (u32.const 0x20002) (u32.const 0x0)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf8" (u32.const 0x0) (u32.const 0x20001)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf8" (u32.const 0xfffffffe) (u32.const 0x2)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf8" (u32.const 0x2) (u32.const 0xffffffff)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf8" (u32.const 0x2) (u32.const 0x7fffffff)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf8" (u32.const 0x2) (u32.const 0x80000000)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf8" (u32.const 0x2) (u32.const 0x10000000)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf8" (u32.const 0x1fffe) (u32.const 0x3)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf16" (u32.const 1) (u32.const 0)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf16" (u32.const 0x1ffff) (u32.const 1)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf16" (u32.const 0x20000) (u32.const 0x1)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf16" (u32.const 0x20002) (u32.const 0x0)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf16" (u32.const 0x0) (u32.const 0x20001)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf16" (u32.const 0xfffffffe) (u32.const 0x2)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf16" (u32.const 0x2) (u32.const 0xffffffff)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf16" (u32.const 0x2) (u32.const 0x7fffffff)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf16" (u32.const 0x2) (u32.const 0x80000000)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf16" (u32.const 0x2) (u32.const 0x10000000)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "utf16" (u32.const 0x1fffe) (u32.const 0x3)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "latin1-utf16" (u32.const 1) (u32.const 0)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "latin1-utf16" (u32.const 0x1ffff) (u32.const 1)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "latin1-utf16" (u32.const 0x20000) (u32.const 0x1)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "latin1-utf16" (u32.const 0x20002) (u32.const 0x0)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "latin1-utf16" (u32.const 0x0) (u32.const 0x20001)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "latin1-utf16" (u32.const 0xfffffffe) (u32.const 0x2)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "latin1-utf16" (u32.const 0x2) (u32.const 0xffffffff)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "latin1-utf16" (u32.const 0x2) (u32.const 0x7fffffff)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "latin1-utf16" (u32.const 0x2) (u32.const 0x10000000)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "latin1-utf16" (u32.const 0x1fffe) (u32.const 0x80000002)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0xff)))
(assert_trap (invoke $i "utf8" (u32.const 64) (u32.const 1)) "invalid utf-8 sequence")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0x80)))
(assert_trap (invoke $i "utf8" (u32.const 64) (u32.const 1)) "invalid utf-8 sequence")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0xafc0)))
(assert_trap (invoke $i "utf8" (u32.const 64) (u32.const 2)) "invalid utf-8 sequence")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0x80a0ed)))
(assert_trap (invoke $i "utf8" (u32.const 64) (u32.const 3)) "invalid utf-8 sequence")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0x808080f0)))
(assert_trap (invoke $i "utf8" (u32.const 64) (u32.const 4)) "invalid utf-8 sequence")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0x808090f4)))
(assert_trap (invoke $i "utf8" (u32.const 64) (u32.const 4)) "invalid utf-8 sequence")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0xc3)))
(assert_trap (invoke $i "utf8" (u32.const 64) (u32.const 1)) "invalid utf-8 sequence")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0x8080e0)))
(assert_trap (invoke $i "utf8" (u32.const 64) (u32.const 3)) "invalid utf-8 sequence")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0xd800)))
(assert_trap (invoke $i "utf16" (u32.const 64) (u32.const 1)) "unpaired surrogate")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0xd800)))
(assert_trap (invoke $i "latin1-utf16" (u32.const 64) (u32.const 0x80000001)) "unpaired surrogate")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0xdc00)))
(assert_trap (invoke $i "utf16" (u32.const 64) (u32.const 1)) "unpaired surrogate")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0xdc00)))
(assert_trap (invoke $i "latin1-utf16" (u32.const 64) (u32.const 0x80000001)) "unpaired surrogate")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0xdc00dc00)))
(assert_trap (invoke $i "utf16" (u32.const 64) (u32.const 2)) "unpaired surrogate")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0xdc00dc00)))
(assert_trap (invoke $i "latin1-utf16" (u32.const 64) (u32.const 0x80000002)) "unpaired surrogate")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0xd800d800)))
(assert_trap (invoke $i "utf16" (u32.const 64) (u32.const 2)) "unpaired surrogate")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0xd800d800)))
(assert_trap (invoke $i "latin1-utf16" (u32.const 64) (u32.const 0x80000002)) "unpaired surrogate")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0x61d800)))
(assert_trap (invoke $i "utf16" (u32.const 64) (u32.const 2)) "unpaired surrogate")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0x61d800)))
(assert_trap (invoke $i "latin1-utf16" (u32.const 64) (u32.const 0x80000002)) "unpaired surrogate")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0xd83ddc00)))
(assert_trap (invoke $i "utf16" (u32.const 64) (u32.const 2)) "unpaired surrogate")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 0xd83ddc00)))
(assert_trap (invoke $i "latin1-utf16" (u32.const 64) (u32.const 0x80000002)) "unpaired surrogate")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "bytes" (u32.const 0x20000) (u32.const 0x1)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "bytes" (u32.const 0x20001) (u32.const 0x0)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "bytes" (u32.const 0x0) (u32.const 0x20001)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "bytes" (u32.const 0x8) (u32.const 0xffffffff)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "bytes" (u32.const 0x8) (u32.const 0x20000000)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "bytes" (u32.const 0x8) (u32.const 0x10000000)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "bytes" (u32.const 0xfffffff8) (u32.const 0x8)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "longs" (u32.const 1) (u32.const 0)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "longs" (u32.const 4) (u32.const 1)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "longs" (u32.const 0x20000) (u32.const 0x1)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "longs" (u32.const 0x20008) (u32.const 0x0)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "longs" (u32.const 0x0) (u32.const 0x4001)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "longs" (u32.const 0x8) (u32.const 0xffffffff)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "longs" (u32.const 0x8) (u32.const 0x20000000)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "longs" (u32.const 0x8) (u32.const 0x10000000)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "longs" (u32.const 0xfffffff8) (u32.const 0x8)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "bools" (u32.const 0x20000) (u32.const 0x1)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "bools" (u32.const 0x20001) (u32.const 0x0)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "bools" (u32.const 0x0) (u32.const 0x20001)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "bools" (u32.const 0x8) (u32.const 0xffffffff)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "bools" (u32.const 0x8) (u32.const 0x20000000)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "bools" (u32.const 0x8) (u32.const 0x10000000)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "bools" (u32.const 0xfffffff8) (u32.const 0x8)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "chars" (u32.const 1) (u32.const 0)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "chars" (u32.const 2) (u32.const 1)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "chars" (u32.const 0x20000) (u32.const 0x1)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "chars" (u32.const 0x20004) (u32.const 0x0)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "chars" (u32.const 0x0) (u32.const 0x8001)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "chars" (u32.const 0x8) (u32.const 0xffffffff)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "chars" (u32.const 0x8) (u32.const 0x20000000)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "chars" (u32.const 0x8) (u32.const 0x10000000)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "chars" (u32.const 0xfffffff8) (u32.const 0x8)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "strings" (u32.const 1) (u32.const 0)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "strings" (u32.const 2) (u32.const 1)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "strings" (u32.const 0x20000) (u32.const 0x1)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "strings" (u32.const 0x20004) (u32.const 0x0)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "strings" (u32.const 0x0) (u32.const 0x4001)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "strings" (u32.const 0x8) (u32.const 0xffffffff)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "strings" (u32.const 0x8) (u32.const 0x20000000)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "strings" (u32.const 0x8) (u32.const 0x10000000)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "strings" (u32.const 0xfffffff8) (u32.const 0x8)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "tuples" (u32.const 1) (u32.const 0)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "tuples" (u32.const 2) (u32.const 1)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "tuples" (u32.const 0x20000) (u32.const 0x1)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "tuples" (u32.const 0x20004) (u32.const 0x0)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "tuples" (u32.const 0x0) (u32.const 0x4001)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "tuples" (u32.const 0x8) (u32.const 0xffffffff)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "tuples" (u32.const 0x8) (u32.const 0x20000000)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "tuples" (u32.const 0x8) (u32.const 0x10000000)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "tuples" (u32.const 0xfffffff8) (u32.const 0x8)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "lists" (u32.const 1) (u32.const 0)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "lists" (u32.const 2) (u32.const 1)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "lists" (u32.const 0x20000) (u32.const 0x1)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "lists" (u32.const 0x20004) (u32.const 0x0)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "lists" (u32.const 0x0) (u32.const 0x4001)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "lists" (u32.const 0x8) (u32.const 0xffffffff)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "lists" (u32.const 0x8) (u32.const 0x20000000)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "lists" (u32.const 0x8) (u32.const 0x10000000)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_trap (invoke $i "lists" (u32.const 0xfffffff8) (u32.const 0x8)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 65)))
(assert_return (invoke $i "store" (u32.const 68) (u32.const 55996)))
(assert_trap (invoke $i "chars" (u32.const 64) (u32.const 2)) "invalid `char` bit pattern")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 131072)))
(assert_return (invoke $i "store" (u32.const 68) (u32.const 1)))
(assert_trap (invoke $i "strings" (u32.const 64) (u32.const 1)) "string content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 80)))
(assert_return (invoke $i "store" (u32.const 68) (u32.const 1)))
(assert_return (invoke $i "store" (u32.const 80) (u32.const 255)))
(assert_trap (invoke $i "strings" (u32.const 64) (u32.const 1)) "invalid utf-8")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 131072)))
(assert_return (invoke $i "store" (u32.const 68) (u32.const 1)))
(assert_trap (invoke $i "lists" (u32.const 64) (u32.const 1)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 81)))
(assert_return (invoke $i "store" (u32.const 68) (u32.const 1)))
(assert_trap (invoke $i "lists" (u32.const 64) (u32.const 1)) "unaligned pointer")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

(component instance $i $values)
(assert_return (invoke $i "store" (u32.const 64) (u32.const 80)))
(assert_return (invoke $i "store" (u32.const 68) (u32.const 1)))
(assert_return (invoke $i "store" (u32.const 80) (u32.const 0)))
(assert_return (invoke $i "store" (u32.const 84) (u32.const 131073)))
(assert_trap (invoke $i "lists" (u32.const 64) (u32.const 1)) "list content out-of-bounds")
(assert_trap (invoke $i "u32" (u32.const 1)) "cannot enter component instance")

;; What lies at the very end of memory is there, and empty lists may lie right after it.
(component instance $i $values)
(assert_return (invoke $i "bytes" (u32.const 0x1ffff) (u32.const 1)) (list.const (u8.const 0)))
(assert_return (invoke $i "bytes" (u32.const 0x20000) (u32.const 0)) (list.const))
(assert_return (invoke $i "longs" (u32.const 0x1fff8) (u32.const 1)) (list.const (u64.const 0)))
(assert_return (invoke $i "longs" (u32.const 0x20000) (u32.const 0)) (list.const))
(assert_return (invoke $i "utf8" (u32.const 0x20000) (u32.const 0)) (str.const ""))
(assert_return (invoke $i "utf16" (u32.const 0x1fffe) (u32.const 1)) (str.const "\00"))
(assert_return (invoke $i "latin1-utf16" (u32.const 0x1fffe) (u32.const 2)) (str.const "\00\00"))
(assert_return (invoke $i "latin1-utf16" (u32.const 0x1fffe) (u32.const 0x80000001)) (str.const "\00"))
(assert_return (invoke $i "at-pair" (u32.const 0x1fff0)) (tuple.const (u64.const 0) (u64.const 0)))
(assert_return (invoke $i "at-string" (u32.const 0x1fff8)) (str.const ""))

;; Returns an i64 where an i32 is promised.
(module
  (func $fine)
  (func $wrong (export "_start") (result i32) (i64.const 1)))

;; Needs `answer` and `limit` of preloaded modules.
(module
  (import "lib" "answer" (func $answer (result i32)))
  (import "math" "limit" (global $limit i32))
  (func (export "sum") (result i32) (i32.add (call $answer) (global.get $limit))))

;; Calls itself until the stack is used up.
(module (func $down (export "_start") (call $down) (nop)))

;; Asks twice for a gibibyte, and aborts when it does not get it.
(module
  (memory (export "memory") 1)
  (func $abort (unreachable))
  (func (export "_start")
    (drop (memory.grow (i32.const 16384)))
    (if (i32.eq (memory.grow (i32.const 16384)) (i32.const -1)) (then (call $abort)))))

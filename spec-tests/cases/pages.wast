;; Sizes in pages fit 32 bits, also with pages of one byte.
(module
  (memory 0 (pagesize 1))
  (table 1 externref)
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "size") (result i32) (memory.size))
  (func (export "at") (result externref) (table.get (i32.add (memory.size) (i32.const 1)))))

(assert_return (invoke "grow" (i32.const -1)) (i32.const 0))
(assert_return (invoke "grow" (i32.const 1)) (i32.const -1))
(assert_return (invoke "size") (i32.const -1))
(assert_return (invoke "at") (ref.null extern))

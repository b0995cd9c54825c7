;; Targets that need moves, a return or a back-edge get code of their own, once each.
(module
  (func $switch (param i32) (result i32)
    (block $c (block $b (block $a
      (br_table $a $b $a $c (local.get 0)))
      (return (i32.const 10)))
      (return (i32.const 20)))
    (i32.const 30))
  (func $values (param i32 i32) (result i32)
    (block $one (result i32)
      (block $two (result i32)
        (br_table $one $two 2 $one (local.get 1) (local.get 0)))
      (i32.add (i32.const 5))))
  (func $machine (param i32)
    (loop $again
      (block $next
        (br_table $next $again 2 (local.get 0)))
      (local.set 0 (i32.const 1))
      (br $again))))

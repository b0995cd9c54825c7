;; fuel: a charge per region, checked at entries and loop headers.
(module
  (func $straight (param i32) (result i32)
    (i32.add (i32.mul (local.get 0) (local.get 0)) (i32.const 1)))
  (func $loop (param i32)
    (loop
      (if (i32.and (local.get 0) (i32.const 1)) (then (nop) (drop (i32.const 1))))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))

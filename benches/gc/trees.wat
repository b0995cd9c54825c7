;; Binary trees, after the benchmarks game: one tree that outlives everything and many short-lived ones, built bottom
;; up and counted. run(depth) returns a checksum over all node counts.
(module
  (rec (type $tree (struct (field $left (ref null $tree)) (field $right (ref null $tree)))))

  (func $build (param $depth i32) (result (ref $tree))
    (if (result (ref $tree)) (local.get $depth)
      (then
        (struct.new $tree
          (call $build (i32.sub (local.get $depth) (i32.const 1)))
          (call $build (i32.sub (local.get $depth) (i32.const 1)))))
      (else (struct.new_default $tree))))

  (func $count (param $tree (ref $tree)) (result i32)
    (local $left (ref null $tree))
    (if (ref.is_null (local.tee $left (struct.get $tree $left (local.get $tree))))
      (then (return (i32.const 1))))
    (i32.add
      (i32.const 1)
      (i32.add
        (call $count (ref.as_non_null (local.get $left)))
        (call $count (ref.as_non_null (struct.get $tree $right (local.get $tree)))))))

  (func $mix (param $sum i64) (param $n i32) (result i64)
    (i64.add (i64.mul (local.get $sum) (i64.const 31)) (i64.extend_i32_u (local.get $n))))

  (func (export "run") (param $depth i32) (result i64)
    (local $sum i64)
    (local $kept (ref $tree))
    (local $d i32)
    (local $i i32)
    (local $check i32)
    (local.set $sum (i64.extend_i32_u (call $count (call $build (i32.add (local.get $depth) (i32.const 1))))))
    (local.set $kept (call $build (local.get $depth)))
    (local.set $d (i32.const 4))
    (block $done
      (loop $depths
        (br_if $done (i32.gt_s (local.get $d) (local.get $depth)))
        (local.set $i (i32.shl (i32.const 1) (i32.add (i32.sub (local.get $depth) (local.get $d)) (i32.const 4))))
        (local.set $check (i32.const 0))
        (loop $trees
          (local.set $check (i32.add (local.get $check) (call $count (call $build (local.get $d)))))
          (br_if $trees (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        (local.set $sum (call $mix (local.get $sum) (local.get $check)))
        (local.set $d (i32.add (local.get $d) (i32.const 2)))
        (br $depths)))
    (call $mix (local.get $sum) (call $count (local.get $kept)))))

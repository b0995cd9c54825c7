;; The rate of allocation: run(n) makes n structs of 24 bytes of fields, of which the last 1000 stay alive, and returns
;; a checksum over those.
(module
  (type $item (struct (field $a i64) (field $b i64) (field $c i64)))
  (type $ring (array (mut (ref null $item))))

  (func (export "run") (param $n i32) (result i64)
    (local $ring (ref $ring))
    (local $i i32)
    (local $at i32)
    (local $sum i64)
    (local $item (ref null $item))
    (local.set $ring (array.new_default $ring (i32.const 1000)))
    (block $done
      (loop $items
        (br_if $done (i32.eq (local.get $i) (local.get $n)))
        (array.set $ring (local.get $ring) (local.get $at)
          (struct.new $item
            (i64.extend_i32_u (local.get $i))
            (i64.extend_i32_u (local.get $at))
            (i64.const 7)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (if (i32.eq (local.get $at) (i32.const 1000)) (then (local.set $at (i32.const 0))))
        (br $items)))
    (local.set $at (i32.const 0))
    (loop $sums
      (local.set $item (array.get $ring (local.get $ring) (local.get $at)))
      (if (i32.eqz (ref.is_null (local.get $item)))
        (then
          (local.set $sum
            (i64.add
              (i64.mul (local.get $sum) (i64.const 31))
              (i64.add
                (struct.get $item $a (local.get $item))
                (i64.mul (struct.get $item $b (local.get $item)) (struct.get $item $c (local.get $item))))))))
      (br_if $sums
        (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 1000))))
    (local.get $sum)))

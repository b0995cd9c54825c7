;; Every place that can hold the only reference to an object, while garbage is made. Run with a collection at
;; every allocation as well, a reference that the collector does not find shows at once.

(module
  (type $node (sub (struct (field $value (mut i32)) (field $next (mut (ref null $node))))))
  (type $wide (struct (field i8) (field v128) (field f64) (field (ref null $node)) (field funcref)))
  (type $nodes (array (mut (ref null $node))))
  (type $bytes (array (mut i8)))
  (type $binary (func (param (ref null $node) i32) (result (ref null $node))))

  (global $kept (mut (ref null $node)) (ref.null $node))
  (global $made (ref $node) (struct.new $node (i32.const 7) (struct.new $node (i32.const 8) (ref.null $node))))
  (global $list (ref $nodes) (array.new_fixed $nodes 3
    (struct.new $node (i32.const 1) (ref.null $node))
    (global.get $made)
    (struct.new $node (i32.const 3) (ref.null $node))))
  (table $table 4 (ref null $node))
  (table $typed 2 (ref $node) (struct.new $node (i32.const 9) (ref.null $node)))
  (elem $passive (ref null $node)
    (item (struct.new $node (i32.const 21) (ref.null $node)))
    (item (struct.new $node (i32.const 22) (ref.null $node))))
  (data $text "lithe")

  ;; Makes garbage of several sizes.
  (func $churn (param $n i32)
    (loop $more
      (drop (struct.new $node (i32.const -1) (ref.null $node)))
      (drop (array.new_default $bytes (i32.and (local.get $n) (i32.const 1023))))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

  (func $cons (type $binary) (struct.new $node (local.get 1) (local.get 0)))
  (elem declare func $cons)

  (func $sum (param $at (ref null $node)) (result i32)
    (local $sum i32)
    (block $end
      (loop $more
        (local.set $sum (i32.add
          (struct.get $node $value (br_on_null $end (local.get $at)))
          (local.get $sum)))
        (local.set $at (struct.get $node $next (local.get $at)))
        (br $more)))
    (local.get $sum))

  (func $list (param $n i32) (result (ref null $node))
    (local $list (ref null $node))
    (loop $more
      (local.set $list (struct.new $node (local.get $n) (local.get $list)))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $list))

  (func (export "local") (result i32)
    (local $list (ref null $node))
    (local.set $list (call $list (i32.const 100)))
    (call $churn (i32.const 500))
    (call $sum (local.get $list)))

  ;; Two references stand on the operand stack only.
  (func (export "operands") (result i32)
    (call $list (i32.const 10))
    (call $list (i32.const 20))
    (call $churn (i32.const 500))
    (call $sum)
    (call $churn (i32.const 10))
    (drop)
    (call $sum))

  (func (export "global") (result i32)
    (global.set $kept (call $list (i32.const 30)))
    (call $churn (i32.const 500))
    (call $sum (global.get $kept)))

  (func (export "constants") (result i32)
    (call $churn (i32.const 500))
    (i32.add
      (call $sum (global.get $made))
      (i32.mul (i32.const 100)
        (call $sum (array.get $nodes (global.get $list) (i32.const 1))))))

  (func (export "table") (result i32)
    (table.set $table (i32.const 3) (call $list (i32.const 40)))
    (call $churn (i32.const 500))
    (i32.add
      (call $sum (table.get $table (i32.const 3)))
      (call $sum (table.get $typed (i32.const 1)))))

  (func (export "segment") (result i32)
    (call $churn (i32.const 500))
    (table.init $table $passive (i32.const 0) (i32.const 0) (i32.const 2))
    (i32.add
      (call $sum (table.get $table (i32.const 0)))
      (call $sum (array.get $nodes
        (array.new_elem $nodes $passive (i32.const 1) (i32.const 1)) (i32.const 0)))))

  ;; A reference in every frame of a recursion, none anywhere else.
  (func $deep (param $n i32) (param $mine (ref $node)) (result i32)
    (if (result i32) (local.get $n)
      (then
        (i32.add
          (call $deep
            (i32.sub (local.get $n) (i32.const 1))
            (struct.new $node (local.get $n) (ref.null $node)))
          (struct.get $node $value (local.get $mine))))
      (else (call $churn (i32.const 300)) (struct.get $node $value (local.get $mine)))))
  (func (export "frames") (result i32)
    (call $deep (i32.const 200) (struct.new $node (i32.const 0) (ref.null $node))))

  (func (export "fields") (result i32)
    (local $wide (ref $wide))
    (local.set $wide (struct.new $wide
      (i32.const 0x1ff) (v128.const i64x2 -1 -1) (f64.const 0.5) (call $list (i32.const 50)) (ref.func $cons)))
    (call $churn (i32.const 500))
    (i32.add
      (i32.add
        (call $sum (struct.get $wide 3 (local.get $wide)))
        (struct.get_s $wide 0 (local.get $wide)))
      (struct.get $node $value
        (call_ref $binary (ref.null $node) (i32.const 1000)
          (ref.cast (ref $binary) (struct.get $wide 4 (local.get $wide)))))))

  (func (export "arrays") (result i32)
    (local $nodes (ref $nodes)) (local $i i32) (local $sum i32)
    (local.set $nodes (array.new_default $nodes (i32.const 300)))
    (loop $fill
      (array.set $nodes (local.get $nodes) (local.get $i)
        (struct.new $node (local.get $i) (ref.null $node)))
      (br_if $fill (i32.lt_u
        (local.tee $i (i32.add (local.get $i) (i32.const 1)))
        (array.len (local.get $nodes)))))
    (call $churn (i32.const 500))
    (array.copy $nodes $nodes (local.get $nodes) (i32.const 0) (local.get $nodes) (i32.const 1) (i32.const 299))
    (array.fill $nodes (local.get $nodes) (i32.const 299)
      (struct.new $node (i32.const 5) (ref.null $node)) (i32.const 1))
    (call $churn (i32.const 500))
    (loop $add
      (local.set $i (i32.sub (local.get $i) (i32.const 1)))
      (local.set $sum (i32.add (local.get $sum)
        (struct.get $node $value (array.get $nodes (local.get $nodes) (local.get $i)))))
      (br_if $add (local.get $i)))
    (local.get $sum))

  ;; The operands of a constructor are references that the constructor's own allocation must not lose.
  (func (export "constructor") (result i32)
    (local $nodes (ref $nodes))
    (local.set $nodes (array.new_fixed $nodes 3
      (call $list (i32.const 3))
      (struct.new $node (i32.const 10) (struct.new $node (i32.const 20) (call $list (i32.const 4))))
      (call $cons (call $list (i32.const 5)) (i32.const 100))))
    (call $churn (i32.const 300))
    (i32.add (i32.add
      (call $sum (array.get $nodes (local.get $nodes) (i32.const 0)))
      (call $sum (array.get $nodes (local.get $nodes) (i32.const 1))))
      (call $sum (array.get $nodes (local.get $nodes) (i32.const 2)))))

  ;; A number that looks like a reference may keep an object, and a reference turned `extern` keeps it.
  (func (export "outside") (result i32)
    (local $extern externref)
    (local.set $extern (extern.convert_any (call $list (i32.const 6))))
    (call $churn (i32.const 300))
    (call $sum (ref.cast (ref $node) (any.convert_extern (local.get $extern)))))

  ;; A cycle is garbage when nothing outside refers to it.
  (func (export "cycles") (param $n i32) (result i32)
    (local $a (ref $node)) (local $b (ref $node))
    (loop $more (result i32)
      (local.set $a (struct.new $node (local.get $n) (ref.null $node)))
      (local.set $b (struct.new $node (i32.const 1) (local.get $a)))
      (struct.set $node $next (local.get $a) (local.get $b))
      (br_if $more
        (struct.get $node $value (struct.get $node $next (local.get $b)))
        (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

  (func (export "text") (result i32)
    (local $a (ref $bytes)) (local $b (ref $bytes))
    (local.set $a (array.new_data $bytes $text (i32.const 0) (i32.const 5)))
    (call $churn (i32.const 300))
    (local.set $b (array.new_data $bytes $text (i32.const 1) (i32.const 4)))
    (call $churn (i32.const 300))
    (i32.add
      (array.get_u $bytes (local.get $a) (i32.const 0))
      (i32.mul (i32.const 256) (array.get_u $bytes (local.get $b) (i32.const 3)))))

)

(assert_return (invoke "local") (i32.const 5050))
(assert_return (invoke "operands") (i32.const 55))
(assert_return (invoke "global") (i32.const 465))
(assert_return (invoke "constants") (i32.const 1515))
(assert_return (invoke "table") (i32.const 829))
(assert_return (invoke "segment") (i32.const 43))
(assert_return (invoke "frames") (i32.const 20100))
(assert_return (invoke "fields") (i32.const 2274))
(assert_return (invoke "arrays") (i32.const 44855))
(assert_return (invoke "constructor") (i32.const 161))
(assert_return (invoke "outside") (i32.const 21))
(assert_return (invoke "cycles" (i32.const 3000)) (i32.const 1))
(assert_return (invoke "text") (i32.const 25964))

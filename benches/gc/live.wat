;; A large live heap, to measure collections: half linked structs, half arrays of i32.
;;
;; build(mb)    makes the heap, counting 24 bytes for a struct (20 of fields and a header) and 12 plus its elements for
;;              an array; the structs are in lists of up to 1000, in the order of their addresses
;; scatter()    links the same structs anew into lists in a random order of addresses, which is hard on caches
;; churn(n)     allocates n small structs while the heap stays alive and returns a checksum over them
;; sum()        a checksum over the whole heap, the same before and after scatter
;; run(mb, n)   build, churn, sum, and the same again after scatter: the mixed checksum
(module
  (rec (type $cell
    (struct (field $a (mut i32)) (field $b (mut i64)) (field $next (mut (ref null $cell))))))
  (type $cells (array (mut (ref null $cell))))
  (type $ints (array (mut i32)))
  (type $blocks (array (mut (ref null $ints))))

  (global $lists (mut (ref null $cells)) (ref.null $cells))
  (global $blocks (mut (ref null $blocks)) (ref.null $blocks))
  (global $last (mut (ref null $cell)) (ref.null $cell))
  (global $state (mut i32) (i32.const 12345))

  (func $random (result i32)
    (global.set $state
      (i32.add (i32.mul (global.get $state) (i32.const 1664525)) (i32.const 1013904223)))
    (i32.shr_u (global.get $state) (i32.const 8)))

  (func $list (param $n i32) (result (ref null $cell))
    (local $head (ref null $cell))
    (loop $cells
      (local.set $head
        (struct.new $cell (call $random) (i64.extend_i32_u (local.get $n)) (local.get $head)))
      (br_if $cells (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $head))

  (func $block (param $n i32) (result (ref $ints))
    (local $ints (ref $ints))
    (local.set $ints (array.new $ints (local.get $n) (local.get $n)))
    (array.set $ints (local.get $ints) (i32.const 0) (call $random))
    (array.set $ints (local.get $ints) (i32.sub (local.get $n) (i32.const 1)) (call $random))
    (local.get $ints))

  ;; The lists and the blocks are made in turns, so that both kinds lie mixed in the heap.
  (func $build (export "build") (param $mb i32)
    (local $cells i32)
    (local $bytes i32)
    (local $list i32)
    (local $block i32)
    (local $n i32)
    (local.set $bytes (i32.mul (local.get $mb) (i32.const 524288)))
    (local.set $cells (i32.div_u (local.get $bytes) (i32.const 24)))
    (global.set $lists
      (array.new_default $cells (i32.add (i32.div_u (local.get $cells) (i32.const 1000)) (i32.const 1))))
    ;; A block takes 2062 bytes on average; twice that many slots always suffice.
    (global.set $blocks
      (array.new_default $blocks (i32.add (i32.div_u (local.get $bytes) (i32.const 1024)) (i32.const 1))))
    (loop $more
      (if (local.get $cells)
        (then
          (local.set $n
            (select (local.get $cells) (i32.const 1000) (i32.lt_u (local.get $cells) (i32.const 1000))))
          (array.set $cells (global.get $lists) (local.get $list) (call $list (local.get $n)))
          (local.set $list (i32.add (local.get $list) (i32.const 1)))
          (local.set $cells (i32.sub (local.get $cells) (local.get $n)))))
      ;; As many blocks as take about 24 000 bytes.
      (local.set $n (i32.const 0))
      (block $enough
        (loop $blocks
          (br_if $enough (i32.ge_u (local.get $n) (i32.const 24000)))
          (br_if $enough (i32.lt_s (local.get $bytes) (i32.const 16)))
          (br_if $enough (i32.ge_u (local.get $block) (array.len (global.get $blocks))))
          (array.set $blocks (global.get $blocks) (local.get $block)
            (call $block (i32.add (i32.rem_u (call $random) (i32.const 1024)) (i32.const 1))))
          (local.set $n
            (i32.add (local.get $n)
              (i32.add (i32.const 12)
                (i32.shl (array.len (array.get $blocks (global.get $blocks) (local.get $block))) (i32.const 2)))))
          (local.set $block (i32.add (local.get $block) (i32.const 1)))
          (br $blocks)))
      (local.set $bytes (i32.sub (local.get $bytes) (local.get $n)))
      (br_if $more (i32.or (local.get $cells) (i32.ne (local.get $n) (i32.const 0))))))

  (func $scatter (export "scatter")
    (local $old (ref null $cells))
    (local $new (ref null $cells))
    (local $cell (ref null $cell))
    (local $next (ref null $cell))
    (local $i i32)
    (local $to i32)
    (local.set $old (global.get $lists))
    (local.set $new (array.new_default $cells (array.len (local.get $old))))
    (block $done
      (loop $lists
        (br_if $done (i32.eq (local.get $i) (array.len (local.get $old))))
        (local.set $cell (array.get $cells (local.get $old) (local.get $i)))
        (block $end
          (loop $list
            (br_if $end (ref.is_null (local.get $cell)))
            (local.set $next (struct.get $cell $next (local.get $cell)))
            (local.set $to (i32.rem_u (call $random) (array.len (local.get $new))))
            (struct.set $cell $next (local.get $cell) (array.get $cells (local.get $new) (local.get $to)))
            (array.set $cells (local.get $new) (local.get $to) (local.get $cell))
            (local.set $cell (local.get $next))
            (br $list)))
        (array.set $cells (local.get $old) (local.get $i) (ref.null $cell))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $lists)))
    (global.set $lists (local.get $new)))

  (func $churn (export "churn") (param $n i32) (result i64)
    (local $sum i64)
    (block $done
      (loop $cells
        (br_if $done (i32.eqz (local.get $n)))
        (global.set $last
          (struct.new $cell (local.get $n) (i64.extend_i32_u (local.get $n)) (ref.null $cell)))
        (local.set $sum
          (i64.add (i64.mul (local.get $sum) (i64.const 31)) (struct.get $cell $b (global.get $last))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $cells)))
    (local.get $sum))

  ;; Order does not matter to this sum, but each cell and each element does.
  (func $sum (export "sum") (result i64)
    (local $sum i64)
    (local $i i32)
    (local $j i32)
    (local $cell (ref null $cell))
    (local $ints (ref null $ints))
    (block $done
      (loop $lists
        (br_if $done (i32.eq (local.get $i) (array.len (global.get $lists))))
        (local.set $cell (array.get $cells (global.get $lists) (local.get $i)))
        (block $end
          (loop $list
            (br_if $end (ref.is_null (local.get $cell)))
            (local.set $sum
              (i64.add (local.get $sum)
                (i64.add
                  (i64.mul (i64.extend_i32_u (struct.get $cell $a (local.get $cell))) (i64.const 1000003))
                  (struct.get $cell $b (local.get $cell)))))
            (local.set $cell (struct.get $cell $next (local.get $cell)))
            (br $list)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $lists)))
    (local.set $i (i32.const 0))
    (block $done
      (loop $blocks
        (br_if $done (i32.eq (local.get $i) (array.len (global.get $blocks))))
        (local.set $ints (array.get $blocks (global.get $blocks) (local.get $i)))
        (br_if $done (ref.is_null (local.get $ints)))
        (local.set $j (array.len (local.get $ints)))
        (loop $elements
          (local.set $j (i32.sub (local.get $j) (i32.const 1)))
          (local.set $sum
            (i64.add (i64.rotl (local.get $sum) (i64.const 1))
              (i64.extend_i32_u (array.get $ints (local.get $ints) (local.get $j)))))
          (br_if $elements (local.get $j)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $blocks)))
    (local.get $sum))

  (func $ordered (export "ordered") (param $mb i32) (param $n i32) (result i64)
    (local $sum i64)
    (call $build (local.get $mb))
    (local.set $sum (call $churn (local.get $n)))
    (i64.add (i64.mul (local.get $sum) (i64.const 31)) (call $sum)))

  ;; The same, and again with the lists scattered.
  (func (export "run") (param $mb i32) (param $n i32) (result i64)
    (local $sum i64)
    (local.set $sum (call $ordered (local.get $mb) (local.get $n)))
    (call $scatter)
    (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31)) (call $churn (local.get $n))))
    (i64.add (i64.mul (local.get $sum) (i64.const 31)) (call $sum))))

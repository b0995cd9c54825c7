;; The withdrawn encoding of exceptions: `try`, `catch`, `catch_all`, `rethrow`, `delegate`. Scripts write it
;; unfolded.

(module
  (tag $e (param i32))
  (tag $v (param i64 v128))
  (tag $n)
  (func $throw (param i32) local.get 0 throw $e)
  (func $maybe (param i32) local.get 0 if throw $n end)
  (func $nothing)

  (func (export "catch") (param i32) (result i32)
    try (result i32)
      local.get 0 call $throw
      i32.const -1
    catch $e
      i32.const 1 i32.add
    end)
  (func (export "catch-all") (param i32) (result i32)
    try (result i32)
      local.get 0 call $throw
      i32.const -1
    catch $n
      i32.const -2
    catch_all
      i32.const 7
    end)
  (func (export "arms") (param i32) (result i32)
    try (result i32)
      block
        block
          block
            local.get 0
            br_table 0 1 2
          end
          throw $n
        end
        i32.const 5
        throw $e
      end
      i64.const 3 v128.const i64x2 4 5 throw $v
    catch $e
      i32.const 10 i32.mul
    catch $v
      i64x2.extract_lane 1
      i64.add
      i32.wrap_i64
    catch $n
      i32.const 99
    end)
  ;; Nothing is thrown: the results of the body.
  (func (export "quiet") (param i32) (result i32 i32)
    local.get 0
    try (result i32)
      i32.const 3
      i32.const 0
      call $maybe
    catch_all
      i32.const 4
    end)
  (func (export "no-arms") (param i32) (result i32)
    try (result i32)
      local.get 0
    end)
  ;; Values below, and locals that the body changed.
  (func (export "below") (param $x i32) (result i32 i32 i32 i32)
    local.get $x
    i32.const 7
    local.get $x i32.const 3 i32.mul
    try (result i32)
      i32.const 1000
      local.set $x
      i32.const 1
      call $maybe
      i32.const -1
    catch $n
      local.get $x
    end)
  ;; Results of an arm move below the hidden value, over vectors too.
  (func (export "arm-results") (param i32) (result i32 i64 v128 i32)
    i32.const 1
    try (result i64 v128)
      i64.const 30 v128.const i64x2 40 50 throw $v
    catch $v
    end
    local.get 0)
  (func (export "arm-br") (param i32) (result i64 v128)
    block (result i64 v128)
      i32.const 12
      try (result i64 v128)
        i64.const 30 v128.const i64x2 40 50 throw $v
      catch $v
        local.get 0
        br_if 1
        br 0
      end
      br 0
    end)
  ;; One value that the last operation of an arm gives.
  (func (export "arm-computes") (param i32) (result i32)
    local.get 0
    try (result i32)
      i32.const 1 call $throw
      i32.const -1
    catch $e
      local.get 0
      i32.add
    end
    i32.mul)
  ;; Arms of blocks with parameters.
  (func (export "parameter") (param i32) (result i32)
    local.get 0
    try (param i32) (result i32)
      call $throw
      i32.const -1
    catch $e
      i32.const 2 i32.mul
    end)
  ;; Exceptions of an arm are not caught by the same block.
  (func (export "throw-in-arm") (result i32)
    try (result i32)
      try (result i32)
        throw $n
      catch $n
        i32.const 4
        throw $e
      catch $e
        drop
        i32.const -1
      end
    catch $e
      i32.const 1 i32.add
    end)
  (func (export "loop") (param i32) (result i32)
    (local $sum i32)
    loop $next
      try
        local.get 0
        call $throw
      catch $e
        local.get $sum
        i32.add
        local.set $sum
        local.get 0
        i32.const 1
        i32.sub
        local.tee 0
        br_if $next
      end
    end
    local.get $sum)
  (func (export "dead") (result i32)
    block (result i32)
      i32.const 5
      br 0
      try
        throw $n
      catch $n
        try
        delegate 0
      catch_all
      end
      try
        nop
      delegate 0
    end)
  ;; Arms after a body that does not end, and ends that cannot be reached.
  (func (export "dead-body") (result i32)
    try (result i32)
      throw $n
    catch $n
      i32.const 6
      return
    catch_all
      unreachable
    end)
  (func (export "return-in-body") (result i32)
    try
      i32.const 8
      return
    catch_all
      i32.const 9
      return
    end
    i32.const 10))

(assert_return (invoke "catch" (i32.const 5)) (i32.const 6))
(assert_return (invoke "catch-all" (i32.const 5)) (i32.const 7))
(assert_return (invoke "arms" (i32.const 0)) (i32.const 99))
(assert_return (invoke "arms" (i32.const 1)) (i32.const 50))
(assert_return (invoke "arms" (i32.const 2)) (i32.const 8))
(assert_return (invoke "quiet" (i32.const 1)) (i32.const 1) (i32.const 3))
(assert_return (invoke "no-arms" (i32.const 1)) (i32.const 1))
(assert_return (invoke "below" (i32.const 5))
  (i32.const 5) (i32.const 7) (i32.const 15) (i32.const 1000))
(assert_return (invoke "arm-results" (i32.const 9))
  (i32.const 1) (i64.const 30) (v128.const i64x2 40 50) (i32.const 9))
(assert_return (invoke "arm-computes" (i32.const 5)) (i32.const 30))
(assert_return (invoke "parameter" (i32.const 5)) (i32.const 10))
(assert_return (invoke "throw-in-arm") (i32.const 5))
(assert_return (invoke "loop" (i32.const 100)) (i32.const 5050))
(assert_return (invoke "dead") (i32.const 5))
(assert_return (invoke "dead-body") (i32.const 6))
(assert_return (invoke "return-in-body") (i32.const 8))
(assert_return (invoke "arm-br" (i32.const 0)) (i64.const 30) (v128.const i64x2 40 50))
(assert_return (invoke "arm-br" (i32.const 1)) (i64.const 30) (v128.const i64x2 40 50))

;; `rethrow` throws what its label's arm caught.
(module
  (tag $e (param i32))
  (tag $n)
  (func (export "rethrow") (param i32) (result i32)
    try (result i32)
      try (result i32)
        local.get 0
        throw $e
      catch $e
        drop
        rethrow 0
      end
    catch $e
    end)
  (func (export "uncaught") (param i32)
    try
      local.get 0
      throw $e
    catch_all
      rethrow 0
    end)
  ;; Of the outer arm, from within the inner one and through blocks.
  (func (export "outer") (param i32) (result i32)
    try (result i32)
      try $outer
        local.get 0
        throw $e
      catch $e
        drop
        try
          throw $n
        catch $n
          block
            loop
              rethrow $outer
            end
          end
        end
      end
      i32.const -1
    catch $n
      i32.const -2
    catch $e
    end)
  (func (export "inner") (param i32) (result i32)
    try (result i32)
      try $outer
        local.get 0
        throw $e
      catch $e
        drop
        try
          throw $n
        catch $n
          rethrow 0
        end
      end
      i32.const -1
    catch $n
      i32.const -2
    catch $e
    end)
  ;; The exception is there after other code used the arm's operands.
  (func (export "late") (param i32) (result i32)
    try (result i32)
      try (result i32)
        local.get 0
        throw $e
      catch $e
        i32.const 5
        i32.add
        i32.const 6
        i32.mul
        i32.const 7
        i32.add
        drop
        i32.const 1
        i32.const 2
        drop
        drop
        local.get 0
        i32.const 100
        i32.lt_s
        if
          rethrow 1
        end
        i32.const 9
      end
    catch $e
    end))

(assert_return (invoke "rethrow" (i32.const 5)) (i32.const 5))
(assert_exception (invoke "uncaught" (i32.const 5)))
(assert_return (invoke "outer" (i32.const 6)) (i32.const 6))
(assert_return (invoke "inner" (i32.const 6)) (i32.const -2))
(assert_return (invoke "late" (i32.const 7)) (i32.const 7))
(assert_return (invoke "late" (i32.const 100)) (i32.const 9))
(assert_invalid (module (func try rethrow 0 end)) "invalid rethrow label")

;; `delegate` throws on from the body of its label's block.
(module
  (tag $e (param i32))
  (func $throw (param i32) local.get 0 throw $e)
  ;; Past the block between.
  (func (export "skip") (param i32) (result i32)
    try $outer (result i32)
      try (result i32)
        try (result i32)
          local.get 0
          call $throw
          i32.const -1
        delegate $outer
      catch_all
        i32.const -2
      end
    catch $e
      i32.const 1 i32.add
    end)
  ;; To the block around it, as if it were not there.
  (func (export "next") (param i32) (result i32)
    try (result i32)
      try (result i32)
        local.get 0
        call $throw
        i32.const -1
      delegate 0
    catch $e
      i32.const 2 i32.add
    end)
  ;; To a plain block: on to the one around that.
  (func (export "plain") (param i32) (result i32)
    try (result i32)
      block $plain (result i32)
        try (result i32)
          try (result i32)
            local.get 0
            call $throw
            i32.const -1
          delegate $plain
        catch_all
          i32.const -2
        end
      end
    catch $e
      i32.const 3 i32.add
    end)
  ;; To a block that has no arms, or that itself delegates.
  (func (export "no-arms") (param i32) (result i32)
    try (result i32)
      try $bare (result i32)
        try (result i32)
          try (result i32)
            local.get 0
            call $throw
            i32.const -1
          delegate $bare
        catch_all
          i32.const -2
        end
      end
    catch $e
      i32.const 4 i32.add
    end)
  (func (export "chain") (param i32) (result i32)
    try $l3 (result i32)
      try (result i32)
        try $l1 (result i32)
          try (result i32)
            try (result i32)
              local.get 0
              call $throw
              i32.const -1
            delegate $l1
          catch_all
            i32.const -2
          end
        delegate $l3
      catch_all
        i32.const -3
      end
    catch $e
      i32.const 5 i32.add
    end)
  ;; To a block whose arm it stands in: on to the one around that.
  (func (export "arm") (param i32) (result i32)
    try (result i32)
      try $in (result i32)
        i32.const 0
        call $throw
        i32.const -1
      catch $e
        drop
        try (result i32)
          local.get 0
          call $throw
          i32.const -2
        delegate $in
      catch_all
        i32.const -3
      end
    catch $e
      i32.const 6 i32.add
    end)
  ;; To the caller.
  (func $caller (param i32)
    try
      try
        local.get 0
        call $throw
      delegate 1
    catch_all
    end)
  (func (export "caller") (param i32) (result i32)
    try (result i32)
      local.get 0
      call $caller
      i32.const -1
    catch $e
      i32.const 7 i32.add
    end)
  (func (export "uncaught") (param i32) local.get 0 call $caller)
  ;; The results of a block that throws nothing.
  (func (export "quiet") (param i32) (result i32)
    try (result i32)
      local.get 0
      try (result i32)
        i32.const 2
      delegate 0
      i32.add
    catch_all
      i32.const -1
    end)
  ;; Together with the new encoding.
  (func (export "both") (param i32) (result i32)
    block $h (result i32)
      try_table $new (result i32) (catch $e $h)
        try (result i32)
          try (result i32)
            local.get 0
            call $throw
            i32.const -1
          delegate $new
        catch_all
          i32.const -2
        end
      end
    end
    i32.const 8 i32.add))

(assert_return (invoke "skip" (i32.const 10)) (i32.const 11))
(assert_return (invoke "next" (i32.const 10)) (i32.const 12))
(assert_return (invoke "plain" (i32.const 10)) (i32.const 13))
(assert_return (invoke "no-arms" (i32.const 10)) (i32.const 14))
(assert_return (invoke "chain" (i32.const 10)) (i32.const 15))
(assert_return (invoke "arm" (i32.const 10)) (i32.const 16))
(assert_return (invoke "caller" (i32.const 10)) (i32.const 17))
(assert_exception (invoke "uncaught" (i32.const 10)))
(assert_return (invoke "quiet" (i32.const 10)) (i32.const 12))
(assert_return (invoke "both" (i32.const 10)) (i32.const 18))

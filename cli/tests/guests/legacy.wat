(module $legacy
  (tag $e)
  (func (export "caught") (result i32)
    try (result i32)
      throw $e
    catch $e
      i32.const 7
    end))

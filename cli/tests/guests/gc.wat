;; Makes a struct.
(module
  (type $pair (struct (field i32) (field i32)))
  (func (export "_start") (drop (struct.new_default $pair))))

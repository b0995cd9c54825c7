;; Fills the heap with a list that it never lets go of.
(module
  (type $node (struct (field (ref null $node))))
  (func (export "_start")
    (local $list (ref null $node))
    (loop $more
      (local.set $list (struct.new $node (local.get $list)))
      (br $more))))

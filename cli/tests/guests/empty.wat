;; A program that does nothing.
(module (func (export "_start")))

;; The smallest command: what remains when it runs is the engine's own start-up.
(module (func (export "_start")))

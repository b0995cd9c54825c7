;; A program that would make requests of HTTP.
(component
  (import "wasi:http/outgoing-handler@0.2.0" (instance $http (export "handle" (func))))
  (core func $handle (canon lower (func $http "handle")))
  (core module $m
    (import "http" "handle" (func))
    (func (export "run") (result i32)
      call 0
      i32.const 0))
  (core instance $i (instantiate $m (with "http" (instance (export "handle" (func $handle))))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $program (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $program)))

;; A component whose handler takes no input.
(component
  (core module $m (func (export "handle")))
  (core instance $i (instantiate $m))
  (func $handle (canon lift (core func $i "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "sandstep:task/handler@0.1.0" (instance $handler))
)

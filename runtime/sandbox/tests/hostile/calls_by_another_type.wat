;; Calls a function through a type that it hasn't.
;;! ends Sandbox.Trapped
;;! cause indirect call type mismatch
(module
  $PRELUDE
  (table funcref (elem $other))
  (func $other (param f64))
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call_indirect (result i32) (i32.const 0)))
)

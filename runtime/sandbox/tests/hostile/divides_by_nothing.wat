;; Divides by zero.
;;! ends Sandbox.Trapped
;;! cause integer divide by zero
(module
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (drop (i32.div_u (local.get $input) (i32.const 0)))
    (unreachable))
)

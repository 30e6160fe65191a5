;; Makes an integer of NaN.
;;! ends Sandbox.Trapped
;;! cause invalid conversion to integer
(module
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (i32.trunc_f64_u (f64.div (f64.const 0) (f64.const 0))))
)

;; Answers a case that a result hasn't.
;;! ends Sandbox.InvalidOutput
;;! cause discriminant
(module
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (i32.store8 (i32.const 0) (i32.const 7))
    (i32.const 0))
)

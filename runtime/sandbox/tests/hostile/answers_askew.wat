;; Answers at an address that is not aligned.
;;! ends Sandbox.InvalidOutput
;;! cause not aligned
(module
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (i32.const 3))
)

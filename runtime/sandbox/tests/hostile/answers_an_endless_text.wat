;; Answers four gigabytes.
;;! ends Sandbox.InvalidOutput
;;! cause out of bounds of memory
(module
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call $answer (i32.const 0) (i32.const 0xffffffff)))
)

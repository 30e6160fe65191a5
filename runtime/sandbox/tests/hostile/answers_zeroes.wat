;; Answers 100 bytes of zeroes.
;;! ends Sandbox.InvalidOutput
(module
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call $answer (i32.const 1024) (i32.const 100)))
)

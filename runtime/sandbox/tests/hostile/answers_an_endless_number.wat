;; Answers a number with a million digits.
;;! ends Sandbox.InvalidOutput
;;! cause number out of range
(module
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (memory.fill (i32.const 1024) (i32.const 0x39) (i32.const 1000000))
    (call $answer (i32.const 1024) (i32.const 1000000)))
)

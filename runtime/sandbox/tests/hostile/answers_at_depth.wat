;; Answers an array of arrays, half a million deep.
;;! ends Sandbox.InvalidOutput
;;! cause recursion limit
(module
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (memory.fill (i32.const 65536) (i32.const 0x5b) (i32.const 500000))
    (memory.fill (i32.const 565536) (i32.const 0x5d) (i32.const 400000))
    (call $answer (i32.const 65536) (i32.const 900000)))
)

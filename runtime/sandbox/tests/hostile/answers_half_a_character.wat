;; Answers a JSON text with half a surrogate pair in it.
;;! ends Sandbox.InvalidOutput
;;! cause hex escape
(module
  $PRELUDE
  (data (i32.const 1024) "\"\\ud800\"")
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call $answer (i32.const 1024) (i32.const 8)))
)

;; Calls itself without end in its start function.
;;! ends Sandbox.StackExhausted
(module
  $PRELUDE
  (func $start (call $start))
  (start $start)
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call $answer (local.get $input) (local.get $length)))
)

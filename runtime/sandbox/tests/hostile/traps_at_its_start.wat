;; Traps in its start function.
;;! ends Sandbox.Trapped
(module
  $PRELUDE
  (func $start (unreachable))
  (start $start)
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call $answer (local.get $input) (local.get $length)))
)

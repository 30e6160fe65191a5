;; Logs at a level that does not exist.
;;! ends Sandbox.Trapped
(module
  (import "sandstep:task/host@0.1.0" "log" (func $log (param i32 i32 i32)))
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call $log (i32.const 99) (i32.const 0) (i32.const 4))
    (unreachable))
)

;; Logs bytes that are no UTF-8.
;;! ends Sandbox.Trapped
(module
  (import "sandstep:task/host@0.1.0" "log" (func $log (param i32 i32 i32)))
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (i32.store (i32.const 1024) (i32.const 0xfffefdfc))
    (call $log (i32.const 2) (i32.const 1024) (i32.const 4))
    (unreachable))
)

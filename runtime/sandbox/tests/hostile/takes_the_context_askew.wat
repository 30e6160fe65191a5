;; Wants the context at an address that is not aligned.
;;! ends Sandbox.Trapped
(module
  (import "sandstep:task/host@0.1.0" "context" (func $context (param i32)))
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call $context (i32.const 3))
    (unreachable))
)

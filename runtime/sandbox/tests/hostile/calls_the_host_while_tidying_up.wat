;; Answers, and calls the host when it may only free the answer.
;;! ends Sandbox.Trapped
(module
  (import "sandstep:task/host@0.1.0" "heartbeat" (func $heartbeat))
  $PRELUDE
  (func (export "cabi_post_sandstep:task/handler@0.1.0#handle") (param i32)
    (call $heartbeat))
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (i32.store8 (i32.const 1024) (i32.const 0x31))
    (call $answer (i32.const 1024) (i32.const 1)))
)

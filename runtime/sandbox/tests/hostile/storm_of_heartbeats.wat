;; Says that it is alive without end, and does nothing else.
;;! ends Timeout Deadline
;;! deadline 200
(module
  (import "sandstep:task/host@0.1.0" "heartbeat" (func $heartbeat))
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (loop $forever
      (call $heartbeat)
      (br $forever))
    (unreachable))
)

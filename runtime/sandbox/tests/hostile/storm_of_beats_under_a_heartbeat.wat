;; Beats without end under a heartbeat that it keeps: the deadline still comes.
;;! ends Timeout Deadline
;;! deadline 300
;;! heartbeat 1
(module
  (import "sandstep:task/host@0.1.0" "heartbeat" (func $heartbeat))
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (loop $forever
      (call $heartbeat)
      (br $forever))
    (unreachable))
)

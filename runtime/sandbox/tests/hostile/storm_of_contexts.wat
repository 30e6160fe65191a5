;; Asks where it stands without end: each answer is copied into its memory.
;;! ends Timeout Deadline
;;! deadline 200
(module
  (import "sandstep:task/host@0.1.0" "context" (func $context (param i32)))
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (loop $forever
      (global.set $heap (i32.const 65536))
      (call $context (i32.const 128))
      (br $forever))
    (unreachable))
)

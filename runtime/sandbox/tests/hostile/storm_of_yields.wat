;; Gives its turn away without end.
;;! ends Timeout Deadline
;;! deadline 200
(module
  (import "wasi_snapshot_preview1" "sched_yield" (func $sched_yield (result i32)))
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (loop $forever
      (drop (call $sched_yield))
      (br $forever))
    (unreachable))
)

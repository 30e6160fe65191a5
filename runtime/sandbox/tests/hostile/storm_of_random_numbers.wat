;; Wants 60 KiB of random numbers without end.
;;! ends Timeout Deadline
;;! deadline 200
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (loop $forever
      (drop (call $random_get (i32.const 65536) (i32.const 61440)))
      (br $forever))
    (unreachable))
)

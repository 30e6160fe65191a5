;; Waits for no time at all, without end.
;;! ends Timeout Deadline
;;! deadline 200
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (i32.store8 (i32.const 16) (i32.const 0))
    (i32.store (i32.const 24) (i32.const 1))
    (i64.store (i32.const 32) (i64.const 0))
    (loop $forever
      (drop (call $poll_oneoff (i32.const 8) (i32.const 128) (i32.const 1) (i32.const 256)))
      (br $forever))
    (unreachable))
)

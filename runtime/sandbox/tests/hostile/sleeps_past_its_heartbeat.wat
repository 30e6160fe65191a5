;; Beats once, then sleeps for an hour in one host call.
;;! ends Timeout Heartbeat
;;! heartbeat 1
(module
  (import "sandstep:task/host@0.1.0" "heartbeat" (func $heartbeat))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call $heartbeat)
    (i32.store8 (i32.const 16) (i32.const 0))
    (i32.store (i32.const 24) (i32.const 1))
    (i64.store (i32.const 32) (i64.const 3600000000000))
    (drop (call $poll_oneoff (i32.const 8) (i32.const 128) (i32.const 1) (i32.const 256)))
    (unreachable))
)

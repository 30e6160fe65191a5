;; Wants 2 GiB of random numbers at once.
;;! ends Sandbox.Trapped
;;! cause exceeds limit
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (drop (call $random_get (i32.const 65536) (i32.const 0x7fffffff)))
    (unreachable))
)

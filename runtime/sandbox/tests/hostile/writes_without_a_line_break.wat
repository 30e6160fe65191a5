;; Writes to standard output without end and without a line break.
;;! ends Sandbox.FuelExhausted
;;! fuel 20000000
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (i32.store (i32.const 16) (i32.const 65536))
    (i32.store (i32.const 20) (i32.const 4000))
    (memory.fill (i32.const 65536) (i32.const 0x65) (i32.const 4000))
    (loop $forever
      (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))
      (br $forever))
    (unreachable))
)

;; A preview 1 program that writes to standard error without end.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 16)
  (global $heap (mut i32) (i32.const 65536))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (global.get $heap))
    (global.set $heap (i32.add (global.get $heap) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16))))
    (local.get $at))
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (i32.store (i32.const 16) (i32.const 1024))
    (i32.store (i32.const 20) (i32.const 4096))
    (memory.fill (i32.const 1024) (i32.const 0x65) (i32.const 4095))
    (i32.store8 (i32.const 5119) (i32.const 10))
    (loop $forever
      (br_if $forever (i32.eqz (call $write (i32.const 2) (i32.const 16) (i32.const 1) (i32.const 24)))))
    (unreachable))
)

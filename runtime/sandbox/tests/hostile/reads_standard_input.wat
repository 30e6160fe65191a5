;; Answers how many bytes standard input has for it.
;;! ends succeeds 0
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (i32.store (i32.const 1024) (i32.const 8192))
    (i32.store (i32.const 1028) (i32.const 4096))
    (drop (call $fd_read (i32.const 0) (i32.const 1024) (i32.const 1) (i32.const 1032)))
    (i32.store8 (i32.const 4096) (i32.add (i32.const 0x30) (i32.load (i32.const 1032))))
    (call $answer (i32.const 4096) (i32.const 1)))
)

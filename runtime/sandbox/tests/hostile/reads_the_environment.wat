;; Answers how many variables and arguments it can see.
;;! ends succeeds 0
(module
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (local $seen i32)
    (drop (call $environ_sizes_get (i32.const 1024) (i32.const 1028)))
    (drop (call $args_sizes_get (i32.const 1032) (i32.const 1036)))
    (local.set $seen (i32.add (i32.load (i32.const 1024)) (i32.load (i32.const 1032))))
    (i32.store8 (i32.const 4096) (i32.add (i32.const 0x30) (local.get $seen)))
    (call $answer (i32.const 4096) (i32.const 1)))
)

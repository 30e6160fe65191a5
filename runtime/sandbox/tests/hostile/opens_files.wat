;; Opens /etc/passwd by an absolute path and through any directory it may have been given; answers how often it could.
;;! ends succeeds 0
(module
  (import "wasi_snapshot_preview1" "path_open" (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  $PRELUDE
  (data (i32.const 1024) "/etc/passwd")
  (data (i32.const 1040) "../../../../etc/passwd")
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (local $fd i32) (local $opened i32)
    (loop $next
      (local.set $opened (i32.add (local.get $opened) (i32.eqz (call $path_open (local.get $fd) (i32.const 1) (i32.const 1024) (i32.const 11)
        (i32.const 0) (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 2048)))))
      (local.set $opened (i32.add (local.get $opened) (i32.eqz (call $path_open (local.get $fd) (i32.const 1) (i32.const 1040) (i32.const 22)
        (i32.const 0) (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 2048)))))
      (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $fd) (i32.const 32))))
    (i32.store8 (i32.const 4096) (i32.add (i32.const 0x30) (local.get $opened)))
    (call $answer (i32.const 4096) (i32.const 1)))
)

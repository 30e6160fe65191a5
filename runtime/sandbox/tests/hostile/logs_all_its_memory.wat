;; Logs 60 MiB as one line.
;;! ends Sandbox.Trapped
;;! cause at once
(module
  (import "sandstep:task/host@0.1.0" "log" (func $log (param i32 i32 i32)))
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (drop (memory.grow (i32.const 960)))
    (memory.fill (i32.const 65536) (i32.const 0x61) (i32.const 62914560))
    (call $log (i32.const 2) (i32.const 65536) (i32.const 62914560))
    (unreachable))
)

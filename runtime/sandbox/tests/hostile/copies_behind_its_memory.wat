;; Copies four gigabytes over the host's head.
;;! ends Sandbox.Trapped
;;! cause out of bounds memory access
(module
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (memory.copy (i32.const 0) (i32.const 16) (i32.const 0xffffffff))
    (unreachable))
)

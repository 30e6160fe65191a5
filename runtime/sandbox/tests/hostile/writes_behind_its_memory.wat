;; Writes behind the end of its memory.
;;! ends Sandbox.Trapped
;;! cause out of bounds memory access
(module
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (i64.store (i32.const 0x7fffffff) (i64.const -1))
    (unreachable))
)

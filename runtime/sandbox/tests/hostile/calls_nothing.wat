;; Calls an empty entry of a table.
;;! ends Sandbox.Trapped
;;! cause uninitialized element
(module
  $PRELUDE
  (table 4 funcref)
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call_indirect (result i32) (i32.const 3)))
)

;; Fails with an error whose name lies outside its memory.
;;! ends Sandbox.InvalidOutput
;;! cause out of bounds of memory
(module
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (i32.store8 (i32.const 0) (i32.const 1))
    (i32.store (i32.const 4) (i32.const 0x7ffffff0))
    (i32.store (i32.const 8) (i32.const 64))
    (i32.const 0))
)

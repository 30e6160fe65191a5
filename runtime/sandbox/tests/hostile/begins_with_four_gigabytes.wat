;; Begins with all the memory there can be.
;;! ends refused TooLarge
;;! cause initial memory
(module
  $PRELUDE
  (memory $all 65536)
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call $answer (local.get $input) (local.get $length)))
)

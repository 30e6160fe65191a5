;; Has more memories than a task may.
;;! ends refused TooLarge
;;! cause `5` memories
(module
  $PRELUDE
  (memory 1)
  (memory 1)
  (memory 1)
  (memory 1)
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call $answer (local.get $input) (local.get $length)))
)

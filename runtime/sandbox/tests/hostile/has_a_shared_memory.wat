;; Shares its memory with threads.
;;! ends refused InvalidModule
;;! cause threads must be enabled
(module
  $PRELUDE
  (memory $shared 1 1 shared)
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call $answer (local.get $input) (local.get $length)))
)

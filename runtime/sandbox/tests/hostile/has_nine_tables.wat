;; Has more tables than a task may.
;;! ends refused TooLarge
;;! cause `9` tables
(module
  $PRELUDE
  (table 1 funcref)
  (table 1 funcref)
  (table 1 funcref)
  (table 1 funcref)
  (table 1 funcref)
  (table 1 funcref)
  (table 1 funcref)
  (table 1 funcref)
  (table 1 funcref)
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call $answer (local.get $input) (local.get $length)))
)

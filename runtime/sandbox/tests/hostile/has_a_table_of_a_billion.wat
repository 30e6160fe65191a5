;; Begins with a table of a billion entries.
;;! ends refused TooLarge
;;! cause initial table elements
(module
  $PRELUDE
  (table 1000000000 funcref)
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call $answer (local.get $input) (local.get $length)))
)

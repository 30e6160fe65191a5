;; Has a memory with 64 bit addresses.
;;! ends succeeds {"order": 7}
(module
  $PRELUDE
  (memory $large i64 1)
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call $answer (local.get $input) (local.get $length)))
)

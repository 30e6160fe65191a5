;; Calls itself in tail position, which takes no stack.
;;! ends Sandbox.FuelExhausted
;;! fuel 1000000
(module
  $PRELUDE
  (func $again (param i32) (result i32) (return_call $again (local.get 0)))
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (return_call $again (local.get $input)))
)

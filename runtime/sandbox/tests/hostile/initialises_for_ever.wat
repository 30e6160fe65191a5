;; Is a WASI reactor whose initialiser never returns.
;;! ends Sandbox.FuelExhausted
;;! fuel 1000000
(module
  $PRELUDE
  (func (export "_initialize")
    (loop $forever (br $forever)))
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call $answer (local.get $input) (local.get $length)))
)

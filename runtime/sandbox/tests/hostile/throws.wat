;; Throws an exception that nobody catches.
;;! ends refused InvalidModule
;;! cause exceptions proposal not enabled
(module
  $PRELUDE
  (tag $oops)
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (throw $oops))
)

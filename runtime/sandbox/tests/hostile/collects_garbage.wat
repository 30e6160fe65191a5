;; Makes garbage without end, for the host to collect.
;;! ends refused InvalidModule
;;! cause gc types are disabled
;;! fuel 10000000
(module
  $PRELUDE
  (type $cell (struct (field (ref null $cell))))
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (loop $forever
      (drop (struct.new $cell (ref.null $cell)))
      (br $forever))
    (unreachable))
)

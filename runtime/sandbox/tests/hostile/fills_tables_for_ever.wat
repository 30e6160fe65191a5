;; Fills the largest table there can be, again and again.
;;! ends Timeout Deadline
;;! deadline 200
(module
  $PRELUDE
  (table $t 60000 funcref)
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (loop $forever
      (table.fill $t (i32.const 0) (ref.null func) (i32.const 60000))
      (br $forever))
    (unreachable))
)

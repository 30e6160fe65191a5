;; Two functions that call each other through a table.
;;! ends Sandbox.StackExhausted
(module
  $PRELUDE
  (type $step (func (param i32) (result i32)))
  (table funcref (elem $ping $pong))
  (func $ping (param i32) (result i32) (i32.add (i32.const 1) (call_indirect (type $step) (local.get 0) (i32.const 1))))
  (func $pong (param i32) (result i32) (i32.add (i32.const 1) (call_indirect (type $step) (local.get 0) (i32.const 0))))
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call $ping (i32.const 0)))
)

;; Wants four gigabytes at once.
;;! ends Sandbox.MemoryExceeded
(module
  $PRELUDE
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (drop (memory.grow (i32.const 65000)))
    (unreachable))
)

;; Takes all memory in its start function.
;;! ends Sandbox.MemoryExceeded
(module
  $PRELUDE
  (func $start
    (loop $forever
      (drop (memory.grow (i32.const 16)))
      (br $forever)))
  (start $start)
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (call $answer (local.get $input) (local.get $length)))
)

;; Its allocator, called by the host for the input, never returns.
;;! ends Sandbox.FuelExhausted
;;! fuel 1000000
(module
  (memory (export "memory") 16)
  (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (loop $forever (br $forever))
    (unreachable))
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (unreachable)))

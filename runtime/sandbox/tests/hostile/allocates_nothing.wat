;; Its allocator traps.
;;! ends Sandbox.Trapped
(module
  (memory (export "memory") 16)
  (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (unreachable))
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (unreachable)))

;; Its allocator calls itself.
;;! ends Sandbox.StackExhausted
(module
  (memory (export "memory") 16)
  (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (call $realloc (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (unreachable)))

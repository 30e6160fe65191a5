;; Its allocator calls the host, which is calling the allocator.
;;! ends Sandbox.Trapped
(module
  (import "sandstep:task/host@0.1.0" "context" (func $context (param i32)))
  (memory (export "memory") 16)
  (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (call $context (i32.const 128))
    (i32.const 1024))
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (unreachable)))

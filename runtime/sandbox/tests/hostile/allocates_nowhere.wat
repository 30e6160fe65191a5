;; Its allocator answers an address outside its memory.
;;! ends Sandbox.InvalidOutput
(module
  (memory (export "memory") 16)
  (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (i32.const 0x7ffffff0))
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (unreachable)))

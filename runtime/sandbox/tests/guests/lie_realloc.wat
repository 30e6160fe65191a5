;; Tells the host to put the input outside its memory.
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0x7ffffff0))
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (i32.const 0))
)

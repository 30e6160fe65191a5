;; Takes memory in four memories in turn, none of them large.
(module
  (memory (export "memory") 16)
  (global $heap (mut i32) (i32.const 65536))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (global.get $heap))
    (global.set $heap (i32.add (global.get $heap) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16))))
    (local.get $at))
  (memory $second 0)
  (memory $third 0)
  (memory $fourth 0)
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (loop $more
      (drop (memory.grow $second (i32.const 1)))
      (drop (memory.grow $third (i32.const 1)))
      (drop (memory.grow $fourth (i32.const 1)))
      (br $more))
    (unreachable))
)

;; Two modules with one memory; the allocator of the one answers its last bytes, which are too few for the input.
;;! ends Sandbox.InvalidOutput
;;! cause realloc return
(component
  (import "sandstep:task/types@0.1.0" (instance $types
    (type $error (record (field "error" string) (field "cause" string)))
    (export "task-error" (type (eq $error)))))
  (alias export $types "task-error" (type $task-error))
  (core module $a
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65530)))
  (core instance $a (instantiate $a))
  (core module $b
    (import "a" "memory" (memory 1))
    (func (export "handle") (param i32 i32) (result i32)
      (i32.store (i32.const 4) (local.get 0))
      (i32.store (i32.const 8) (local.get 1))
      (i32.const 0)))
  (core instance $b (instantiate $b (with "a" (instance $a))))
  (func $handle (param "input" string) (result (result string (error $task-error)))
    (canon lift (core func $b "handle") (memory (core memory $a "memory")) (realloc (core func $a "realloc"))))
  (instance $handler (export "handle" (func $handle)))
  (export "sandstep:task/handler@0.1.0" (instance $handler))
)

;; Gives back a handle that it never got.
;;! ends Sandbox.Trapped
(component
  (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (import "sandstep:task/types@0.1.0" (instance $types
    (type $error (record (field "error" string) (field "cause" string)))
    (export "task-error" (type (eq $error)))))
  (alias export $types "task-error" (type $task-error))
  (core func $drop (canon resource.drop $pollable))
  (core module $m
    (import "host" "drop" (func $drop (param i32)))
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "handle") (param i32 i32) (result i32)
      (call $drop (i32.const 12345))
      (unreachable)))
  (core instance $i (instantiate $m (with "host" (instance (export "drop" (func $drop))))))
  (func $handle (param "input" string) (result (result string (error $task-error)))
    (canon lift (core func $i "handle") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
  (instance $handler (export "handle" (func $handle)))
  (export "sandstep:task/handler@0.1.0" (instance $handler))
)

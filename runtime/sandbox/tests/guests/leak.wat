;; A component that asks the host for timers without end and gives none back.
(component
  (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $outer))
    (export "pollable" (type $timer (eq $outer)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $timer))))))
  (import "sandstep:task/types@0.1.0" (instance $types
    (type $error (record (field "error" string) (field "cause" string)))
    (export "task-error" (type (eq $error)))))
  (alias export $types "task-error" (type $task-error))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core module $m
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "handle") (param i32 i32) (result i32)
      (loop $forever
        (drop (call $subscribe (i64.const 3600000000000)))
        (br $forever))
      (unreachable)))
  (core instance $i (instantiate $m (with "host" (instance (export "subscribe" (func $subscribe))))))
  (func $handle (param "input" string) (result (result string (error $task-error)))
    (canon lift (core func $i "handle") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
  (instance $handler (export "handle" (func $handle)))
  (export "sandstep:task/handler@0.1.0" (instance $handler))
)

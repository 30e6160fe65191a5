;; Has a resource of its own, and makes a million handles to it.
;;! ends Sandbox.Trapped
;;! cause handle limit
;;! fuel 2000000000
(component
  (import "sandstep:task/types@0.1.0" (instance $types
    (type $error (record (field "error" string) (field "cause" string)))
    (export "task-error" (type (eq $error)))))
  (alias export $types "task-error" (type $task-error))
  (type $own (resource (rep i32)))
  (core func $new (canon resource.new $own))
  (core module $m
    (import "own" "new" (func $new (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "handle") (param i32 i32) (result i32)
      (loop $forever
        (drop (call $new (i32.const 7)))
        (br $forever))
      (unreachable)))
  (core instance $i (instantiate $m (with "own" (instance (export "new" (func $new))))))
  (func $handle (param "input" string) (result (result string (error $task-error)))
    (canon lift (core func $i "handle") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
  (instance $handler (export "handle" (func $handle)))
  (export "sandstep:task/handler@0.1.0" (instance $handler))
)

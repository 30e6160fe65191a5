;; Makes the request that its input says, a JSON string `METHOD|SCHEME|AUTHORITY|PATH|HEADER|VALUE|BODY`, and answers
;; `[STATUS, BODY]` with the body as it came, or a text that says what failed: `"error 15"` has the number of the
;; `error-code`, in the order of WIT. `^` and `~` in the input are a carriage return and a line feed. `storm` in place of a method makes GET requests and never reads an answer.
(module
  (import "wasi:http/types@0.2.0" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.0" "[method]fields.append"
    (func $append (param i32 i32 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.0" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-method"
    (func $set_method (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-path-with-query"
    (func $set_path (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-scheme"
    (func $set_scheme (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-authority"
    (func $set_authority (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.body" (func $request_body (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-body.write" (func $body_write (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]future-incoming-response.subscribe"
    (func $subscribe (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]future-incoming-response.get" (func $get (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-response.status" (func $status (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-response.consume" (func $consume (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-body.stream" (func $stream (param i32 i32)))
  (import "wasi:http/outgoing-handler@0.2.0" "handle" (func $handle (param i32 i32 i32 i32)))
  (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/streams@0.2.0" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.0" "[resource-drop]output-stream" (func $drop_stream (param i32)))
  $PRELUDE
  (global $out (mut i32) (i32.const 4096))
  (data (i32.const 512) "\"error \"header \"refused\"\"stream\"")
  (func $say (param $from i32) (param $length i32)
    (memory.copy (global.get $out) (local.get $from) (local.get $length))
    (global.set $out (i32.add (global.get $out) (local.get $length))))
  (func $say_byte (param $byte i32)
    (i32.store8 (global.get $out) (local.get $byte))
    (global.set $out (i32.add (global.get $out) (i32.const 1))))
  (func $say_number (param $number i32)
    (if (i32.ge_u (local.get $number) (i32.const 10))
      (then (call $say_number (i32.div_u (local.get $number) (i32.const 10)))))
    (call $say_byte (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10)))))
  (func $said (result i32)
    (call $answer (i32.const 4096) (i32.sub (global.get $out) (i32.const 4096))))
  (func $said_number (param $text i32) (param $length i32) (param $number i32) (result i32)
    (call $say (local.get $text) (local.get $length))
    (call $say_number (local.get $number))
    (call $say_byte (i32.const 34))
    (call $said))
  (func $field (param $which i32) (result i32) (i32.load (i32.add (i32.const 1024) (i32.mul (local.get $which) (i32.const 8)))))
  (func $length (param $which i32) (result i32) (i32.load (i32.add (i32.const 1028) (i32.mul (local.get $which) (i32.const 8)))))
  (func $split (param $at i32) (param $end i32) (local $field i32)
    (local.set $field (i32.const 1024))
    (i32.store (local.get $field) (local.get $at))
    (loop $more
      (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 124)) (then
        (i32.store offset=4 (local.get $field) (i32.sub (local.get $at) (i32.load (local.get $field))))
        (local.set $field (i32.add (local.get $field) (i32.const 8)))
        (i32.store (local.get $field) (i32.add (local.get $at) (i32.const 1)))))
      (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 94)) (then (i32.store8 (local.get $at) (i32.const 13))))
      (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 126)) (then (i32.store8 (local.get $at) (i32.const 10))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $at) (local.get $end))))
    (i32.store offset=4 (local.get $field) (i32.sub (local.get $end) (i32.load (local.get $field)))))
  ;; A request by the fields; 0 where it can't be made, and then that is said.
  (func $made (result i32) (local $request i32) (local $headers i32)
    (local.set $headers (call $fields))
    (if (call $length (i32.const 4)) (then
      (call $append (local.get $headers) (call $field (i32.const 4)) (call $length (i32.const 4))
        (call $field (i32.const 5)) (call $length (i32.const 5)) (i32.const 32))
      (if (i32.load8_u (i32.const 32)) (then
        (drop (call $said_number (i32.const 519) (i32.const 8) (i32.load8_u (i32.const 33))))
        (return (i32.const 0))))))
    (local.set $request (call $request (local.get $headers)))
    (if (i32.or
          (i32.or
            (call $set_method (local.get $request) (i32.const 9) (call $field (i32.const 0)) (call $length (i32.const 0)))
            (call $set_path (local.get $request) (i32.const 1) (call $field (i32.const 3)) (call $length (i32.const 3))))
          (i32.or
            (call $set_scheme (local.get $request) (i32.const 1) (i32.const 2) (call $field (i32.const 1)) (call $length (i32.const 1)))
            (call $set_authority (local.get $request) (i32.const 1) (call $field (i32.const 2)) (call $length (i32.const 2)))))
      (then (call $say (i32.const 527) (i32.const 9)) (return (i32.const 0))))
    (local.get $request))
  (func $storm
    (i32.store (i32.const 1024) (i32.const 560))
    (i32.store (i32.const 1028) (i32.const 3))
    (loop $more
      (call $handle (call $made) (i32.const 0) (i32.const 0) (i32.const 48))
      (br $more)))
  (data (i32.const 560) "GET")
  (func (export "sandstep:task/handler@0.1.0#handle") (param $input i32) (param $end i32) (result i32)
    (local $request i32) (local $future i32) (local $body i32) (local $stream i32)
    (call $split (i32.add (local.get $input) (i32.const 1))
      (i32.sub (i32.add (local.get $input) (local.get $end)) (i32.const 1)))
    (if (i32.eq (i32.load8_u (call $field (i32.const 0))) (i32.const 115)) (then (call $storm)))
    (local.set $request (call $made))
    (if (i32.eqz (local.get $request)) (then (return (call $said))))
    (if (call $length (i32.const 6)) (then
      (call $request_body (local.get $request) (i32.const 32))
      (local.set $body (i32.load (i32.const 36)))
      (call $body_write (local.get $body) (i32.const 32))
      (local.set $stream (i32.load (i32.const 36)))
      (call $write (local.get $stream) (call $field (i32.const 6)) (call $length (i32.const 6)) (i32.const 32))
      (call $drop_stream (local.get $stream))
      (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 64))))
    (call $handle (local.get $request) (i32.const 0) (i32.const 0) (i32.const 48))
    (if (i32.load8_u (i32.const 48))
      (then (return (call $said_number (i32.const 512) (i32.const 7) (i32.load8_u (i32.const 56))))))
    (local.set $future (i32.load (i32.const 56)))
    (call $block (call $subscribe (local.get $future)))
    (call $get (local.get $future) (i32.const 96))
    (if (i32.load8_u (i32.const 112))
      (then (return (call $said_number (i32.const 512) (i32.const 7) (i32.load8_u (i32.const 120))))))
    (local.set $future (i32.load (i32.const 120)))
    (call $say_byte (i32.const 91))
    (call $say_number (call $status (local.get $future)))
    (call $say_byte (i32.const 44))
    (call $consume (local.get $future) (i32.const 32))
    (call $stream (i32.load (i32.const 36)) (i32.const 32))
    (local.set $stream (i32.load (i32.const 36)))
    (block $end
      (loop $more
        (global.set $heap (i32.const 65536))
        (call $read (local.get $stream) (i64.const 4096) (i32.const 32))
        (br_if $end (i32.load8_u (i32.const 32)))
        (call $say (i32.load (i32.const 36)) (i32.load (i32.const 40)))
        ;; An endless answer is read to its end.
        (if (i32.gt_u (global.get $out) (i32.const 32768)) (then (global.set $out (i32.const 16384))))
        (br $more)))
    (if (i32.eqz (i32.load8_u (i32.const 36)))
      (then
        (global.set $out (i32.const 4096))
        (call $say (i32.const 536) (i32.const 8)))
      (else (call $say_byte (i32.const 93))))
    (call $said)))

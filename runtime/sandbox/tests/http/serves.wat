;; Answers requests; the path says how:
;;   /e  echoes the body and its content type     /s404  the status, and the text `said` with it
;;   /q  the method, the authority and the path    /u  begins a body and leaves it open
;;   /f  fails with a text    /d  gives no response    /t  gives two    /o  writes without end    /n  computes for ever
;;   /w  waits for ever       /l  gives a response and computes for ever    /x  gives one and traps
;;   /c  writes less than its head says    /h  asks for http://localhost/ from within
(module
  (import "wasi:http/types@0.2.0" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.0" "[method]fields.append" (func $append (param i32 i32 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]fields.get" (func $get (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-request.method" (func $method (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-request.path-with-query" (func $path (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-request.authority" (func $authority (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-request.headers" (func $headers (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-request.consume" (func $consume (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-body.stream" (func $stream (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-response.set-status-code"
    (func $set_status (param i32 i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-response.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-body.write" (func $body_write (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.0" "[static]response-outparam.set"
    (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.0" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
  (import "wasi:http/outgoing-handler@0.2.0" "handle" (func $ask (param i32 i32 i32 i32)))
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $timer (param i64) (result i32)))
  (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/streams@0.2.0" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.0" "[resource-drop]output-stream" (func $drop_stream (param i32)))
  $PRELUDE
  (data (i32.const 512) "content-type")
  (data (i32.const 528) "content-length")
  (data (i32.const 544) "9")
  (data (i32.const 560) "said")
  (data (i32.const 576) "the shelf is empty")
  (data (i32.const 608) " ")
  (func $send (param $out i32) (param $response i32)
    (call $set (local.get $out) (i32.const 0) (local.get $response) (i32.const 0) (i64.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
  ;; A response that is sent; its stream is at 68, its body at 72.
  (func $begin (param $out i32) (param $headers i32) (param $status i32) (local $response i32)
    (local.set $response (call $response (local.get $headers)))
    (drop (call $set_status (local.get $response) (local.get $status)))
    (call $body (local.get $response) (i32.const 32))
    (i32.store (i32.const 72) (i32.load (i32.const 36)))
    (call $body_write (i32.load (i32.const 72)) (i32.const 32))
    (i32.store (i32.const 68) (i32.load (i32.const 36)))
    (call $send (local.get $out) (local.get $response)))
  (func $say (param $at i32) (param $length i32)
    (call $write (i32.load (i32.const 68)) (local.get $at) (local.get $length) (i32.const 32)))
  (func $end
    (call $drop_stream (i32.load (i32.const 68)))
    (call $finish (i32.load (i32.const 72)) (i32.const 0) (i32.const 0) (i32.const 128)))
  (func $spin (loop $more (br $more)))
  (func $digit (param $at i32) (result i32) (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))
  (func $is (param $byte i32) (result i32)
    (i32.eq (i32.load8_u (i32.const 88)) (local.get $byte)))
  (func (export "wasi:http/incoming-handler@0.2.0#handle") (param $request i32) (param $out i32)
    (local $headers i32) (local $stream i32)
    (call $path (local.get $request) (i32.const 16))
    (i32.store8 (i32.const 88) (i32.load8_u offset=1 (i32.load (i32.const 20))))
    (local.set $headers (call $fields))
    (if (call $is (i32.const 101)) (then
      (call $get (call $headers (local.get $request)) (i32.const 512) (i32.const 12) (i32.const 32))
      (if (i32.load (i32.const 36)) (then
        (call $append (local.get $headers) (i32.const 512) (i32.const 12)
          (i32.load (i32.load (i32.const 32))) (i32.load offset=4 (i32.load (i32.const 32))) (i32.const 48))))
      (call $begin (local.get $out) (local.get $headers) (i32.const 200))
      (call $consume (local.get $request) (i32.const 32))
      (call $stream (i32.load (i32.const 36)) (i32.const 32))
      (local.set $stream (i32.load (i32.const 36)))
      (block $end
        (loop $more
          (global.set $heap (i32.const 65536))
          (call $read (local.get $stream) (i64.const 4096) (i32.const 32))
          (br_if $end (i32.load8_u (i32.const 32)))
          (call $say (i32.load (i32.const 36)) (i32.load (i32.const 40)))
          (br $more)))
      (call $end)))
    (if (call $is (i32.const 113)) (then
      (call $begin (local.get $out) (local.get $headers) (i32.const 200))
      (call $method (local.get $request) (i32.const 32))
      (i32.store8 (i32.const 80) (i32.add (i32.const 48) (i32.load8_u (i32.const 32))))
      (call $say (i32.const 80) (i32.const 1))
      (call $say (i32.const 608) (i32.const 1))
      (call $authority (local.get $request) (i32.const 48))
      (call $say (i32.load (i32.const 52)) (i32.load (i32.const 56)))
      (call $say (i32.load (i32.const 20)) (i32.load (i32.const 24)))
      (call $end)))
    (if (call $is (i32.const 115)) (then
      (local.set $stream (i32.load (i32.const 20)))
      (call $begin (local.get $out) (local.get $headers)
        (i32.add
          (i32.mul (call $digit (i32.add (local.get $stream) (i32.const 2))) (i32.const 100))
          (i32.add
            (i32.mul (call $digit (i32.add (local.get $stream) (i32.const 3))) (i32.const 10))
            (call $digit (i32.add (local.get $stream) (i32.const 4))))))
      (call $say (i32.const 560) (i32.const 4))
      (call $end)))
    (if (call $is (i32.const 117)) (then
      (call $begin (local.get $out) (local.get $headers) (i32.const 200))
      (call $say (i32.const 560) (i32.const 4))))
    (if (call $is (i32.const 102)) (then
      (call $set (local.get $out) (i32.const 1) (i32.const 38) (i32.const 1) (i64.const 576) (i32.const 18)
        (i32.const 0) (i32.const 0) (i32.const 0))))
    (if (call $is (i32.const 116)) (then
      (call $send (local.get $out) (call $response (local.get $headers)))
      (call $send (local.get $out) (call $response (call $fields)))))
    (if (call $is (i32.const 111)) (then
      (call $begin (local.get $out) (local.get $headers) (i32.const 200))
      (loop $more (call $say (i32.const 0) (i32.const 4096)) (br $more))))
    (if (call $is (i32.const 110)) (then (call $spin)))
    (if (call $is (i32.const 119)) (then (call $block (call $timer (i64.const 0x7fffffffffffffff)))))
    (if (call $is (i32.const 108)) (then
      (call $begin (local.get $out) (local.get $headers) (i32.const 200))
      (call $end)
      (call $spin)))
    (if (call $is (i32.const 120)) (then
      (call $begin (local.get $out) (local.get $headers) (i32.const 200))
      (call $end)
      (unreachable)))
    (if (call $is (i32.const 99)) (then
      (call $append (local.get $headers) (i32.const 528) (i32.const 14) (i32.const 544) (i32.const 1) (i32.const 48))
      (call $begin (local.get $out) (local.get $headers) (i32.const 200))
      (call $say (i32.const 560) (i32.const 4))
      (call $end)))
    (if (call $is (i32.const 104)) (then
      (call $ask (call $request (call $fields)) (i32.const 0) (i32.const 0) (i32.const 96))
      (call $begin (local.get $out) (local.get $headers) (i32.add (i32.const 200) (i32.load8_u (i32.const 96))))
      (call $end)))))

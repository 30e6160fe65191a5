//! Functions at the root and in interfaces: their names, their parameters, their errors and their limits.

mod world;

use asl::Payload;
use engine::ports::{Outcome, TaskLimits, TaskRunner, WayKind};
use serde_json::json;
use world::{World, echo_of, job};

fn succeeded(text: &str) -> Outcome {
    Outcome::Succeeded(Payload::from_text(text).expect("JSON"))
}

/// Functions of several shapes, at the root and in an interface.
const SHOP: &str = r#"(component
  (core module $m
    (memory (export "mem") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
    (func (export "sum") (param f64 f64) (result f64) (f64.add (local.get 0) (local.get 1)))
    (func (export "seven") (result i32) (i32.const 7))
    (func (export "quiet"))
    (func (export "not") (param i32) (result i32) (i32.eqz (local.get 0)))
    (func (export "check") (param i32) (result i32) (local.get 0))
    (data (i32.const 64) "out-of-stockno tea left")
    (func (export "fail") (param $how i32) (result i32)
      ;; an err, and behind it whatever the type holds: two texts, or a case and its text
      (i32.store (i32.const 16) (i32.const 1))
      (i32.store (i32.const 20) (i32.const 64)) (i32.store (i32.const 24) (i32.const 12))
      (i32.store (i32.const 28) (i32.const 76)) (i32.store (i32.const 32) (i32.const 11))
      (i32.const 16))
    (func (export "case") (param $how i32) (result i32)
      (i32.store (i32.const 16) (i32.const 1)) (i32.store (i32.const 20) (local.get $how))
      (i32.store (i32.const 24) (i32.const 76)) (i32.store (i32.const 28) (i32.const 11))
      (i32.const 16))
    (func (export "spin") (loop (br 0))))
  (core instance $i (instantiate $m))
  (type $failed' (record (field "error" string) (field "message" string)))
  (export $failed "failed" (type $failed'))
  (type $why' (variant (case "closed") (case "empty" string)))
  (export $why "why" (type $why'))
  (type $mood' (enum "grumpy" "asleep"))
  (export $mood "mood" (type $mood'))
  (type $record-result (result u32 (error $failed)))
  (type $variant-result (result u32 (error $why)))
  (type $text-result (result u32 (error string)))
  (type $enum-result (result (error $mood)))
  (type $bare-result (result))
  (func (export "sum") (param "a" f64) (param "b" f64) (result f64) (canon lift (core func $i "sum")))
  (func (export "seven") (result u8) (canon lift (core func $i "seven")))
  (func (export "quiet") (canon lift (core func $i "quiet")))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "not") (param "it" bool) (result bool) (canon lift (core func $i "not")))
  (func (export "fail") (param "how" u32) (result $record-result)
    (canon lift (core func $i "fail") (memory (core memory $i "mem"))))
  (func (export "fail-with-text") (param "how" u32) (result $text-result)
    (canon lift (core func $i "fail") (memory (core memory $i "mem"))))
  (func (export "fail-with-case") (param "how" u32) (result $variant-result)
    (canon lift (core func $i "case") (memory (core memory $i "mem"))))
  (func (export "check") (param "bad" bool) (result $bare-result) (canon lift (core func $i "check")))
  (func $not (param "it" bool) (result bool) (canon lift (core func $i "not")))
  (instance $logic (export "not" (func $not)) (export "also-not" (func $not)))
  (export "acme:shop/logic@1.2.0" (instance $logic))
  (type $drawer' (resource (rep i32)))
  (export $drawer "drawer" (type $drawer'))
  (core func $new (canon resource.new $drawer'))
  (core module $d (import "" "new" (func $new (param i32) (result i32)))
    (func (export "open") (result i32) (call $new (i32.const 1))))
  (core instance $di (instantiate $d (with "" (instance (export "new" (func $new))))))
  (type $own (own $drawer))
  (func (export "open") (result $own) (canon lift (core func $di "open"))))"#;

#[test]
fn functions_are_called_by_name_with_their_parameters_by_name() {
    let world = World::new();
    let module = world.component(SHOP);
    for (function, input, output) in [
        ("sum", r#"{"a": 1, "b": 0.5}"#, "1.5"),
        ("sum", r#"{"b": "Infinity", "a": 0}"#, "\"Infinity\""),
        ("seven", r#"{"whatever": ["the", "state"]}"#, "7"),
        ("quiet", "null", "null"),
        ("not", "true", "false"),
        ("not", r#"{"it": false}"#, "true"),
        ("acme:shop/logic.not", "true", "false"),
        ("acme:shop/logic@1.2.0.not", "true", "false"),
        ("also-not", r#"{"it": true}"#, "false"),
        ("check", "false", "null"),
    ] {
        let outcome = world.call(&module, Some(function), input);
        assert_eq!(outcome, succeeded(output), "{function} {input}");
    }
    for (function, input, error, part) in [
        (
            Some("sum"),
            r#"{"a": 1}"#,
            "Sandbox.InvalidInput",
            "`$`: `b` is missing, `f64`",
        ),
        (
            Some("sum"),
            "[1, 2]",
            "Sandbox.InvalidInput",
            "`$`: wanted an object with `a`, `b`, got a list",
        ),
        (
            Some("sum"),
            r#"{"a": 1, "b": 2, "c": 3}"#,
            "Sandbox.InvalidInput",
            "`$.c`: no such name",
        ),
        (
            Some("open"),
            "{}",
            "Sandbox.FunctionNotFound",
            "JSON can't say a resource",
        ),
        (
            Some("shut"),
            "{}",
            "Sandbox.FunctionNotFound",
            "no function `shut`; name one of `acme",
        ),
        (
            None,
            "{}",
            "Sandbox.FunctionNotFound",
            "several functions and none is the default",
        ),
    ] {
        let (name, cause) = world.refused(&module, function, input);
        assert_eq!(name, error, "{function:?}: {cause}");
        assert!(cause.contains(part), "{function:?} {input}: {cause}");
    }
}

#[test]
fn an_err_is_the_tasks_error() {
    let world = World::new();
    let module = world.component(SHOP);
    for (function, input, error, cause) in [
        ("fail", "0", "out-of-stock", "no tea left"),
        ("fail-with-text", "0", "Error", "out-of-stock"),
        ("fail-with-case", "0", "closed", ""),
        ("fail-with-case", "1", "empty", "no tea left"),
        (
            "check",
            "true",
            "Error",
            "the function returned an error without a value",
        ),
    ] {
        let failure = world.refused(&module, Some(function), input);
        assert_eq!(failure, (error.to_owned(), cause.to_owned()), "{function}");
    }
}

#[test]
fn functions_run_under_the_limits_of_every_task() {
    let world = World::new();
    let module = world.component(SHOP);
    let mut endless = job(&module);
    endless.function = Some("spin".to_owned());
    endless.limits.fuel = 1_000_000;
    world.fails(endless.clone(), "Sandbox.FuelExhausted");
    endless.limits = TaskLimits::default();
    endless.deadline = Some(world::in_time(std::time::Duration::from_millis(50)));
    assert_eq!(
        world.run(endless).outcome,
        Outcome::TimedOut(asl::TimeoutKind::Deadline)
    );

    // The arguments count as memory before the guest has them.
    let echo = world.component(&echo_of("", "u16"));
    let mut large = job(&echo);
    large.limits.memory = 1 << 20;
    large.input = Payload::from_text(format!("[{}1]", "1,".repeat(600_000))).expect("JSON");
    let cause = world.fails(large.clone(), "Sandbox.MemoryExceeded");
    assert!(cause.contains("`1048576` bytes"), "{cause}");
    large.limits.memory = 64 << 20;
    assert_eq!(
        world.run(large.clone()).outcome,
        Outcome::Succeeded(large.input.clone())
    );
    // The text of what comes back has the limit of every output.
    large.input = Payload::from_text(format!("[{}1]", "60000,".repeat(400_000))).expect("JSON");
    let cause = world.fails(large, "Sandbox.OutputTooLarge");
    assert!(cause.contains(&format!("`{}` bytes", sandbox::OUTPUT_BYTES)), "{cause}");
}

#[test]
fn ways_in_are_described_with_wit_and_schemas() {
    let world = World::new();
    let component = wat::parse_str(SHOP).expect("WAT");
    let description = world.sandbox.prepare(&component).expect("functions").description;
    assert_eq!(description.entry, "");
    let way = |name: &str| {
        let way = description.ways.iter().find(|way| way.name == name);
        way.unwrap_or_else(|| panic!("{name} in {:?}", description.ways))
    };
    let sum = way("sum");
    assert_eq!(
        (sum.kind, sum.signature.as_str()),
        (WayKind::Function, "func(a: f64, b: f64) -> f64")
    );
    assert_eq!(sum.input["required"], json!(["a", "b"]));
    assert_eq!(sum.output["anyOf"][0], json!({"type": "number"}));
    assert_eq!(way("fail").output["maximum"], json!(u32::MAX), "an err is no output");
    assert_eq!(
        way("acme:shop/logic@1.2.0.not").input["properties"]["it"],
        json!({"type": "boolean"})
    );
    assert_eq!(way("open").refused.as_deref(), Some("JSON can't say a resource"));
    let plain = r#"(component
      (core module $m (func (export "not") (param i32) (result i32) (i32.eqz (local.get 0))))
      (core instance $i (instantiate $m))
      (func $not (param "it" bool) (result bool) (canon lift (core func $i "not")))
      (export "negate" (func $not))
      (instance $logic (export "not" (func $not)))
      (export "acme:shop/logic@1.2.0" (instance $logic)))"#;
    let component = wat::parse_str(plain).expect("WAT");
    let description = world.sandbox.prepare(&component).expect("functions").description;
    assert_eq!(description.entry, "acme:shop/logic@1.2.0.not");
    let wit = description.wit.expect("WIT");
    for part in [
        "world root",
        "export negate: func(it: bool) -> bool;",
        "package acme:shop@1.2.0",
        "  not: func",
    ] {
        assert!(wit.contains(part), "{part}: {wit}");
    }
}

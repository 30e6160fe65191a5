//! Functions of any type: JSON there and back, what is refused, and what their errors become.

mod world;

use asl::Payload;
use engine::ports::{CallProblem, CallSketch, Outcome, TaskLimits, TaskRunner, WayKind};
use serde_json::{Value, json};
use world::{World, echo_of, job};

/// Definitions of the types below.
const TYPES: &str = r#"
  (type $point' (record (field "x" s32) (field "unit-price" (option string))))
  (export $point "point" (type $point'))
  (type $shape' (variant (case "none") (case "circle" f64) (case "at" $point)))
  (export $shape "shape" (type $shape'))
  (type $colour' (enum "red" "dark-blue"))
  (export $colour "colour" (type $colour'))
  (type $rights' (flags "read" "write" "run"))
  (export $rights "rights" (type $rights'))
  (type $maybe (option string))
  (type $perhaps (option $maybe))
  (type $pair (tuple u8 $colour))
  (type $bytes (list u8))
  (type $numbers (list u16))
  (type $outcome (result u32 (error string)))
  (type $bare (result))
  (type $prices (map string f32))
  (type $by-number (map u8 bool))
  (type $three (list u16 3))
  (type $digest (list u8 4))
"#;

/// A type, values that come back as they are, and values that come back in another form.
type Case = (
    &'static str,
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

const CASES: &[Case] = &[
    ("bool", &["true", "false"], &[]),
    ("s8", &["-128", "127"], &[("1e1", "10"), ("-0.0", "0")]),
    (
        "u8",
        &[],
        &[("\"AAH/\"", "\"AAH/\""), ("[0, 255.0]", "\"AP8=\""), ("\"\"", "\"\"")],
    ),
    ("s16", &["-32768", "32767"], &[]),
    ("u16", &["0", "65535"], &[("1.2e1", "12")]),
    ("s32", &["-2147483648", "2147483647"], &[]),
    ("u32", &["0", "4294967295"], &[("4294967295.0", "4294967295")]),
    (
        "s64",
        &["-9223372036854775808", "9223372036854775807"],
        &[("\"-9223372036854775808\"", "-9223372036854775808")],
    ),
    (
        "u64",
        &["0", "18446744073709551615"],
        &[("\"18446744073709551615\"", "18446744073709551615")],
    ),
    (
        "f32",
        &[
            "0.1",
            "-0.0",
            "3.4028235e+38",
            "\"NaN\"",
            "\"Infinity\"",
            "\"-Infinity\"",
        ],
        &[("1", "1.0"), ("0.10000000001", "0.1"), ("1e-60", "0.0")],
    ),
    (
        "f64",
        &[
            "0.1",
            "1e+300",
            "-0.0",
            "5e-324",
            "\"NaN\"",
            "\"Infinity\"",
            "\"-Infinity\"",
        ],
        &[("7", "7.0"), ("18446744073709551615", "1.8446744073709552e+19")],
    ),
    (
        "char",
        &["\"a\"", "\"é\"", "\"🦀\"", "\"\\u0000\""],
        &[("\"\\ud83e\\udd80\"", "\"🦀\"")],
    ),
    ("string", &["\"\"", "\"naïve \\\"quoted\\\" \\u0000 \\n 🦀\""], &[]),
    (
        "$point",
        &["{\"x\":1,\"unit-price\":\"a\"}", "{\"x\":1,\"unit-price\":null}"],
        &[
            (
                "{\"unit-price\": \"late\", \"x\": 2}",
                "{\"x\":2,\"unit-price\":\"late\"}",
            ),
            ("{\"x\": 3}", "{\"x\":3,\"unit-price\":null}"),
        ],
    ),
    (
        "$shape",
        &["\"none\"", "{\"circle\":1.5}", "{\"at\":{\"x\":1,\"unit-price\":null}}"],
        &[("{\"none\": null}", "\"none\"")],
    ),
    ("$colour", &["\"red\"", "\"dark-blue\""], &[]),
    (
        "$rights",
        &["[]", "[\"read\",\"run\"]"],
        &[("[\"run\", \"read\"]", "[\"read\",\"run\"]")],
    ),
    ("$maybe", &["null", "\"null\""], &[]),
    ("$perhaps", &["null", "{\"some\":null}", "{\"some\":\"a\"}"], &[]),
    ("$pair", &["[1,\"red\"]"], &[]),
    (
        "$bytes",
        &["\"\"", "\"AAECAw==\"", "\"+/8=\""],
        &[("\"AAECAw\"", "\"AAECAw==\""), ("[255]", "\"/w==\"")],
    ),
    ("$numbers", &["[]", "[1,65535]"], &[]),
    ("$outcome", &["{\"ok\":7}", "{\"err\":\"no\"}"], &[]),
    ("$bare", &["{\"ok\":null}", "{\"err\":null}"], &[]),
    ("$prices", &["{}", "{\"tea\":1.5,\"two words\":0.0}"], &[]),
    ("$by-number", &["{\"0\":true,\"255\":false}"], &[]),
    ("$three", &["[1,2,3]"], &[]),
    ("$digest", &["\"AAECAw==\""], &[("[0,1,2,3]", "\"AAECAw==\"")]),
];

fn succeeded(text: &str) -> Outcome {
    Outcome::Succeeded(Payload::from_text(text).expect("JSON"))
}

#[test]
fn values_of_every_type_go_there_and_back() {
    let world = World::new();
    for (ty, same, others) in CASES {
        let module = world.component(&echo_of(TYPES, ty));
        if *ty == "u8" {
            // A list of them is bytes.
            for (given, wanted) in *others {
                assert_eq!(
                    world.call(&module, None, given),
                    succeeded(wanted),
                    "list of u8: {given}"
                );
            }
            continue;
        }
        let same = same.iter().map(|value| (*value, *value));
        for (given, wanted) in same.chain(others.iter().copied()) {
            let wanted = succeeded(&format!("[{wanted}]"));
            assert_eq!(
                world.call(&module, None, &format!("[{given}]")),
                wanted,
                "{ty}: {given}"
            );
        }
        let all: Vec<&str> = CASES.iter().find(|case| case.0 == *ty).expect("itself").1.to_vec();
        let all = format!("[{}]", all.join(","));
        assert_eq!(
            world.call(&module, Some("echo"), &format!("{{\"items\": {all}}}")),
            succeeded(&all),
            "{ty}"
        );
    }
}

#[test]
fn what_does_not_fit_is_told_with_its_place_and_the_type_wanted() {
    let world = World::new();
    let cases: &[(&str, &str, &[&str])] = &[
        ("bool", "[1]", &["`$[0]`: wanted `bool`, got `1`"]),
        (
            "s8",
            "[0, 128]",
            &["`$[1]`: wanted `s8` (a whole number from -128 to 127), got `128`"],
        ),
        ("u16", "[-1]", &["wanted `u16`", "got `-1`"]),
        ("u16", "[1.5]", &["got `1.5`"]),
        ("u32", "[\"1\"]", &["got the text `1`"]),
        (
            "u64",
            "[18446744073709551616]",
            &["wanted `u64`", "got `18446744073709552000`"],
        ),
        (
            "u64",
            "[\"18446744073709551616\"]",
            &["wanted `u64`", "got the text `18446744073709551616`"],
        ),
        (
            "s64",
            "[9223372036854775808]",
            &["wanted `s64`", "got `9223372036854775808`"],
        ),
        ("f32", "[1e39]", &["wanted `f32`", "got `1000000000000000000000"]),
        ("f64", "[\"nan\"]", &["wanted `f64`", "`NaN`", "got the text `nan`"]),
        (
            "char",
            "[\"ab\"]",
            &["wanted `char` (a text of one character), got the text `ab`"],
        ),
        ("char", "[\"\"]", &["wanted `char`"]),
        ("string", "[null]", &["wanted `string`, got `null`"]),
        (
            "string",
            "{\"items\": [\"a\", {}]}",
            &["`$.items[1]`: wanted `string`, got an object"],
        ),
        (
            "$point",
            "[{\"x\": 1}, {\"x\": 1, \"unit-price\": 3}]",
            &["`$[1].unit-price`: wanted `string`, got `3`"],
        ),
        ("$point", "[{}]", &["`$[0]`: `x` is missing, `s32`"]),
        (
            "$point",
            "[{\"x\": 1, \"unitPrice\": \"a\"}]",
            &["`$[0].unitPrice`: no such name is asked for; known are `x`, `unit-price`"],
        ),
        (
            "$point",
            "[[1]]",
            &["wanted an object with `x`, `unit-price`, got a list", "wanted `record"],
        ),
        ("$shape", "[\"circle\"]", &["got `circle` alone, which holds `f64`"]),
        (
            "$shape",
            "[\"square\"]",
            &[
                "wanted `variant { none, circle(f64), at(record",
                "got the text `square`",
            ],
        ),
        (
            "$shape",
            "[{\"circle\": 1, \"none\": null}]",
            &["got an object with more than one name"],
        ),
        ("$shape", "[{}]", &["got an empty object"]),
        ("$shape", "[{\"none\": 1}]", &["`$[0].none`: wanted `null`"]),
        ("$shape", "[{\"at\": {\"x\": true}}]", &["`$[0].at.x`: wanted `s32`"]),
        (
            "$colour",
            "[\"blue\"]",
            &["wanted `enum { red, dark-blue }`, got the text `blue`"],
        ),
        (
            "$rights",
            "[[\"read\", \"fly\"]]",
            &["`$[0][1]`: wanted `flags { read, write, run }`", "got `\"fly\"`"],
        ),
        (
            "$rights",
            "[[\"read\", \"read\", \"read\", \"read\"]]",
            &["more names than there are"],
        ),
        (
            "$perhaps",
            "[\"a\"]",
            &["wanted `option<option<string>>` (null, or an object with `some`)"],
        ),
        (
            "$pair",
            "[[1]]",
            &["wanted `tuple<u8, enum { red, dark-blue }>` (a list of 2), got `1` of them"],
        ),
        ("$pair", "[[1, \"red\", 2]]", &["got more than that"]),
        (
            "$bytes",
            "[\"A?==\"]",
            &["`$[0]`: wanted `list<u8>` (a text in base64", "Invalid symbol"],
        ),
        (
            "$bytes",
            "[[1, 256]]",
            &["`$[0][1]`: wanted `u8` (a whole number from 0 to 255), got `256`"],
        ),
        (
            "$outcome",
            "[{\"maybe\": 1}]",
            &["wanted `result<u32, string>` (an object with `ok` or `err`)"],
        ),
        (
            "$prices",
            "[{\"two words\": \"a\"}]",
            &["`$[0][\"two words\"]`: wanted `f32`"],
        ),
        ("$by-number", "[{\"256\": true}]", &["wanted `u8`", "got the key `256`"]),
        ("$three", "[[1, 2]]", &["wanted `list<u16, 3>`, got `2` of them"]),
        ("$digest", "[\"AAEC\"]", &["wanted `list<u8, 4>`", "got `3` of them"]),
        (
            "bool",
            "{\"items\": [], \"more\": 1}",
            &["`$`: wanted `list<bool>`, got an object"],
        ),
        (
            "bool",
            "\"text\"",
            &[
                "`$`: wanted `list<bool>`, got the text `text`",
                "doesn't fit `func(items: list<bool>)",
            ],
        ),
    ];
    for (ty, input, parts) in cases {
        let module = world.component(&echo_of(TYPES, ty));
        let (error, cause) = world.refused(&module, None, input);
        assert_eq!(error, "Sandbox.InvalidInput", "{ty} {input}: {cause}");
        assert!(
            parts.iter().any(|part| cause.contains(part)),
            "{ty} {input}: {cause}\nwanted {parts:?}"
        );
        // What the checker says of a definition is what the call says.
        let sketch = CallSketch {
            function: None,
            input: Some(&serde_json::from_str(input).expect("JSON")),
            unknown: "?",
        };
        match world.sandbox.check_call(&module, sketch) {
            Err(CallProblem::WrongInput(why)) => assert!(why.contains("doesn't fit"), "{why}"),
            other => panic!("{ty} {input}: {other:?}"),
        }
    }
    world.still_runs();
}

#[test]
fn parts_that_come_at_run_time_are_not_checked() {
    let world = World::new();
    let module = world.component(&echo_of(TYPES, "$point"));
    let check = |input: Value| {
        let sketch = CallSketch {
            function: Some("echo"),
            input: Some(&input),
            unknown: "?",
        };
        world.sandbox.check_call(&module, sketch)
    };
    for good in [
        json!("?"),
        json!(["?"]),
        json!({"items": "?"}),
        json!({"items": [{"x": "?"}, {"x": 1, "unit-price": "?"}]}),
    ] {
        assert_eq!(check(good.clone()), Ok(()), "{good}");
    }
    for bad in [
        json!({"items": [{"x": "?", "y": "?"}]}),
        json!([{"unit-price": "?"}]),
        json!(["? "]),
    ] {
        assert!(matches!(check(bad.clone()), Err(CallProblem::WrongInput(_))), "{bad}");
    }
    let missing = CallSketch {
        function: Some("shout"),
        input: None,
        unknown: "?",
    };
    let missing = world.sandbox.check_call(&module, missing);
    assert!(matches!(missing, Err(CallProblem::NoSuchFunction(why)) if why.contains("`echo`")));
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

    // The arguments count as memory: a number of JSON has many times its size as a value.
    let echo = world.component(&echo_of("", "u16"));
    let mut large = job(&echo);
    large.limits.memory = 1 << 20;
    large.input = Payload::from_text(format!("[{}1]", "1,".repeat(50_000))).expect("JSON");
    let cause = world.fails(large.clone(), "Sandbox.MemoryExceeded");
    assert!(cause.contains("`1048576` bytes"), "{cause}");
    large.limits.memory = 64 << 20;
    assert_eq!(
        world.run(large.clone()).outcome,
        Outcome::Succeeded(large.input.clone())
    );
    // So does what comes back, and its text has the limit of every output.
    large.input = Payload::from_text(format!("[{}1]", "60000,".repeat(400_000))).expect("JSON");
    let cause = world.fails(large, "Sandbox.OutputTooLarge");
    assert!(cause.contains(&format!("`{}` bytes", sandbox::OUTPUT_BYTES)), "{cause}");
}

#[test]
fn values_that_are_none_are_no_answer() {
    let world = World::new();
    let lie = |types: &str, result: &str, core: &str| {
        world.component(&format!(
            r#"(component
              (core module $m (memory (export "mem") 1) {core}
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
              (core instance $i (instantiate $m))
              {types}
              (func (export "lie") (result {result})
                (canon lift (core func $i "lie") (memory (core memory $i "mem")) (realloc (core func $i "realloc")))))"#
        ))
    };
    let pair = |pointer: &str, length: &str| {
        format!(
            r#"(func (export "lie") (result i32) (i32.store (i32.const 8) (i32.const {pointer}))
                 (i32.store (i32.const 12) (i32.const {length})) (i32.const 8))"#
        )
    };
    let plain = |value: &str| format!(r#"(func (export "lie") (result i32) (i32.const {value}))"#);
    let (list, wide) = ("(type $l (list u32))", "(type $l (list u64))");
    let case = "(type $c' (variant (case \"a\") (case \"b\"))) (export $c \"c\" (type $c'))";
    let name = "(type $e' (enum \"a\" \"b\" \"c\")) (export $e \"e\" (type $e'))";
    let utf8 = format!("(data (i32.const 64) \"\\ff\\fe\") {}", pair("64", "2"));
    for (types, result, core, error) in [
        ("", "char", plain("0xD800"), "Sandbox.InvalidOutput"),
        ("", "char", plain("0x110000"), "Sandbox.InvalidOutput"),
        ("", "string", utf8, "Sandbox.InvalidOutput"),
        ("", "string", pair("0xfffffff0", "0x20"), "Sandbox.InvalidOutput"),
        ("", "string", pair("0", "0x7fffffff"), "Sandbox.InvalidOutput"),
        (list, "$l", pair("64", "0xffffffff"), "Sandbox.InvalidOutput"),
        (list, "$l", pair("0", "0x10000"), "Sandbox.InvalidOutput"),
        (wide, "$l", pair("4", "1"), "Sandbox.InvalidOutput"),
        (case, "$c", plain("2"), "Sandbox.InvalidOutput"),
        (case, "$c", plain("-1"), "Sandbox.InvalidOutput"),
        (name, "$e", plain("3"), "Sandbox.InvalidOutput"),
    ] {
        let module = lie(types, result, &core);
        let cause = world.fails(job(&module), error);
        assert!(
            cause.contains("the task's answer can't be read"),
            "{result} {core}: {cause}"
        );
    }
    // More elements than the guest may have memory for on the host: 64 KiB of ones are 20 times as much there.
    let many = lie("(type $l (list s8))", "$l", &pair("0", "0x10000"));
    let mut small = job(&many);
    small.limits.memory = 64 << 10;
    small.function = Some("lie".to_owned());
    world.fails(small, "Sandbox.OutputTooLarge");
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

    let types = wat::parse_str(echo_of(TYPES, "$shape")).expect("WAT");
    let description = world.sandbox.prepare(&types).expect("a function").description;
    assert_eq!(description.entry, "echo");
    let items = &description.ways[0].input["properties"]["items"]["items"];
    assert_eq!(items["oneOf"][0], json!({"const": "none"}));
    assert_eq!(items["oneOf"][2]["properties"]["at"]["required"], json!(["x"]));
}

#[test]
fn types_without_end_are_refused_and_not_written_out() {
    let world = World::new();
    let mut types = "(type $t0' (record (field \"a\" u8) (field \"b\" u8))) (export $t0 \"t0\" (type $t0'))".to_owned();
    for depth in 1..15 {
        let below = depth - 1;
        types.push_str(&format!(
            "(type $t{depth}' (record (field \"a\" $t{below}) (field \"b\" $t{below}))) (export $t{depth} \"t{depth}\" (type $t{depth}'))"
        ));
    }
    let component = wat::parse_str(echo_of(&types, "$t14")).expect("WAT");
    let error = world.refusal(&component);
    assert_eq!(error.code, "NoEntryPoint");
    assert!(error.message.contains("more than 10000 parts"), "{}", error.message);

    let component = wat::parse_str(echo_of(&types, "$t9")).expect("WAT");
    let description = world.sandbox.prepare(&component).expect("a function").description;
    let schema = description.ways[0].input.to_string();
    assert!(schema.contains("too large to be shown"), "{schema}");
}

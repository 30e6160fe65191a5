//! Values of every type: JSON there and back, what is refused, and what a guest can't make anybody believe.

mod world;

use asl::Payload;
use engine::ports::{CallProblem, CallSketch, Outcome, TaskRunner};
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
            &["`$[0]`: wanted `record { x: s32, unit-price: option<string> }`, got a list"],
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
                "; it is for `func(items: list<bool>)",
            ],
        ),
    ];
    for (ty, input, parts) in cases {
        let module = world.component(&echo_of(TYPES, ty));
        let (error, cause) = world.refused(&module, None, input);
        assert_eq!(error, "Sandbox.InvalidInput", "{ty} {input}: {cause}");
        assert!(
            parts.iter().all(|part| cause.contains(part)),
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
    // A list of lists that are all in one place has a text many times the guest's memory.
    let place = "\\00\\00\\00\\00\\00\\80\\00\\00".repeat(128);
    let lists = format!("(data (i32.const 64) \"{place}\") {}", pair("64", "128"));
    let many = lie("(type $i (list s8)) (type $l (list $i))", "$l", &lists);
    let mut many = job(&many);
    many.function = Some("lie".to_owned());
    world.fails(many, "Sandbox.OutputTooLarge");
}

#[test]
fn texts_of_every_encoding_come_back() {
    let world = World::new();
    let texts = r#"["","plain","caf\u00e9 \u00ff","\u65e5\u672c\u8a9e \ud83e\udd80"]"#;
    for encoding in ["utf8", "utf16", "latin1+utf16"] {
        let lift = format!("string-encoding={encoding} (realloc (core func $i");
        let module = world.component(&echo_of("", "string").replace("(realloc (core func $i", &lift));
        let expected: Value = serde_json::from_str(texts).expect("JSON");
        match world.call(&module, None, texts) {
            Outcome::Succeeded(answer) => {
                let answer: Value = serde_json::from_str(answer.text()).expect("JSON");
                assert_eq!(answer, expected, "{encoding}");
            }
            other => panic!("{encoding}: {other:?}"),
        }
    }
}

/// Parameters that are values of core WebAssembly and no memory, and so many that they are memory again.
#[test]
fn arguments_arrive_as_values_and_in_memory() {
    let world = World::new();
    let numbers: String = (0..15).map(|index| format!("(param \"p{index}\" u32)")).collect();
    let module = world.component(&format!(
        r#"(component
          (core module $m
            (memory (export "mem") 1)
            (global $top (mut i32) (i32.const 1024))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32)
              (global.get $top)
              (global.set $top (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
            (func (export "flat") (param i32 i32 f32 i32 i64 i32 i32 i64 i32) (result i32)
              (i32.store (i32.const 0) (local.get 0))
              (i32.store (i32.const 4) (local.get 1))
              (f32.store (i32.const 8) (local.get 2))
              (i32.store (i32.const 12) (local.get 3))
              (i64.store (i32.const 16) (local.get 4))
              (i32.store (i32.const 24) (local.get 5))
              (i32.store (i32.const 28) (local.get 6))
              (i64.store (i32.const 32) (local.get 7))
              (i32.store (i32.const 40) (local.get 8))
              (i32.const 0))
            (func (export "many") (param i32) (result i32) (i32.add (local.get 0) (i32.const 60)))
            (func (export "one") (param i32) (result i32) (local.get 0)))
          (core instance $i (instantiate $m))
          (type $v' (variant (case "x" u64) (case "y" f32) (case "z")))
          (export $v "v" (type $v'))
          (type $f' (flags "r" "w" "x"))
          (export $f "f" (type $f'))
          (type $r' (record (field "inner" (tuple s16))))
          (export $r "r" (type $r'))
          (func (export "flat") (param "a" s8) (param "b" (option f32)) (param "c" $v) (param "d" (tuple bool char))
              (param "e" s64) (param "f" $f) (result (tuple s32 u32 f32 u32 u64 u32 u32 s64 u32))
            (canon lift (core func $i "flat") (memory (core memory $i "mem")) (realloc (core func $i "realloc"))))
          (func (export "many") {numbers} (param "text" string) (result string)
            (canon lift (core func $i "many") (memory (core memory $i "mem")) (realloc (core func $i "realloc"))))
          (func (export "one") (param "r" $r) (result $r) (canon lift (core func $i "one")))
          (func (export "truth") (param "b" u32) (result bool) (canon lift (core func $i "one"))))"#
    ));
    let many: String = (0..15).map(|index| format!("\"p{index}\":{index},")).collect();
    for (function, input, output) in [
        (
            "flat",
            r#"{"a":-2,"b":1.5,"c":{"y":1.0},"d":[true,"\u00e9"],"e":-5,"f":["w","x"]}"#,
            "[-2,1,1.5,1,1065353216,1,233,-5,6]",
        ),
        (
            "flat",
            r#"{"a":127,"c":{"x":18446744073709551615},"d":[false,"a"],"e":5,"f":[]}"#,
            "[127,0,0.0,0,18446744073709551615,0,97,5,0]",
        ),
        (
            "flat",
            r#"{"a":0,"b":null,"c":"z","d":[false,"a"],"e":0,"f":["r"]}"#,
            "[0,0,0.0,2,0,0,97,0,1]",
        ),
        (
            "many",
            &format!(r#"{{{many}"text":"behind them"}}"#),
            r#""behind them""#,
        ),
        // Of a name that comes twice, the last one counts, and nothing is left of the first.
        (
            "flat",
            r#"{"c":{"x":7},"a":1,"b":2.0,"c":"z","d":[false,"a"],"e":0,"f":[]}"#,
            "[1,1,2.0,2,0,0,97,0,0]",
        ),
        ("one", r#"{"r":{"inner":[-300]}}"#, r#"{"inner":[-300]}"#),
        // Any number but zero is true.
        ("truth", r#"{"b":256}"#, "true"),
        ("truth", r#"{"b":0}"#, "false"),
    ] {
        let answer = world.call(&module, Some(function), input);
        let expected = Payload::from_text(output).expect("JSON");
        assert_eq!(answer, Outcome::Succeeded(expected), "{function}({input})");
    }
}

#[test]
fn schemas_say_what_the_host_writes() {
    let world = World::new();
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

//! As much of JSON Schema as the document uses. A keyword that isn't known here fails: nothing goes unchecked.

use serde_json::Value;

/// Panics where `value` is not what `schema` describes.
pub fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    for (keyword, expected) in schema.as_object().expect("a schema") {
        match keyword.as_str() {
            "$ref" => {
                let pointer = expected.as_str().unwrap().trim_start_matches('#');
                check(document, document.pointer(pointer).expect("it is there"), value, at);
            }
            "type" => is_of(expected, value, at),
            "enum" => assert!(
                expected.as_array().unwrap().contains(value),
                "{at}: {value} of {expected}"
            ),
            "properties" => properties(document, expected, value, at),
            "required" => {
                for name in expected.as_array().unwrap() {
                    assert!(
                        value.get(name.as_str().unwrap()).is_some(),
                        "{at}: no {name} in {value}"
                    );
                }
            }
            "additionalProperties" => {
                for name in value.as_object().unwrap().keys() {
                    assert!(
                        schema["properties"].get(name).is_some(),
                        "{at}: {name} is not described"
                    );
                }
            }
            "items" => {
                for (index, item) in value.as_array().unwrap().iter().enumerate() {
                    check(document, expected, item, &format!("{at}/{index}"));
                }
            }
            "minimum" => assert!(value.as_f64() >= expected.as_f64(), "{at}: {value}"),
            "format" => {
                assert_eq!(expected, "date-time", "{at}");
                assert!(
                    asl::Timestamp::parse(value.as_str().unwrap()).is_some(),
                    "{at}: {value}"
                );
            }
            "description" => {}
            other => panic!("{at}: `{other}` is not checked"),
        }
    }
}

fn properties(document: &Value, properties: &Value, value: &Value, at: &str) {
    for (name, schema) in properties.as_object().unwrap() {
        if let Some(value) = value.get(name) {
            check(document, schema, value, &format!("{at}/{name}"));
        }
    }
}

fn is_of(expected: &Value, value: &Value, at: &str) {
    let holds = match expected.as_str().expect("one type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        other => panic!("{at}: type `{other}` is not checked"),
    };
    assert!(holds, "{at}: {value} is not of type {expected}");
}

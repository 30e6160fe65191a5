//! Values as `application/x-www-form-urlencoded` text.

use serde::Deserialize;
use serde_json::Value;

/// How arrays are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum ArrayFormat {
    /// `a[0]=x&a[1]=y`
    #[default]
    Indices,
    /// `a=x&a=y`
    Repeat,
    /// `a=x,y`
    Commas,
    /// `a[]=x&a[]=y`
    Brackets,
    /// `a=["x","y"]`
    None,
}

/// A value's entries, one after the other; what is neither an object nor an array has none.
pub(super) fn encode(value: &Value, format: ArrayFormat) -> String {
    let mut encoded = String::new();
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                entry(&mut encoded, name, value, format);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                entry(&mut encoded, &index.to_string(), value, format);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    encoded
}

fn entry(encoded: &mut String, name: &str, value: &Value, format: ArrayFormat) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                entry(encoded, &format!("{name}[{field}]"), value, format);
            }
        }
        Value::Array(items) => match format {
            ArrayFormat::Commas => {
                let items: Vec<String> = items.iter().map(text).collect();
                pair(encoded, name, &items.join(","));
            }
            ArrayFormat::None => pair(encoded, name, &value.to_string()),
            ArrayFormat::Indices | ArrayFormat::Repeat | ArrayFormat::Brackets => {
                for (index, item) in items.iter().enumerate() {
                    let name = match format {
                        ArrayFormat::Indices => format!("{name}[{index}]"),
                        ArrayFormat::Brackets => format!("{name}[]"),
                        ArrayFormat::Repeat | ArrayFormat::Commas | ArrayFormat::None => name.to_owned(),
                    };
                    entry(encoded, &name, item, format);
                }
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => pair(encoded, name, &text(value)),
    }
}

/// Adds a name and a value.
pub(super) fn pair(encoded: &mut String, name: &str, value: &str) {
    if !encoded.is_empty() {
        encoded.push('&');
    }
    percent_encode(encoded, name);
    encoded.push('=');
    percent_encode(encoded, value);
}

/// A value as people write it in a form.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// RFC 3986's unreserved characters stand for themselves.
fn percent_encode(encoded: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => {
                encoded.push('%');
                encoded.push(char::from(DIGITS[usize::from(other >> 4)]));
                encoded.push(char::from(DIGITS[usize::from(other & 15)]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arrays_are_written_in_five_ways() {
        let array = json!({"array": ["a", "b"]});
        for (format, expected) in [
            (ArrayFormat::Indices, "array%5B0%5D=a&array%5B1%5D=b"),
            (ArrayFormat::Repeat, "array=a&array=b"),
            (ArrayFormat::Commas, "array=a%2Cb"),
            (ArrayFormat::Brackets, "array%5B%5D=a&array%5B%5D=b"),
            (ArrayFormat::None, "array=%5B%22a%22%2C%22b%22%5D"),
        ] {
            assert_eq!(encode(&array, format), expected);
        }
    }

    #[test]
    fn objects_nest_in_brackets() {
        let body = json!({"description": "Monthly subscription", "metadata": {"order_details": "report é"}, "n": 1.5,
            "t": true, "none": null, "list": [{"k": 1}]});
        assert_eq!(
            encode(&body, ArrayFormat::Indices),
            "description=Monthly%20subscription&metadata%5Border_details%5D=report%20%C3%A9&n=1.5&t=true&none=&\
             list%5B0%5D%5Bk%5D=1"
        );
        assert_eq!(encode(&json!("text"), ArrayFormat::Indices), "");
    }
}

//! JSON texts as they travel through an execution.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::de::{self, Deserializer};
use serde::ser::{self, SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// A JSON text, parsed at most once and only when somebody looks inside.
///
/// The text is kept letter by letter: AWS hands a caller's `[1, 2]` on with its spaces, through
/// every state that doesn't change it and into the arrays Parallel builds. Derived values are compact.
/// Cloning costs two reference counts.
#[derive(Clone)]
pub struct Payload(Arc<Inner>);

struct Inner {
    text: Box<str>,
    value: OnceLock<Value>,
}

/// From here on a copy of the text costs less than keeping the parsed value in memory while the text is.
const LARGE_BYTES: usize = 1 << 20;

/// Deepest nesting of arrays and objects that a text can be read with.
pub const MAX_DEPTH: usize = 127;

/// Why a text isn't a payload: it isn't JSON, or no value can hold it. Holds the parser's own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON text: {0}")]
pub struct NotJson(pub String);

/// A value that can't be a payload: its text couldn't be read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value is nested more than {MAX_DEPTH} deep")]
pub struct TooDeep;

fn is_deeper(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth == 0 || items.iter().any(|item| is_deeper(item, depth - 1)),
        Value::Object(map) => depth == 0 || map.values().any(|value| is_deeper(value, depth - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The same of a JSON text.
fn is_deeper_text(text: &str, depth: usize) -> bool {
    let (mut level, mut in_text, mut escaped) = (0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                level += 1;
                if level > depth {
                    return true;
                }
            }
            b']' | b'}' if !in_text => level -= 1,
            _ => {}
        }
    }
    false
}

impl Payload {
    /// Takes a JSON text as it is.
    ///
    /// # Errors
    /// [`NotJson`] when the text isn't one JSON value, or is one that nobody could look into later: nested deeper than
    /// [`MAX_DEPTH`], half a surrogate pair, a number beyond every float.
    pub fn from_text(text: impl Into<Box<str>>) -> Result<Self, NotJson> {
        let text = text.into();
        serde_json::from_str::<Readable>(&text).map_err(|error| NotJson(error.to_string()))?;
        Ok(Self::from_checked(text))
    }

    /// The same of a value that may be nested too deeply to be read back from its text.
    ///
    /// # Errors
    /// [`TooDeep`] when it is.
    pub fn from_derived(value: Value) -> Result<Self, TooDeep> {
        if is_deeper(&value, MAX_DEPTH) {
            return Err(TooDeep);
        }
        Ok(Self::from_value(value))
    }

    /// The compact text of a value.
    pub fn from_value(value: Value) -> Self {
        let text = value.to_string().into_boxed_str();
        let cell = OnceLock::new();
        let _ = cell.set(value);
        Self(Arc::new(Inner { text, value: cell }))
    }

    /// Whether a value with so many more levels around it is still no deeper than [`MAX_DEPTH`].
    pub fn fits_within(&self, levels: usize) -> bool {
        let most = MAX_DEPTH.saturating_sub(levels);
        // each level has two brackets
        self.len() < 2 * (most + 1) || !is_deeper_text(self.text(), most)
    }

    /// `[a,b,…]`, each element's text kept letter by letter. No deeper than can be read only where each of them
    /// [`fits_within`](Payload::fits_within) one level.
    pub fn array_of<'a>(elements: impl IntoIterator<Item = &'a Payload>) -> Self {
        let mut text = String::from("[");
        for (index, element) in elements.into_iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(element.text());
        }
        text.push(']');
        Self::from_checked(text.into_boxed_str())
    }

    /// The field `name` of an object, letter by letter; the last one where the text repeats it.
    pub fn field(&self, name: &str) -> Option<Self> {
        let mut fields: BTreeMap<String, &RawValue> = serde_json::from_str(self.text()).ok()?;
        fields.remove(name).map(Self::raw)
    }

    /// An element of an array, letter by letter.
    pub fn element(&self, index: usize) -> Option<Self> {
        let elements: Vec<&RawValue> = serde_json::from_str(self.text()).ok()?;
        elements.get(index).copied().map(Self::raw)
    }

    fn raw(text: &RawValue) -> Self {
        Self::from_checked(text.get().into())
    }

    /// The empty object.
    pub fn empty_object() -> Self {
        Self::from_checked("{}".into())
    }

    /// JSON's null.
    pub fn null() -> Self {
        Self::from_checked("null".into())
    }

    /// Takes a text that is known to be JSON.
    pub(crate) fn from_checked(text: Box<str>) -> Self {
        Self(Arc::new(Inner {
            text,
            value: OnceLock::new(),
        }))
    }

    /// The same text, for keeping: a large payload's parsed value, up to twenty times its text, stays behind.
    pub fn unparsed(&self) -> Self {
        if self.len() < LARGE_BYTES || self.0.value.get().is_none() {
            return self.clone();
        }
        Self::from_checked(self.0.text.clone())
    }

    /// The text, letter by letter.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Length of the text in bytes of UTF-8, the measure of AWS's payload limits.
    pub fn len(&self) -> usize {
        self.0.text.len()
    }

    /// Never true of a JSON text; here because `len` is.
    pub fn is_empty(&self) -> bool {
        self.0.text.is_empty()
    }

    /// The parsed value. What no value can hold is refused by [`Payload::from_text`]; in an old journal it reads as null.
    pub fn value(&self) -> &Value {
        self.0
            .value
            .get_or_init(|| serde_json::from_str(&self.0.text).unwrap_or(Value::Null))
    }
}

/// Reads a text as a value would be read, and builds nothing.
struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Readable)
    }
}

impl<'de> de::Visitor<'de> for Readable {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut elements: A) -> Result<Self, A::Error> {
        while elements.next_element::<Readable>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut fields: A) -> Result<Self, A::Error> {
        while fields.next_entry::<Readable, Readable>()?.is_some() {}
        Ok(self)
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.text() == other.text()
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Self::from_value(value)
    }
}

/// In a journal a payload is plain JSON. A text JSON can't carry as it is (white space around it)
/// or that looks like this wrapper is wrapped as `{"$text": "..."}`.
const WRAPPER: &str = "$text";
const WRAPPED: &str = "{\"$text\":";

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.text();
        if text.trim() != text || text.starts_with(WRAPPED) {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(WRAPPER, text)?;
            return map.end();
        }
        let raw: &RawValue = serde_json::from_str(text).map_err(ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <Box<RawValue>>::deserialize(deserializer)?;
        if raw.get().starts_with(WRAPPED) {
            let mut map: std::collections::BTreeMap<String, String> =
                serde_json::from_str(raw.get()).map_err(de::Error::custom)?;
            let text = map
                .remove(WRAPPER)
                .ok_or_else(|| de::Error::custom("a wrapped payload without its text"))?;
            // what is in a journal was let in once
            serde_json::from_str::<de::IgnoredAny>(&text).map_err(de::Error::custom)?;
            return Ok(Self::from_checked(text.into()));
        }
        Ok(Self::from_checked(raw.get().into()))
    }
}

/// Reads a payload that may be absent: where it is there, JSON's null is one.
///
/// # Errors
/// The reader's.
pub fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Payload>, D::Error> {
    Payload::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_cut_out_letter_by_letter() {
        let whole = Payload::from_text(r#"{ "a": [ 1, {"b" :2} ], "\u0061b": 1, "a": [0, [1, 2]] }"#).expect("JSON");
        let list = whole.field("a").expect("there");
        assert_eq!(list.text(), "[0, [1, 2]]");
        assert_eq!(
            list.element(1).map(|inner| inner.text().to_owned()),
            Some("[1, 2]".into())
        );
        assert_eq!(whole.field("ab").map(|inner| inner.text().to_owned()), Some("1".into()));
        assert_eq!(whole.field("x"), None);
        assert_eq!(list.element(2), None);
        assert_eq!(list.field("a"), None);
    }

    #[test]
    fn what_is_too_deep_to_be_read_back_is_no_payload() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let deepest: Value = serde_json::from_str(&nested(MAX_DEPTH)).expect("as deep as can be read");
        assert!(serde_json::from_str::<Value>(&nested(MAX_DEPTH + 1)).is_err());
        assert!(Payload::from_derived(deepest.clone()).is_ok());
        assert_eq!(Payload::from_derived(Value::Array(vec![deepest])), Err(TooDeep));
    }

    #[test]
    fn what_no_value_can_hold_is_refused() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let deepest = Payload::from_text(nested(MAX_DEPTH)).expect("as deep as can be read");
        assert!(deepest.value().is_array());
        for text in [
            &*nested(MAX_DEPTH + 1),
            r#"{"a": "\ud800"}"#,
            "[1e999]",
            "[1] 2",
            "{\"a\" 1}",
            "",
        ] {
            assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
            assert!(Payload::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn texts_survive_the_journal_letter_by_letter() {
        for text in [
            "[1, 2]",
            " {\"a\" : 1}\n",
            "{\"$text\":\"x\"}",
            "\"\\u00e9\"",
            "1.0",
            "1e3",
        ] {
            let payload = Payload::from_text(text).expect("valid JSON");
            let journal = serde_json::to_string(&payload).expect("serializable");
            let back: Payload = serde_json::from_str(&journal).expect("own encoding");
            assert_eq!(back.text(), text);
        }
    }
}

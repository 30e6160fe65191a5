//! Types as JSON Schema, of the form the host itself writes.

use serde_json::{Map, Value, json};

use super::numbers;
use super::wit_type::{Names, Signature, WitType};

/// Characters of a schema that is shown. Larger ones would make module descriptions a burden to everybody who lists them.
const SCHEMA_CHARACTERS: usize = 64 << 10;

/// The dialect schemas are written in.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

impl Signature {
    /// The schema of the input: an object with the parameters by name.
    pub(crate) fn input_schema(&self) -> Value {
        match &self.types[..] {
            [] => json!({"$schema": DIALECT, "description": "any input; the function takes nothing"}),
            types => shown(object(&self.parameters, types)),
        }
    }

    /// The schema of the output; the `err` of a result is a failure and no output.
    pub(crate) fn output_schema(&self) -> Value {
        shown(match &self.result {
            None | Some(WitType::Result(None, ..)) => json!({"type": "null"}),
            Some(WitType::Result(Some(ok), ..)) => schema(ok),
            Some(ty) => schema(ty),
        })
    }
}

fn shown(schema: Value) -> Value {
    if schema.to_string().len() > SCHEMA_CHARACTERS {
        return json!({"$schema": DIALECT, "description": "too large to be shown; the WIT says the same"});
    }
    match schema {
        Value::Object(fields) => {
            let mut shown = Map::new();
            shown.insert("$schema".to_owned(), json!(DIALECT));
            shown.extend(fields);
            Value::Object(shown)
        }
        other => other,
    }
}

fn schema(ty: &WitType) -> Value {
    match ty {
        WitType::Bool => json!({"type": "boolean"}),
        WitType::Integer(integer) => {
            let (least, most) = integer.range();
            let bound = |bound: i128| match (i64::try_from(bound), u64::try_from(bound)) {
                (Ok(bound), _) => json!(bound),
                (_, Ok(bound)) => json!(bound),
                _ => Value::Null,
            };
            json!({"type": "integer", "minimum": bound(least), "maximum": bound(most)})
        }
        WitType::F32 | WitType::F64 => {
            let special = [numbers::NOT_A_NUMBER, numbers::INFINITY, numbers::MINUS_INFINITY];
            json!({"anyOf": [{"type": "number"}, {"enum": special}]})
        }
        WitType::Char => json!({"type": "string", "minLength": 1, "maxLength": 1}),
        WitType::String => json!({"type": "string"}),
        WitType::Bytes(None) => json!({"type": "string", "contentEncoding": "base64"}),
        WitType::Bytes(Some(length)) => {
            let description = format!("{length} bytes");
            json!({"type": "string", "contentEncoding": "base64", "description": description})
        }
        WitType::List(element, None) => json!({"type": "array", "items": schema(element)}),
        WitType::List(element, Some(length)) => {
            json!({"type": "array", "items": schema(element), "minItems": length, "maxItems": length})
        }
        WitType::Map(_, value, _) => json!({"type": "object", "additionalProperties": schema(value)}),
        WitType::Record(names, types, _) => object(names, types),
        WitType::Tuple(types, _) => {
            let items: Vec<Value> = types.iter().map(schema).collect();
            json!({"type": "array", "prefixItems": items, "minItems": types.len(), "maxItems": types.len()})
        }
        WitType::Variant(names, types, _) => {
            let cases = names.iter().zip(types).map(|(name, ty)| match ty {
                Some(ty) => wrapped(name, schema(ty)),
                None => json!({"const": name}),
            });
            json!({"oneOf": cases.collect::<Vec<_>>()})
        }
        WitType::Enum(names) => json!({"enum": names.iter().collect::<Vec<_>>()}),
        WitType::Option(some, _) if some.has_null() => {
            json!({"anyOf": [{"type": "null"}, wrapped("some", schema(some))]})
        }
        WitType::Option(some, _) => json!({"anyOf": [{"type": "null"}, schema(some)]}),
        WitType::Result(ok, err, _) => {
            let side = |ty: &Option<Box<WitType>>| ty.as_deref().map_or(json!({"type": "null"}), schema);
            json!({"oneOf": [wrapped("ok", side(ok)), wrapped("err", side(err))]})
        }
        WitType::Flags(names) => {
            json!({"type": "array", "items": {"enum": names.iter().collect::<Vec<_>>()}, "uniqueItems": true})
        }
    }
}

fn wrapped(name: &str, value: Value) -> Value {
    let fields = Map::from_iter([(name.to_owned(), value)]);
    json!({"type": "object", "properties": fields, "required": [name], "additionalProperties": false})
}

fn object(names: &Names, types: &[WitType]) -> Value {
    let properties: Map<String, Value> = names.iter().map(str::to_owned).zip(types.iter().map(schema)).collect();
    let required = names.iter().zip(types).filter(|(_, ty)| !ty.may_be_absent());
    let required: Vec<&str> = required.map(|(name, _)| name).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

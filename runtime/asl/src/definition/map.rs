//! Map states: their items, their processor and, in distributed mode, what reads the items and writes the results.

use serde_json::{Map as JsonMap, Value};

use super::diagnostic::{Code, Diagnostic, Step};
use super::fields::{Fields, Findings};
use super::reader::{MAX_SECONDS, Reader, arguments};
use super::state_machine::*;
use crate::execution::event::Percentage;
use crate::expression::Template;

/// Fields that only a Map state in distributed mode may have.
const DISTRIBUTED_ONLY: [&str; 4] = ["ItemReader", "ItemBatcher", "ResultWriter", "Label"];
/// AWS's bound on a Label, in characters.
const MAX_LABEL: usize = 40;
/// AWS's bound on MaxItems.
const MAX_READ_ITEMS: u64 = 100_000_000;
/// AWS's bound on MaxInputBytesPerBatch: its largest payload.
const MAX_BATCH_BYTES: u64 = 262_144;

const GET_OBJECT: &str = ":states:::s3:getObject";
const LIST_OBJECTS: &str = ":states:::s3:listObjectsV2";
const PUT_OBJECT: &str = ":states:::s3:putObject";

/// ProcessorConfig.
enum Mode {
    Inline,
    Distributed(ExecutionType),
}

impl Reader {
    pub(super) fn map(&mut self, fields: &Fields<'_>, depth: usize) -> Option<Kind> {
        fields.at_most_one(&["ItemProcessor", "Iterator"], &mut self.diagnostics);
        fields.at_most_one(&["ItemSelector", "Parameters"], &mut self.diagnostics);
        let findings = &mut self.diagnostics;
        let items = match fields.language {
            QueryLanguage::JsonPath => fields
                .json_path("ItemsPath", findings)
                .map_or(Items::Input, Items::Path),
            QueryLanguage::JsonAta => fields.template("Items", findings).map_or(Items::Input, Items::Template),
        };
        let item_selector = fields
            .template("ItemSelector", findings)
            .or_else(|| fields.template("Parameters", findings));
        let max_concurrency = fields.dynamic(
            "MaxConcurrency",
            |fields, findings| {
                fields
                    .integer("MaxConcurrency", 0..=u64::from(u32::MAX), findings)
                    .and_then(|number| u32::try_from(number).ok())
            },
            findings,
        );
        let tolerated_count = fields.dynamic(
            "ToleratedFailureCount",
            |fields, findings| fields.integer("ToleratedFailureCount", 0..=MAX_SECONDS, findings),
            findings,
        );
        let tolerated_percentage = fields.dynamic(
            "ToleratedFailurePercentage",
            |fields, findings| {
                let number = fields.number("ToleratedFailurePercentage", findings)?;
                let percentage = Percentage::from_number(number);
                if percentage.is_none() {
                    fields.refuse(
                        "ToleratedFailurePercentage",
                        "Value must be between 0 and 100",
                        findings,
                    );
                }
                percentage
            },
            findings,
        );
        let outcome = self.outcome(fields);
        let name = if fields.map.contains_key("Iterator") {
            "Iterator"
        } else {
            "ItemProcessor"
        };
        fields.require(&[name], &mut self.diagnostics);
        let processor = Fields::of(
            fields.map.get(name)?,
            fields.at(name),
            fields.language,
            &mut self.diagnostics,
        )?;
        processor.only(
            &[&["StartAt", "States", "Comment", "ProcessorConfig"]],
            &mut self.diagnostics,
        );
        let mode = self.processor_config(&processor);
        let distributed = match mode {
            Mode::Inline => {
                let findings = &mut self.diagnostics;
                for name in DISTRIBUTED_ONLY
                    .into_iter()
                    .filter(|name| fields.map.contains_key(*name))
                {
                    fields.refuse_whole(format!("Field '{name}' is not supported"), findings);
                }
                None
            }
            Mode::Distributed(execution_type) => Some(self.distributed(fields, execution_type)),
        };
        let processor = self.flow(&processor, depth + 1)?;
        Some(Kind::Map(Box::new(Map {
            processor,
            items,
            item_selector,
            max_concurrency,
            tolerated_count,
            tolerated_percentage,
            distributed,
            outcome,
        })))
    }

    fn processor_config(&mut self, processor: &Fields<'_>) -> Mode {
        let findings = &mut self.diagnostics;
        let Some(value) = processor.map.get("ProcessorConfig") else {
            return Mode::Inline;
        };
        let at = processor.at("ProcessorConfig");
        let Some(config) = Fields::of(value, at, processor.language, findings) else {
            return Mode::Inline;
        };
        let mode = config.one_of("Mode", &["INLINE", "DISTRIBUTED"], findings);
        if mode.as_deref() != Some("DISTRIBUTED") {
            config.only(&[&["Mode"]], findings);
            return Mode::Inline;
        }
        config.only(&[&["Mode", "ExecutionType"]], findings);
        config.require(&["ExecutionType"], findings);
        match config
            .one_of("ExecutionType", &["STANDARD", "EXPRESS"], findings)
            .as_deref()
        {
            Some("EXPRESS") => Mode::Distributed(ExecutionType::Express),
            _ => Mode::Distributed(ExecutionType::Standard),
        }
    }

    fn distributed(&mut self, fields: &Fields<'_>, execution_type: ExecutionType) -> Distributed {
        let findings = &mut self.diagnostics;
        if fields.map.contains_key("ItemReader") {
            // the items come from one place
            for name in ["ItemsPath", "Items"] {
                fields.at_most_one(&[name, "ItemReader"], findings);
            }
        }
        let label = label(fields, findings).unwrap_or_else(|| made_label(&fields.path));
        Distributed {
            execution_type,
            label,
            reader: item_reader(fields, findings),
            batcher: item_batcher(fields, findings),
            writer: result_writer(fields, findings),
        }
    }
}

fn label(fields: &Fields<'_>, findings: &mut Findings) -> Option<String> {
    let label = fields.text("Label", findings)?;
    if label.is_empty() {
        fields.refuse("Label", "Value cannot be empty", findings);
        return None;
    }
    if label.chars().count() > MAX_LABEL {
        findings.push(Diagnostic::error(
            Code::InvalidLabelName,
            format!("Label '{label}' exceeds the {MAX_LABEL}-character limit allowed by the service"),
            &fields.at("Label"),
        ));
        return None;
    }
    if let Some(forbidden) = label.chars().find(|character| is_forbidden(*character)) {
        findings.push(Diagnostic::error(
            Code::InvalidLabelName,
            format!("Label '{label}' contains the invalid character '{forbidden}'"),
            &fields.at("Label"),
        ));
        return None;
    }
    Some(label)
}

/// White space, wildcards, brackets, special and control characters: a label is a part of ARNs.
fn is_forbidden(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || "?*<>{}[]:;,\\|^~$#%&`\"/".contains(character)
        || matches!(character, '\u{fffe}' | '\u{ffff}')
}

/// A label for a state without one: the same for the same place of every definition, and another for every other
/// place, in the shape of the identifiers AWS makes.
fn made_label(place: &[Step]) -> String {
    // FNV-1a
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for step in place {
        let text = match step {
            Step::Field(name) => name.clone(),
            Step::Index(index) => index.to_string(),
        };
        for byte in text.bytes().chain([0xff]) {
            hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
    // version 8, variant 1
    let bits = hash & !(0xf << 76) & !(0b11 << 62) | (0x8 << 76) | (0b10 << 62);
    let digits = format!("{bits:032x}");
    [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ]
    .join("-")
}

/// The object under `name`, in the state's language.
fn object<'d>(fields: &Fields<'d>, name: &str, findings: &mut Findings) -> Option<Fields<'d>> {
    Fields::of(fields.map.get(name)?, fields.at(name), fields.language, findings)
}

/// The name a language gives to what is handed to a resource.
fn arguments_name(language: QueryLanguage) -> &'static str {
    match language {
        QueryLanguage::JsonPath => "Parameters",
        QueryLanguage::JsonAta => "Arguments",
    }
}

/// A `Resource` that must end in one of `actions`.
fn resource(fields: &Fields<'_>, actions: &[&str], findings: &mut Findings) -> Option<String> {
    let resource = fields.text("Resource", findings)?;
    let known = resource.starts_with("arn:") && actions.iter().any(|action| resource.ends_with(action));
    if !known {
        fields.refuse(
            "Resource",
            format!(
                "The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the \
                 resource is not available in this region."
            ),
            findings,
        );
        return None;
    }
    Some(resource)
}

fn item_reader(fields: &Fields<'_>, findings: &mut Findings) -> Option<ItemReader> {
    let reader = object(fields, "ItemReader", findings)?;
    let arguments_name = arguments_name(reader.language);
    reader.only(&[&["Resource", "ReaderConfig", arguments_name]], findings);
    reader.require(&["Resource"], findings);
    let resource = resource(&reader, &[GET_OBJECT, LIST_OBJECTS], findings);
    let parameters = arguments(&reader, findings);
    let (config, max_items) = match object(&reader, "ReaderConfig", findings) {
        Some(config) => reader_config(&config, findings),
        None => (Value::Object(JsonMap::new()), None),
    };
    let config = match Template::parse(&config, reader.language, "ItemReader/ReaderConfig") {
        Ok(config) => config,
        Err(errors) => {
            for error in errors {
                reader.refuse("ReaderConfig", error.message, findings);
            }
            return None;
        }
    };
    Some(ItemReader {
        resource: resource?,
        parameters,
        config,
        max_items,
    })
}

/// ReaderConfig without MaxItems, and MaxItems.
fn reader_config(config: &Fields<'_>, findings: &mut Findings) -> (Value, Option<Dynamic<u64>>) {
    let paths: &[&str] = match config.language {
        QueryLanguage::JsonPath => &["MaxItemsPath"],
        QueryLanguage::JsonAta => &[],
    };
    config.only(
        &[
            &[
                "InputType",
                "CSVHeaderLocation",
                "CSVHeaders",
                "CSVDelimiter",
                "MaxItems",
                "Transformation",
                "ManifestType",
                "ItemsPointer",
            ],
            paths,
        ],
        findings,
    );
    let mut one_of = |name: &str, values: &[&str]| {
        if config.is_expression(name) {
            config.expression(name, findings);
            None
        } else {
            config.one_of(name, values, findings)
        }
    };
    let input_type = one_of("InputType", &["CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"]);
    let header = one_of("CSVHeaderLocation", &["FIRST_ROW", "GIVEN"]);
    one_of("CSVDelimiter", &["COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"]);
    one_of("Transformation", &["NONE", "LOAD_AND_FLATTEN"]);
    one_of("ManifestType", &["ATHENA_DATA", "S3_INVENTORY"]);
    let athena = config.map.get("ManifestType").and_then(Value::as_str) == Some("ATHENA_DATA");
    if input_type.as_deref() == Some("CSV") && !athena {
        config.require(&["CSVHeaderLocation"], findings);
    }
    if header.as_deref() == Some("GIVEN") {
        config.require(&["CSVHeaders"], findings);
    }
    if let Some(headers) = config.array("CSVHeaders", findings)
        && !headers.iter().all(Value::is_string)
    {
        config.refuse("CSVHeaders", "Expected value of type String", findings);
    }
    let max_items = config.dynamic(
        "MaxItems",
        |fields, findings| fields.integer("MaxItems", 0..=MAX_READ_ITEMS, findings),
        findings,
    );
    let mut rest = config.map.clone();
    rest.retain(|name, _| name != "MaxItems" && name != "MaxItemsPath");
    (Value::Object(rest), max_items)
}

fn item_batcher(fields: &Fields<'_>, findings: &mut Findings) -> Option<ItemBatcher> {
    let batcher = object(fields, "ItemBatcher", findings)?;
    const BOUNDS: [&str; 4] = [
        "MaxItemsPerBatch",
        "MaxItemsPerBatchPath",
        "MaxInputBytesPerBatch",
        "MaxInputBytesPerBatchPath",
    ];
    let bounds: &[&str] = match batcher.language {
        QueryLanguage::JsonPath => &BOUNDS,
        QueryLanguage::JsonAta => &[BOUNDS[0], BOUNDS[2]],
    };
    batcher.only(&[bounds, &["BatchInput"]], findings);
    if !bounds.iter().any(|name| batcher.map.contains_key(*name)) {
        batcher.refuse_whole(
            format!("One of these fields is required: [{}]", bounds.join(", ")),
            findings,
        );
    }
    Some(ItemBatcher {
        max_items: batcher.dynamic(
            "MaxItemsPerBatch",
            |fields, findings| fields.integer("MaxItemsPerBatch", 1..=MAX_SECONDS, findings),
            findings,
        ),
        max_bytes: batcher.dynamic(
            "MaxInputBytesPerBatch",
            |fields, findings| fields.integer("MaxInputBytesPerBatch", 1..=MAX_BATCH_BYTES, findings),
            findings,
        ),
        input: batcher.template("BatchInput", findings),
    })
}

fn result_writer(fields: &Fields<'_>, findings: &mut Findings) -> Option<ResultWriter> {
    let writer = object(fields, "ResultWriter", findings)?;
    let arguments_name = arguments_name(writer.language);
    writer.only(&[&["Resource", "WriterConfig", arguments_name]], findings);
    if writer.map.contains_key("Resource") || writer.map.contains_key(arguments_name) {
        writer.require(&["Resource", arguments_name], findings);
    } else {
        writer.require(&["WriterConfig"], findings);
    }
    if let Some(config) = object(&writer, "WriterConfig", findings) {
        config.only(&[&["Transformation", "OutputType"]], findings);
        for (name, values) in [
            ("Transformation", &["NONE", "COMPACT", "FLATTEN"][..]),
            ("OutputType", &["JSON", "JSONL"]),
        ] {
            if !config.is_expression(name) {
                config.one_of(name, values, findings);
            }
        }
    }
    Some(ResultWriter {
        resource: resource(&writer, &[PUT_OBJECT], findings),
        parameters: arguments(&writer, findings),
        config: writer.template("WriterConfig", findings),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_label_is_the_places_and_nobody_elses() {
        let place = |names: &[&str]| {
            names
                .iter()
                .map(|name| Step::Field((*name).to_owned()))
                .collect::<Vec<_>>()
        };
        let label = made_label(&place(&["States", "Map"]));
        assert_eq!(label, made_label(&place(&["States", "Map"])));
        assert_ne!(label, made_label(&place(&["States", "Map2"])));
        assert_ne!(made_label(&place(&["ab", "c"])), made_label(&place(&["a", "bc"])));
        assert_eq!((label.len(), &label[14..15], label.matches('-').count()), (36, "8", 4));
    }
}

//! What an ItemReader reads.

use std::sync::Arc;

use asl::{Failure, Payload};
use engine::ports::{ObjectHead, SharedObjects};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::csv::{Header, Layout, Rows};
use super::json::Elements;
use super::lines::Lines;
use super::manifest::{self, Address};
use super::source::{Error, Text};
use super::{list, s3, source};

/// Most items of one data set, as AWS has it.
const MOST_ITEMS: u64 = 100_000_000;

/// An ItemReader, its expressions evaluated.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// `ItemReader.Resource`: `arn:<partition>:states:::s3:getObject` or `…:listObjectsV2`.
    pub resource: String,
    /// `ItemReader.Parameters` or `.Arguments`: an object with `Bucket`, `Key` or `Prefix`.
    pub parameters: Payload,
    /// `ItemReader.ReaderConfig`: an object with `InputType`, `MaxItems` and so on, `MaxItemsPath` already resolved to
    /// `MaxItems`. `{}` where the state has none.
    pub config: Payload,
}

/// One item of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// `$$.Map.Item.Value`.
    pub value: Payload,
    /// `$$.Map.Item.Key`: the key, where the data set is a JSON object.
    pub key: Option<String>,
    /// `$$.Map.Item.Source`: `S3://bucket/key`, or `S3://bucket` for a list of objects.
    pub source: Arc<str>,
}

/// Items in order. After the first error there are no more.
pub type Items = Box<dyn Iterator<Item = Result<Item, Failure>> + Send>;

/// Opens a data set. At most `MaxItems` items come out, and no more than the 100,000,000 AWS takes.
///
/// # Errors
/// `States.ItemReaderFailed` where the request or the objects don't allow it; later ones come out of the iterator. The
/// cause doesn't say which state it was.
pub fn open(objects: &SharedObjects, request: &ReadRequest) -> Result<Items, Failure> {
    let config: Config = fields(&request.config, "ReaderConfig")?;
    let items = match request.resource.rsplit_once(":::").map(|(_, action)| action) {
        Some("s3:getObject") => get_object(objects, fields(&request.parameters, "Parameters")?, &config)?,
        Some("s3:listObjectsV2") => list_objects(objects, fields(&request.parameters, "Parameters")?, &config)?,
        Some(_) | None => {
            return Err(s3::unreadable(format!(
                "the resource `{}` is no item reader; use arn:aws:states:::s3:getObject or \
                 arn:aws:states:::s3:listObjectsV2",
                request.resource
            )));
        }
    };
    Ok(config.bounded(items))
}

/// The items of a data set whose text is given instead of read: that of an object, or the JSON array of what a
/// listing or a manifest leads to.
///
/// # Errors
/// As [`open`].
pub fn in_text(text: String, request: &ReadRequest) -> Result<Items, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Source {
        #[serde(default)]
        bucket: String,
        #[serde(default)]
        key: String,
    }
    let config: Config = fields(&request.config, "ReaderConfig")?;
    let Source { bucket, key } = fields(&request.parameters, "Parameters")?;
    let manifest = config.manifest_type.is_some() || config.input_type.as_deref() == Some("MANIFEST");
    let format = if request.resource.ends_with(":s3:getObject") && !manifest {
        config.format()?
    } else {
        let pointer = String::new();
        Format::Json { pointer }
    };
    let text: Text = Box::new(std::io::Cursor::new(text.into_bytes()));
    let items = items_in(text, &Address { bucket, key }, &format)?;
    Ok(config.bounded(items))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetObject {
    bucket: String,
    key: String,
    version_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListObjects {
    bucket: String,
    #[serde(default)]
    prefix: String,
    start_after: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    input_type: Option<String>,
    #[serde(default, deserialize_with = "whole_number")]
    max_items: Option<u64>,
    #[serde(rename = "CSVHeaderLocation")]
    header_location: Option<String>,
    #[serde(rename = "CSVHeaders")]
    headers: Option<Vec<String>>,
    #[serde(rename = "CSVDelimiter")]
    delimiter: Option<String>,
    items_pointer: Option<String>,
    transformation: Option<String>,
    manifest_type: Option<String>,
}

/// JSONata has one kind of number, so `10.0` is a count, too.
fn whole_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let whole = |float: f64| (float.fract() == 0.0 && (0.0..=u64::MAX as f64).contains(&float)).then_some(float as u64);
    match number.as_u64().or_else(|| number.as_f64().and_then(whole)) {
        Some(count) => Ok(Some(count)),
        None => Err(serde::de::Error::custom(format!("`{number}` is no count of items"))),
    }
}

fn fields<T: DeserializeOwned>(payload: &Payload, of: &str) -> Result<T, Failure> {
    serde_json::from_str(payload.text())
        .map_err(|error| s3::unreadable(format!("the {of} of the ItemReader can't be read: {error}")))
}

/// How the bytes of an object are items.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Format {
    Json { pointer: String },
    JsonLines,
    Csv(Layout),
}

impl Config {
    fn bounded(&self, items: Items) -> Items {
        // As AWS takes it, 0 is no limit.
        let most = match self.max_items {
            None | Some(0) => MOST_ITEMS,
            Some(items) => items.min(MOST_ITEMS),
        };
        Box::new(items.take(usize::try_from(most).unwrap_or(usize::MAX)))
    }

    fn format(&self) -> Result<Format, Failure> {
        match self.input_type.as_deref() {
            Some("JSON") => Ok(Format::Json {
                pointer: self.items_pointer.clone().unwrap_or_default(),
            }),
            Some("JSONL") => Ok(Format::JsonLines),
            Some("CSV") => Ok(Format::Csv(Layout {
                delimiter: self.delimiter()?,
                header: self.header()?,
            })),
            Some("PARQUET") => Err(s3::unreadable(
                "the InputType PARQUET can't be read by this server; convert the file to JSONL or CSV",
            )),
            Some(other) => Err(s3::unreadable(format!(
                "the InputType `{other}` is none of CSV, JSON, JSONL and MANIFEST"
            ))),
            None => Err(s3::unreadable(
                "the ReaderConfig has no InputType; add CSV, JSON or JSONL",
            )),
        }
    }

    fn delimiter(&self) -> Result<u8, Failure> {
        match self.delimiter.as_deref() {
            None | Some("COMMA") => Ok(b','),
            Some("PIPE") => Ok(b'|'),
            Some("SEMICOLON") => Ok(b';'),
            Some("SPACE") => Ok(b' '),
            Some("TAB") => Ok(b'\t'),
            Some(other) => Err(s3::unreadable(format!(
                "the CSVDelimiter `{other}` is none of COMMA, PIPE, SEMICOLON, SPACE and TAB"
            ))),
        }
    }

    fn header(&self) -> Result<Header, Failure> {
        match (self.header_location.as_deref(), &self.headers) {
            (Some("FIRST_ROW"), _) => Ok(Header::FirstRow),
            (Some("GIVEN"), Some(headers)) => Ok(Header::Given(headers.clone())),
            (Some("GIVEN"), None) => Err(s3::unreadable(
                "the CSVHeaderLocation GIVEN goes with a list of CSVHeaders, and there is none",
            )),
            (Some(other), _) => Err(s3::unreadable(format!(
                "the CSVHeaderLocation `{other}` is neither FIRST_ROW nor GIVEN"
            ))),
            (None, _) => Err(s3::unreadable(
                "the InputType CSV needs a CSVHeaderLocation, FIRST_ROW or GIVEN",
            )),
        }
    }
}

fn get_object(objects: &SharedObjects, asked: GetObject, config: &Config) -> Result<Items, Failure> {
    if asked.version_id.is_some_and(|version| version != "null") {
        return Err(s3::unreadable(s3::no_such_version()));
    }
    let at = Address {
        bucket: asked.bucket,
        key: asked.key,
    };
    match (config.manifest_type.as_deref(), config.input_type.as_deref()) {
        (Some("S3_INVENTORY"), _) | (None, Some("MANIFEST")) => {
            let inventory = manifest::inventory(objects, &at)?;
            let files = inventory.files.into_iter().map(Ok);
            Ok(concatenated(objects, files, Format::Csv(inventory.layout)))
        }
        (Some("ATHENA_DATA"), _) => {
            let format = config.format()?;
            Ok(concatenated(objects, manifest::athena(objects, &at)?, format))
        }
        (Some(other), _) => Err(s3::unreadable(format!(
            "the ManifestType `{other}` is neither ATHENA_DATA nor S3_INVENTORY"
        ))),
        (None, _) => items_of(objects, &at, &config.format()?),
    }
}

fn list_objects(objects: &SharedObjects, asked: ListObjects, config: &Config) -> Result<Items, Failure> {
    let ListObjects {
        bucket,
        prefix,
        start_after,
    } = asked;
    let listing = list::list(objects, &bucket, &prefix, start_after.as_deref())?;
    let heads = listing.map(|head| head.map_err(|error| s3::unreadable(s3::message(&error))));
    match config.transformation.as_deref() {
        None | Some("NONE") => {
            let source: Arc<str> = format!("S3://{bucket}").into();
            let item = move |head: ObjectHead| Item {
                value: list::described(&head),
                key: None,
                source: Arc::clone(&source),
            };
            Ok(Box::new(heads.map(move |head| head.map(&item))))
        }
        Some("LOAD_AND_FLATTEN") => {
            let format = config.format()?;
            // Consoles make folders by objects that hold nothing.
            let files = heads.filter(|head| !head.as_ref().is_ok_and(|head| head.size == 0));
            let address = move |head: ObjectHead| Address {
                bucket: bucket.clone(),
                key: head.key,
            };
            Ok(concatenated(objects, files.map(move |head| head.map(&address)), format))
        }
        Some(other) => Err(s3::unreadable(format!(
            "the Transformation `{other}` is neither NONE nor LOAD_AND_FLATTEN"
        ))),
    }
}

fn items_of(objects: &SharedObjects, at: &Address, format: &Format) -> Result<Items, Failure> {
    let text = source::text(objects, &at.bucket, &at.key)?;
    items_in(text, at, format)
}

fn items_in(text: Text, at: &Address, format: &Format) -> Result<Items, Failure> {
    let Address { bucket, key } = at;
    let source: Arc<str> = format!("S3://{bucket}/{key}").into();
    let uri = format!("s3://{bucket}/{key}");
    let failed = move |error: Error| match error {
        // AWS's own words.
        Error::NotIterable => s3::unreadable(error.to_string()),
        Error::Io(_) | Error::Malformed(_) | Error::TooLarge => s3::unreadable(format!("can't read `{uri}`: {error}")),
    };
    let item = move |key: Option<String>, value: Payload| Item {
        value,
        key,
        source: Arc::clone(&source),
    };
    Ok(match format {
        Format::Json { pointer } => {
            let elements = Elements::open(text, pointer).map_err(&failed)?;
            Box::new(elements.map(move |element| element.map(|(key, value)| item(key, value)).map_err(&failed)))
        }
        Format::JsonLines => {
            let lines = Lines::new(text);
            Box::new(lines.map(move |line| line.map(|value| item(None, value)).map_err(&failed)))
        }
        Format::Csv(layout) => {
            let rows = Rows::open(text, layout).map_err(&failed)?;
            Box::new(rows.map(move |row| row.map(|value| item(None, value)).map_err(&failed)))
        }
    })
}

/// The items of one file after the other; each is opened when it comes to it.
fn concatenated(
    objects: &SharedObjects,
    files: impl Iterator<Item = Result<Address, Failure>> + Send + 'static,
    format: Format,
) -> Items {
    Box::new(Concatenated {
        objects: Arc::clone(objects),
        files: Box::new(files),
        format,
        current: None,
        over: false,
    })
}

struct Concatenated {
    objects: SharedObjects,
    files: Box<dyn Iterator<Item = Result<Address, Failure>> + Send>,
    format: Format,
    current: Option<Items>,
    over: bool,
}

impl Concatenated {
    fn advance(&mut self) -> Option<Result<Item, Failure>> {
        loop {
            if let Some(item) = self.current.as_mut().and_then(Iterator::next) {
                return Some(item);
            }
            let opened = self
                .files
                .next()?
                .and_then(|file| items_of(&self.objects, &file, &self.format));
            match opened {
                Ok(items) => self.current = Some(items),
                Err(failure) => return Some(Err(failure)),
            }
        }
    }
}

impl Iterator for Concatenated {
    type Item = Result<Item, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = self.advance();
        self.over = !matches!(next, Some(Ok(_)));
        next
    }
}

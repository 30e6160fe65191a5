//! What a ResultWriter writes.

use std::io::Write as _;

use asl::{Failure, Payload, Status, Timestamp};
use engine::ports::{ObjectError, ObjectWriter, SharedObjects};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::s3;

/// Largest result file in bytes, as AWS has it. A larger set of results goes on in the next file.
const FILE_LIMIT: u64 = 5 << 30;

/// A ResultWriter, its expressions evaluated.
#[derive(Debug, Clone)]
pub struct WriteRequest {
    /// `ResultWriter.Resource`, `arn:<partition>:states:::s3:putObject`. Without one the results are formatted as
    /// `WriterConfig` says and returned.
    pub resource: Option<String>,
    /// `ResultWriter.Parameters` or `.Arguments`: an object with `Bucket` and `Prefix`; `{}` where there are none.
    pub parameters: Payload,
    /// `ResultWriter.WriterConfig`: an object with `Transformation` and `OutputType`; `{}` where there is none.
    pub config: Payload,
    /// The Map Run whose results they are. Its last part also names the directory the files go to.
    pub map_run_arn: String,
}

/// What became of one child execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildResult {
    /// Its ARN.
    pub execution_arn: String,
    /// The last part of its ARN.
    pub name: String,
    /// The ARN of the Map's state machine, `…:stateMachine:NAME/LABEL`.
    pub state_machine_arn: String,
    /// How it ended; [`Status::Running`] for one that was never started, because the Map Run ended first.
    pub status: Status,
    /// Its input.
    pub input: Payload,
    /// Its output, where it succeeded.
    pub output: Option<Payload>,
    /// Its failure, where it didn't.
    pub failure: Option<Failure>,
    /// When it started.
    pub started: Option<Timestamp>,
    /// When it closed.
    pub stopped: Option<Timestamp>,
    /// How often it was redriven.
    pub redrive_count: u32,
}

/// Makes sure that results can be written, before the first child starts: AWS writes a manifest to try.
///
/// # Errors
/// `States.ResultWriterFailed`. The cause doesn't say which state it was.
pub fn check_destination(objects: &SharedObjects, request: &WriteRequest) -> Result<(), Failure> {
    let _: Config = fields(&request.config, "WriterConfig")?;
    let Some(destination) = Destination::of(request)? else {
        return Ok(());
    };
    let manifest = destination.manifest(request, &Listed::default())?;
    let put = objects.put(
        &destination.bucket,
        &destination.key("manifest.json"),
        &mut &manifest[..],
    );
    put.map(drop).map_err(|error| {
        let why = match &error {
            ObjectError::NoSuchBucket { .. } => "The bucket does not exist. ",
            ObjectError::AccessDenied { .. } => {
                "Access denied. Ensure the correct permissions are added to your state machine's execution role. "
            }
            _ => "",
        };
        s3::unwritable(format!(
            "Failed to write a test manifest into the specified output bucket. {why}| Message from S3: {}",
            s3::message(&error)
        ))
    })
}

/// Writes the results of a Map Run and answers the Map state's result. The children are read once, in the order of their
/// items. Only where nothing is written, and the results are the answer, are they in memory together.
///
/// # Errors
/// `States.ResultWriterFailed`, or what `children` failed with.
pub fn write_results(
    objects: &SharedObjects,
    request: &WriteRequest,
    children: impl Iterator<Item = Result<ChildResult, Failure>>,
) -> Result<Payload, Failure> {
    let config: Config = fields(&request.config, "WriterConfig")?;
    let Some(destination) = Destination::of(request)? else {
        let transformation = config.transformation.unwrap_or(Transformation::Compact);
        return formatted(transformation, children);
    };
    let transformation = config.transformation.unwrap_or(Transformation::None);
    let file = |name| Files {
        objects,
        destination: &destination,
        name,
        output_type: config.output_type,
        limit: FILE_LIMIT,
        open: None,
        written: Vec::new(),
    };
    let (mut succeeded, mut failed, mut pending) = (file("SUCCEEDED"), file("FAILED"), file("PENDING"));
    for child in children {
        let child = child?;
        let files = match child.status {
            Status::Succeeded => &mut succeeded,
            Status::Failed | Status::TimedOut | Status::Aborted => &mut failed,
            Status::Running => &mut pending,
        };
        for entry in entries(transformation, &child)? {
            files.add(entry.text())?;
        }
    }
    let listed = Listed {
        failed: failed.finish()?,
        pending: pending.finish()?,
        succeeded: succeeded.finish()?,
    };
    let manifest = destination.manifest(request, &listed)?;
    let key = destination.key("manifest.json");
    objects
        .put(&destination.bucket, &key, &mut &manifest[..])
        .map_err(|error| destination.refused(&key, &error))?;
    let result = Written {
        map_run_arn: &request.map_run_arn,
        result_writer_details: Details {
            bucket: &destination.bucket,
            key: &key,
        },
    };
    Ok(Payload::from_value(serde_json::to_value(result).map_err(unsayable)?))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    transformation: Option<Transformation>,
    #[serde(default)]
    output_type: OutputType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Transformation {
    /// Each child's output among what there is to say of the child.
    None,
    /// Each child's output.
    Compact,
    /// Each child's output, and the elements of one that is an array.
    Flatten,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum OutputType {
    #[default]
    Json,
    Jsonl,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameters {
    bucket: String,
    prefix: Option<String>,
}

fn fields<T: serde::de::DeserializeOwned>(payload: &Payload, of: &str) -> Result<T, Failure> {
    serde_json::from_str(payload.text())
        .map_err(|error| s3::unwritable(format!("the {of} of the ResultWriter can't be read: {error}")))
}

/// The directory of a Map Run's results.
struct Destination {
    bucket: String,
    directory: String,
}

impl Destination {
    fn of(request: &WriteRequest) -> Result<Option<Self>, Failure> {
        let Some(resource) = &request.resource else {
            return Ok(None);
        };
        if resource.rsplit_once(":::").map(|(_, action)| action) != Some("s3:putObject") {
            return Err(s3::unwritable(format!(
                "the resource `{resource}` is no result writer; use arn:aws:states:::s3:putObject"
            )));
        }
        let Parameters { bucket, prefix } = fields(&request.parameters, "Parameters")?;
        let run = request.map_run_arn.rsplit(':').next().unwrap_or_default();
        let directory = match prefix.as_deref().map(|prefix| prefix.trim_end_matches('/')) {
            None | Some("") => run.to_owned(),
            Some(prefix) => format!("{prefix}/{run}"),
        };
        Ok(Some(Self { bucket, directory }))
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }

    fn manifest(&self, request: &WriteRequest, listed: &Listed) -> Result<Vec<u8>, Failure> {
        let manifest = Manifest {
            destination_bucket: &self.bucket,
            map_run_arn: &request.map_run_arn,
            result_files: listed,
        };
        serde_json::to_vec(&manifest).map_err(unsayable)
    }

    fn refused(&self, key: &str, error: &ObjectError) -> Failure {
        s3::unwritable(format!(
            "Failed to write `s3://{}/{key}`. | Message from S3: {}",
            self.bucket,
            s3::message(error)
        ))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest<'a> {
    destination_bucket: &'a str,
    map_run_arn: &'a str,
    result_files: &'a Listed,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "UPPERCASE")]
struct Listed {
    failed: Vec<ResultFile>,
    pending: Vec<ResultFile>,
    succeeded: Vec<ResultFile>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResultFile {
    key: String,
    size: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Written<'a> {
    map_run_arn: &'a str,
    result_writer_details: Details<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Details<'a> {
    bucket: &'a str,
    key: &'a str,
}

/// The files of one kind of result, one after the other.
struct Files<'a> {
    objects: &'a SharedObjects,
    destination: &'a Destination,
    name: &'static str,
    output_type: OutputType,
    limit: u64,
    open: Option<OpenFile>,
    written: Vec<ResultFile>,
}

struct OpenFile {
    key: String,
    size: u64,
    writer: Box<dyn ObjectWriter>,
}

impl OpenFile {
    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.size += text.len() as u64;
        self.writer.write_all(text.as_bytes())
    }
}

impl Files<'_> {
    fn add(&mut self, entry: &str) -> Result<(), Failure> {
        let too_large = |open: &OpenFile| open.size + entry.len() as u64 + 2 > self.limit;
        if self.open.as_ref().is_some_and(too_large) {
            self.close()?;
        }
        let (between, opening) = match self.output_type {
            OutputType::Json => (",", "["),
            OutputType::Jsonl => ("\n", ""),
        };
        let (mut open, before) = match self.open.take() {
            Some(open) => (open, between),
            None => (self.begin()?, opening),
        };
        let written = open.write(before).and_then(|()| open.write(entry));
        let open = self.open.insert(open);
        written.map_err(|error| {
            let bucket = &self.destination.bucket;
            s3::unwritable(format!("can't write `s3://{bucket}/{}`: {error}", open.key))
        })
    }

    fn begin(&self) -> Result<OpenFile, Failure> {
        let extension = match self.output_type {
            OutputType::Json => "json",
            OutputType::Jsonl => "jsonl",
        };
        let name = format!("{}_{}.{extension}", self.name, self.written.len());
        let key = self.destination.key(&name);
        match self.objects.create(&self.destination.bucket, &key) {
            Ok(writer) => Ok(OpenFile { key, size: 0, writer }),
            Err(error) => Err(self.destination.refused(&key, &error)),
        }
    }

    fn close(&mut self) -> Result<(), Failure> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        let closing = match self.output_type {
            OutputType::Json => "]",
            OutputType::Jsonl => "\n",
        };
        let bucket = &self.destination.bucket;
        open.write(closing)
            .map_err(|error| s3::unwritable(format!("can't write `s3://{bucket}/{}`: {error}", open.key)))?;
        let OpenFile { key, size, writer } = open;
        match writer.finish() {
            Ok(_) => self.written.push(ResultFile { key, size }),
            Err(error) => return Err(self.destination.refused(&key, &error)),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<ResultFile>, Failure> {
        self.close()?;
        Ok(self.written)
    }
}

/// The results as an array, for a state that writes none.
fn formatted(
    transformation: Transformation,
    children: impl Iterator<Item = Result<ChildResult, Failure>>,
) -> Result<Payload, Failure> {
    let mut all = Vec::new();
    for child in children {
        all.extend(entries(transformation, &child?)?);
    }
    Ok(Payload::array_of(&all))
}

/// What a child adds to the results. One that didn't succeed is told of whole, whatever the transformation.
fn entries(transformation: Transformation, child: &ChildResult) -> Result<Vec<Payload>, Failure> {
    let described = || Ok(vec![described(child)?]);
    match (&child.output, transformation) {
        (None, _) | (_, Transformation::None) => described(),
        (Some(output), Transformation::Compact) => Ok(vec![output.clone()]),
        (Some(output), Transformation::Flatten) => match serde_json::from_str::<Vec<&RawValue>>(output.text()) {
            Ok(elements) => elements
                .into_iter()
                .map(|element| Payload::from_text(element.get()).map_err(|error| s3::unwritable(error.to_string())))
                .collect(),
            Err(_) => Ok(vec![output.clone()]),
        },
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Described<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    execution_arn: &'a str,
    input: &'a str,
    input_details: Included,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    output_details: Included,
    redrive_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    redrive_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redrive_status_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    state_machine_arn: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_date: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Included {
    included: bool,
}

fn described(child: &ChildResult) -> Result<Payload, Failure> {
    let (status, redrive_status, redrive_status_reason) = match child.status {
        Status::Succeeded => (
            "SUCCEEDED",
            Some("NOT_REDRIVABLE"),
            Some("Execution is SUCCEEDED and cannot be redriven"),
        ),
        Status::Failed => ("FAILED", Some("REDRIVABLE_BY_MAP_RUN"), None),
        Status::TimedOut => ("TIMED_OUT", Some("REDRIVABLE_BY_MAP_RUN"), None),
        Status::Aborted => ("ABORTED", Some("REDRIVABLE_BY_MAP_RUN"), None),
        Status::Running => ("PENDING", None, None),
    };
    let failure = child.failure.as_ref();
    let described = Described {
        cause: failure.and_then(|failure| failure.cause.as_deref()),
        error: failure.and_then(|failure| failure.error.as_deref()),
        execution_arn: &child.execution_arn,
        input: child.input.text(),
        input_details: Included { included: true },
        name: &child.name,
        output: child.output.as_ref().map(Payload::text),
        output_details: Included { included: true },
        redrive_count: child.redrive_count,
        redrive_status,
        redrive_status_reason,
        start_date: child.started.map(|at| at.to_string()),
        state_machine_arn: &child.state_machine_arn,
        status,
        stop_date: child.stopped.map(|at| at.to_string()),
    };
    let value: Value = serde_json::to_value(described).map_err(unsayable)?;
    Ok(Payload::from_value(value))
}

fn unsayable(error: serde_json::Error) -> Failure {
    s3::unwritable(format!("the results can't be written as JSON: {error}"))
}

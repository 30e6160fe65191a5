//! What a ResultWriter writes.

use asl::{Failure, Payload, Status, Timestamp};
use engine::ports::SharedObjects;

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

/// Writes the results of a Map Run and answers the Map state's result. The children are read once, in the order of their
/// items.
///
/// # Errors
/// `States.ResultWriterFailed`, or what `children` failed with.
pub fn write_results(
    objects: &SharedObjects,
    request: &WriteRequest,
    children: impl Iterator<Item = Result<ChildResult, Failure>>,
) -> Result<Payload, Failure> {
    let _ = (objects, request, children);
    Err(Failure::new(
        "States.ResultWriterFailed",
        "no result writer is built in",
    ))
}

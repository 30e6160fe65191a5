//! The API's errors in the shape of plain HTTP: a status that tells what kind of mistake it was, and a next step.

use crate::aws::errors::ApiError;
use crate::http::Problem;

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let status = match error.kind {
            kind if kind.ends_with("DoesNotExist") || kind == "ResourceNotFound" => 404,
            kind if kind.ends_with("AlreadyExists") => 409,
            "ConflictException" | "StateMachineDeleting" => 409,
            "InvalidDefinition" => 422,
            _ => error.status,
        };
        Problem::new(status, error.kind, error.message, next_step(error.kind))
    }
}

fn next_step(kind: &str) -> &'static str {
    match kind {
        "StateMachineDoesNotExist" => "`GET /v1/state-machines` lists them, `PUT /v1/state-machines/NAME` makes one",
        "ExecutionDoesNotExist" => "`GET /v1/state-machines/NAME/executions` lists a state machine's executions",
        "ExecutionAlreadyExists" => "choose another `name`, or leave it out to get a new one",
        "StateMachineAlreadyExists" => "its type can't change; delete it first, or choose another name",
        "InvalidDefinition" => "mend what the message names; `sandstep validate FILE` points at the line",
        "InvalidExecutionInput" => "send one JSON text as the body",
        "InvalidName" => "names have 1 to 80 characters, without white space and without <>{}[]?*\"#%\\^|~`$&,;:/",
        "InvalidArn" => "name an execution MACHINE:NAME, or by the whole ARN",
        "InvalidToken" => "ask without `after`: pages are good for a day, and for the question they answered",
        "RequestEntityTooLargeException" => "send less; `--limits` says what the server takes",
        "RequestTimeoutException" => "send it again, over a steadier connection",
        "ServiceUnavailable" => "send it again",
        "InternalFailure" => "the server's log says more",
        _ => "`/v1/openapi.json` says what is taken here",
    }
}

/// More are followed, or waited for, than this server can wake.
pub(super) fn too_many_followers() -> Problem {
    Problem::new(
        503,
        "TooManyFollowers",
        "as many executions are followed and waited for as this server takes",
        "follow fewer, or ask how the execution stands now and then",
    )
}

/// Something of ours went wrong.
pub(super) fn fault(message: &str) -> Problem {
    tracing::error!(error = message, "a request failed");
    Problem::new(500, "InternalFailure", message, "the server's log says more")
}

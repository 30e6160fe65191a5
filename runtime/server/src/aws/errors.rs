//! AWS's error types, each with the text the service itself answers.

use std::fmt;

use engine::ports::{CatalogueError, StoreError};

/// An error as the wire shows it: `__type`, `message` in lower case, and an HTTP status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The error's name, `StateMachineDoesNotExist`.
    pub kind: &'static str,
    /// The text for people.
    pub message: String,
    /// 400 for the caller's mistakes, 500 for ours.
    pub status: u16,
    /// What the error carries beside its message: `reason`, `resourceName`.
    pub member: Option<(&'static str, String)>,
}

/// What an operation comes to.
pub type Answer<T> = Result<T, ApiError>;

impl ApiError {
    /// The name is another execution's.
    pub const EXECUTION_ALREADY_EXISTS: &'static str = "ExecutionAlreadyExists";

    fn caller(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            status: 400,
            member: None,
        }
    }

    fn with(self, member: &'static str, value: impl fmt::Display) -> Self {
        Self {
            member: Some((member, value.to_string())),
            ..self
        }
    }

    /// The constraints of the service's model.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::caller("ValidationException", message)
    }

    /// A body that isn't JSON or has a field of the wrong type.
    pub fn serialization(message: impl Into<String>) -> Self {
        Self::caller("SerializationException", message)
    }

    /// An operation this server doesn't have.
    pub fn unknown_operation(message: impl Into<String>) -> Self {
        Self::caller("UnknownOperationException", message)
    }

    /// `reason` goes into AWS's quotes.
    pub fn invalid_arn(reason: impl fmt::Display) -> Self {
        Self::caller("InvalidArn", format!("Invalid Arn: '{reason}'"))
    }

    /// A name with forbidden characters.
    pub fn invalid_name(name: &str) -> Self {
        Self::caller("InvalidName", format!("Invalid Name: '{name}'"))
    }

    /// A page token that isn't ours, is for another question or is too old.
    pub fn invalid_token(token: &str) -> Self {
        Self::caller("InvalidToken", format!("Invalid Token: '{token}'"))
    }

    /// `diagnostics` joined as AWS joins them.
    pub fn invalid_definition(diagnostics: &str) -> Self {
        Self::caller(
            "InvalidDefinition",
            format!("Invalid State Machine Definition: '{diagnostics}'"),
        )
    }

    /// An input that isn't JSON; `reason` in the JSON parser's words.
    pub fn invalid_execution_input(reason: &str) -> Self {
        Self::caller(
            "InvalidExecutionInput",
            format!("Invalid State Machine Execution Input: '{reason}'"),
        )
    }

    /// Logging that asks for a level and names no destination.
    pub fn invalid_logging_configuration(reason: &str) -> Self {
        Self::caller(
            "InvalidLoggingConfiguration",
            format!("Invalid Logging Configuration: {reason}"),
        )
    }

    /// No activity of this ARN.
    pub fn activity_does_not_exist(arn: impl fmt::Display) -> Self {
        Self::caller("ActivityDoesNotExist", format!("Activity Does Not Exist: '{arn}'"))
    }

    /// A task's output that isn't JSON; `reason` in the JSON parser's words.
    pub fn invalid_output(reason: &str) -> Self {
        Self::caller("InvalidOutput", format!("Invalid Output: '{reason}'"))
    }

    /// A task token whose task has ended: completed before, timed out, or its execution closed.
    pub fn task_timed_out() -> Self {
        Self::caller("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
    }

    /// No machine of this ARN.
    pub fn state_machine_does_not_exist(arn: impl fmt::Display) -> Self {
        Self::caller(
            "StateMachineDoesNotExist",
            format!("State Machine Does Not Exist: '{arn}'"),
        )
    }

    /// A machine that was deleted, whose executions have not all ended.
    pub fn state_machine_deleting(arn: impl fmt::Display) -> Self {
        Self::caller(
            "StateMachineDeleting",
            format!("State Machine is being deleted: '{arn}'"),
        )
    }

    /// Another machine has the name.
    pub fn state_machine_already_exists(arn: impl fmt::Display) -> Self {
        Self::caller(
            "StateMachineAlreadyExists",
            format!("State Machine Already Exists: '{arn}'"),
        )
    }

    /// An operation that is not for machines of this type.
    pub fn not_for_this_type() -> Self {
        Self::caller(
            "StateMachineTypeNotSupported",
            "This operation is not supported by this type of state machine",
        )
    }

    /// An update that changes nothing it could change.
    pub fn missing_required_parameter(message: impl Into<String>) -> Self {
        Self::caller("MissingRequiredParameter", message)
    }

    /// No execution of this ARN.
    pub fn execution_does_not_exist(arn: impl fmt::Display) -> Self {
        Self::caller("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'"))
    }

    /// An execution that runs, succeeded, or closed too long ago; `status` in AWS's word.
    pub fn execution_not_redrivable(status: &str) -> Self {
        Self::caller(
            "ExecutionNotRedrivable",
            format!("Execution is {status} and cannot be redriven"),
        )
    }

    /// Another execution of the machine has the name.
    pub fn execution_already_exists(arn: impl fmt::Display) -> Self {
        Self::caller(
            Self::EXECUTION_ALREADY_EXISTS,
            format!("Execution Already Exists: '{arn}'"),
        )
    }

    /// Nothing of this ARN: no Map run, nothing that can have tags.
    pub fn resource_not_found(resource: impl fmt::Display) -> Self {
        Self::caller("ResourceNotFound", format!("Resource not found: '{resource}'")).with("resourceName", resource)
    }

    /// An alias that isn't there, or a version an alias is to point to.
    pub fn reference_not_found(resource: impl fmt::Display) -> Self {
        Self::caller("ResourceNotFound", "Request references a resource that doesn't exist.")
            .with("resourceName", resource)
    }

    /// Versions or aliases that stand in each other's way.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::caller("ConflictException", message)
    }

    /// More versions or aliases than a machine may have.
    pub fn service_quota_exceeded(message: impl Into<String>) -> Self {
        Self::caller("ServiceQuotaExceededException", message)
    }

    /// More tags than something may have.
    pub fn too_many_tags(resource: impl fmt::Display) -> Self {
        Self::caller(
            "TooManyTags",
            format!("You've exceeded the number of tags allowed for a resource: '{resource}'"),
        )
        .with("resourceName", resource)
    }

    /// An alias whose routes don't work out.
    pub fn invalid_routing(message: impl Into<String>) -> Self {
        Self::validation(message).with("reason", "INVALID_ROUTING_CONFIGURATION")
    }

    /// A field that is needed where another is, or is not, given.
    pub fn missing_field(message: impl Into<String>) -> Self {
        Self::validation(message).with("reason", "MISSING_REQUIRED_PARAMETER")
    }

    /// Nobody this server knows: no signature, one of an unknown key, or a wrong one.
    pub fn unauthenticated(kind: &'static str, message: impl Into<String>) -> Self {
        Self::caller(kind, message)
    }

    /// A request that says nothing about who sends it.
    pub fn missing_authentication_token() -> Self {
        Self::caller("MissingAuthenticationTokenException", "Missing Authentication Token")
    }

    /// Somebody this server knows, who may not do this.
    pub fn access_denied(message: impl Into<String>) -> Self {
        Self::caller("AccessDeniedException", message)
    }

    /// Ours: the disk, a failed commit, a bug. The details are for the log, the text for the caller.
    pub fn fault(message: impl Into<String>) -> Self {
        Self {
            kind: "InternalFailure",
            message: message.into(),
            status: 500,
            member: None,
        }
    }

    /// The server is on its way down.
    pub fn unavailable() -> Self {
        Self {
            kind: "ServiceUnavailable",
            message: "the server is shutting down; nothing of this request was done, send it again".into(),
            status: 503,
            member: None,
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store answered with an error");
        Self::fault(error.to_string())
    }
}

impl From<CatalogueError> for ApiError {
    fn from(error: CatalogueError) -> Self {
        tracing::error!(%error, "the catalogue answered with an error");
        Self::fault(error.to_string())
    }
}

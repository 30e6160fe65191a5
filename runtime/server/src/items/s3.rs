//! What S3 says when it says no, as Step Functions hands it on.

use asl::Failure;
use engine::ports::ObjectError;
use uuid::Uuid;

/// The failure of a Map state that couldn't read its items.
pub(super) fn unreadable(cause: impl Into<String>) -> Failure {
    Failure::new("States.ItemReaderFailed", cause)
}

/// The failure of a Map state that couldn't write its results.
pub(super) fn unwritable(cause: impl Into<String>) -> Failure {
    Failure::new("States.ResultWriterFailed", cause)
}

/// S3's message and how it was asked, in the words of AWS's SDK. What S3 has no words for keeps ours.
pub(super) fn message(error: &ObjectError) -> String {
    match error {
        ObjectError::NoSuchKey { .. } => said("The specified key does not exist.", 404),
        ObjectError::NoSuchBucket { .. } => said("The specified bucket does not exist", 404),
        ObjectError::AccessDenied { .. } => said("Access Denied", 403),
        ObjectError::InvalidName { .. } | ObjectError::BucketNotEmpty { .. } | ObjectError::Failed { .. } => {
            error.to_string()
        }
    }
}

/// S3's answer to a version nobody stored: objects here have none.
pub(super) fn no_such_version() -> String {
    said("The specified version does not exist.", 404)
}

fn said(message: &str, status: u16) -> String {
    let id = Uuid::new_v4().simple().to_string().to_uppercase();
    let extended = Uuid::new_v4().simple().to_string();
    format!(
        "{message} (Service: S3, Status Code: {status}, Request ID: {}, Extended Request ID: {extended}) (SDK Attempt \
         Count: 1)",
        &id[..16]
    )
}

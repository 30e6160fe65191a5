//! The objects under a prefix as items.

use asl::{Failure, Payload};
use engine::ports::{Listing, ObjectHead, SharedObjects};

use super::s3;

/// Lists a bucket.
pub(super) fn list(
    objects: &SharedObjects,
    bucket: &str,
    prefix: &str,
    after: Option<&str>,
) -> Result<Listing, Failure> {
    objects
        .list(bucket, prefix, after)
        .map_err(|error| s3::unreadable(s3::message(&error)))
}

/// An object as S3's ListObjectsV2 describes it, in Step Functions' spelling.
pub(super) fn described(head: &ObjectHead) -> Payload {
    let text = format!(
        r#"{{"Etag":{},"Key":{},"LastModified":{},"Size":{},"StorageClass":{}}}"#,
        quoted(&format!("\"{}\"", head.etag)),
        quoted(&head.key),
        seconds(head.modified.0 / 1000),
        head.size,
        quoted(&head.storage_class),
    );
    Payload::from_text(text).unwrap_or_else(|_| Payload::null())
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whole seconds as AWS writes them here, the way Java shows a double: `1.789180622E9`.
fn seconds(seconds: i64) -> String {
    let digits = seconds.to_string();
    if !(10_000_000..10_000_000_000).contains(&seconds) {
        return format!("{digits}.0");
    }
    let (first, rest) = digits.split_at(1);
    let fraction = rest.trim_end_matches('0');
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    format!("{first}.{fraction}E{}", rest.len())
}

#[cfg(test)]
mod tests {
    use asl::Timestamp;

    use super::*;

    #[test]
    fn objects_are_described_as_in_listings() {
        let head = ObjectHead {
            key: "a \"b\"".to_owned(),
            size: 2,
            etag: "e".to_owned(),
            modified: Timestamp(1_789_180_622_999),
            storage_class: "STANDARD".to_owned(),
        };
        assert_eq!(
            described(&head).text(),
            r#"{"Etag":"\"e\"","Key":"a \"b\"","LastModified":1.789180622E9,"Size":2,"StorageClass":"STANDARD"}"#
        );
        assert_eq!(seconds(1_700_000_000), "1.7E9");
        assert_eq!(seconds(20_000_000), "2.0E7");
        assert_eq!(seconds(12), "12.0");
    }
}

//! Objects: named sequences of bytes in buckets, in S3's terms. Data sets of distributed Map states are read from
//! them and its results are written to them.

use std::io::{self, Read, Write};
use std::sync::Arc;

use asl::Timestamp;

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// Its key, unique in its bucket.
    pub key: String,
    /// Length in bytes.
    pub size: u64,
    /// Changes whenever the content does; opaque, without the quotes HTTP puts around it.
    pub etag: String,
    /// When it was last written.
    pub modified: Timestamp,
    /// S3's name for how it is kept: `STANDARD`, `GLACIER`, …
    pub storage_class: String,
}

/// An object being read: what it was when it was opened, and its bytes from the offset that was asked for. A later
/// write doesn't change what an open reader gives.
pub struct OpenObject {
    /// The object.
    pub head: ObjectHead,
    /// Its bytes. An interrupted transfer is an error, never an early end.
    pub content: Box<dyn Read + Send>,
}

/// An object being written. Nobody sees any of it before [`finish`](ObjectWriter::finish) answers; dropped before that,
/// it never was.
pub trait ObjectWriter: Write + Send {
    /// Puts the object in its place, durably and as a whole, over one that had its key.
    ///
    /// # Errors
    /// [`ObjectError`]; nothing changed then.
    fn finish(self: Box<Self>) -> Result<ObjectHead, ObjectError>;
}

/// Objects in the order of their keys' bytes. An implementation asks for pages as they are needed, so an endless bucket
/// costs no more memory than a page.
pub type Listing = Box<dyn Iterator<Item = Result<ObjectHead, ObjectError>> + Send>;

/// Why something couldn't be done with an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// There is no such bucket.
    #[error("no bucket `{bucket}`; `sandstep objects create s3://{bucket}` makes it")]
    NoSuchBucket {
        /// Its name.
        bucket: String,
    },
    /// The bucket has no such object.
    #[error("no object `s3://{bucket}/{key}`; `sandstep objects list s3://{bucket}` shows what is there")]
    NoSuchKey {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// The name can't be one of a bucket or of an object there.
    #[error("`{name}` {reason}")]
    InvalidName {
        /// What was asked for.
        name: String,
        /// Why it isn't one, and what is.
        reason: String,
    },
    /// The bucket still holds objects.
    #[error("bucket `{bucket}` still holds objects; delete them first")]
    BucketNotEmpty {
        /// Its name.
        bucket: String,
    },
    /// Whoever keeps it doesn't let us.
    #[error("access to `s3://{bucket}/{key}` was denied: {reason}")]
    AccessDenied {
        /// The bucket.
        bucket: String,
        /// The key; empty where the bucket is meant.
        key: String,
        /// Their words.
        reason: String,
    },
    /// Anything else: a full disk, a lost connection.
    #[error("can't {attempted} `s3://{bucket}/{key}`: {reason}")]
    Failed {
        /// `read`, `write`, `list`, …
        attempted: &'static str,
        /// The bucket.
        bucket: String,
        /// The key; empty where the bucket is meant.
        key: String,
        /// The system's words.
        reason: String,
    },
}

/// Where objects are kept. All calls block. Names follow S3: a key is any text of 1 to 1,024 bytes, and `a/b` is one key,
/// not a path.
pub trait ObjectStore: Send + Sync {
    /// What is known of an object.
    ///
    /// # Errors
    /// [`ObjectError`]
    fn head(&self, bucket: &str, key: &str) -> Result<ObjectHead, ObjectError>;

    /// Opens an object for reading from the byte `offset` on; behind its end there is nothing to read.
    ///
    /// # Errors
    /// [`ObjectError`]
    fn open(&self, bucket: &str, key: &str, offset: u64) -> Result<OpenObject, ObjectError>;

    /// Begins to write an object.
    ///
    /// # Errors
    /// [`ObjectError`]
    fn create(&self, bucket: &str, key: &str) -> Result<Box<dyn ObjectWriter>, ObjectError>;

    /// Takes an object away; nothing happens where there is none.
    ///
    /// # Errors
    /// [`ObjectError`]
    fn delete(&self, bucket: &str, key: &str) -> Result<(), ObjectError>;

    /// The objects whose keys begin with `prefix` and come after `after`, in the order of their keys.
    ///
    /// # Errors
    /// [`ObjectError`]; those of later pages come out of the listing.
    fn list(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<Listing, ObjectError>;

    /// Makes a bucket; nothing happens where it is there.
    ///
    /// # Errors
    /// [`ObjectError`]
    fn create_bucket(&self, bucket: &str) -> Result<(), ObjectError>;

    /// Takes an empty bucket away.
    ///
    /// # Errors
    /// [`ObjectError::BucketNotEmpty`] and the others.
    fn delete_bucket(&self, bucket: &str) -> Result<(), ObjectError>;

    /// The names of all buckets, in order.
    ///
    /// # Errors
    /// [`ObjectError`]
    fn buckets(&self) -> Result<Vec<String>, ObjectError>;

    /// Writes an object whose content somebody else reads out.
    ///
    /// # Errors
    /// [`ObjectError`], also where `content` can't be read to its end.
    fn put(&self, bucket: &str, key: &str, content: &mut dyn Read) -> Result<ObjectHead, ObjectError> {
        let mut writer = self.create(bucket, key)?;
        io::copy(content, &mut writer).map_err(|error| ObjectError::Failed {
            attempted: "write",
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            reason: error.to_string(),
        })?;
        writer.finish()
    }
}

/// A shared store of objects.
pub type SharedObjects = Arc<dyn ObjectStore>;

/// Shortest and longest name of a bucket, in bytes, as S3 has them.
const BUCKET_NAME: std::ops::RangeInclusive<usize> = 3..=63;
/// Longest key in bytes, as S3 has it.
const KEY_LENGTH: usize = 1024;

/// Checks the name of a bucket by S3's rules, which also make it the name of a directory on every system.
///
/// # Errors
/// [`ObjectError::InvalidName`]
pub fn check_bucket(bucket: &str) -> Result<(), ObjectError> {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = bucket.as_bytes();
    let fits = BUCKET_NAME.contains(&bytes.len())
        && bytes.iter().all(|&byte| is_word(byte) || byte == b'-' || byte == b'.')
        && bytes.first().is_some_and(|&byte| is_word(byte))
        && bytes.last().is_some_and(|&byte| is_word(byte))
        && !bucket.contains("..");
    match fits {
        true => Ok(()),
        false => Err(ObjectError::InvalidName {
            name: bucket.to_owned(),
            reason: "can't name a bucket; use 3 to 63 small letters, digits, hyphens and dots, a letter or digit at \
                     both ends"
                .to_owned(),
        }),
    }
}

/// Checks a key by S3's rules.
///
/// # Errors
/// [`ObjectError::InvalidName`]
pub fn check_key(key: &str) -> Result<(), ObjectError> {
    if (1..=KEY_LENGTH).contains(&key.len()) {
        return Ok(());
    }
    Err(ObjectError::InvalidName {
        name: key.chars().take(64).collect(),
        reason: format!(
            "can't be a key; keys have 1 to {KEY_LENGTH} bytes and this one has {}",
            key.len()
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_named_as_in_s3() {
        for good in ["abc", "my-data.2024", "0a0"] {
            assert_eq!(check_bucket(good), Ok(()), "{good}");
        }
        let long = "a".repeat(64);
        for bad in [
            "", "ab", "Abc", "a_b", "-ab", "ab-", ".ab", "a..b", "a/b", "..", "a b", &long,
        ] {
            assert!(check_bucket(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_have_a_length() {
        assert!(check_key("").is_err() && check_key(&"k".repeat(1025)).is_err());
        assert!(check_key("../a//b").is_ok() && check_key(&"k".repeat(1024)).is_ok());
    }
}

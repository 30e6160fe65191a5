//! `sandstep objects`

use std::path::PathBuf;
use std::str::FromStr;

use clap::Subcommand;

/// What to do with objects.
#[derive(Debug, Subcommand)]
pub enum Objects {
    /// List the objects of a bucket, or the buckets
    List {
        /// s3://BUCKET, or s3://BUCKET/PREFIX for the keys that begin so
        #[arg(value_name = "S3-URI")]
        at: Option<ObjectName>,
    },
    /// Write an object; the first one makes its bucket
    Put {
        /// s3://BUCKET/KEY; a KEY that ends in a slash gets the file's name behind it
        #[arg(value_name = "S3-URI")]
        at: ObjectName,
        /// What to write; `-` reads standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Read an object
    Get {
        /// s3://BUCKET/KEY
        #[arg(value_name = "S3-URI")]
        at: ObjectName,
        /// Where to write it; standard output when absent
        #[arg(value_name = "FILE", default_value = "-", hide_default_value = true)]
        file: PathBuf,
    },
    /// Delete an object, or an empty bucket
    Delete {
        /// s3://BUCKET/KEY or s3://BUCKET
        #[arg(value_name = "S3-URI")]
        at: ObjectName,
    },
    /// Make a bucket, so that workflows can write to it
    Create {
        /// s3://BUCKET
        #[arg(value_name = "S3-URI")]
        at: ObjectName,
    },
}

/// A bucket, and a key or the beginning of one, as people write them: `s3://BUCKET/KEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectName {
    /// The bucket.
    pub bucket: String,
    /// The key; empty where only the bucket is meant.
    pub key: String,
}

impl FromStr for ObjectName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("s3://").filter(|rest| !rest.is_empty());
        let rest = rest.ok_or("objects are named s3://BUCKET/KEY")?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        match bucket {
            "" => Err("objects are named s3://BUCKET/KEY, and the bucket is missing".to_owned()),
            bucket => Ok(Self {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_as_in_s3() {
        let named = |bucket: &str, key: &str| {
            Ok(ObjectName {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
            })
        };
        assert_eq!("s3://b/a/c.csv".parse(), named("b", "a/c.csv"));
        assert_eq!("s3://b".parse(), named("b", ""));
        assert_eq!("s3://b/".parse(), named("b", ""));
        assert_eq!("s3://b//x".parse(), named("b", "/x"));
        for wrong in ["", "b/k", "s3://", "s3:///k", "S3://b"] {
            assert!(wrong.parse::<ObjectName>().is_err(), "`{wrong}`");
        }
    }
}

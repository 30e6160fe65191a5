//! Files that name the files a data set is in: S3's inventories, and what Athena unloads.

use std::io::Read as _;

use asl::Failure;
use engine::ports::SharedObjects;
use serde::Deserialize;

use super::csv::{Header, Layout, Records};
use super::s3;
use super::source;

/// Largest manifest in bytes: an inventory of a billion objects names some thousand files.
const MANIFEST_LIMIT: u64 = 64 << 20;

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) bucket: String,
    pub(super) key: String,
}

/// An inventory's files, and how they are laid out.
#[derive(Debug)]
pub(super) struct Inventory {
    pub(super) files: Vec<Address>,
    pub(super) layout: Layout,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InventoryManifest {
    destination_bucket: Option<String>,
    file_format: Option<String>,
    file_schema: String,
    files: Vec<InventoryFile>,
}

#[derive(Deserialize)]
struct InventoryFile {
    key: String,
}

/// Reads the `manifest.json` of an inventory.
pub(super) fn inventory(objects: &SharedObjects, at: &Address) -> Result<Inventory, Failure> {
    let refused = |reason: String| s3::unreadable(format!("`s3://{}/{}` {reason}", at.bucket, at.key));
    let mut text = String::new();
    let whole = source::text(objects, &at.bucket, &at.key)?;
    whole
        .take(MANIFEST_LIMIT)
        .read_to_string(&mut text)
        .map_err(|error| refused(format!("can't be read: {error}")))?;
    let manifest: InventoryManifest = serde_json::from_str(&text)
        .map_err(|error| refused(format!("is not the manifest.json of an S3 inventory: {error}")))?;
    if let Some(format) = manifest
        .file_format
        .filter(|format| !format.eq_ignore_ascii_case("CSV"))
    {
        return Err(refused(format!(
            "is the manifest of an inventory in the format `{format}`; only CSV can be read"
        )));
    }
    let bucket = match &manifest.destination_bucket {
        Some(arn) => arn.rsplit(':').next().unwrap_or(arn).to_owned(),
        None => at.bucket.clone(),
    };
    let files = manifest.files.into_iter().map(|file| Address {
        bucket: bucket.clone(),
        key: file.key,
    });
    let header = manifest.file_schema.split(',').map(|name| name.trim().to_owned());
    Ok(Inventory {
        files: files.collect(),
        layout: Layout {
            delimiter: b',',
            header: Header::Given(header.collect()),
        },
    })
}

/// The objects a manifest of Athena's names, an `s3://bucket/key` on each line.
pub(super) fn athena(objects: &SharedObjects, at: &Address) -> Result<AthenaFiles, Failure> {
    let text = source::text(objects, &at.bucket, &at.key)?;
    Ok(AthenaFiles {
        records: Records::new(text, b','),
        at: at.clone(),
    })
}

pub(super) struct AthenaFiles {
    records: Records,
    at: Address,
}

impl Iterator for AthenaFiles {
    type Item = Result<Address, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let Address { bucket, key } = &self.at;
        let record = match self.records.advance() {
            Ok(record) => record?,
            Err(error) => {
                return Some(Err(s3::unreadable(format!(
                    "can't read `s3://{bucket}/{key}`: {error}"
                ))));
            }
        };
        let uri = record.first().map_or("", |uri| uri.trim());
        let address = uri.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
        Some(match address {
            Some((bucket, key)) => Ok(Address {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
            }),
            None => Err(s3::unreadable(format!(
                "`s3://{bucket}/{key}` names `{uri}`, and a manifest names objects like s3://bucket/key"
            ))),
        })
    }
}

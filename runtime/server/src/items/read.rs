//! What an ItemReader reads.

use std::sync::Arc;

use asl::{Failure, Payload};
use engine::ports::SharedObjects;

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

/// Opens a data set. At most `MaxItems` items come out.
///
/// # Errors
/// `States.ItemReaderFailed` where the request or the objects don't allow it; later ones come out of the iterator.
pub fn open(objects: &SharedObjects, request: &ReadRequest) -> Result<Items, Failure> {
    let _ = (objects, request);
    Err(Failure::new("States.ItemReaderFailed", "no item reader is built in"))
}

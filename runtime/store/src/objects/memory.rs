//! Objects in RAM: the same answers, nothing kept.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Write};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use asl::Timestamp;
use engine::ports::{Listing, ObjectError, ObjectHead, ObjectStore, ObjectWriter, OpenObject, check_bucket, check_key};

/// Objects in RAM. Clones share them. Their times are counted, not measured: each write is a millisecond after the last.
#[derive(Debug, Clone, Default)]
pub struct Objects(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    buckets: BTreeMap<String, BTreeMap<String, Object>>,
    writes: i64,
}

#[derive(Debug, Clone)]
struct Object {
    content: Arc<[u8]>,
    written: i64,
}

impl Object {
    fn head(&self, key: &str) -> ObjectHead {
        ObjectHead {
            key: key.to_owned(),
            size: self.content.len() as u64,
            etag: format!("{:032x}", self.written),
            modified: Timestamp(self.written),
            storage_class: "STANDARD".to_owned(),
        }
    }
}

impl Objects {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn object(&self, bucket: &str, key: &str) -> Result<Object, ObjectError> {
        check_key(key)?;
        let object = self.kept().bucket(bucket)?.get(key).cloned();
        object.ok_or_else(|| ObjectError::NoSuchKey {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }

    fn next(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<Option<ObjectHead>, ObjectError> {
        let kept = self.kept();
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        let next = kept.bucket(bucket)?.range::<str, _>((from, Bound::Unbounded)).next();
        Ok(next
            .filter(|(key, _)| key.starts_with(prefix))
            .map(|(key, object)| object.head(key)))
    }
}

impl Kept {
    fn bucket(&self, bucket: &str) -> Result<&BTreeMap<String, Object>, ObjectError> {
        check_bucket(bucket)?;
        self.buckets.get(bucket).ok_or_else(|| no_such_bucket(bucket))
    }
}

fn no_such_bucket(bucket: &str) -> ObjectError {
    ObjectError::NoSuchBucket {
        bucket: bucket.to_owned(),
    }
}

impl ObjectStore for Objects {
    fn head(&self, bucket: &str, key: &str) -> Result<ObjectHead, ObjectError> {
        Ok(self.object(bucket, key)?.head(key))
    }

    fn open(&self, bucket: &str, key: &str, offset: u64) -> Result<OpenObject, ObjectError> {
        let object = self.object(bucket, key)?;
        let head = object.head(key);
        let mut content = Cursor::new(object.content);
        content.set_position(offset);
        Ok(OpenObject {
            head,
            content: Box::new(content),
        })
    }

    fn create(&self, bucket: &str, key: &str) -> Result<Box<dyn ObjectWriter>, ObjectError> {
        check_key(key)?;
        self.kept().bucket(bucket)?;
        Ok(Box::new(Writer {
            objects: self.clone(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            content: Vec::new(),
        }))
    }

    fn delete(&self, bucket: &str, key: &str) -> Result<(), ObjectError> {
        check_key(key)?;
        let mut kept = self.kept();
        kept.bucket(bucket)?;
        if let Some(objects) = kept.buckets.get_mut(bucket) {
            objects.remove(key);
        }
        Ok(())
    }

    fn list(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<Listing, ObjectError> {
        self.kept().bucket(bucket)?;
        let (objects, bucket, prefix) = (self.clone(), bucket.to_owned(), prefix.to_owned());
        let mut last = after.map(str::to_owned);
        Ok(Box::new(std::iter::from_fn(move || {
            let next = objects.next(&bucket, &prefix, last.as_deref()).transpose()?;
            if let Ok(head) = &next {
                last = Some(head.key.clone());
            }
            Some(next)
        })))
    }

    fn create_bucket(&self, bucket: &str) -> Result<(), ObjectError> {
        check_bucket(bucket)?;
        self.kept().buckets.entry(bucket.to_owned()).or_default();
        Ok(())
    }

    fn delete_bucket(&self, bucket: &str) -> Result<(), ObjectError> {
        let mut kept = self.kept();
        if !kept.bucket(bucket)?.is_empty() {
            return Err(ObjectError::BucketNotEmpty {
                bucket: bucket.to_owned(),
            });
        }
        kept.buckets.remove(bucket);
        Ok(())
    }

    fn buckets(&self) -> Result<Vec<String>, ObjectError> {
        Ok(self.kept().buckets.keys().cloned().collect())
    }
}

struct Writer {
    objects: Objects,
    bucket: String,
    key: String,
    content: Vec<u8>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.content.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ObjectWriter for Writer {
    fn finish(self: Box<Self>) -> Result<ObjectHead, ObjectError> {
        let mut kept = self.objects.kept();
        kept.writes += 1;
        let object = Object {
            content: self.content.into(),
            written: kept.writes,
        };
        let head = object.head(&self.key);
        let Some(objects) = kept.buckets.get_mut(&self.bucket) else {
            return Err(no_such_bucket(&self.bucket));
        };
        objects.insert(self.key, object);
        Ok(head)
    }
}

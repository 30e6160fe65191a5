//! Objects on a server.

use std::io::Read;

use serde_json::Value;
use ureq::AsSendBody;

use super::{Client, Result, UPLOAD_TIMEOUT, percent_encoded};
use crate::args::ObjectName;

impl Client {
    /// Every bucket.
    pub fn buckets(&self) -> Result<Value> {
        self.read(self.agent.get(format!("{}/v1/objects", self.endpoint)).call())
    }

    /// A page of the objects whose keys begin with a key.
    pub fn objects(&self, at: &ObjectName, after: Option<&str>) -> Result<Value> {
        let request = self.agent.get(self.bucket_url(at)).query("prefix", &at.key);
        let request = match after {
            Some(after) => request.query("after", after),
            None => request,
        };
        self.read(request.call())
    }

    /// Writes an object.
    pub fn put_object(&self, at: &ObjectName, body: impl AsSendBody) -> Result<Value> {
        let request = self
            .agent
            .put(self.object_url(at))
            .config()
            .timeout_recv_response(Some(UPLOAD_TIMEOUT))
            .build()
            .header("Content-Type", "application/octet-stream");
        self.read(request.send(body))
    }

    /// Opens an object for reading.
    pub fn get_object(&self, at: &ObjectName) -> Result<Box<dyn Read>> {
        let answer = self.agent.get(self.object_url(at)).call();
        match answer {
            // As large as it is: it goes to a file, not into memory.
            Ok(answer) if answer.status().is_success() => {
                Ok(Box::new(answer.into_body().into_with_config().limit(u64::MAX).reader()))
            }
            other => match self.read(other) {
                Err(error) => Err(error),
                Ok(_) => Err(self.unreadable("an answer that is neither an object nor an error".to_owned())),
            },
        }
    }

    /// Takes an object away.
    pub fn delete_object(&self, at: &ObjectName) -> Result<()> {
        self.read(self.agent.delete(self.object_url(at)).call()).map(drop)
    }

    /// Makes a bucket.
    pub fn create_bucket(&self, at: &ObjectName) -> Result<Value> {
        self.read(self.agent.put(self.bucket_url(at)).send_empty())
    }

    /// Takes an empty bucket away.
    pub fn delete_bucket(&self, at: &ObjectName) -> Result<Value> {
        self.read(self.agent.delete(self.bucket_url(at)).call())
    }

    fn bucket_url(&self, at: &ObjectName) -> String {
        format!("{}/v1/objects/{}", self.endpoint, percent_encoded(&at.bucket))
    }

    fn object_url(&self, at: &ObjectName) -> String {
        // Dots alone would be taken for a way up.
        let key = match at.key.as_str() {
            "." => "%2E".to_owned(),
            ".." => "%2E%2E".to_owned(),
            key => percent_encoded(key),
        };
        format!("{}/{key}", self.bucket_url(at))
    }
}

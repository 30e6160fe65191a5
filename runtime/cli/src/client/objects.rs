//! Objects on a server.

use std::fs::File;
use std::io::Read;

use serde_json::Value;
use server::aws::signature::CONTENT_SHA256;
use ureq::{AsSendBody, SendBody};

use super::{Client, Error, Result, UPLOAD_TIMEOUT, percent_encoded};
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
    pub fn put_object(&self, at: &ObjectName, mut file: File) -> Result<Value> {
        let digest = self.digest_of(&mut file).map_err(|error| Error::File {
            path: at.key.clone(),
            reason: error.to_string(),
        })?;
        self.put_body(at, file, digest)
    }

    /// Writes an object of what is read, which a client that signs can't: it must know the end at the beginning.
    pub fn put_stream(&self, at: &ObjectName, reader: &mut dyn Read) -> Result<Value> {
        self.put_body(at, SendBody::from_reader(&mut { reader }), None)
    }

    fn put_body(&self, at: &ObjectName, body: impl AsSendBody, digest: Option<String>) -> Result<Value> {
        let request = self
            .agent
            .put(self.object_url(at))
            .config()
            .timeout_recv_response(Some(UPLOAD_TIMEOUT))
            .build()
            .header("Content-Type", "application/octet-stream");
        let request = match digest {
            Some(digest) => request.header(CONTENT_SHA256, digest),
            None => request,
        };
        self.read(request.send(body))
    }

    /// Opens an object for reading.
    pub fn get_object(&self, at: &ObjectName) -> Result<Box<dyn Read>> {
        self.stream(self.agent.get(self.object_url(at)).call())
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

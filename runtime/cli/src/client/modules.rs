//! Modules on a server.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use server::aws::signature::CONTENT_SHA256;
use ureq::RequestBuilder;

use super::{Client, Error, Result, UPLOAD_TIMEOUT, percent_encoded};
use crate::args::ModuleName;

/// Header of an upload with its manifest, in base64.
const MANIFEST: &str = "sandstep-manifest";
/// Header of an upload with its signature, in base64.
const SIGNATURE: &str = "sandstep-signature";

/// What an upload is beside its component.
#[derive(Debug, Default, Clone, Copy)]
pub struct Upload<'a> {
    /// The text of its manifest; empty where it has none.
    pub manifest: &'a str,
    /// A label that is to point at it.
    pub label: Option<&'a str>,
    /// Its signature in base64.
    pub signature: Option<&'a str>,
}

/// What a label has to be for it to be changed.
#[derive(Debug, Clone, Copy)]
pub enum Guard {
    /// Whatever it is.
    None,
    /// Pointing at this version.
    From(u32),
    /// Not there.
    New,
}

impl Client {
    /// Every version of every module.
    pub fn modules(&self) -> Result<Value> {
        self.read(self.agent.get(format!("{}/v1/modules", self.endpoint)).call())
    }

    /// A version of a module, and all its versions.
    pub fn module(&self, module: &ModuleName) -> Result<Value> {
        self.read(self.of_version(&self.module_url(&module.name), module).call())
    }

    /// Uploads the next version of a module.
    pub fn push_module(&self, name: &str, file: &Path, with: Upload<'_>) -> Result<Value> {
        let cannot = |error: std::io::Error| Error::File {
            path: file.display().to_string(),
            reason: error.to_string(),
        };
        let mut upload = File::open(file).map_err(cannot)?;
        let digest = self.digest_of(&mut upload).map_err(cannot)?;
        let mut request = self
            .agent
            .put(self.module_url(name))
            .config()
            .timeout_recv_response(Some(UPLOAD_TIMEOUT))
            .build()
            .header("Content-Type", "application/wasm");
        if let Some(digest) = digest {
            request = request.header(CONTENT_SHA256, digest);
        }
        if !with.manifest.is_empty() {
            request = request.header(MANIFEST, STANDARD.encode(with.manifest));
        }
        if let Some(signature) = with.signature {
            request = request.header(SIGNATURE, signature);
        }
        if let Some(label) = with.label {
            request = request.query("label", label);
        }
        self.read(request.send(upload))
    }

    /// Opens a version's component for reading.
    pub fn get_component(&self, module: &ModuleName) -> Result<Box<dyn Read>> {
        let url = format!("{}/component", self.module_url(&module.name));
        self.stream(self.of_version(&url, module).call())
    }

    /// Opens a version as it was uploaded for reading.
    pub fn get_uploaded(&self, module: &ModuleName) -> Result<Box<dyn Read>> {
        let url = format!("{}/uploaded", self.module_url(&module.name));
        self.stream(self.of_version(&url, module).call())
    }

    /// Opens a version's code for another machine for reading.
    pub fn get_compiled(&self, module: &ModuleName, target: &str) -> Result<Box<dyn Read>> {
        let url = format!("{}/compiled", self.module_url(&module.name));
        let request = self.of_version(&url, module).query("target", target);
        let request = request.config().timeout_recv_response(Some(UPLOAD_TIMEOUT)).build();
        self.stream(request.call())
    }

    /// All that a version can touch.
    pub fn module_reach(&self, module: &ModuleName) -> Result<Value> {
        let url = format!("{}/reach", self.module_url(&module.name));
        self.read(self.of_version(&url, module).call())
    }

    /// The labels of a module.
    pub fn labels(&self, name: &str) -> Result<Value> {
        self.read(self.agent.get(format!("{}/labels", self.module_url(name))).call())
    }

    /// Points a label at a version.
    pub fn set_label(&self, name: &str, label: &str, version: u64, guard: Guard) -> Result<Value> {
        let request = self.agent.put(self.label_url(name, label));
        let request = request.query("version", version.to_string());
        let request = match guard {
            Guard::None => request,
            Guard::From(version) => request.header("If-Match", format!("\"{version}\"")),
            Guard::New => request.header("If-None-Match", "*"),
        };
        self.read(request.send_empty())
    }

    /// Takes a label away.
    pub fn delete_label(&self, name: &str, label: &str, force: bool) -> Result<Value> {
        let request = self.agent.delete(self.label_url(name, label));
        let request = if force { request.query("force", "true") } else { request };
        self.read(request.call())
    }

    /// Takes a module away, or one version of it.
    pub fn delete_module(&self, module: &ModuleName, force: bool) -> Result<Value> {
        let mut request = self.agent.delete(self.module_url(&module.name));
        if let Some(version) = &module.version {
            request = request.query("version", version);
        }
        if force {
            request = request.query("force", "true");
        }
        self.read(request.call())
    }

    fn of_version(&self, url: &str, module: &ModuleName) -> RequestBuilder<ureq::typestate::WithoutBody> {
        let request = self.agent.get(url);
        match &module.version {
            Some(version) => request.query("version", version),
            None => request,
        }
    }

    fn label_url(&self, name: &str, label: &str) -> String {
        format!("{}/labels/{}", self.module_url(name), percent_encoded(label))
    }

    pub(super) fn module_url(&self, name: &str) -> String {
        format!("{}/v1/modules/{}", self.endpoint, percent_encoded(name))
    }
}

//! What a handle does with modules.

use std::sync::Arc;

use engine::ports::{CatalogueError, Expected, ModuleRecord};
use tokio::sync::{OwnedSemaphorePermit, SemaphorePermit};

use super::{Handle, Inner};
use crate::aws::module_users;
use crate::clock;
use crate::modules::{self, Offered, Signed};

impl Handle {
    /// Checks, compiles and stores a module.
    ///
    /// # Errors
    /// [`modules::Error`] when the sandbox can't run it or the catalogue can't store it.
    pub async fn upload(&self, name: &str, component: Vec<u8>) -> Result<Arc<ModuleRecord>, modules::Error> {
        self.upload_with_manifest(name, component, "").await
    }

    /// The same with a manifest, the text of a `module.toml`.
    ///
    /// # Errors
    /// [`modules::Error`], also where the manifest can't be read or asks for more than the policy allows.
    pub async fn upload_with_manifest(
        &self,
        name: &str,
        component: Vec<u8>,
        manifest: &str,
    ) -> Result<Arc<ModuleRecord>, modules::Error> {
        self.upload_signed(name, component, manifest, None).await
    }

    /// The same with a signature in base64, of [`modules::signatures::payload`].
    ///
    /// # Errors
    /// [`modules::Error`], also where the policy wants another signature or one at all.
    pub async fn upload_signed(
        &self,
        name: &str,
        upload: Vec<u8>,
        manifest: &str,
        signature: Option<String>,
    ) -> Result<Arc<ModuleRecord>, modules::Error> {
        let signature = signature.map(|value| Signed {
            manifest: modules::signatures::digest(manifest.as_bytes()),
            value,
        });
        let manifest = modules::manifest(manifest)?;
        let offered = Offered {
            upload,
            manifest,
            signature,
        };
        self.put_module(name.to_owned(), offered)
            .await
            .map(|(record, _)| record)
    }

    /// Points every label that a definition names at its module's newest version: where there is one version of each module,
    /// as without a server, a label can mean nothing else.
    ///
    /// # Errors
    /// [`modules::Error`] where the module isn't uploaded or the catalogue can't store it.
    pub async fn label_newest(&self, definition: &str) -> Result<(), modules::Error> {
        let labels = module_users::labels_in(definition);
        let set = move |inner: &Inner| {
            for (module, label) in labels {
                let versions = inner.modules.versions(&module);
                let newest = versions.and_then(|versions| Some(versions.first()?.version));
                let newest = newest.ok_or(CatalogueError::NoSuchModule(module.clone()))?;
                inner
                    .modules
                    .put_label(&module, &label, newest, Expected::Anything, clock::now())?;
            }
            Ok(())
        };
        let set = self.blocking(set).await;
        set.map_err(|error| modules::Error::Crashed(error.message))?
    }

    /// The right to compile for another machine, unless somebody has it.
    pub(crate) fn artefact_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.artefacts).try_acquire_owned().ok()
    }

    /// Waits for its turn to hold an upload in memory.
    pub(crate) async fn upload_permit(&self) -> Option<SemaphorePermit<'_>> {
        self.0.uploads.acquire().await.ok()
    }

    pub(crate) async fn put_module(
        &self,
        name: String,
        offered: Offered,
    ) -> Result<(Arc<ModuleRecord>, bool), modules::Error> {
        let inner = Arc::clone(&self.0);
        let put = move || inner.modules.put(&name, offered, clock::now());
        match tokio::task::spawn_blocking(put).await {
            Ok(result) => result,
            Err(error) => Err(modules::Error::Crashed(error.to_string())),
        }
    }
}

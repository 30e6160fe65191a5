//! Components that tasks run: which versions there are, and whether their compiled code is at hand.

mod amount;
mod futile;
mod http;
mod kept;
mod labels;
mod manifest;
mod policy;
mod reach;
mod reference;
pub mod signatures;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use asl::{Failure, Timestamp};
use engine::ids::{Digest, ExecutionId};
use engine::ports::{
    Beginning, CallProblem, CallSketch, Catalogue, CatalogueError, Granted, Manifest, ModuleError, ModuleRecord,
    Restart, SharedRunner, Signature, StoreError, Sweep, Tally, TaskLimits, UnderWay,
};

use kept::{Kept, not_found};

pub use amount::bytes;
pub(crate) use futile::{comes_back, note};
pub(crate) use http::routes;
pub use manifest::{MANIFEST_BYTES, Mistake, manifest};
pub use policy::{Elsewhere, NotAllowed, Policy, PolicyInForce};
pub(crate) use reach::{ModuleReach, Touch};
pub use reference::{ModuleReference, Version};
pub use signatures::NotSigned;

/// Longest name of a module, in characters; the same as AWS's function names and machines.
pub const NAME_LENGTH: usize = 80;

/// What a reference led to: from here on nobody asks again what a name or a label means.
#[derive(Debug, Clone)]
pub struct Found {
    /// The version.
    pub record: Arc<ModuleRecord>,
    /// What an attempt may use.
    pub limits: TaskLimits,
}

/// An upload.
#[derive(Debug)]
pub struct Offered {
    /// Its bytes.
    pub upload: Vec<u8>,
    /// What its author asks for.
    pub manifest: Manifest,
    /// Who answers for it.
    pub signature: Option<Signed>,
}

/// A signature as it comes.
#[derive(Debug)]
pub struct Signed {
    /// Of the manifest's text.
    pub manifest: Digest,
    /// In base64.
    pub value: String,
}

/// Whether a component's compiled code is at hand.
#[derive(Debug, Clone)]
pub enum Readiness {
    /// It can run.
    Ready,
    /// It is being compiled, after an upgrade or a lost cache.
    Compiling,
    /// It can't be compiled any more.
    Failed(ModuleError),
}

/// Why an upload or a deletion was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sandbox can't run it.
    #[error(transparent)]
    Unfit(#[from] ModuleError),
    /// The catalogue said no.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// Its manifest can't be read.
    #[error("the manifest can't be read: {0}")]
    Manifest(#[from] Mistake),
    /// Its manifest asks for more than the operator's policy allows.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// The operator's policy wants it signed.
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    /// The check panicked; the text says where.
    #[error("checking the upload failed inside the server: {0}")]
    Crashed(String),
}

/// Every version of every module, in memory, in front of the catalogue.
pub struct Modules {
    catalogue: Arc<dyn Catalogue>,
    runner: SharedRunner,
    policy: PolicyInForce,
    by_name: RwLock<BTreeMap<String, Kept>>,
    /// Held while the catalogue is changed and then what is in memory, so that two changes don't cross.
    changing: Mutex<()>,
    readiness: Mutex<HashMap<Digest, Readiness>>,
    /// Read from before an upload is compiled until it has its row: compiled code without one is swept away.
    uploading: RwLock<()>,
}

impl std::fmt::Debug for Modules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Modules").finish_non_exhaustive()
    }
}

impl Modules {
    /// Reads every version. Blocks while the store reads.
    ///
    /// # Errors
    /// [`CatalogueError`] when they can't be read.
    pub fn open(
        catalogue: Arc<dyn Catalogue>,
        runner: SharedRunner,
        policy: PolicyInForce,
    ) -> Result<Self, CatalogueError> {
        let mut by_name: BTreeMap<String, Kept> = BTreeMap::new();
        let mut readiness = HashMap::new();
        for record in catalogue.modules()? {
            readiness.insert(record.digest.clone(), Readiness::Compiling);
            let kept = by_name.entry(record.name.clone()).or_default();
            kept.versions.push(Arc::new(record));
        }
        for kept in by_name.values_mut() {
            kept.versions.sort_by_key(|record| record.version);
        }
        for label in catalogue.labels()? {
            if let Some(kept) = by_name.get_mut(&label.module) {
                kept.labels.insert(label.label.clone(), label);
            }
        }
        Ok(Self {
            catalogue,
            runner,
            policy,
            by_name: RwLock::new(by_name),
            changing: Mutex::default(),
            readiness: Mutex::new(readiness),
            uploading: RwLock::new(()),
        })
    }

    /// Makes the compiled code of every stored component available, one after the other, and tells `ready`
    /// of each, also of one that failed. Blocks while compiling.
    pub fn ensure_all(&self, ready: impl Fn(Digest)) {
        let mut waiting: Vec<(Digest, String)> = self
            .all()
            .iter()
            .map(|record| (record.digest.clone(), format!("{}@{}", record.name, record.version)))
            .collect();
        waiting.sort();
        waiting.dedup_by(|one, other| one.0 == other.0);
        for (digest, name) in waiting {
            if !self.runner.at_hand(&digest) && self.runner.is_full() {
                self.set_readiness(&digest, Readiness::Ready);
            } else {
                self.make_ready(&digest, &name);
            }
            ready(digest);
        }
    }

    /// Whether a component that was ready has lost its compiled code to others; from now on it is being compiled.
    pub(crate) fn has_to_be_compiled(&self, digest: &Digest) -> bool {
        let lost = !self.runner.at_hand(digest);
        if lost {
            self.set_readiness(digest, Readiness::Compiling);
        }
        lost
    }

    /// Makes the compiled code of a stored component available. Blocks while compiling.
    pub(crate) fn make_ready(&self, digest: &Digest, name: &str) {
        let state = match self.runner.ensure(digest, &|| self.stored(digest)) {
            Ok(()) => Readiness::Ready,
            Err(error) => {
                tracing::warn!(module = name, %digest, %error, hint = error.hint, "module can't run; upload it again");
                Readiness::Failed(error)
            }
        };
        self.set_readiness(digest, state);
    }

    /// A version's component: what was uploaded, or what became of a core module.
    ///
    /// # Errors
    /// When the catalogue can't be read.
    pub fn component(&self, digest: &Digest) -> Result<Option<Vec<u8>>, CatalogueError> {
        self.catalogue.component(digest)
    }

    /// A version as it was uploaded. `None` where it is gone, and where it was a core module that isn't kept.
    ///
    /// # Errors
    /// When the catalogue can't be read.
    pub fn uploaded(&self, record: &ModuleRecord) -> Result<Option<Vec<u8>>, CatalogueError> {
        let component = self.catalogue.component(&record.digest)?;
        Ok(component.and_then(|component| match &*record.description.uploaded_as {
            "component" => Some(component),
            _ => self.runner.uploaded(&component),
        }))
    }

    /// A version's compiled code for another machine, as a file. Blocks while compiling.
    ///
    /// # Errors
    /// [`ModuleError`], also where there is no such target.
    pub fn compiled(&self, digest: &Digest, target: &str) -> Result<Vec<u8>, ModuleError> {
        self.runner.compiled(digest, &|| self.stored(digest), target)
    }

    fn stored(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        match self.catalogue.component(digest) {
            Ok(Some(component)) => Ok(component),
            Ok(None) => Err(StoreError(format!(
                "component `{digest}` is missing from the data directory"
            ))),
            Err(error) => Err(StoreError(error.to_string())),
        }
    }

    /// The version a task asks for.
    ///
    /// # Errors
    /// A task's failure, saying how to upload what is missing.
    pub fn find(&self, reference: ModuleReference<'_>) -> Result<Found, Failure> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        let name = reference.name;
        let Some(kept) = by_name.get(name) else {
            return Err(not_found(format!(
                "no module `{name}` is uploaded; upload it with `sandstep modules push {name} FILE` or \
                 `PUT /v1/modules/{name}`"
            )));
        };
        let record = kept.version(reference.version);
        let record = record.ok_or_else(|| kept.missing(name, reference.version))?;
        Ok(Found {
            record: Arc::clone(record),
            limits: record.description.limits,
        })
    }

    /// Why a call of a version would fail, as far as that can be told.
    ///
    /// # Errors
    /// [`CallProblem`]
    pub fn check_call(&self, record: &ModuleRecord, call: CallSketch<'_>) -> Result<(), CallProblem> {
        self.runner.check_call(&record.digest, call)
    }

    /// What an attempt is given beside its limits, and those with the policy's caps.
    ///
    /// # Errors
    /// The failure of a task whose module asks for more than the policy allows by now, or isn't signed as it wants.
    pub fn grant(&self, found: &Found) -> Result<(Option<Arc<Granted>>, TaskLimits), Failure> {
        let policy = self.policy.current();
        let Found { record, limits } = found;
        let limits = policy.cap(&record.name, *limits);
        policy.check_stored_signature(record).map_err(|refused| {
            let cause = format!("{refused}; {}", refused.hint());
            Failure::new("Sandbox.NotSigned", cause)
        })?;
        let granted = policy.granted(&record.name, &record.description.manifest);
        let granted = granted.map_err(|refused| {
            let cause = format!("{refused}; {}", refused.hint());
            Failure::new("Sandbox.NotGranted", cause)
        })?;
        Ok((granted, limits))
    }

    /// What an attempt of a module begins as. Of one that isn't there nothing runs.
    pub fn beginning(&self, reference: ModuleReference<'_>) -> Beginning {
        match self.record(reference) {
            Some(record) => Beginning {
                version: Some(record.version),
                may_repeat: record.description.restart() == Restart::Repeat,
            },
            None => Beginning::REPEATABLE,
        }
    }

    /// The version that is meant, where it is uploaded.
    pub(crate) fn record(&self, reference: ModuleReference<'_>) -> Option<Arc<ModuleRecord>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.get(reference.name)?.version(reference.version).map(Arc::clone)
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.current()
    }

    /// Whether a component can run now.
    pub fn readiness(&self, digest: &Digest) -> Readiness {
        let readiness = self.readiness.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is gone from the table was ready when the task found it.
        readiness.get(digest).cloned().unwrap_or(Readiness::Ready)
    }

    /// Checks, compiles and stores an upload. Blocks while compiling. The flag says whether that made a
    /// new version.
    ///
    /// # Errors
    /// [`Error`] when the sandbox can't run it or the catalogue can't store it.
    pub fn put(&self, name: &str, offered: Offered, at: Timestamp) -> Result<(Arc<ModuleRecord>, bool), Error> {
        let _uploading = self.uploading.read().unwrap_or_else(PoisonError::into_inner);
        let Offered {
            upload,
            manifest,
            signature,
        } = offered;
        let signature = signature.map(|Signed { manifest, value }| Signature {
            upload: signatures::digest(&upload),
            manifest,
            value,
        });
        let policy = self.policy.current();
        policy.check_signature(name, signature.as_ref())?;
        policy.check(name, &manifest)?;
        let mut prepared = self.runner.prepare_with(&upload, manifest)?;
        prepared.description.signature = signature;
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let record = self
            .catalogue
            .put_module(name, &prepared.component, prepared.description, at)?;
        let record = Arc::new(record);
        self.set_readiness(&record.digest, Readiness::Ready);
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let versions = &mut by_name.entry(name.to_owned()).or_default().versions;
        match versions.binary_search_by_key(&record.version, |known| known.version) {
            Ok(known) => Ok((Arc::clone(&versions[known]), false)),
            Err(place) => {
                versions.insert(place, Arc::clone(&record));
                Ok((record, true))
            }
        }
    }

    /// Takes all versions of a module away and says how many there were. Blocks until that is durable.
    ///
    /// # Errors
    /// [`CatalogueError::ModuleInUse`] while a machine refers to it and [`CatalogueError::ModuleLabelled`] while it has
    /// labels, unless `force`.
    pub fn delete(&self, name: &str, force: bool) -> Result<usize, CatalogueError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.catalogue.delete_module(name, force)?;
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        Ok(by_name.remove(name).map_or(0, |kept| kept.versions.len()))
    }

    /// Takes one version away. Blocks until that is durable.
    ///
    /// # Errors
    /// [`CatalogueError::ModuleLabelled`] while labels point at it, unless `force`.
    pub fn delete_version(&self, name: &str, version: u32, force: bool) -> Result<(), CatalogueError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.catalogue.delete_module_version(name, version, force)?;
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = by_name.get_mut(name) {
            kept.versions.retain(|record| record.version != version);
            kept.labels.retain(|_, label| label.version != version);
            if kept.versions.is_empty() {
                by_name.remove(name);
            }
        }
        Ok(())
    }

    /// Attempts of an execution that run now.
    pub fn under_way(&self, execution: ExecutionId) -> Vec<UnderWay> {
        self.runner.under_way(execution)
    }

    /// Deletes compiled code that no version has, or counts it. Blocks while an upload is compiled.
    ///
    /// # Errors
    /// [`StoreError`] when the disk says no.
    pub fn sweep(&self, sweep: Sweep) -> Result<Tally, StoreError> {
        let _uploads_wait = self.uploading.write().unwrap_or_else(PoisonError::into_inner);
        let keep: Vec<Digest> = self.all().iter().map(|record| record.digest.clone()).collect();
        self.runner.sweep(&keep, sweep)
    }

    /// The versions of a module, the newest first.
    pub fn versions(&self, name: &str) -> Option<Vec<Arc<ModuleRecord>>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name
            .get(name)
            .map(|kept| kept.versions.iter().rev().cloned().collect())
    }

    /// Every version of every module, by name, the newest first.
    pub fn all(&self) -> Vec<Arc<ModuleRecord>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name
            .values()
            .flat_map(|kept| kept.versions.iter().rev().cloned())
            .collect()
    }

    fn set_readiness(&self, digest: &Digest, state: Readiness) {
        self.readiness
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(digest.clone(), state);
    }
}

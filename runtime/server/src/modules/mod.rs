//! Components that tasks run: which versions there are, and whether their compiled code is at hand.

mod amount;
mod futile;
mod http;
mod manifest;
mod policy;
mod reach;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use asl::{Failure, Timestamp};
use engine::ids::Digest;
use engine::ports::{
    CallProblem, CallSketch, Catalogue, CatalogueError, Class, Granted, Manifest, ModuleDescription, ModuleError,
    ModuleRecord, Restart, SharedRunner, StoreError, Sweep, Tally, TaskLimits,
};

pub(crate) use futile::{comes_back, note};
pub(crate) use http::routes;
pub use manifest::{MANIFEST_BYTES, Mistake, manifest};
pub use policy::{NotAllowed, Policy, PolicyInForce};
pub(crate) use reach::{ModuleReach, Touch};

/// Longest name of a module, in characters; the same as AWS's function names and machines.
pub const NAME_LENGTH: usize = 80;

/// Which module a task asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleReference<'a> {
    /// Its name.
    pub name: &'a str,
    /// Which of its versions.
    pub version: Version<'a>,
}

/// One of a module's versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version<'a> {
    /// The one uploaded last.
    Newest,
    /// By number.
    Number(u32),
    /// By content address.
    Digest(&'a str),
}

/// What a reference led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The component.
    pub digest: Digest,
    /// What an attempt may use.
    pub limits: TaskLimits,
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
    /// The check panicked; the text says where.
    #[error("checking the upload failed inside the server: {0}")]
    Crashed(String),
}

/// Every version of every module, in memory, in front of the catalogue.
pub struct Modules {
    catalogue: Arc<dyn Catalogue>,
    runner: SharedRunner,
    policy: PolicyInForce,
    /// Versions in rising order.
    by_name: RwLock<BTreeMap<String, Vec<Arc<ModuleRecord>>>>,
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
        let mut by_name: BTreeMap<String, Vec<Arc<ModuleRecord>>> = BTreeMap::new();
        let mut readiness = HashMap::new();
        for record in catalogue.modules()? {
            readiness.insert(record.digest.clone(), Readiness::Compiling);
            by_name.entry(record.name.clone()).or_default().push(Arc::new(record));
        }
        for versions in by_name.values_mut() {
            versions.sort_by_key(|record| record.version);
        }
        Ok(Self {
            catalogue,
            runner,
            policy,
            by_name: RwLock::new(by_name),
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
            let component = || match self.catalogue.component(&digest) {
                Ok(Some(component)) => Ok(component),
                Ok(None) => Err(StoreError(format!(
                    "component `{digest}` is missing from the data directory"
                ))),
                Err(error) => Err(StoreError(error.to_string())),
            };
            let state = match self.runner.ensure(&digest, &component) {
                Ok(()) => Readiness::Ready,
                Err(error) => {
                    tracing::warn!(module = name, %digest, %error, hint = error.hint, "module can't run; upload it again");
                    Readiness::Failed(error)
                }
            };
            self.set_readiness(&digest, state);
            ready(digest);
        }
    }

    /// What is known of the version a task asks for.
    pub fn description(&self, reference: ModuleReference<'_>) -> Option<ModuleDescription> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        let record = of_version(by_name.get(reference.name)?, reference.version)?;
        Some(record.description.clone())
    }

    /// A version's component, with its digest: what was uploaded, or what became of a core module.
    ///
    /// # Errors
    /// When the catalogue can't be read.
    pub fn component(&self, reference: ModuleReference<'_>) -> Result<Option<(Digest, Vec<u8>)>, CatalogueError> {
        let Some(record) = self.record(reference) else {
            return Ok(None);
        };
        let component = self.catalogue.component(&record.digest)?;
        Ok(component.map(|component| (record.digest.clone(), component)))
    }

    /// The version a task asks for.
    ///
    /// # Errors
    /// A task's failure, saying how to upload what is missing.
    pub fn find(&self, reference: ModuleReference<'_>) -> Result<Found, Failure> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        let name = reference.name;
        let Some(versions) = by_name.get(name) else {
            return Err(not_found(format!(
                "no module `{name}` is uploaded; upload it with `sandstep modules push {name} FILE` or \
                 `PUT /v1/modules/{name}`"
            )));
        };
        let Some(record) = of_version(versions, reference.version) else {
            let newest = versions.last().map_or(0, |record| record.version);
            let asked = match reference.version {
                Version::Newest => String::new(),
                Version::Number(number) => format!(" {number}"),
                Version::Digest(digest) => format!(" {digest}"),
            };
            return Err(not_found(format!(
                "module `{name}` has no version{asked}, its newest is {newest}; name one of those that \
                 `GET /v1/modules/{name}` lists"
            )));
        };
        Ok(Found {
            digest: record.digest.clone(),
            limits: record.description.limits,
        })
    }

    /// Why a call of a module would fail, as far as that can be told.
    ///
    /// # Errors
    /// [`CallProblem`]; a module that isn't uploaded has none.
    pub fn check_call(&self, reference: ModuleReference<'_>, call: CallSketch<'_>) -> Result<(), CallProblem> {
        match self.find(reference) {
            Ok(found) => self.runner.check_call(&found.digest, call),
            Err(_) => Ok(()),
        }
    }

    /// What an attempt of a module is given beside its limits, and those with the policy's caps.
    ///
    /// # Errors
    /// The failure of a task whose module asks for more than the policy allows by now.
    pub fn grant(
        &self,
        reference: ModuleReference<'_>,
        limits: TaskLimits,
    ) -> Result<(Option<Arc<Granted>>, TaskLimits), Failure> {
        let policy = self.policy.current();
        let limits = policy.cap(reference.name, limits);
        let Some(record) = self.record(reference) else {
            return Ok((None, limits));
        };
        let granted = policy.granted(reference.name, &record.description.manifest);
        let granted = granted.map_err(|refused| {
            let cause = format!("{refused}; {}", refused.hint());
            Failure::new("Sandbox.NotGranted", cause)
        })?;
        Ok((granted, limits))
    }

    /// Whether an attempt of a module may be run again after a crash.
    pub fn may_repeat(&self, reference: ModuleReference<'_>) -> bool {
        self.record(reference)
            .is_none_or(|record| record.description.restart() == Restart::Repeat)
    }

    /// The version a task asks for, where it is uploaded.
    fn record(&self, reference: ModuleReference<'_>) -> Option<Arc<ModuleRecord>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        of_version(by_name.get(reference.name)?, reference.version).map(Arc::clone)
    }

    /// Whether a module's answer is made of its input alone.
    pub(crate) fn is_pure(&self, reference: ModuleReference<'_>) -> bool {
        self.record(reference)
            .is_some_and(|record| record.description.class() == Class::Pure)
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
    pub fn put(
        &self,
        name: &str,
        upload: &[u8],
        manifest: Manifest,
        at: Timestamp,
    ) -> Result<(Arc<ModuleRecord>, bool), Error> {
        let _uploading = self.uploading.read().unwrap_or_else(PoisonError::into_inner);
        self.policy.current().check(name, &manifest)?;
        let prepared = self.runner.prepare_with(upload, manifest)?;
        let record = self
            .catalogue
            .put_module(name, &prepared.component, prepared.description, at)?;
        let record = Arc::new(record);
        self.set_readiness(&record.digest, Readiness::Ready);
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let versions = by_name.entry(name.to_owned()).or_default();
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
    /// [`CatalogueError::ModuleInUse`] while a machine refers to it, unless `force`.
    pub fn delete(&self, name: &str, force: bool) -> Result<usize, CatalogueError> {
        self.catalogue.delete_module(name, force)?;
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        Ok(by_name.remove(name).map_or(0, |versions| versions.len()))
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
            .map(|versions| versions.iter().rev().cloned().collect())
    }

    /// Every version of every module, by name, the newest first.
    pub fn all(&self) -> Vec<Arc<ModuleRecord>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name
            .values()
            .flat_map(|versions| versions.iter().rev().cloned())
            .collect()
    }

    fn set_readiness(&self, digest: &Digest, state: Readiness) {
        self.readiness
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(digest.clone(), state);
    }
}

fn of_version<'m>(versions: &'m [Arc<ModuleRecord>], version: Version<'_>) -> Option<&'m Arc<ModuleRecord>> {
    match version {
        Version::Newest => versions.last(),
        Version::Number(number) => versions.iter().find(|record| record.version == number),
        Version::Digest(digest) => versions.iter().find(|record| record.digest.0 == digest),
    }
}

fn not_found(cause: String) -> Failure {
    Failure::new("Sandbox.ModuleNotFound", cause)
}

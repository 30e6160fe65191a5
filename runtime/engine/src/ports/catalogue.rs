//! The catalogue: state machines, their definitions, activities and modules.

use asl::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    AliasRecord, Expected, LABELS, LabelRecord, ModuleDescription, NewAlias, NewVersion, StoreError, Tag, Tagged,
    VersionRecord,
};
use crate::ids::{Digest, MachineId};
use crate::token::TokenKey;

/// Standard workflows are durable at every step, Express ones at their edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MachineType {
    /// Durable at every step.
    Standard,
    /// Short, with the durability line moved to the edges.
    Express,
}

/// A state machine as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineRecord {
    /// Its id.
    pub id: MachineId,
    /// Unique among machines that aren't deleted.
    pub name: String,
    /// Standard or Express.
    pub machine_type: MachineType,
    /// Content address of the definition's text.
    pub definition: Digest,
    /// Names this revision; changes with every update.
    pub revision: String,
    /// The caller's role, opaque.
    pub role: String,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last updated.
    pub updated: Timestamp,
    /// Logging, tracing and encryption configuration as the caller gave them, a JSON object.
    pub configuration: serde_json::Value,
    /// Names of the modules its definition refers to.
    pub modules: Vec<String>,
    /// The highest number a version of it ever had; 0 where none was published.
    pub last_version: u32,
}

/// A machine to be created.
#[derive(Debug, Clone)]
pub struct NewMachine {
    /// Its name.
    pub name: String,
    /// Standard or Express.
    pub machine_type: MachineType,
    /// The definition's text.
    pub definition: String,
    /// First revision.
    pub revision: String,
    /// The caller's role.
    pub role: String,
    /// When.
    pub at: Timestamp,
    /// See [`MachineRecord::configuration`].
    pub configuration: serde_json::Value,
    /// See [`MachineRecord::modules`].
    pub modules: Vec<String>,
    /// Publish its first version with it.
    pub publish: Option<NewVersion>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// What an update changes; `None` leaves as is.
#[derive(Debug, Clone, Default)]
pub struct MachineUpdate {
    /// New definition text.
    pub definition: Option<String>,
    /// New role.
    pub role: Option<String>,
    /// New configuration, whole.
    pub configuration: Option<serde_json::Value>,
    /// New module names; goes with `definition`.
    pub modules: Option<Vec<String>>,
    /// The new revision.
    pub revision: String,
    /// Publish the new revision as the next version.
    pub publish: Option<NewVersion>,
    /// When.
    pub at: Timestamp,
}

/// Why the catalogue said no.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CatalogueError {
    /// A machine of this name exists.
    #[error("a state machine named `{0}` exists already")]
    MachineExists(String),
    /// No such machine.
    #[error("no state machine with id {0:?}")]
    NoSuchMachine(MachineId),
    /// The machine has no such version.
    #[error("state machine `{}` has no version `{number}`", machine.0)]
    NoSuchVersion {
        /// Which machine.
        machine: MachineId,
        /// Which version.
        number: u32,
    },
    /// The machine has no such alias.
    #[error("state machine `{}` has no alias `{alias}`", machine.0)]
    NoSuchAlias {
        /// Which machine.
        machine: MachineId,
        /// Which alias.
        alias: String,
    },
    /// Aliases point to the version.
    #[error("version `{number}` is used by aliases {aliases:?}")]
    VersionInUse {
        /// Which version.
        number: u32,
        /// By which aliases.
        aliases: Vec<String>,
    },
    /// No such module or version.
    #[error("no module `{0}`")]
    NoSuchModule(String),
    /// The module has no such version.
    #[error("module `{module}` has no version `{version}`")]
    NoSuchModuleVersion {
        /// Which module.
        module: String,
        /// Which version.
        version: u32,
    },
    /// The module has no such label.
    #[error("module `{module}` has no label `{label}`")]
    NoSuchLabel {
        /// Which module.
        module: String,
        /// Which label.
        label: String,
    },
    /// A label isn't what whoever changes it takes it for.
    #[error("label `{label}` of module `{module}` {}", by_now(*version))]
    LabelMoved {
        /// Which module.
        module: String,
        /// Which label.
        label: String,
        /// The version it points at; none where it isn't there.
        version: Option<u32>,
    },
    /// A module has as many labels as it can have.
    #[error("module `{0}` has {LABELS} labels already")]
    TooManyLabels(String),
    /// What should go away has labels.
    #[error("module `{module}` has labels there: {labels:?}")]
    ModuleLabelled {
        /// Which module.
        module: String,
        /// Which labels.
        labels: Vec<String>,
    },
    /// A state machine refers to the module.
    #[error("module `{module}` is used by state machines {machines:?}")]
    ModuleInUse {
        /// Which module.
        module: String,
        /// By whom.
        machines: Vec<String>,
    },
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How a label is that somebody took for something else.
fn by_now(version: Option<u32>) -> String {
    match version {
        Some(version) => format!("points at version `{version}` by now"),
        None => "isn't there".to_owned(),
    }
}

/// An activity as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityRecord {
    /// Rises with every creation.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created: Timestamp,
}

/// A version of a module as stored. Versions are immutable and numbered from 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModuleRecord {
    /// Its name.
    pub name: String,
    /// Its number.
    pub version: u32,
    /// Content address of the component.
    pub digest: Digest,
    /// Size of the component in bytes.
    pub size: u64,
    /// When it was uploaded.
    pub created: Timestamp,
    /// What the sandbox found in it.
    pub description: ModuleDescription,
}

/// What is kept beside journals: machines, definitions, modules. Small and seldom written; calls block
/// until the change is durable.
pub trait Catalogue: Send + Sync {
    /// Stores a machine and its definition.
    fn create_machine(&self, new: NewMachine) -> Result<MachineRecord, CatalogueError>;
    /// Changes a machine.
    fn update_machine(&self, id: MachineId, update: MachineUpdate) -> Result<MachineRecord, CatalogueError>;
    /// Takes a machine out of the lists, and its versions, aliases and tags away; running executions end
    /// by their own definitions, and their histories stay readable.
    fn delete_machine(&self, id: MachineId) -> Result<(), CatalogueError>;
    /// Every machine that isn't deleted, by creation.
    fn machines(&self) -> Result<Vec<MachineRecord>, CatalogueError>;
    /// Every machine that ever had this name, newest first, deleted ones included where the backend keeps
    /// them: the names of their executions still lead to them.
    fn machines_named(&self, name: &str) -> Result<Vec<MachineRecord>, CatalogueError> {
        Ok(self
            .machines()?
            .into_iter()
            .rev()
            .filter(|machine| machine.name == name)
            .collect())
    }
    /// A machine by id, deleted ones included.
    fn machine(&self, id: MachineId) -> Result<Option<MachineRecord>, CatalogueError>;
    /// Publishes a machine's current revision as its next version.
    fn publish_version(
        &self,
        machine: MachineId,
        new: NewVersion,
        at: Timestamp,
    ) -> Result<VersionRecord, CatalogueError>;
    /// Takes a version away. Refused while an alias points to it.
    fn delete_version(&self, machine: MachineId, number: u32) -> Result<(), CatalogueError>;
    /// Every version of every machine that isn't deleted, by machine and number.
    fn versions(&self) -> Result<Vec<VersionRecord>, CatalogueError>;
    /// Creates an alias, or changes the one of this name and keeps its id and its creation date. Refused
    /// where a route leads to a version that isn't there.
    fn put_alias(&self, machine: MachineId, new: NewAlias) -> Result<AliasRecord, CatalogueError>;
    /// Takes an alias away.
    fn delete_alias(&self, machine: MachineId, name: &str) -> Result<(), CatalogueError>;
    /// Every alias of every machine that isn't deleted, in the order they were created.
    fn aliases(&self) -> Result<Vec<AliasRecord>, CatalogueError>;
    /// The tags of something, in the order their keys were first set.
    fn tags(&self, tagged: &Tagged) -> Result<Vec<Tag>, CatalogueError>;
    /// Makes these the tags of something, and no others.
    fn set_tags(&self, tagged: &Tagged, tags: Vec<Tag>) -> Result<(), CatalogueError>;

    /// The text of a definition.
    fn definition(&self, digest: &Digest) -> Result<Option<String>, CatalogueError>;

    /// Stores an activity with its tags; one of this name that exists already stays as it is and is answered.
    fn create_activity(&self, name: &str, tags: Vec<Tag>, at: Timestamp) -> Result<ActivityRecord, CatalogueError>;
    /// Takes an activity and its tags away, where it exists.
    fn delete_activity(&self, name: &str) -> Result<(), CatalogueError>;
    /// Every activity, by creation.
    fn activities(&self) -> Result<Vec<ActivityRecord>, CatalogueError>;
    /// The key that signs task tokens, made when it is first asked for.
    fn token_key(&self) -> Result<TokenKey, StoreError>;

    /// Stores a component and its next version. The newest version with the same digest and description
    /// is answered again instead of making another.
    fn put_module(
        &self,
        name: &str,
        component: &[u8],
        description: ModuleDescription,
        at: Timestamp,
    ) -> Result<ModuleRecord, CatalogueError>;
    /// Every version of every module, by name and version.
    fn modules(&self) -> Result<Vec<ModuleRecord>, CatalogueError>;
    /// Takes all versions of a module away, with its labels. Refused while a machine refers to it or it has labels,
    /// unless `force`.
    fn delete_module(&self, name: &str, force: bool) -> Result<(), CatalogueError>;
    /// Takes one version of a module away; its number is not used again. Refused while labels point at it, unless
    /// `force`: they go with it.
    fn delete_module_version(&self, name: &str, version: u32, force: bool) -> Result<(), CatalogueError>;
    /// Points a label of a module at a version, a new label or one that is there.
    fn put_label(
        &self,
        module: &str,
        label: &str,
        version: u32,
        expected: Expected,
        at: Timestamp,
    ) -> Result<LabelRecord, CatalogueError>;
    /// Takes a label away.
    fn delete_label(&self, module: &str, label: &str, expected: Expected) -> Result<(), CatalogueError>;
    /// Every label of every module, by module and name.
    fn labels(&self) -> Result<Vec<LabelRecord>, CatalogueError>;
    /// The bytes of a component.
    fn component(&self, digest: &Digest) -> Result<Option<Vec<u8>>, CatalogueError>;
}

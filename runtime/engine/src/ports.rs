//! What the engine's shell needs of the outside world, as traits: the floors above implement them, the
//! server sees nothing else of the disk and of wasmtime.

mod catalogue;
mod http_pattern;
mod journal;
mod labels;
mod manifest;
mod objects;
mod signature;
mod tasks;
mod upkeep;
mod versions;
mod ways;

pub use catalogue::{
    ActivityRecord, Catalogue, CatalogueError, MachineRecord, MachineType, MachineUpdate, ModuleRecord, NewMachine,
};
pub use http_pattern::{HttpPattern, NoPattern, Requested, glob, origin};
pub use journal::{
    ChildCount, ChildQuery, CommitLog, CommitResult, ExecutionQuery, ExecutionRecord, MapRunStanding, Reader, Redrives,
    StoreError, is_unsuccessful,
};
pub use labels::{Expected, LABEL_LENGTH, LABELS, LabelRecord, is_label};
pub use manifest::{
    AskedLimits, Class, Directory, Granted, GrantedDirectory, GrantedRequests, Grants, Manifest, Restart, STACKS,
    SecretHeader, SecretPlace, SecretUse, Sensitive, Variable,
};
pub use objects::{
    Listing, ObjectError, ObjectHead, ObjectStore, ObjectWriter, OpenObject, SharedObjects, check_bucket, check_key,
};
pub use signature::Signature;
pub use tasks::{
    Beginning, EveryResource, Job, ModuleDescription, ModuleError, Outcome, Prepared, Report, Resources, SharedRunner,
    TaskLimits, TaskRunner, UnderWay,
};
pub use upkeep::{Forgotten, Space, Sweep, Swept, Tally, Upkeep};
pub use versions::{AliasRecord, NewAlias, NewVersion, Origin, Route, Tag, Tagged, Through, VersionRecord};
pub use ways::{CallProblem, CallSketch, WayIn, WayKind};

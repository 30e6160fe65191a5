//! Versions of state machines, the aliases that point to them, and tags.

use asl::Timestamp;
use serde::{Deserialize, Serialize};

use super::MachineRecord;
use crate::ids::{Digest, MachineId};

/// A version to be published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewVersion {
    /// The caller's words about it.
    pub description: Option<String>,
}

/// A revision of a machine under a number, frozen. Numbers count from 1 and are never given out twice.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionRecord {
    /// Its machine.
    pub machine: MachineId,
    /// Its number.
    pub number: u32,
    /// The caller's words about it.
    pub description: Option<String>,
    /// When it was published.
    pub created: Timestamp,
    /// The revision it froze.
    pub revision: String,
    /// The definition of that revision.
    pub definition: Digest,
    /// The role of that revision.
    pub role: String,
    /// The configuration of that revision.
    pub configuration: serde_json::Value,
    /// Names of the modules its definition refers to.
    pub modules: Vec<String>,
}

impl VersionRecord {
    /// The current revision of a machine, frozen under the machine's last number.
    pub fn of(machine: &MachineRecord, new: NewVersion, at: Timestamp) -> Self {
        Self {
            machine: machine.id,
            number: machine.last_version,
            description: new.description,
            created: at,
            revision: machine.revision.clone(),
            definition: machine.definition.clone(),
            role: machine.role.clone(),
            configuration: machine.configuration.clone(),
            modules: machine.modules.clone(),
        }
    }
}

/// A share of an alias's starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The number of the version that gets them.
    pub version: u32,
    /// How many of a hundred; an alias's weights add up to a hundred.
    pub weight: u8,
}

/// A name that points to one or two versions of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasRecord {
    /// Its id; later ones are higher.
    pub id: u64,
    /// Its machine.
    pub machine: MachineId,
    /// Unique within the machine.
    pub name: String,
    /// The caller's words about it.
    pub description: Option<String>,
    /// Where its starts go.
    pub routes: Vec<Route>,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last updated.
    pub updated: Timestamp,
}

/// An alias to be created, or what an existing one becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlias {
    /// Unique within the machine.
    pub name: String,
    /// The caller's words about it.
    pub description: Option<String>,
    /// Where its starts go.
    pub routes: Vec<Route>,
    /// When.
    pub at: Timestamp,
}

/// Through what an execution was started, where its machine was not named alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The number of the version it runs.
    pub version: u32,
    /// The alias that led there.
    pub alias: Option<String>,
}

/// Executions by what they were started through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Through {
    /// This version, named itself or chosen by an alias.
    Version(u32),
    /// This alias.
    Alias(String),
}

impl Through {
    /// Whether an execution of this origin is meant.
    pub fn includes(&self, origin: Option<&Origin>) -> bool {
        origin.is_some_and(|origin| match self {
            Self::Version(version) => origin.version == *version,
            Self::Alias(alias) => origin.alias.as_ref() == Some(alias),
        })
    }
}

/// A key and a value that an operator put on something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Unique on the thing it is on.
    pub key: String,
    /// May be empty.
    pub value: String,
}

/// What tags can be on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tagged {
    /// A state machine.
    Machine(MachineId),
    /// An activity, by its name.
    Activity(String),
}

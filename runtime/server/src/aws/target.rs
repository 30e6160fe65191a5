//! What a state machine's ARN leads to: the machine, one of its versions, or an alias that chooses one.

use std::sync::Arc;

use asl::Timestamp;
use asl::definition::StateMachine;
use engine::ids::Digest;
use engine::ports::{AliasRecord, CatalogueError, MachineType, Origin, Route};
use serde_json::Value;

use super::arn::MachineArn;
use crate::machines::{Machine, Machines, Version};

/// Weights of an alias add up to this.
pub const WHOLE: u8 = 100;

/// Something that can be started and described.
#[derive(Clone)]
pub struct Target {
    /// The machine.
    pub machine: Arc<Machine>,
    /// The version, where one was named or chosen.
    version: Option<Arc<Version>>,
    /// The alias that chose it.
    alias: Option<Arc<AliasRecord>>,
}

/// What stands behind the name in a machine's ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qualifier<'a> {
    /// A version's number; aliases have at least one character that is no digit.
    Version(u32),
    /// An alias.
    Alias(&'a str),
}

impl<'a> Qualifier<'a> {
    /// Reads it; `None` for a number that no version can have.
    pub fn read(text: &'a str) -> Option<Self> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok().map(Self::Version);
        }
        Some(Self::Alias(text))
    }
}

impl Target {
    /// The machine as it stands.
    pub fn latest(machine: Arc<Machine>) -> Self {
        Self {
            machine,
            version: None,
            alias: None,
        }
    }

    /// What the ARN names, where it is there. `throw` is a throw of the dice, for an alias with two versions.
    pub fn find(machines: &Machines, arn: MachineArn<'_>, throw: impl FnOnce() -> Throw) -> Option<Self> {
        let machine = machines.get(arn.name)?;
        let Some(qualifier) = arn.qualifier else {
            return Some(Self::latest(machine));
        };
        let (number, alias) = match Qualifier::read(qualifier)? {
            Qualifier::Version(number) => (number, None),
            Qualifier::Alias(name) => {
                let alias = Arc::clone(machine.alias(name)?);
                (throw().choose(&alias.routes)?, Some(alias))
            }
        };
        let version = Some(Arc::clone(machine.versions.get(&number)?));
        Some(Self {
            machine,
            version,
            alias,
        })
    }

    /// The version, where one was named or chosen.
    pub fn version(&self) -> Option<&Version> {
        self.version.as_deref()
    }

    /// What an execution of it records.
    pub fn origin(&self) -> Option<Origin> {
        self.version.as_ref().map(|version| Origin {
            version: version.record.number,
            alias: self.alias.as_ref().map(|alias| alias.name.clone()),
        })
    }

    /// Standard or Express.
    pub fn machine_type(&self) -> MachineType {
        self.machine.record.machine_type
    }

    /// Its definition's content address.
    pub fn definition(&self) -> &Digest {
        self.version()
            .map_or(&self.machine.record.definition, |version| &version.record.definition)
    }

    /// Its role.
    pub fn role(&self) -> &str {
        self.version()
            .map_or(&self.machine.record.role, |version| &version.record.role)
    }

    /// Its revision.
    pub fn revision(&self) -> &str {
        self.version()
            .map_or(&self.machine.record.revision, |version| &version.record.revision)
    }

    /// Its configuration.
    pub fn configuration(&self) -> &Value {
        let record = &self.machine.record;
        self.version()
            .map_or(&record.configuration, |version| &version.record.configuration)
    }

    /// When the machine was created, or the version.
    pub fn created(&self) -> Timestamp {
        self.version()
            .map_or(self.machine.record.created, |version| version.record.created)
    }

    /// Its parsed definition, where somebody asked for it before.
    pub fn parsed(&self) -> Option<&Arc<StateMachine>> {
        match self.version() {
            Some(version) => version.parsed(),
            None => self.machine.parsed(),
        }
    }

    /// Its parsed definition. Blocks while the store reads, the first time.
    ///
    /// # Errors
    /// [`CatalogueError`] when it can't be read or no longer parses.
    pub fn state_machine(&self, machines: &Machines) -> Result<Arc<StateMachine>, CatalogueError> {
        match self.version() {
            Some(version) => machines.state_machine_of_version(version),
            None => machines.state_machine(&self.machine),
        }
    }
}

/// How an alias chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throw {
    /// By chance: a number below [`WHOLE`].
    Chance(u8),
    /// Not at all: the version with the most weight.
    Heaviest,
}

impl Throw {
    /// A throw of the dice.
    pub fn dice() -> Self {
        // A random UUID's last four bytes are all random.
        let random = uuid::Uuid::new_v4().as_u128() & u128::from(u32::MAX);
        Self::Chance((random % u128::from(WHOLE)) as u8)
    }

    fn choose(self, routes: &[Route]) -> Option<u32> {
        match self {
            Self::Heaviest => {
                let heaviest = routes.iter().rev().max_by_key(|route| route.weight);
                heaviest.map(|route| route.version)
            }
            Self::Chance(mut left) => {
                for route in routes {
                    match left.checked_sub(route.weight) {
                        None => return Some(route.version),
                        Some(rest) => left = rest,
                    }
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throw_falls_on_versions_by_their_weight() {
        let routes = [(7, 0), (4, 30), (9, 70)].map(|(version, weight)| Route { version, weight });
        let chosen: Vec<u32> = (0..WHOLE)
            .map(|number| Throw::Chance(number).choose(&routes).expect("weights add up"))
            .collect();
        assert_eq!(chosen.iter().filter(|version| **version == 4).count(), 30);
        assert_eq!(chosen.iter().filter(|version| **version == 9).count(), 70);
        assert_eq!(Throw::Heaviest.choose(&routes), Some(9));
        assert_eq!(
            Throw::Heaviest.choose(&[Route { version: 1, weight: 50 }, Route { version: 2, weight: 50 }]),
            Some(1)
        );
        for _ in 0..1000 {
            assert!(matches!(Throw::dice(), Throw::Chance(number) if number < WHOLE));
        }
    }

    #[test]
    fn digits_alone_are_a_version() {
        assert_eq!(Qualifier::read("12"), Some(Qualifier::Version(12)));
        assert_eq!(Qualifier::read("v12"), Some(Qualifier::Alias("v12")));
        assert_eq!(Qualifier::read("99999999999999999999"), None);
    }
}

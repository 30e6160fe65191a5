//! What one execution and one definition may use, and the names operators call these bounds by.

/// Bounds on definitions and executions. The defaults are AWS's quotas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest input, output or result, in bytes of UTF-8.
    pub payload_bytes: usize,
    /// Entries of AWS's history. The last one allowed ends the execution.
    pub history_entries: u64,
    /// Largest definition, in characters as AWS counts them.
    pub definition_characters: usize,
    /// Longest name of a state, in characters.
    pub state_name_characters: usize,
    /// Longest name of a variable, in characters.
    pub variable_name_characters: usize,
    /// Largest variable, in bytes of its JSON text.
    pub variable_bytes: usize,
    /// All variables of one Assign together.
    pub assign_bytes: usize,
    /// All variables an execution holds at one moment, in all its scopes.
    pub stored_variable_bytes: usize,
    /// Longest time an execution of an Express machine may take, in seconds.
    pub express_seconds: u64,
}

impl Default for Limits {
    /// AWS's quotas.
    fn default() -> Self {
        Self {
            payload_bytes: 262_144,
            history_entries: 25_000,
            definition_characters: 1_048_576,
            state_name_characters: 80,
            variable_name_characters: 80,
            variable_bytes: 262_144,
            assign_bytes: 262_144,
            stored_variable_bytes: 10 << 20,
            express_seconds: 300,
        }
    }
}

impl Limits {
    /// No bounds but those of the machine and of what can be stored.
    pub const OFF: Limits = Limits {
        payload_bytes: LARGEST_PAYLOAD,
        history_entries: LONGEST_HISTORY,
        definition_characters: LARGEST_PAYLOAD,
        state_name_characters: usize::MAX,
        variable_name_characters: usize::MAX,
        variable_bytes: LARGEST_PAYLOAD,
        assign_bytes: LARGEST_PAYLOAD,
        stored_variable_bytes: usize::MAX,
        express_seconds: LONGEST_TIMEOUT,
    };

    /// Sets a bound; `None` lifts it.
    ///
    /// # Errors
    /// [`OutOfRange`] for 0 and for more than can be stored.
    pub fn set(&mut self, limit: Limit, value: Option<u64>) -> Result<(), OutOfRange> {
        let most = Self::OFF.get(limit);
        let least = limit.least();
        let value = value.unwrap_or(most);
        if !(least..=most).contains(&value) {
            return Err(OutOfRange {
                limit,
                value,
                least,
                most,
            });
        }
        let size = usize::try_from(value).unwrap_or(usize::MAX);
        match limit {
            Limit::PayloadBytes => self.payload_bytes = size,
            Limit::HistoryEntries => self.history_entries = value,
            Limit::DefinitionCharacters => self.definition_characters = size,
            Limit::StateNameCharacters => self.state_name_characters = size,
            Limit::VariableNameCharacters => self.variable_name_characters = size,
            Limit::VariableBytes => self.variable_bytes = size,
            Limit::AssignBytes => self.assign_bytes = size,
            Limit::StoredVariableBytes => self.stored_variable_bytes = size,
            Limit::ExpressSeconds => self.express_seconds = value,
        }
        Ok(())
    }

    /// A bound.
    pub fn get(&self, limit: Limit) -> u64 {
        match limit {
            Limit::PayloadBytes => self.payload_bytes as u64,
            Limit::HistoryEntries => self.history_entries,
            Limit::DefinitionCharacters => self.definition_characters as u64,
            Limit::StateNameCharacters => self.state_name_characters as u64,
            Limit::VariableNameCharacters => self.variable_name_characters as u64,
            Limit::VariableBytes => self.variable_bytes as u64,
            Limit::AssignBytes => self.assign_bytes as u64,
            Limit::StoredVariableBytes => self.stored_variable_bytes as u64,
            Limit::ExpressSeconds => self.express_seconds,
        }
    }
}

/// The largest payload there can be, whatever the operator lifts: an event holds up to four (a state's output with
/// the variables it assigned, each escaped at worst), and a row of the journal at most 1,000,000,000 bytes.
const LARGEST_PAYLOAD: usize = 200 << 20;

/// The longest history there can be: entries are numbered with 32 bits, and one event may show as several.
const LONGEST_HISTORY: u64 = 1 << 31;

/// The longest TimeoutSeconds there can be.
const LONGEST_TIMEOUT: u64 = 99_999_999;

/// A bound by itself, as files and messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::payload_bytes`]
    PayloadBytes,
    /// [`Limits::history_entries`]
    HistoryEntries,
    /// [`Limits::definition_characters`]
    DefinitionCharacters,
    /// [`Limits::state_name_characters`]
    StateNameCharacters,
    /// [`Limits::variable_name_characters`]
    VariableNameCharacters,
    /// [`Limits::variable_bytes`]
    VariableBytes,
    /// [`Limits::assign_bytes`]
    AssignBytes,
    /// [`Limits::stored_variable_bytes`]
    StoredVariableBytes,
    /// [`Limits::express_seconds`]
    ExpressSeconds,
}

impl Limit {
    /// Every one.
    pub const ALL: [Limit; 9] = [
        Limit::PayloadBytes,
        Limit::HistoryEntries,
        Limit::DefinitionCharacters,
        Limit::StateNameCharacters,
        Limit::VariableNameCharacters,
        Limit::VariableBytes,
        Limit::AssignBytes,
        Limit::StoredVariableBytes,
        Limit::ExpressSeconds,
    ];

    /// The key in a file of limits.
    pub fn name(self) -> &'static str {
        match self {
            Limit::PayloadBytes => "payload_bytes",
            Limit::HistoryEntries => "history_entries",
            Limit::DefinitionCharacters => "definition_characters",
            Limit::StateNameCharacters => "state_name_characters",
            Limit::VariableNameCharacters => "variable_name_characters",
            Limit::VariableBytes => "variable_bytes",
            Limit::AssignBytes => "assign_bytes",
            Limit::StoredVariableBytes => "stored_variable_bytes",
            Limit::ExpressSeconds => "express_seconds",
        }
    }

    /// What it bounds, in a few words.
    pub fn describe(self) -> &'static str {
        match self {
            Limit::PayloadBytes => "an input, an output or a result",
            Limit::HistoryEntries => "entries of an execution's history; the last one allowed ends it",
            Limit::DefinitionCharacters => "a definition",
            Limit::StateNameCharacters => "the name of a state",
            Limit::VariableNameCharacters => "the name of a variable",
            Limit::VariableBytes => "one variable",
            Limit::AssignBytes => "all variables of one Assign",
            Limit::StoredVariableBytes => "all variables an execution holds",
            Limit::ExpressSeconds => "an execution of an Express machine",
        }
    }

    /// The least that leaves something to run: `{}` as a payload, a start and an end as a history.
    fn least(self) -> u64 {
        match self {
            Limit::PayloadBytes => 2,
            Limit::HistoryEntries => 2,
            Limit::DefinitionCharacters
            | Limit::StateNameCharacters
            | Limit::VariableNameCharacters
            | Limit::VariableBytes
            | Limit::AssignBytes
            | Limit::StoredVariableBytes
            | Limit::ExpressSeconds => 1,
        }
    }
}

/// A bound nothing could run under, or that promises more than can be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is `{value}`; it can be from {least} to {most}", .limit.name())]
pub struct OutOfRange {
    /// Which.
    pub limit: Limit,
    /// What was asked for.
    pub value: u64,
    /// The least it can be.
    pub least: u64,
    /// The most it can be.
    pub most: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_set_and_read_under_its_own_name() {
        for limit in Limit::ALL {
            let mut limits = Limits::default();
            limits.set(limit, Some(7)).expect("in range");
            assert_eq!(limits.get(limit), 7, "{}", limit.name());
            let others = Limit::ALL.into_iter().filter(|other| *other != limit);
            for other in others {
                assert_eq!(limits.get(other), Limits::default().get(other), "{}", other.name());
            }
            limits.set(limit, None).expect("lifted");
            assert_eq!(limits.get(limit), Limits::OFF.get(limit));
            assert!(limits.set(limit, Some(0)).is_err());
        }
        let error = Limits::default()
            .set(Limit::PayloadBytes, Some(u64::MAX))
            .expect_err("too much");
        assert_eq!(
            error.to_string(),
            "`payload_bytes` is `18446744073709551615`; it can be from 2 to 209715200"
        );
    }
}

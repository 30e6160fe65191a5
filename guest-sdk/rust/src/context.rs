//! Where an attempt stands, and the sign of life it gives.

use crate::host;

/// Where this attempt stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// `$$.Execution.Id`.
    pub execution_id: String,
    /// `$$.StateMachine.Id`.
    pub state_machine_id: String,
    /// The Task state's name.
    pub state_name: String,
    /// 0 for the first attempt, 1 for the first retry.
    pub retry_count: u32,
    /// The same for every run of this attempt, a run after a crash included: hand it to outside services
    /// that deduplicate.
    pub idempotency_key: String,
    /// Milliseconds since the Unix epoch after which the task is stopped. Absent where the state sets no
    /// `TimeoutSeconds`.
    pub deadline: Option<u64>,
}

/// Asks the host where this attempt stands.
pub fn context() -> Context {
    host::context()
}

/// Tells the host that the task is alive: the state's `HeartbeatSeconds` start again. Costs one call into
/// the host, so a long loop may afford it in every round that takes a millisecond or more.
pub fn heartbeat() {
    host::heartbeat();
}

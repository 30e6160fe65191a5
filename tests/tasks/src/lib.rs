//! A task that does one thing the SDK promises something about. `tests/e2e/sdk.rs` asks for each.

use sandstep::TaskError;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
enum Deed {
    /// Panics with this message.
    Panic { message: String },
    /// Lets `?` turn a standard library error into a failure.
    Parse { text: String },
    /// Fails with a name of its own.
    Fail { error: String, cause: String },
    /// Says what the host told it.
    Context,
    /// A line in each level, and a sign of life.
    Log { message: String },
    /// Allocates so many bytes in pieces, writes to all of them and frees half in between.
    Allocate { bytes: usize },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Number(u64),
    #[serde(rename_all = "camelCase")]
    Context {
        execution_id: String,
        state_name: String,
        retry_count: u32,
        idempotency_key: String,
        deadline: Option<u64>,
    },
}

#[sandstep::task]
fn probe(deed: Deed) -> Result<Answer, TaskError> {
    match deed {
        Deed::Panic { message } => panic!("{message}"),
        Deed::Parse { text } => Ok(Answer::Number(text.parse()?)),
        Deed::Fail { error, cause } => Err(TaskError::new(error, cause)),
        Deed::Context => {
            let context = sandstep::context();
            Ok(Answer::Context {
                execution_id: context.execution_id,
                state_name: context.state_name,
                retry_count: context.retry_count,
                idempotency_key: context.idempotency_key,
                deadline: context.deadline,
            })
        }
        Deed::Log { message } => {
            sandstep::log::debug!("{message}");
            sandstep::log::info!("{message}");
            sandstep::log::warn!("{message}");
            sandstep::log::error!("{message}");
            sandstep::heartbeat();
            Ok(Answer::Number(4))
        }
        Deed::Allocate { bytes } => Ok(Answer::Number(allocate(bytes))),
    }
}

/// Pieces of growing size, so that small and large requests alternate.
fn allocate(bytes: usize) -> u64 {
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    let mut left = bytes;
    let mut size = 24;
    while left > 0 {
        let piece = vec![(size % 251) as u8; size.min(left)];
        left -= piece.len();
        size = (size * 3 / 2) % 100_000 + 24;
        pieces.push(piece);
        if pieces.len().is_multiple_of(4) {
            let freed = pieces.len() / 2;
            pieces[freed] = Vec::new();
        }
    }
    pieces.iter().flatten().map(|byte| u64::from(*byte)).sum()
}

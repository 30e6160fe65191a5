//! Attempts of an execution that run in the sandbox now, and when their guests last said that they are alive: nothing
//! of it is recorded, a journal knows of an attempt that it began and how it ended.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use asl::Timestamp;
use engine::ids::{ExecutionId, TaskId};
use engine::ports::UnderWay;
use serde::Serialize;

use crate::handle::Inner;

/// Two looks at the same heartbeat differ by no more.
const SAME: Duration = Duration::from_millis(5);

/// An attempt as answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    state: Arc<str>,
    retry_count: u32,
    started: String,
    /// When its guest last said that it is alive; absent until it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_heartbeat: Option<String>,
    /// HeartbeatSeconds of its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    heartbeat_seconds: Option<u64>,
    /// The most memory it had, in bytes.
    peak_memory: u64,
}

/// The attempts of an execution, in the order they were scheduled.
pub(super) fn under_way(inner: &Inner, execution: ExecutionId) -> Vec<Shown> {
    let now = now();
    inner
        .modules
        .under_way(execution)
        .into_iter()
        .map(|attempt| shown(attempt, now))
        .collect()
}

fn shown(attempt: UnderWay, now: Duration) -> Shown {
    Shown {
        state: attempt.state,
        retry_count: attempt.retry_count,
        started: at(now, attempt.began),
        last_heartbeat: attempt.last_beat.map(|ago| at(now, ago)),
        heartbeat_seconds: attempt.heartbeat_seconds,
        peak_memory: attempt.peak_memory,
    }
}

/// The heartbeats that were told of.
#[derive(Default)]
pub(super) struct Heartbeats {
    told: HashMap<TaskId, Duration>,
}

impl Heartbeats {
    /// Those since the last look, as server-sent events without a position: nobody gets them a second time.
    pub(super) fn since_last_look(&mut self, inner: &Inner, execution: ExecutionId) -> String {
        let now = now();
        let attempts = inner.modules.under_way(execution);
        self.told
            .retain(|task, _| attempts.iter().any(|attempt| attempt.task == *task));
        let mut text = String::new();
        for attempt in attempts {
            let Some(ago) = attempt.last_beat else { continue };
            let beat = now.saturating_sub(ago);
            let told = self.told.insert(attempt.task, beat);
            if told.is_some_and(|told| beat.saturating_sub(told) <= SAME) {
                continue;
            }
            if let Ok(data) = serde_json::to_string(&shown(attempt, now)) {
                let _ = write!(text, "event: heartbeat\ndata: {data}\n\n");
            }
        }
        text
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn at(now: Duration, ago: Duration) -> String {
    let millis = now.saturating_sub(ago).as_millis();
    Timestamp(i64::try_from(millis).unwrap_or(i64::MAX)).to_string()
}

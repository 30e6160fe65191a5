//! The one place that reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use asl::Timestamp;

/// The present moment.
pub fn now() -> Timestamp {
    // A clock before 1970 reads as the epoch: times then stay ordered, which is all the engine asks.
    let millis = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    Timestamp(i64::try_from(millis).unwrap_or(i64::MAX))
}

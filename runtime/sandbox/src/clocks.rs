//! The clocks an attempt runs against: its deadline, its heartbeat and its module's limit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use asl::{TimeoutKind, Timestamp};

use crate::guest_threads::Stop;

/// When an attempt has to be stopped.
#[derive(Debug)]
pub(crate) struct Clocks {
    submitted: Instant,
    deadline: Option<Instant>,
    heartbeat: Option<Duration>,
    limit: Option<Instant>,
    /// Zero where none came yet.
    last_beat_micros: AtomicU64,
}

impl Clocks {
    /// All clocks start now. `deadline` is read against the system's clock once, here: a system
    /// clock that is set later moves no deadline.
    pub(crate) fn start(
        deadline: Option<Timestamp>,
        heartbeat_seconds: Option<u64>,
        limit_millis: Option<u64>,
    ) -> Self {
        let submitted = Instant::now();
        let deadline = deadline.and_then(|deadline| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let left = Duration::from_millis(u64::try_from(deadline.0).unwrap_or(0)).saturating_sub(now);
            submitted.checked_add(left)
        });
        Self {
            submitted,
            deadline,
            heartbeat: heartbeat_seconds.map(Duration::from_secs),
            limit: limit_millis.and_then(|millis| submitted.checked_add(Duration::from_millis(millis))),
            last_beat_micros: AtomicU64::new(0),
        }
    }

    /// Microseconds since the start.
    pub(crate) fn micros(&self) -> u64 {
        u64::try_from(self.submitted.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The guest is alive.
    pub(crate) fn beat(&self) {
        self.last_beat_micros.store(self.micros().max(1), Ordering::Relaxed);
    }

    /// How long ago the guest last said that it is alive.
    pub(crate) fn last_beat(&self) -> Option<Duration> {
        let last = self.last_beat_micros.load(Ordering::Relaxed);
        (last > 0).then(|| Duration::from_micros(self.micros().saturating_sub(last)))
    }

    /// Which clock ran out first by `now`, or when to look again; `None` where no clock runs.
    pub(crate) fn check(&self, now: Instant) -> Option<Result<Instant, Stop>> {
        let beat = self.heartbeat.and_then(|allowed| {
            let last = Duration::from_micros(self.last_beat_micros.load(Ordering::Relaxed));
            self.submitted.checked_add(last)?.checked_add(allowed)
        });
        let deadline = self.deadline.map(|at| (at, Stop::TimedOut(TimeoutKind::Deadline)));
        let beat = beat.map(|at| (at, Stop::TimedOut(TimeoutKind::Heartbeat)));
        let limit = self.limit.map(|at| (at, Stop::OutOfTime));
        // Of clocks that run out together, the first counts.
        let clocks = [deadline, beat, limit].into_iter().flatten();
        let (at, why) = clocks.min_by_key(|(at, _)| *at)?;
        Some(if at <= now { Err(why) } else { Ok(at) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_that_runs_out_first_counts() {
        let clocks = Clocks::start(Some(Timestamp(0)), Some(60), Some(60_000));
        let deadline = Stop::TimedOut(TimeoutKind::Deadline);
        assert_eq!(clocks.check(Instant::now()), Some(Err(deadline)));

        let clocks = Clocks::start(Some(Timestamp::NEVER), Some(60), Some(70_000));
        let later = Instant::now() + Duration::from_secs(61);
        assert!(matches!(clocks.check(Instant::now()), Some(Ok(_))));
        assert_eq!(clocks.check(later), Some(Err(Stop::TimedOut(TimeoutKind::Heartbeat))));

        let clocks = Clocks::start(Some(Timestamp::NEVER), Some(60), Some(59_000));
        assert_eq!(clocks.check(later), Some(Err(Stop::OutOfTime)));
        assert_eq!(Clocks::start(None, None, None).check(later), None);
    }
}

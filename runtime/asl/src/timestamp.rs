//! Points in time, always handed in by the caller: the pure floors own no clock.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since the Unix epoch, the resolution of AWS's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Later than every time that can be written down.
    pub const NEVER: Timestamp = Timestamp(i64::MAX);

    /// This time plus `seconds`, at most [`Timestamp::NEVER`].
    pub fn plus_seconds(self, seconds: f64) -> Self {
        let millis = (seconds * 1000.0).round();
        if millis >= i64::MAX as f64 {
            Self::NEVER
        } else {
            Self(self.0.saturating_add(millis as i64))
        }
    }

    /// Milliseconds from `earlier` to this time; negative when it isn't earlier.
    pub fn millis_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Seconds since the epoch, as the AWS JSON protocol writes times.
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Reads an ISO-8601 date-time with seconds and an offset (RFC 3339), as ASL's Timestamp fields want it.
    pub fn parse(text: &str) -> Option<Self> {
        if text.as_bytes().get(10) != Some(&b'T') || text.ends_with('z') {
            return None;
        }
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        Some(Self((moment.unix_timestamp_nanos() / 1_000_000) as i64))
    }
}

/// `2026-11-22T02:04:32.123Z`, the form AWS's context object uses: always three digits of milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(moment) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000) else {
            return write!(f, "{}ms", self.0);
        };
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            moment.year(),
            u8::from(moment.month()),
            moment.day(),
            moment.hour(),
            moment.minute(),
            moment.second(),
            moment.millisecond()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_iso_8601() {
        let time = Timestamp::parse("2016-03-14T01:59:00.5Z").expect("RFC 3339");
        assert_eq!(time.to_string(), "2016-03-14T01:59:00.500Z");
        assert_eq!(Timestamp::parse("2016-03-14T03:59:00.5+02:00"), Some(time));
        assert_eq!(Timestamp::parse("2016-03-14"), None);
        assert_eq!(Timestamp::parse("2016-03-14 01:59:00Z"), None);
    }
}

//! Uploads, and how slowly they may come.

use std::future::Future;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::time::Instant;

use crate::http::Problem;

/// Longest silence within an upload, and what it may be behind its pace. A client that says nothing for longer would keep
/// others from uploading.
const SILENCE: Duration = Duration::from_secs(30);
/// Bytes a second on average: less than any line has.
const BYTES_A_SECOND: u64 = 16 << 10;

/// The body of an upload, as it comes.
pub struct Coming {
    body: Body,
    pace: Pace,
    size: u64,
}

impl Coming {
    /// Of a request that has just begun.
    pub fn new(body: Body) -> Self {
        Self {
            body,
            pace: Pace::new(),
            size: 0,
        }
    }

    /// Waits for the next piece; none at the end.
    ///
    /// # Errors
    /// `408 TimedOut` where it is too slow, `400 Interrupted` where it breaks off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        while let Some(frame) = self.pace.next(self.size, self.body.frame()).await? {
            let frame = frame.map_err(|error| {
                Problem::new(
                    400,
                    "Interrupted",
                    format!("the upload broke off after {} bytes: {error}", self.size),
                    "send it again",
                )
            })?;
            // Trailers say nothing that is asked for.
            if let Ok(data) = frame.into_data() {
                self.size += data.len() as u64;
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// Bytes that have come.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// The pace of one upload.
struct Pace(Instant);

/// It was too slow.
#[derive(Debug, thiserror::Error)]
#[error("the upload said nothing for {} s, or came at less than {BYTES_A_SECOND} bytes a second", SILENCE.as_secs())]
pub struct TooSlow;

impl Pace {
    /// Begins now.
    fn new() -> Self {
        Self(Instant::now())
    }

    /// Waits for the next piece, when `size` bytes have come.
    async fn next<T>(&self, size: u64, piece: impl Future<Output = T>) -> Result<T, TooSlow> {
        let earned = Duration::from_secs(size / BYTES_A_SECOND);
        let deadline = (Instant::now() + SILENCE).min(self.0 + earned + SILENCE);
        tokio::time::timeout_at(deadline, piece).await.map_err(|_| TooSlow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn drops_and_silence_are_too_slow_and_slow_lines_are_not() {
        let drop_by_drop = async |bytes: u64| {
            let pace = Pace::new();
            let mut size = 0;
            while size < 600 * bytes {
                pace.next(size, tokio::time::sleep(Duration::from_secs(1))).await?;
                size += bytes;
            }
            Ok::<_, TooSlow>(())
        };
        drop_by_drop(BYTES_A_SECOND).await.expect("for ten minutes");
        drop_by_drop(BYTES_A_SECOND / 2).await.expect_err("too slow");
        let silence = tokio::time::sleep(SILENCE + Duration::from_secs(1));
        Pace::new().next(1 << 30, silence).await.expect_err("silence");
    }
}

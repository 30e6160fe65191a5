//! From those who make spans to those who take them.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::Span;
use crate::metrics::Counter;

/// How long a server that stops waits for the last spans to be taken.
const FAREWELL: Duration = Duration::from_secs(5);
/// Bits of a whole number that a float holds.
const MANTISSA: u32 = f64::MANTISSA_DIGITS;

/// Takes spans to where they are looked at.
pub trait SpanExporter: Send + Sync {
    /// Takes a batch. May wait: it is called on a thread of its own.
    ///
    /// # Errors
    /// Where the batch is lost.
    fn export(&self, spans: Vec<Span>) -> Result<(), ExportError>;
}

/// Why spans are lost, in the exporter's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExportError(pub String);

/// How executions are traced.
#[derive(Clone)]
pub struct Traces {
    /// Who takes the spans.
    pub exporter: Arc<dyn SpanExporter>,
    /// Which traces are made.
    pub sampler: Sampler,
    /// Spans that wait to be taken; what comes beyond is lost.
    pub queue: usize,
    /// Spans taken at once, at most.
    pub batch: usize,
    /// How long a batch that isn't full waits for more.
    pub delay: Duration,
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            exporter: _,
            sampler,
            queue,
            batch,
            delay,
        } = self;
        f.debug_struct("Traces")
            .field("sampler", sampler)
            .field("queue", queue)
            .field("batch", batch)
            .field("delay", delay)
            .finish_non_exhaustive()
    }
}

/// Which traces are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// Whether the caller's word counts, where there is one.
    pub heeds_parent: bool,
    /// How many of the others, from 0 to 1. Which, follows from their ids.
    pub ratio: f64,
}

impl Sampler {
    /// Whether this trace is made.
    pub(crate) fn takes(&self, trace: [u8; 16], parent_sampled: Option<bool>) -> bool {
        if let Some(sampled) = parent_sampled.filter(|_| self.heeds_parent) {
            return sampled;
        }
        let [.., a, b, c, d, e, f, g, h] = trace;
        // Without the highest bit, as OpenTelemetry's own samplers take them; as many as a float holds exactly.
        let random = u64::from_be_bytes([a, b, c, d, e, f, g, h]) << 1 >> (64 - MANTISSA);
        (random as f64) < self.ratio * (1u64 << MANTISSA) as f64
    }
}

/// Spans by what became of them.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) exported: Counter,
    pub(crate) lost: Counter,
}

/// Where spans are handed over.
pub(crate) struct Writer {
    queue: SyncSender<Span>,
    counts: Arc<Counts>,
    /// Ends with the thread.
    exported: Receiver<()>,
    pub(crate) sampler: Sampler,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn spawn(traces: &Traces, counts: Arc<Counts>) -> std::io::Result<Self> {
        let (queue, spans) = sync_channel(traces.queue.max(1));
        let (ends, exported) = sync_channel(0);
        let (exporter, counted) = (Arc::clone(&traces.exporter), Arc::clone(&counts));
        let (most, delay) = (traces.batch.max(1), traces.delay);
        let export = move || {
            let _ends: SyncSender<()> = ends;
            let mut works = true;
            while let Some(batch) = gather(&spans, most, delay) {
                let count = batch.len() as u64;
                let result = exporter.export(batch);
                match &result {
                    Ok(()) => counted.exported.add(count),
                    Err(_) => counted.lost.add(count),
                }
                report(&result, &mut works);
            }
        };
        std::thread::Builder::new().name("traces".into()).spawn(export)?;
        Ok(Self {
            queue,
            counts,
            exported,
            sampler: traces.sampler,
        })
    }

    /// Hands spans over. Never waits.
    pub(crate) fn write(&self, spans: impl IntoIterator<Item = Span>) {
        for span in spans {
            if self.queue.try_send(span).is_err() {
                self.counts.lost.add(1);
            }
        }
    }

    /// Waits until everything is taken, for a while.
    pub(crate) fn finish(self) {
        drop(self.queue);
        if self.exported.recv_timeout(FAREWELL) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the last spans of traces aren't taken; the server stops without them");
        }
    }
}

/// The next batch: what comes within `delay` of its first span, and no more than `most`. Nothing at the end.
fn gather(spans: &Receiver<Span>, most: usize, delay: Duration) -> Option<Vec<Span>> {
    let mut batch = vec![spans.recv().ok()?];
    let began = Instant::now();
    while batch.len() < most {
        match spans.recv_timeout(delay.saturating_sub(began.elapsed())) {
            Ok(span) => batch.push(span),
            Err(_) => break,
        }
    }
    Some(batch)
}

/// Says once when spans are no longer taken, and once when they are again.
fn report(result: &Result<(), ExportError>, works: &mut bool) {
    match result {
        Err(error) if *works => tracing::warn!(%error, "spans of traces aren't taken and are lost until they are"),
        Ok(()) if !*works => tracing::info!("spans of traces are taken again"),
        _ => {}
    }
    *works = result.is_ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samplers_heed_parents_and_ids() {
        let always = Sampler {
            heeds_parent: true,
            ratio: 1.0,
        };
        let (low, high) = ([0; 16], [255; 16]);
        assert!(always.takes(high, None) && always.takes(low, Some(true)));
        assert!(!always.takes(low, Some(false)));
        let half = Sampler {
            heeds_parent: false,
            ratio: 0.5,
        };
        assert!(half.takes(low, Some(false)));
        assert!(!half.takes(high, Some(true)));
        let never = Sampler {
            heeds_parent: true,
            ratio: 0.0,
        };
        assert!(!never.takes(low, None) && never.takes(low, Some(true)));
    }
}

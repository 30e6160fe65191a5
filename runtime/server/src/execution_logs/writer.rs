//! The thread that writes log lines.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::LogDestination;
use super::files::Files;
use crate::metrics::Counter;

/// Pieces that wait to be written.
const WAITING: usize = 4096;
/// Bytes that wait to be written: a moment of a busy server, or a single batch of large payloads.
const WAITING_BYTES: usize = 64 << 20;
/// How long a server that stops waits for what is still to be written: a reader that doesn't read holds nobody up.
const FAREWELL: Duration = Duration::from_secs(5);

/// Log events by what became of them.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) written: Counter,
    pub(crate) lost: Counter,
}

/// Lines of one execution.
pub(crate) struct Lines {
    /// The ARN of the log group.
    pub(crate) group: Arc<str>,
    /// Each with its line end.
    pub(crate) text: String,
    /// How many.
    pub(crate) count: u64,
}

/// Where lines are handed over.
pub(crate) struct Writer {
    queue: SyncSender<Lines>,
    waiting: Arc<AtomicUsize>,
    counts: Arc<Counts>,
    /// Ends with the thread.
    written: Receiver<()>,
}

enum Sink {
    Stdout,
    Files(Files),
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the directory can't be made, or the system gives no thread.
    pub(crate) fn spawn(destination: &LogDestination, counts: Arc<Counts>) -> io::Result<Self> {
        let mut sink = match destination {
            LogDestination::Stdout => Sink::Stdout,
            LogDestination::Directory(directory) => Sink::Files(Files::open(directory)?),
        };
        let (queue, lines) = sync_channel::<Lines>(WAITING);
        let (ends, written) = sync_channel(0);
        let waiting = Arc::new(AtomicUsize::new(0));
        let (counted, left) = (Arc::clone(&counts), Arc::clone(&waiting));
        let write = move || {
            let _ends: SyncSender<()> = ends;
            let mut works = true;
            for lines in lines {
                let result = sink.append(&lines);
                left.fetch_sub(lines.text.len(), Ordering::Relaxed);
                match &result {
                    Ok(()) => counted.written.add(lines.count),
                    Err(_) => counted.lost.add(lines.count),
                }
                report(&result, &mut works);
            }
        };
        std::thread::Builder::new().name("execution-logs".into()).spawn(write)?;
        Ok(Self {
            queue,
            waiting,
            counts,
            written,
        })
    }

    /// Hands lines over. Never waits.
    pub(crate) fn write(&self, lines: Lines) {
        let (bytes, count) = (lines.text.len(), lines.count);
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        if (before > 0 && before + bytes > WAITING_BYTES) || self.queue.try_send(lines).is_err() {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.counts.lost.add(count);
        }
    }

    /// Waits until everything is written, for a while.
    pub(crate) fn finish(self) {
        drop(self.queue);
        if self.written.recv_timeout(FAREWELL) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the last log lines of executions aren't taken; the server stops without them");
        }
    }
}

impl Sink {
    fn append(&mut self, lines: &Lines) -> io::Result<()> {
        match self {
            Sink::Files(files) => files.append(&lines.group, &lines.text),
            Sink::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(lines.text.as_bytes())?;
                stdout.flush()
            }
        }
    }
}

/// Says once when writing stops working, and once when it works again.
fn report(result: &io::Result<()>, works: &mut bool) {
    match result {
        Err(error) if *works => {
            tracing::warn!(%error, "log lines of executions can't be written and are lost until they can");
        }
        Ok(()) if !*works => tracing::info!("log lines of executions are written again"),
        _ => {}
    }
    *works = result.is_ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Lines {
        Lines {
            group: "g".into(),
            text: text.to_owned(),
            count: 1,
        }
    }

    #[test]
    fn what_is_handed_over_is_written_before_the_end() {
        let directory = tempfile::tempdir().expect("works");
        let counts = Arc::new(Counts::default());
        let destination = LogDestination::Directory(directory.path().join("made"));
        let writer = Writer::spawn(&destination, Arc::clone(&counts)).expect("works");
        for number in 0..100 {
            writer.write(lines(&format!("{number}\n")));
        }
        writer.finish();
        let text = std::fs::read_to_string(directory.path().join("made/g.jsonl")).expect("works");
        assert_eq!(text.lines().count(), 100);
        assert_eq!((counts.written.get(), counts.lost.get()), (100, 0));
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_waits_nowhere() {
        let directory = tempfile::tempdir().expect("works");
        let counts = Arc::new(Counts::default());
        let destination = LogDestination::Directory(directory.path().to_owned());
        let writer = Writer::spawn(&destination, Arc::clone(&counts)).expect("works");
        // A directory stands where the file should be.
        std::fs::create_dir(directory.path().join("g.jsonl")).expect("works");
        writer.write(lines("a\n"));
        let waiting = Arc::clone(&writer.waiting);
        writer.finish();
        assert_eq!((counts.written.get(), counts.lost.get()), (0, 1));
        assert_eq!(waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_queue_that_nobody_empties_takes_so_much_and_no_more() {
        let (queue, kept) = sync_channel(WAITING);
        let (_, written) = sync_channel(0);
        let counts = Arc::new(Counts::default());
        let writer = Writer {
            queue,
            waiting: Arc::default(),
            counts: Arc::clone(&counts),
            written,
        };
        let large = "x".repeat(WAITING_BYTES / 4);
        for _ in 0..10 {
            writer.write(lines(&large));
        }
        assert_eq!(counts.lost.get(), 6);
        assert_eq!(kept.try_iter().count(), 4);
    }
}

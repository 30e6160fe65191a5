//! A sign of life for work that takes longer than a glance: one line on standard error, only on a terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Work done sooner than this shows nothing: a line that flashes up is noise.
const SHOWN_AFTER: Duration = Duration::from_millis(200);
/// Often enough to look alive.
const FRAME: Duration = Duration::from_millis(100);
const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// Shown until dropped.
#[derive(Debug)]
pub struct Progress {
    running: Option<(Sender<String>, JoinHandle<()>)>,
}

impl Progress {
    /// Says what is going on.
    pub fn start(what: impl Into<String>) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        if !io::stderr().is_terminal() || dumb {
            return Self { running: None };
        }
        let mut what = what.into();
        let (sender, receiver) = mpsc::channel::<String>();
        let painter = std::thread::Builder::new().name("progress".to_owned()).spawn(move || {
            let since = Instant::now();
            let mut pause = SHOWN_AFTER;
            for frame in FRAMES.iter().cycle() {
                match receiver.recv_timeout(pause) {
                    Ok(next) => what = next,
                    Err(RecvTimeoutError::Timeout) => pause = FRAME,
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                if since.elapsed() >= SHOWN_AFTER {
                    show(&format!("{frame} {what} {:.1} s", since.elapsed().as_secs_f64()));
                }
            }
            show("");
        });
        // Without a thread there is no sign of life, and no harm.
        Self {
            running: painter.ok().map(|painter| (sender, painter)),
        }
    }

    /// Says what is going on now.
    pub fn now(&self, what: impl Into<String>) {
        if let Some((sender, _)) = &self.running {
            let _ = sender.send(what.into());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((sender, painter)) = self.running.take() {
            drop(sender);
            let _ = painter.join();
        }
    }
}

/// Replaces the line. A terminal that went away is no reason to stop the work.
fn show(line: &str) {
    let width = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
    let line = crate::output::cut(&crate::output::printable(line), width.saturating_sub(1));
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "\r\x1b[2K{line}");
    let _ = stderr.flush();
}

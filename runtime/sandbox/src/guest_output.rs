//! What a guest says: log lines and its standard streams, bounded.

use std::collections::VecDeque;

use asl::LogLine;

/// Bytes of text kept for an attempt, the newest. They go into the journal, where every event stays
/// for ever; 16 KiB hold a long stack trace.
pub(crate) const LOG_BYTES: usize = 16 << 10;

/// Lines kept for an attempt, the newest.
pub(crate) const LOG_LINES: usize = 256;

/// Bytes of one line; the rest of a longer one is cut.
pub(crate) const LINE_BYTES: usize = 4 << 10;

/// Bytes of standard error quoted in the cause of a trap, the newest.
const TAIL_BYTES: usize = 2 << 10;

/// What the guest SDKs put before a panic's message.
const PANIC: &str = "panic: ";

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// `host.log`, level debug.
    Debug,
    /// `host.log`, level info.
    Info,
    /// `host.log`, level warn.
    Warn,
    /// `host.log`, level error.
    Error,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Source {
    fn as_str(self) -> &'static str {
        match self {
            Source::Debug => "debug",
            Source::Info => "info",
            Source::Warn => "warn",
            Source::Error => "error",
            Source::Stdout => "stdout",
            Source::Stderr => "stderr",
        }
    }
}

/// The last lines of an attempt.
#[derive(Debug, Default)]
pub(crate) struct GuestOutput {
    lines: VecDeque<(Source, String)>,
    bytes: usize,
    dropped: u64,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    panic: Option<String>,
}

impl GuestOutput {
    /// A line of the guest's log.
    pub(crate) fn log(&mut self, source: Source, message: &str) {
        if source == Source::Error {
            self.panic = message.strip_prefix(PANIC).map(|text| cut(text, LINE_BYTES));
        }
        self.push(source, cut(message, LINE_BYTES));
    }

    /// Bytes of a standard stream; lines may come in pieces.
    pub(crate) fn write(&mut self, source: Source, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            let line = self.partial(source);
            let room = LINE_BYTES.saturating_sub(line.len());
            line.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                self.end_line(source);
            }
        }
    }

    /// The message of the panic that a guest SDK reported as the guest's last error.
    pub(crate) fn panic(&self) -> Option<&str> {
        self.panic.as_deref()
    }

    /// The end of standard error, for the cause of a failure.
    pub(crate) fn stderr_tail(&mut self) -> Option<String> {
        self.end_line_if_any(Source::Stderr);
        let mut tail: Vec<&str> = Vec::new();
        let mut bytes = 0;
        for (_, line) in self.lines.iter().rev().filter(|(source, _)| *source == Source::Stderr) {
            bytes += line.len() + 1;
            if bytes > TAIL_BYTES && !tail.is_empty() {
                break;
            }
            tail.push(line);
        }
        tail.reverse();
        (!tail.is_empty()).then(|| tail.join("\n"))
    }

    /// Everything kept, oldest first, with a note where something was dropped.
    pub(crate) fn take(&mut self) -> Vec<LogLine> {
        self.end_line_if_any(Source::Stdout);
        self.end_line_if_any(Source::Stderr);
        let note = (self.dropped > 0).then(|| LogLine {
            level: Source::Warn.as_str().to_owned(),
            message: format!(
                "`{}` earlier lines were dropped: an attempt keeps its last {LOG_LINES} lines and {LOG_BYTES} bytes",
                self.dropped
            ),
        });
        let lines = self.lines.drain(..).map(|(source, message)| LogLine {
            level: source.as_str().to_owned(),
            message,
        });
        let kept = note.into_iter().chain(lines).collect();
        self.bytes = 0;
        kept
    }

    /// Changes every line that is kept, and the panic.
    pub(crate) fn rewrite(&mut self, change: impl Fn(String) -> String) {
        self.end_line_if_any(Source::Stdout);
        self.end_line_if_any(Source::Stderr);
        for (_, line) in &mut self.lines {
            let before = line.len();
            *line = change(std::mem::take(line));
            self.bytes = (self.bytes + line.len()).saturating_sub(before);
        }
        self.panic = self.panic.take().map(change);
    }

    fn push(&mut self, source: Source, line: String) {
        self.bytes += line.len();
        self.lines.push_back((source, line));
        while self.lines.len() > LOG_LINES || self.bytes > LOG_BYTES {
            let Some((_, oldest)) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= oldest.len();
            self.dropped += 1;
        }
    }

    fn partial(&mut self, source: Source) -> &mut Vec<u8> {
        if source == Source::Stderr {
            &mut self.stderr
        } else {
            &mut self.stdout
        }
    }

    fn end_line(&mut self, source: Source) {
        let line = std::mem::take(self.partial(source));
        self.push(source, String::from_utf8_lossy(&line).into_owned());
    }

    fn end_line_if_any(&mut self, source: Source) {
        if !self.partial(source).is_empty() {
            self.end_line(source);
        }
    }
}

/// At most `bytes` bytes of `text`, with an ellipsis where something is missing.
pub(crate) fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let ellipsis = "…";
    let end = text.floor_char_boundary(bytes.saturating_sub(ellipsis.len()));
    format!("{}{ellipsis}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_and_says_what_is_missing() {
        let mut output = GuestOutput::default();
        for number in 0..1000 {
            output.log(Source::Info, &format!("line {number}"));
        }
        let lines = output.take();
        assert_eq!(lines.len(), LOG_LINES + 1);
        assert!(
            lines[0].message.starts_with("`744` earlier lines were dropped"),
            "{}",
            lines[0].message
        );
        assert_eq!(lines[LOG_LINES].message, "line 999");
    }

    #[test]
    fn long_lines_are_cut_at_a_character() {
        let mut output = GuestOutput::default();
        output.log(Source::Info, &"é".repeat(LINE_BYTES));
        output.write(Source::Stderr, &[b'x'; 3 * LINE_BYTES]);
        output.write(Source::Stderr, b"y\nlast");
        let lines = output.take();
        assert!(lines[0].message.len() <= LINE_BYTES && lines[0].message.ends_with('…'));
        assert_eq!(lines[1].message.len(), LINE_BYTES);
        assert_eq!(lines[2].message, "last");
    }

    #[test]
    fn streams_come_in_pieces() {
        let mut output = GuestOutput::default();
        output.write(Source::Stdout, b"a");
        output.write(Source::Stderr, b"one\ntw");
        output.write(Source::Stdout, b"b\n");
        output.write(Source::Stderr, b"o");
        assert_eq!(output.stderr_tail().as_deref(), Some("one\ntwo"));
        assert_eq!(output.take().iter().filter(|line| line.level == "stdout").count(), 1);
    }

    #[test]
    fn only_the_last_error_is_the_panic() {
        let mut output = GuestOutput::default();
        output.log(Source::Error, "panic: boom at src/lib.rs:1");
        output.log(Source::Info, "still here");
        assert_eq!(output.panic(), Some("boom at src/lib.rs:1"));
        output.log(Source::Error, "recovered");
        assert_eq!(output.panic(), None);
    }
}

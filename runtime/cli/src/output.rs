//! What goes to standard output: tables and colours for people, JSON for programs. Nothing here panics when
//! the reader goes away.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use crate::args::Format;

/// Narrower than this, a table is cut to it all the same: columns of a few letters help nobody.
const LEAST_WIDTH: usize = 60;
/// The width of tables that go into a file or a pipe, where only the last column is cut.
const WIDTH_ELSEWHERE: usize = 160;
/// The flexible column keeps this much of itself: less says nothing.
const LEAST_FLEXIBLE: usize = 20;
const GAP: &str = "  ";

/// A colour or weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// Headings.
    Dim,
    /// Names worth finding.
    Bold,
    /// Ended well.
    Good,
    /// Ended badly.
    Bad,
    /// Not over, or worth a look.
    Alert,
}

impl Style {
    /// How to show a status or an event of this name.
    pub fn of(word: &str) -> Self {
        let word = word.to_ascii_uppercase();
        if word.ends_with("SUCCEEDED") {
            Style::Good
        } else if word.ends_with("FAILED") || word.ends_with("ABORTED") {
            Style::Bad
        } else if word.ends_with("TIMED_OUT") || word.ends_with("TIMEDOUT") || word == "RUNNING" {
            Style::Alert
        } else {
            Style::Plain
        }
    }

    fn code(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Dim => "\x1b[2m",
            Style::Bold => "\x1b[1m",
            Style::Good => "\x1b[32m",
            Style::Bad => "\x1b[31m",
            Style::Alert => "\x1b[33m",
        }
    }
}

/// Whether a stream takes colours: a terminal, without `NO_COLOR` and not a dumb one.
pub fn takes_colour(stream: &impl IsTerminal) -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    stream.is_terminal() && !no_color && !dumb
}

/// A text in a style, or as it is.
pub fn paint(text: &str, style: Style, colour: bool) -> String {
    if colour && style != Style::Plain && !text.is_empty() {
        format!("{}{text}\x1b[0m", style.code())
    } else {
        text.to_owned()
    }
}

/// Standard output, as asked for.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Tables or JSON.
    pub format: Format,
    colour: bool,
    width: usize,
}

impl Output {
    /// Looks at the terminal and the environment.
    pub fn new(format: Format) -> Self {
        let stdout = io::stdout();
        Self {
            format,
            colour: takes_colour(&stdout),
            width: Self::width_of(&stdout),
        }
    }

    /// Columns a table on this stream may have.
    pub fn width_of(stream: &impl IsTerminal) -> usize {
        match terminal_size::terminal_size() {
            Some((width, _)) if stream.is_terminal() => usize::from(width.0).max(LEAST_WIDTH),
            _ => WIDTH_ELSEWHERE,
        }
    }

    /// Whether programs read.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// One line, as it is.
    pub fn line(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.write_all(b"\n")?;
        stdout.flush()
    }

    /// A value, indented.
    pub fn json(&self, value: &Value) -> io::Result<()> {
        self.line(&format!("{value:#}"))
    }

    /// A value on one line, for streams of them.
    pub fn json_line(&self, value: &Value) -> io::Result<()> {
        self.line(&value.to_string())
    }

    /// What a table holds that wasn't shown yet.
    pub fn table(&self, table: &mut Table) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(table.take(self.width, self.colour).as_bytes())?;
        stdout.flush()
    }

    /// Names and values, one pair a line; empty values are left out.
    pub fn pairs(&self, pairs: &[(&str, String)]) -> io::Result<()> {
        let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
            let name = paint(&format!("{name:width$}"), Style::Dim, self.colour);
            let value = paint(&printable(value), Style::of(value), self.colour);
            self.line(&format!("{name}  {value}"))?;
        }
        Ok(())
    }
}

/// A note for people beside the result: on standard error, and only when a person reads the result.
pub fn hint(output: &Output, text: &str) {
    if !output.is_json() {
        note(&format!("{}\n", paint(text, Style::Dim, takes_colour(&io::stderr()))));
    }
}

/// Whole lines on standard error. Nobody to tell is no reason to fail: the exit status still does.
pub fn note(lines: &str) {
    let _ = io::stderr().lock().write_all(lines.as_bytes());
}

/// Where a column's values stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// Columns and rows. Every value is shown on one line; control characters a workflow or a guest put into it are shown,
/// not sent to the terminal. The flexible column gives way when the terminal is narrow.
#[derive(Debug)]
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    flexible: usize,
    rows: Vec<Vec<(String, Style)>>,
    /// Of the part already shown, for a table that is shown while it grows.
    shown: Option<Vec<usize>>,
}

impl Table {
    /// An empty one. `flexible` is the column that is cut where the width doesn't suffice.
    pub fn new(columns: &[(&'static str, Align)], flexible: usize) -> Self {
        Self {
            columns: columns.to_vec(),
            flexible,
            rows: Vec::new(),
            shown: None,
        }
    }

    /// Adds a row, a cell for each column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = (String, Style)>) {
        let mut row: Vec<_> = cells
            .into_iter()
            .map(|(text, style)| (printable(&text), style))
            .collect();
        row.resize(self.columns.len(), (String::new(), Style::Plain));
        self.rows.push(row);
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows added since the last call, and the headings the first time. Columns keep their places: they only ever
    /// get wider.
    pub fn take(&mut self, width: usize, colour: bool) -> String {
        let widths = self.widths(width);
        let mut text = String::new();
        if self.shown.is_none() {
            let titles = self
                .columns
                .iter()
                .map(|(title, _)| ((*title).to_owned(), Style::Dim))
                .collect();
            text.push_str(&self.render_row(&titles, &widths, colour));
        }
        for row in std::mem::take(&mut self.rows) {
            text.push_str(&self.render_row(&row, &widths, colour));
        }
        self.shown = Some(widths);
        text
    }

    fn widths(&self, available: usize) -> Vec<usize> {
        let longest = |index: usize| {
            self.rows
                .iter()
                .map(|row| row[index].0.chars().count())
                .max()
                .unwrap_or(0)
        };
        let before = |index: usize| self.shown.as_ref().map_or(0, |widths| widths[index]);
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|index| longest(index).max(self.columns[index].0.len()).max(before(index)))
            .collect();
        let others = widths.iter().sum::<usize>() - widths[self.flexible] + GAP.len() * (widths.len() - 1);
        let room = available.saturating_sub(others).max(LEAST_FLEXIBLE);
        widths[self.flexible] = widths[self.flexible].min(room);
        widths
    }

    fn render_row(&self, row: &Vec<(String, Style)>, widths: &[usize], colour: bool) -> String {
        let cells: Vec<String> = std::iter::zip(row, widths)
            .zip(&self.columns)
            .map(|(((text, style), width), (_, align))| {
                let text = cut(text, *width);
                let padding = " ".repeat(width - text.chars().count());
                match align {
                    Align::Left => paint(&text, *style, colour) + &padding,
                    Align::Right => padding + &paint(&text, *style, colour),
                }
            })
            .collect();
        let mut line = cells.join(GAP);
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }
}

/// At most `width` characters, an ellipsis standing for the rest.
pub fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// A text on one line, without anything a terminal would obey.
pub fn printable(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            other if other.is_control() => line.extend(other.escape_unicode()),
            other => line.push(other),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(
            &[("NAME", Align::Left), ("SIZE", Align::Right), ("NOTE", Align::Left)],
            2,
        );
        table.row([
            ("a".to_owned(), Style::Plain),
            ("5".to_owned(), Style::Plain),
            (String::new(), Style::Plain),
        ]);
        table
    }

    #[test]
    fn columns_line_up_and_lines_end_without_spaces() {
        let mut table = table();
        table.row(
            [("long name", "12345", "x")]
                .into_iter()
                .flat_map(|(a, b, c)| [a, b, c].map(|text| (text.to_owned(), Style::Good))),
        );
        assert_eq!(
            table.take(80, false),
            "NAME        SIZE  NOTE\na              5\nlong name  12345  x\n"
        );
    }

    #[test]
    fn a_growing_table_shows_its_heading_once_and_keeps_its_columns() {
        let mut table = table();
        assert_eq!(table.take(80, false), "NAME  SIZE  NOTE\na        5\n");
        table.row([("b".to_owned(), Style::Plain)]);
        assert_eq!(table.take(80, false), "b\n");
        assert!(table.is_empty());
    }

    #[test]
    fn the_flexible_column_gives_way() {
        let mut table = Table::new(&[("A", Align::Left), ("B", Align::Left)], 0);
        table.row([("x".repeat(90), Style::Plain), ("kept".to_owned(), Style::Plain)]);
        let text = table.take(60, false);
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        assert!(text.contains("…  kept"), "{text}");
    }

    #[test]
    fn nothing_a_guest_says_reaches_the_terminal_as_an_order() {
        assert_eq!(printable("a\x1b[31mb\nc\u{9b}"), "a\\u{1b}[31mb\\nc\\u{9b}");
    }
}

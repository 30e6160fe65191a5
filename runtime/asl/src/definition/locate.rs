//! Where in a definition's text a field stands. Works on texts that are known to be JSON.

use super::diagnostic::{Diagnostic, Position, Step};

/// Fills in the position of each diagnostic that has none; a field that is missing stands where its
/// nearest parent does.
pub(super) fn fill_positions(text: &str, diagnostics: &mut [Diagnostic]) {
    if diagnostics.iter().all(|diagnostic| diagnostic.position.is_some()) {
        return;
    }
    let mut places = Vec::new();
    walk(
        text,
        &mut |path, offset| places.push((path.to_vec(), offset)),
        &mut |_| {},
    );
    for diagnostic in diagnostics
        .iter_mut()
        .filter(|diagnostic| diagnostic.position.is_none())
    {
        let offset = places
            .iter()
            .filter(|(path, _)| diagnostic.path.starts_with(path))
            .max_by_key(|(path, _)| path.len())
            .map_or(0, |(_, offset)| *offset);
        diagnostic.position = Some(position(text, offset));
    }
}

/// Paths of fields whose name stands twice in one object.
pub(super) fn duplicate_keys(text: &str) -> Vec<Vec<Step>> {
    let mut found = Vec::new();
    walk(text, &mut |_, _| {}, &mut |path| found.push(path.to_vec()));
    found
}

fn position(text: &str, offset: usize) -> Position {
    let before = &text[..offset.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Position {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

/// Calls `visit` with the path and offset of every value (a field's offset is its name's) and `duplicate`
/// with the path of every repeated field.
fn walk(text: &str, visit: &mut dyn FnMut(&[Step], usize), duplicate: &mut dyn FnMut(&[Step])) {
    let mut scanner = Scanner {
        bytes: text.as_bytes(),
        text,
        at: 0,
    };
    scanner.spaces();
    visit(&[], scanner.at);
    scanner.value(&mut Vec::new(), visit, duplicate);
}

struct Scanner<'t> {
    bytes: &'t [u8],
    text: &'t str,
    at: usize,
}

impl Scanner<'_> {
    fn value(
        &mut self,
        path: &mut Vec<Step>,
        visit: &mut dyn FnMut(&[Step], usize),
        duplicate: &mut dyn FnMut(&[Step]),
    ) {
        self.spaces();
        match self.bytes.get(self.at) {
            Some(b'{') => {
                self.at += 1;
                let mut names = std::collections::BTreeSet::new();
                while self.more(b'}') {
                    let start = self.at;
                    let name = self.string();
                    path.push(Step::Field(name.clone()));
                    visit(path, start);
                    if !names.insert(name) {
                        duplicate(path);
                    }
                    self.spaces();
                    self.at += 1;
                    self.value(path, visit, duplicate);
                    path.pop();
                }
            }
            Some(b'[') => {
                self.at += 1;
                let mut index = 0;
                while self.more(b']') {
                    path.push(Step::Index(index));
                    visit(path, self.at);
                    self.value(path, visit, duplicate);
                    path.pop();
                    index += 1;
                }
            }
            Some(b'"') => {
                self.string();
            }
            _ => {
                while self
                    .bytes
                    .get(self.at)
                    .is_some_and(|byte| !matches!(byte, b',' | b'}' | b']') && !byte.is_ascii_whitespace())
                {
                    self.at += 1;
                }
            }
        }
    }

    /// Skips to the next element; false at the closing bracket or the text's end.
    fn more(&mut self, close: u8) -> bool {
        self.spaces();
        if self.bytes.get(self.at) == Some(&b',') {
            self.at += 1;
            self.spaces();
        }
        match self.bytes.get(self.at) {
            Some(byte) if *byte != close => true,
            _ => {
                self.at += 1;
                false
            }
        }
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.text
            .get(start..self.at)
            .and_then(|raw| serde_json::from_str(raw).ok())
            .unwrap_or_default()
    }

    fn spaces(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }
}

//! What a server has, into a file.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use super::STREAM;
use crate::problem::{Ending, Problem, Result};

/// Bytes read and written at once.
const PIECE: usize = 64 << 10;

/// Writes what comes to a file, or to standard output where that is `-`. `name` is what comes, for messages.
pub fn download(content: &mut dyn Read, name: &str, file: &Path) -> Result {
    if file == Path::new(STREAM) {
        copy(name, content, &mut io::stdout().lock(), Problem::Stdout)?;
        return Ok(Ending::Good);
    }
    let cannot = |error: io::Error| {
        Problem::usage(
            format!("can't write `{}`: {error}", file.display()),
            "name a file you may write; `-` stands for standard output",
        )
    };
    let mut target = File::create(file).map_err(cannot)?;
    let copied = copy(name, content, &mut target, cannot);
    if copied.is_err() {
        drop(target);
        // Half a file under the name of a whole one would be taken for it.
        let _ = std::fs::remove_file(file);
    }
    copied.map(|()| Ending::Good)
}

fn copy(
    name: &str,
    content: &mut dyn Read,
    target: &mut dyn Write,
    unwritable: impl Fn(io::Error) -> Problem,
) -> Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = content.read(&mut piece).map_err(|error| {
            Problem::refused(
                format!("`{name}` broke off: {error}"),
                "check the connection, and fetch it again",
            )
        })?;
        if read == 0 {
            return target.flush().map_err(unwritable);
        }
        target.write_all(&piece[..read]).map_err(&unwritable)?;
    }
}

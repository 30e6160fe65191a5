//! What was meant: files read, inputs taken apart, directories chosen.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use asl::Limits;

use crate::args;
use crate::problem::{Problem, Result};
use crate::source::Source;

/// No definition and no input is larger, whatever the server's limits: read at most so much of a file that is another
/// than was meant. The server's word counts.
const LARGEST_TEXT: u64 = Limits::OFF.payload_bytes as u64;

/// A module on this machine's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleFile {
    /// The name workflows use.
    pub name: String,
    /// The component or core module.
    pub file: PathBuf,
}

/// A definition on this machine's disk.
#[derive(Debug)]
pub struct WorkflowFile {
    /// The state machine's name.
    pub name: String,
    /// The definition.
    pub source: Source,
}

/// Reads a definition; `-` is standard input.
pub fn definition(path: &Path) -> Result<Source> {
    let hint = "name a file with a state machine's definition, or `-` for standard input";
    let text = read_text(path, LARGEST_TEXT, "a definition", hint)?;
    let name = if path == Path::new("-") {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    Ok(Source::new(name, text))
}

/// What an ItemReader is to have read, as it stands in the file.
pub fn reader_data(path: &Path) -> Result<String> {
    read_text(
        path,
        LARGEST_TEXT,
        "a data set",
        "name a file, or `-` for standard input",
    )
}

/// An execution's input as given on the command line: a file that exists, `-`, or JSON text. White space around it goes:
/// it belongs to the file, not to the input.
pub fn input(argument: &args::Input) -> Result<String> {
    let path = argument.text.strip_prefix("file://").unwrap_or(&argument.text);
    let is_file = path == "-" || path.len() < argument.text.len() || Path::new(path).is_file();
    let source = if is_file {
        let hint = "--input takes a file, `-` for standard input, or a JSON text";
        let text = read_text(Path::new(path), LARGEST_TEXT, "an input", hint)?;
        Source::new(if path == "-" { "standard input" } else { path }.to_owned(), text)
    } else {
        Source::new("--input".to_owned(), argument.text.clone())
    };
    let Some(error) = source.syntax_error() else {
        return Ok(source.text.trim().to_owned());
    };
    let looks_like_json = is_file || argument.text.trim_start().starts_with(['{', '[', '"']);
    if looks_like_json {
        return Err(Problem::usage(
            format!("the input is not JSON\n{}", error.render(&source, false)),
            "mend the JSON where the caret points; in a shell, put single quotes around JSON texts",
        ));
    }
    Err(Problem::usage(
        format!("--input `{}` is neither a file nor a JSON text", argument.text),
        "name a file that exists, or give JSON such as '{\"id\": 1}'; `-` reads standard input",
    ))
}

/// A text of at most `limit` bytes; `-` is standard input. `what` says what it is for.
pub fn read_text(path: &Path, limit: u64, what: &str, hint: &str) -> Result<String> {
    let cannot = |reason: String| Problem::usage(format!("can't read `{}`: {reason}", path.display()), hint);
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(limit + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit + 1).read_to_string(&mut text))
    };
    let length = read.map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => cannot("it is not a text in UTF-8".to_owned()),
        _ => cannot(error.to_string()),
    })?;
    if length as u64 > limit {
        return Err(cannot(format!("{what} has at most {limit} bytes, this has more")));
    }
    Ok(text)
}

/// [`read_text`] of a file with secrets in it, which nobody may write and not everybody may read but its owner.
pub fn private_text(path: &Path, limit: u64, what: &str, hint: &str) -> Result<String> {
    #[cfg(unix)]
    if let Ok(found) = std::fs::metadata(path) {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = found.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            return Err(Problem::usage(
                format!(
                    "`{}` holds secrets and its mode `{mode:03o}` lets others at them",
                    path.display()
                ),
                format!(
                    "`chmod 600 {}`; the owner's group may read it, and no more",
                    path.display()
                ),
            ));
        }
    }
    read_text(path, limit, what, hint)
}

/// What a file with secrets must not allow: anything to everybody, writing to its group.
#[cfg(unix)]
const OTHERS: u32 = 0o027;

/// A parser's message shows the text it didn't want.
pub fn without_texts(message: &str) -> String {
    match message.split_once("string \"").zip(message.rsplit_once('"')) {
        Some(((before, _), (_, after))) => format!("{before}string{after}"),
        None => message.to_owned(),
    }
}

/// `NAME=FILE`, a file named by its stem, or a directory of `.wasm` files.
pub fn modules(arguments: &[String]) -> Result<Vec<ModuleFile>> {
    let mut modules = Vec::new();
    for argument in arguments {
        match argument.split_once('=') {
            Some((name, file)) if !name.is_empty() => {
                modules.push(ModuleFile {
                    name: name.to_owned(),
                    file: PathBuf::from(file),
                });
            }
            _ if Path::new(argument).is_dir() => modules.extend(modules_in(Path::new(argument))?),
            _ => modules.push(ModuleFile {
                name: stem(Path::new(argument)),
                file: PathBuf::from(argument),
            }),
        }
    }
    if let Some(missing) = modules.iter().find(|module| !module.file.is_file()) {
        return Err(Problem::usage(
            format!(
                "module `{}`: there is no file `{}`",
                missing.name,
                missing.file.display()
            ),
            "give --module NAME=FILE with a compiled component or core module; build the guest first",
        ));
    }
    Ok(modules)
}

/// The `.wasm` files of a directory, by name.
pub fn modules_in(directory: &Path) -> Result<Vec<ModuleFile>> {
    let files = files_in(directory, ".wasm")?;
    Ok(files
        .into_iter()
        .map(|file| ModuleFile {
            name: stem(&file),
            file,
        })
        .collect())
}

/// The `.asl.json` files of a directory, by name. `workflow.asl.json` is named after the directory.
pub fn workflows_in(directory: &Path) -> Result<Vec<WorkflowFile>> {
    let files = files_in(directory, ".asl.json")?;
    files
        .iter()
        .map(|file| {
            Ok(WorkflowFile {
                name: workflow_name(file),
                source: definition(file)?,
            })
        })
        .collect()
}

/// The name a definition's file gives its state machine.
pub fn workflow_name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = name
        .strip_suffix(".asl.json")
        .or(name.strip_suffix(".json"))
        .unwrap_or(&name);
    if name != "workflow" {
        return name.to_owned();
    }
    let directory = file
        .canonicalize()
        .ok()
        .and_then(|file| Some(file.parent()?.file_name()?.to_owned()));
    directory
        .as_deref()
        .map(OsStr::to_string_lossy)
        .map_or_else(|| name.to_owned(), |name| name.into_owned())
}

fn files_in(directory: &Path, suffix: &str) -> Result<Vec<PathBuf>> {
    let cannot = |error: std::io::Error| {
        Problem::usage(
            format!("can't read the directory `{}`: {error}", directory.display()),
            "name a directory with *.asl.json files and a modules directory",
        )
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.is_file()
            && path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().ends_with(suffix))
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Where the server keeps everything when nobody says otherwise: the user's data directory, so that a server started from
/// another directory finds the same executions again.
pub fn data_directory(given: Option<PathBuf>) -> Result<PathBuf> {
    let in_home = if cfg!(target_os = "macos") {
        "Library/Application Support"
    } else {
        ".local/share"
    };
    given
        .or_else(|| users_directory("XDG_DATA_HOME", in_home))
        .ok_or_else(|| {
            Problem::usage(
                "there is no data directory: neither --data, SANDSTEP_DATA nor HOME is set",
                "give --data DIR",
            )
        })
}

/// Where compiled code is kept between runs without a server; absent without a home.
pub fn cache_directory() -> Option<PathBuf> {
    users_directory(
        "XDG_CACHE_HOME",
        if cfg!(target_os = "macos") {
            "Library/Caches"
        } else {
            ".cache"
        },
    )
}

fn users_directory(variable: &str, in_home: &str) -> Option<PathBuf> {
    let value = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let directory = value(variable).or_else(|| Some(value("HOME")?.join(in_home)))?;
    Some(directory.join("sandstep"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input_of(text: &str) -> Result<String> {
        input(&args::Input { text: text.to_owned() })
    }

    #[test]
    fn json_texts_keep_their_letters() {
        assert_eq!(input_of(" [1, 2] ").expect("JSON"), "[1, 2]");
        assert_eq!(input_of("-5").expect("JSON"), "-5");
    }

    #[test]
    fn what_is_neither_file_nor_json_is_told_apart_from_broken_json() {
        let message = |text: &str| input_of(text).expect_err("no input").to_string();
        assert_eq!(
            message("order.jsn"),
            "--input `order.jsn` is neither a file nor a JSON text"
        );
        assert!(
            message("{\"a\": }").starts_with("the input is not JSON\n--input:1:7: "),
            "{}",
            message("{\"a\": }")
        );
        assert!(message("file://nowhere.json").starts_with("can't read `nowhere.json`: "));
    }

    #[test]
    fn a_workflow_is_named_after_its_file() {
        assert_eq!(workflow_name(Path::new("a/refund.asl.json")), "refund");
        assert_eq!(workflow_name(Path::new("a/refund.json")), "refund");
    }
}

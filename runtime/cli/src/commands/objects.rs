//! `sandstep objects`: data sets that workflows read, and results they write.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::path::Path;

use serde_json::{Value, json};

use super::download::download;
use super::{STREAM, size, text};
use crate::args::{self, ObjectName};
use crate::client::Client;
use crate::output::{Align, Output, Style, Table, hint};
use crate::problem::{Ending, Problem, Result};

/// Lists, writes, reads or deletes objects.
pub fn objects(client: &Client, command: Option<&args::Objects>, output: &Output) -> Result {
    match command {
        None | Some(args::Objects::List { at: None }) => buckets(client, output),
        Some(args::Objects::List { at: Some(at) }) => list(client, at, output),
        Some(args::Objects::Put { at, file }) => put(client, at, file, output),
        Some(args::Objects::Get { at, file }) => get(client, at, file),
        Some(args::Objects::Delete { at }) => delete(client, at, output),
        Some(args::Objects::Create { at }) => create(client, at, output),
    }
}

fn buckets(client: &Client, output: &Output) -> Result {
    let answer = client.buckets()?;
    if output.is_json() {
        output.json(&answer)?;
        return Ok(Ending::Good);
    }
    let mut table = Table::new(&[("BUCKET", Align::Left)], 0);
    for bucket in answer["buckets"].as_array().into_iter().flatten() {
        let bucket = format!("s3://{}", bucket.as_str().unwrap_or_default());
        table.row([(bucket, Style::Bold)]);
    }
    if table.is_empty() {
        hint(
            output,
            "no buckets; `sandstep objects put s3://BUCKET/KEY FILE` writes an object and makes its bucket",
        );
        return Ok(Ending::Good);
    }
    output.table(&mut table)?;
    Ok(Ending::Good)
}

fn list(client: &Client, at: &ObjectName, output: &Output) -> Result {
    let columns = [("KEY", Align::Left), ("SIZE", Align::Right), ("WRITTEN", Align::Left)];
    let mut table = Table::new(&columns, 0);
    let mut page = client.objects(at, None)?;
    let mut any = false;
    loop {
        for object in page["objects"].as_array().into_iter().flatten() {
            any = true;
            if output.is_json() {
                output.json_line(object)?;
                continue;
            }
            table.row([
                (text(object, "key").to_owned(), Style::Bold),
                (size(object["size"].as_u64().unwrap_or_default()), Style::Plain),
                (text(object, "modified").to_owned(), Style::Plain),
            ]);
        }
        if !table.is_empty() {
            output.table(&mut table)?;
        }
        let Value::String(next) = page["next"].take() else {
            break;
        };
        page = client.objects(at, Some(&next))?;
    }
    if !any && !output.is_json() {
        hint(output, &format!("no objects at s3://{}/{}", at.bucket, at.key));
    }
    Ok(Ending::Good)
}

fn put(client: &Client, at: &ObjectName, file: &Path, output: &Output) -> Result {
    let mut at = at.clone();
    let is_stream = file == Path::new(STREAM);
    if at.key.is_empty() || at.key.ends_with('/') {
        match file.file_name().filter(|_| !is_stream) {
            Some(name) => at.key.push_str(&name.to_string_lossy()),
            None => {
                return Err(Problem::usage(
                    format!("`s3://{}/{}` is no whole key", at.bucket, at.key),
                    "write s3://BUCKET/KEY: standard input has no name to put behind the slash",
                ));
            }
        }
    }
    let answer = if is_stream && client.signs() {
        client.put_object(&at, spooled(&mut io::stdin().lock())?)?
    } else if is_stream {
        client.put_stream(&at, &mut io::stdin().lock())?
    } else {
        let file = File::open(file).map_err(|error| cannot("read", file, &error))?;
        client.put_object(&at, file)?
    };
    if output.is_json() {
        output.json(&answer)?;
        return Ok(Ending::Good);
    }
    output.pairs(&[
        ("object", format!("s3://{}/{}", at.bucket, text(&answer, "key"))),
        ("size", size(answer["size"].as_u64().unwrap_or_default())),
        ("written", text(&answer, "modified").to_owned()),
    ])?;
    Ok(Ending::Good)
}

/// A stream in a file that goes with this process.
fn spooled(stream: &mut dyn Read) -> Result<File> {
    let mut spool = || -> io::Result<File> {
        let mut file = tempfile::tempfile()?;
        io::copy(stream, &mut file)?;
        file.rewind()?;
        Ok(file)
    };
    spool().map_err(|error| {
        Problem::refused(
            format!("can't keep standard input in a temporary file: {error}"),
            "free some space, or set TMPDIR to a directory that has it",
        )
    })
}

fn get(client: &Client, at: &ObjectName, file: &Path) -> Result {
    let mut content = client.get_object(at)?;
    download(&mut content, &format!("s3://{}/{}", at.bucket, at.key), file)
}

fn delete(client: &Client, at: &ObjectName, output: &Output) -> Result {
    if at.key.is_empty() {
        client.delete_bucket(at)?;
    } else {
        client.delete_object(at)?;
    }
    tell(output, "deleted", at)
}

fn create(client: &Client, at: &ObjectName, output: &Output) -> Result {
    if !at.key.is_empty() {
        return Err(Problem::usage(
            format!("`s3://{}/{}` names an object", at.bucket, at.key),
            "name the bucket alone, or write the object with `sandstep objects put`",
        ));
    }
    client.create_bucket(at)?;
    tell(output, "created", at)
}

fn tell(output: &Output, done: &str, at: &ObjectName) -> Result {
    let name = match at.key.as_str() {
        "" => format!("s3://{}", at.bucket),
        key => format!("s3://{}/{key}", at.bucket),
    };
    if output.is_json() {
        output.json(&json!({ done: name }))?;
    } else {
        output.pairs(&[(done, name)])?;
    }
    Ok(Ending::Good)
}

fn cannot(attempted: &str, file: &Path, error: &io::Error) -> Problem {
    Problem::usage(
        format!("can't {attempted} `{}`: {error}", file.display()),
        "name a file you may read or write; `-` stands for standard input",
    )
}

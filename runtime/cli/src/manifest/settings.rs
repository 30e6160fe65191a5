//! `--set KEY=VALUE`: what a manifest says, on the command line.

use toml::{Table, Value};

use crate::problem::{Problem, Result};

/// Keys of lists below `grants`: each setting is one more of them.
const LISTS: [&str; 4] = ["env", "dirs", "http", "secrets"];

/// A manifest with one more setting, `limits.memory=128MiB` for instance. The value is TOML, else a text as it is. It is
/// written anew, without the comments, in the same way each time: signatures are of the text.
pub fn with(manifest: &str, setting: &str) -> Result<String> {
    let wrong = |why: &str| {
        Problem::usage(
            format!("`--set {setting}`: {why}"),
            "write it like `limits.memory=128MiB`, `grants.env=TZ` or `restart=fail`; docs/modules.md lists the keys",
        )
    };
    let (key, value) = setting.split_once('=').ok_or_else(|| wrong("there is no `=`"))?;
    let (key, value) = (key.trim(), value_of(value.trim()));
    let mut table: Table = manifest
        .parse()
        .map_err(|error: toml::de::Error| wrong(error.message()))?;
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((outer, inner)) => {
            let within = table.entry(outer).or_insert_with(|| Value::Table(Table::new()));
            let within = within
                .as_table_mut()
                .ok_or_else(|| wrong(&format!("`{outer}` has no keys")))?;
            match within.get_mut(inner) {
                Some(Value::Array(list)) if outer == "grants" => list.extend(listed(value)),
                _ if outer == "grants" && LISTS.contains(&inner) => {
                    within.insert(inner.to_owned(), Value::Array(listed(value)));
                }
                _ => {
                    within.insert(inner.to_owned(), value);
                }
            }
        }
    }
    let lines = table
        .iter()
        .map(|(key, value)| format!("{} = {}\n", quoted(key), written(value)));
    let text = lines.collect::<String>();
    match server::modules::manifest(&text) {
        Ok(_) => Ok(text),
        Err(mistake) => Err(wrong(&mistake.message)),
    }
}

fn value_of(text: &str) -> Value {
    let read = format!("value = {text}").parse::<Table>();
    let only = read.ok().filter(|table| table.len() == 1);
    only.and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn listed(value: Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list,
        one => vec![one],
    }
}

/// A value in one line of TOML.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(is) => is.to_string(),
        Value::Datetime(time) => time.to_string(),
        Value::Array(list) => format!("[{}]", list.iter().map(written).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let fields = table
                .iter()
                .map(|(key, value)| format!("{} = {}", quoted(key), written(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A text in quotes: TOML escapes as JSON does, and DEL too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(manifest: &str, settings: &[&str]) -> String {
        settings.iter().fold(manifest.to_owned(), |text, setting| {
            with(&text, setting).unwrap_or_else(|problem| panic!("{problem}"))
        })
    }

    #[test]
    fn settings_say_what_a_file_would() {
        let file = "restart = \"fail\"\n[limits]\nmemory = \"64MiB\"\nfuel = 5000000\n[grants]\nenv = [\"TZ\", { MODE = \"a=b\" }]\n\
                    dirs = [{ path = \"/srv\", guest = \"/data\" }]\nhttp = [\"GET https://a.example/*\", \"POST https://a.example/x\"]\n";
        let settings = [
            "restart=fail",
            "limits.memory=64MiB",
            "limits.fuel=5000000",
            "grants.env=TZ",
            "grants.env={ MODE = \"a=b\" }",
            "grants.dirs={ path = \"/srv\", guest = \"/data\" }",
            "grants.http=[\"GET https://a.example/*\"]",
            "grants.http = POST https://a.example/x",
        ];
        let read = |text: &str| server::modules::manifest(text).expect("a manifest");
        assert_eq!(read(&set("", &settings)), read(file));
        assert_eq!(read(&set(file, &[])), read(file));
        assert_eq!(read(&set(file, &["limits.memory=1GiB"])).limits.memory, Some(1 << 30));
        assert_eq!(read(&set(file, &["grants.env=HOME"])).grants.env.len(), 3);
        assert_eq!(set("", &settings), set("", &settings));
    }

    #[test]
    fn a_setting_that_is_none_is_named() {
        for (setting, word) in [
            ("limits.memory", "no `=`"),
            ("limits.memry=1MiB", "unknown field `memry`"),
            ("limits.memory=lots", "`lots` is no amount"),
            ("limit.memory=1MiB", "unknown field `limit`"),
            ("limits.memory.max=1MiB", "unknown field"),
            ("grants.http=https://a.example", "it has no method"),
            ("grants.sockets=true", "never granted"),
            ("=", "unknown field"),
            ("restart=maybe\nlimits = 1", "maybe"),
        ] {
            let problem = with("", setting).expect_err(setting).to_string();
            assert!(problem.contains(word) && problem.contains(setting), "{problem}");
        }
    }
}

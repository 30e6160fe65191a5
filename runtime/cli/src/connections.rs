//! `--connections`: what HTTP tasks may call, and with which credentials.

use std::path::{Path, PathBuf};

use server::http_task::{Connections, ConnectionsFile, Written};

use crate::config::{read_text, without_texts};
use crate::problem::{Problem, Result};

/// Room for some thousand connections; whatever is larger is another file.
const LARGEST_FILE: u64 = 4 << 20;
/// Longest secret in a file of its own, and largest set of certificates.
const LARGEST_BESIDE: u64 = 1 << 20;
const HINT: &str = "--connections takes a TOML or JSON file; docs/http-tasks.md shows one";

/// Reads the file, and what it says is elsewhere. Paths in it begin where it is.
pub fn connections(file: Option<&Path>) -> Result<Connections> {
    let Some(path) = file else {
        return Ok(Connections::default());
    };
    let unusable = |reason: String| Problem::usage(format!("`{}` can't be used: {reason}", path.display()), HINT);
    let text = read_text(path, LARGEST_FILE, "a file of connections", HINT)?;
    let file = parsed(path, &text).map_err(unusable)?;
    let directory = path.parent().map(Path::to_owned).unwrap_or_default();
    let certificates = match &file.certificates {
        Some(certificates) => Some(beside(&directory, certificates).map_err(unusable)?),
        None => None,
    };
    let look_up = |written: &Written| match written {
        Written::Text(text) => Ok(text.clone()),
        Written::Env { env } => {
            std::env::var(env).map_err(|_| format!("the environment has no variable `{env}`, or no text in it"))
        }
        Written::File { file } => Ok(beside(&directory, file)?.trim().to_owned()),
    };
    Connections::new(file, certificates, look_up).map_err(|error| unusable(error.to_string()))
}

/// The error shows the place in the file and nothing of its content, which may be a secret.
fn parsed(path: &Path, text: &str) -> std::result::Result<ConnectionsFile, String> {
    let is_json = path.extension().is_some_and(|extension| extension == "json") || text.trim_start().starts_with('{');
    if is_json {
        return serde_json::from_str(text).map_err(|error| without_texts(&error.to_string()));
    }
    toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .and_then(|span| text.get(..span.start))
            .map_or(1, |before| before.matches('\n').count() + 1);
        format!("{} at line {line}", without_texts(error.message()))
    })
}

fn beside(directory: &Path, file: &PathBuf) -> std::result::Result<String, String> {
    read_text(&directory.join(file), LARGEST_BESIDE, "a file named there", HINT).map_err(|problem| problem.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> std::result::Result<Vec<String>, String> {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("key"), "hush\n").expect("a file");
        let path = directory.path().join("connections.toml");
        std::fs::write(&path, text).expect("a file");
        let connections = connections(Some(&path)).map_err(|problem| problem.to_string())?;
        Ok(connections.names().map(str::to_owned).collect())
    }

    #[test]
    fn connections_are_read_from_toml_and_json() {
        let toml = r#"
            [connections.stripe]
            endpoints = ["https://api.stripe.com/v1/*"]
            basic = { username = { file = "key" }, password = "" }
            headers = { "Stripe-Version" = "2024-06-20" }
            [connections.crm]
            endpoints = ["https://crm.example.com"]
            oauth = { endpoint = "https://login.example.com/token", client_id = "me", client_secret = { file = "key" } }
        "#;
        assert_eq!(read(toml), Ok(vec!["crm".to_owned(), "stripe".to_owned()]));
        assert_eq!(
            read(r#"{"connections": {"a": {"endpoints": ["https://a.example.com"]}}}"#),
            Ok(vec!["a".to_owned()])
        );
        assert_eq!(connections(None).expect("none").names().count(), 0);
    }

    #[test]
    fn mistakes_are_told_without_secrets() {
        for (text, word) in [
            ("[connections.a]\nendpoints = 1", "at line 2"),
            ("[connections.a]\nendpoint = []", "endpoint"),
            (
                "[connections.a]\nendpoints = [\"https://a.b\"]\nheaders = { k = { env = \"SANDSTEP_NO_SUCH\" } }",
                "SANDSTEP_NO_SUCH",
            ),
            (
                "[connections.a]\nendpoints = [\"https://a.b\"]\nquery = { k = { file = \"nowhere\" } }",
                "nowhere",
            ),
            ("certificates = \"nowhere.pem\"", "nowhere.pem"),
            (
                "[connections.a]\nendpoints = [\"https://a.b\"]\napi_key = { name = \"k\", value = 5 }",
                "at line",
            ),
        ] {
            let error = read(text).expect_err("a mistake");
            assert!(error.contains(word), "{text}: {error}");
        }
        for text in [
            "[connections.a]\nquery = { k = \"hush\" } }",
            "[connections.a]\nendpoints = [\"https://a.b\"]\nbasic = \"hush\"",
            r#"{"connections": {"a": {"endpoints": ["https://a.b"], "basic": "hush"}}}"#,
        ] {
            let error = read(text).expect_err("a mistake");
            assert!(!error.contains("hush"), "{error}");
        }
    }
}

//! `--policy`: what manifests of modules may ask for.

use std::path::Path;

use server::http_task::Written;
use server::modules::{Elsewhere, Policy};

use crate::config::{private_text, read_text, without_texts};
use crate::manifest::in_file;
use crate::problem::Result;

/// Room for some thousand rules; whatever is larger is another file.
const LARGEST_FILE: u64 = 1 << 20;
/// Longest secret in a file of its own.
const LARGEST_SECRET: u64 = 64 << 10;
const HINT: &str = "--policy takes a TOML file; docs/modules.md shows one";

/// Reads the file, and the secrets it says are elsewhere. Paths of those begin where it is.
pub fn policy(file: Option<&Path>) -> Result<Policy> {
    let Some(path) = file else {
        return Ok(Policy::default());
    };
    let text = read_text(path, LARGEST_FILE, "a policy", HINT)?;
    let directory = path.parent().map(Path::to_owned).unwrap_or_default();
    let look_up = |elsewhere: Elsewhere<'_>| match elsewhere {
        Elsewhere::Certificates(file) => read_text(&directory.join(file), LARGEST_FILE, "a file of certificates", HINT)
            .map_err(|problem| problem.to_string()),
        Elsewhere::Secret(Written::Text(text)) => Ok(text.clone()),
        Elsewhere::Secret(Written::Env { env }) => {
            std::env::var(env).map_err(|_| format!("the environment has no variable `{env}`, or no text in it"))
        }
        Elsewhere::Secret(Written::File { file }) => {
            private_text(&directory.join(file), LARGEST_SECRET, "a secret", HINT)
                .map(|text| text.trim().to_owned())
                .map_err(|problem| problem.to_string())
        }
    };
    Policy::read(&text, look_up).map_err(|mut mistake| {
        // It may quote a secret that stands in a wrong place.
        mistake.message = without_texts(&mistake.message);
        in_file(path, &mistake)
    })
}

/// Reads the policy again whenever the process is told to. What can't be used changes nothing.
#[cfg(unix)]
pub fn reload_on_hangup(file: Option<&Path>, in_force: &server::modules::PolicyInForce) -> Result<()> {
    use crate::problem::Problem;
    use tokio::signal::unix::{SignalKind, signal};
    let Some(file) = file.map(Path::to_owned) else {
        return Ok(());
    };
    let in_force = in_force.clone();
    let mut hangups = signal(SignalKind::hangup()).map_err(|error| {
        Problem::refused(
            format!("can't listen to signals: {error}"),
            "raise the limit of open files (`ulimit -n`)",
        )
    })?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            let (file, in_force) = (file.clone(), in_force.clone());
            let read = move || match policy(Some(&file)) {
                Ok(policy) => {
                    in_force.exchange(policy);
                    tracing::info!("policy read again");
                }
                Err(problem) => {
                    tracing::error!(%problem, hint = problem.hint(), "policy not replaced, the one before stays in force");
                }
            };
            // A panic was told of by itself.
            let _ = tokio::task::spawn_blocking(read).await;
        }
    });
    Ok(())
}

/// There is no such signal.
#[cfg(not(unix))]
pub fn reload_on_hangup(_file: Option<&Path>, _in_force: &server::modules::PolicyInForce) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> std::result::Result<Vec<String>, String> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("policy.toml");
        std::fs::write(&path, text).expect("written");
        let key = directory.path().join("key");
        std::fs::write(&key, "hush\n").expect("written");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("changed");
        }
        let policy = policy(Some(&path)).map_err(|problem| problem.to_string())?;
        Ok(policy.secrets().map(str::to_owned).collect())
    }

    #[test]
    fn secrets_come_from_where_the_policy_says() {
        assert_eq!(
            read("[secrets]\na = { file = \"key\" }\nb = \"quiet\""),
            Ok(vec!["a".into(), "b".into()])
        );
        assert_eq!(policy(None).expect("nothing").secrets().count(), 0);
    }

    #[test]
    fn mistakes_have_their_place_and_show_no_secret() {
        for (text, words) in [
            (
                "[[allow]]\nmodules = [\"a\"]\nfiles = []",
                ":3:1: unknown field `files`",
            ),
            ("[secrets]\na = { env = \"SANDSTEP_NO_SUCH\" }", "SANDSTEP_NO_SUCH"),
            ("certificates = \"nowhere.pem\"", "nowhere.pem"),
            ("secrets = \"hush\"", ":1:11:"),
            ("[limits]\nmemory = \"hush\"", ":2:10:"),
        ] {
            let problem = read(text).expect_err(text);
            assert!(problem.contains(words), "{text}: {problem}");
        }
        assert!(!read("secrets = \"hush\"").expect_err("no table").contains("hush"));
    }
}

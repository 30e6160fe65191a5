//! `module.toml`: what a module asks for, found beside its component.

mod settings;

use std::path::{Path, PathBuf};

use self::settings::with;
use crate::config::{modules_in, read_text};
use crate::problem::{Problem, Result};

const HINT: &str = "a manifest is a TOML file of at most 16 KiB; docs/modules.md shows one";

/// The manifest of a component: the file that was named, else `NAME.toml` beside `NAME.wasm`, else `module.toml` where
/// the component is the only one in its directory, or in the directory of a project; and what was `set` beside it. The text
/// is checked here, so that mistakes are shown with the file.
pub fn manifest(component: &Path, named: Option<&Path>, set: &[String]) -> Result<String> {
    let mut text = String::new();
    if let Some(file) = named.map(Path::to_owned).or_else(|| beside(component)) {
        text = read_text(&file, server::modules::MANIFEST_BYTES as u64, "a manifest", HINT)?;
        server::modules::manifest(&text).map_err(|mistake| in_file(&file, &mistake))?;
    }
    for setting in set {
        text = with(&text, setting)?;
    }
    Ok(text)
}

/// A mistake as compilers tell it.
pub fn in_file(file: &Path, mistake: &server::modules::Mistake) -> Problem {
    let server::modules::Mistake { line, column, message } = mistake;
    Problem::usage(
        format!("{}:{line}:{column}: {message}", file.display()),
        "docs/modules.md lists what can be written there",
    )
}

fn beside(component: &Path) -> Option<PathBuf> {
    if component.is_dir() {
        let of_project = component.join("module.toml");
        return of_project.is_file().then_some(of_project);
    }
    let own = component.with_extension("toml");
    if own.is_file() {
        return Some(own);
    }
    let directory = match component.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let shared = directory.join("module.toml");
    let alone = shared.is_file() && modules_in(directory).is_ok_and(|modules| modules.len() <= 1);
    alone.then_some(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_found_beside_its_component() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let geo = file("geo.wasm", "");
        assert_eq!(manifest(&geo, None, &[]).expect("none"), "");
        let shared = file("module.toml", "# shared\n");
        assert_eq!(manifest(&geo, None, &[]).expect("one"), "# shared\n");
        let shop = file("shop.wasm", "");
        assert_eq!(
            manifest(&geo, None, &[]).expect("none"),
            "",
            "it could be that of either"
        );
        file("geo.toml", "# geo\n");
        assert_eq!(manifest(&geo, None, &[]).expect("one"), "# geo\n");
        assert_eq!(
            manifest(&shop, Some(&shared), &[]).expect("the named one"),
            "# shared\n"
        );
        let wrong = file("shop.toml", "[limits]\nmemry = 1\n");
        let problem = manifest(&shop, None, &[]).expect_err("a mistake").to_string();
        assert!(
            problem.contains(&format!("{}:2:1: unknown field `memry`", wrong.display())),
            "{problem}"
        );
    }
}

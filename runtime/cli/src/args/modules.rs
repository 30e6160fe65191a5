//! `sandstep modules`

use std::path::PathBuf;
use std::str::FromStr;

use clap::Subcommand;

/// What to do with modules.
#[derive(Debug, Subcommand)]
pub enum Modules {
    /// List every version of every module
    List,
    /// Show a module
    Describe {
        /// Its name, and a version's number, digest or label where it isn't the newest
        #[arg(value_name = "NAME[@VERSION]")]
        module: ModuleName,
    },
    /// Upload a component or core module as the next version
    Push {
        /// Its name
        name: String,
        /// A .wasm file, or the directory of a project that was built
        #[arg(value_name = "FILE-or-DIR")]
        file: PathBuf,
        /// What it asks for, a TOML file; without it NAME.toml beside NAME.wasm, or module.toml where that is the only
        /// component there
        #[arg(long, value_name = "FILE")]
        manifest: Option<PathBuf>,
        /// Asks for this as well, by the keys of a manifest: `limits.memory=128MiB`, `grants.env=TZ`, `restart=fail`; may be
        /// repeated
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Points this label at it
        #[arg(long)]
        label: Option<String>,
        /// Who answers for it; without it FILE.sig beside FILE where there is one
        #[arg(long, value_name = "FILE")]
        signature: Option<PathBuf>,
    },
    /// Make a key to sign modules with, and print the half of it that policies have
    Keygen {
        /// Where to write the private half, which stays with whoever signs
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Sign a module's name, component and manifest, into FILE.sig beside the component
    Sign {
        /// The module's name
        name: String,
        /// A .wasm file, or the directory of a project that was built
        #[arg(value_name = "FILE-or-DIR")]
        file: PathBuf,
        /// The private key, as `keygen` or OpenSSL wrote it
        #[arg(long, value_name = "FILE", required_unless_present = "text")]
        key: Option<PathBuf>,
        /// What it asks for, found as by `push`
        #[arg(long, value_name = "FILE")]
        manifest: Option<PathBuf>,
        /// Asks for this as well, as by `push`
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Where to write the signature
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Print the text to be signed and sign nothing, for keys that are kept elsewhere
        #[arg(long, conflicts_with_all = ["key", "out"])]
        text: bool,
    },
    /// Fetch the component of a version
    Get {
        /// Its name, and a version's number, digest or label where it isn't the newest
        #[arg(value_name = "NAME[@VERSION]")]
        module: ModuleName,
        /// Where to write it; standard output when absent
        #[arg(value_name = "FILE", default_value = "-", hide_default_value = true)]
        file: PathBuf,
        /// What was uploaded, where that was a core module: the component made of it otherwise
        #[arg(long)]
        uploaded: bool,
    },
    /// Compile a version for another machine, into a file that `import-compiled` takes there
    Compile {
        /// Its name, and a version's number, digest or label where it isn't the newest
        #[arg(value_name = "NAME[@VERSION]")]
        module: ModuleName,
        /// Where to write it
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The machine: a target triple such as aarch64-unknown-linux-gnu
        #[arg(long)]
        target: String,
    },
    /// Take a file of `compile` into this machine's data directory, so that its component isn't compiled here; the file is
    /// native code and must be trusted like this program
    ImportCompiled {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The server's data directory; found as `serve` finds it
        #[arg(long, value_name = "DIR", env = "SANDSTEP_DATA", hide_env = true)]
        data: Option<PathBuf>,
    },
    /// Point a label at a version, or list a module's labels
    Label {
        /// The module's name
        name: String,
        /// The label, such as `prod`; lists those there are when absent
        #[arg(requires = "version")]
        label: Option<String>,
        /// A version's number, or another label to point at the same version
        version: Option<String>,
        /// Only where the label points at this version now
        #[arg(long, value_name = "VERSION", conflicts_with = "new", requires = "label")]
        from: Option<u32>,
        /// Only where there is no such label yet
        #[arg(long, requires = "label")]
        new: bool,
    },
    /// Delete a label that no state machine names
    Unlabel {
        /// The module's name
        name: String,
        /// The label
        label: String,
        /// Also when state machines name it
        #[arg(long)]
        force: bool,
    },
    /// Show all that a module can touch
    Reach {
        /// Its name, and a version's number, digest or label where it isn't the newest
        #[arg(value_name = "NAME[@VERSION]")]
        module: ModuleName,
    },
    /// Delete a module no state machine uses and no label points at, or one version of it
    Delete {
        /// Its name, and a version's number where the others are to stay
        #[arg(value_name = "NAME[@NUMBER]")]
        module: ModuleName,
        /// Also when state machines use it or labels point at it
        #[arg(long)]
        force: bool,
    },
}

/// A module, and which of its versions: `NAME` or `NAME@VERSION`, as a `Resource` has it behind `wasm:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleName {
    /// Its name.
    pub name: String,
    /// Number, digest or label; the newest version when absent.
    pub version: Option<String>,
}

impl FromStr for ModuleName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix("wasm:").unwrap_or(text);
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        if name.is_empty() || version == Some("") {
            return Err("modules are named NAME, or NAME@VERSION with a number, a digest or a label".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            version: version.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_named_as_in_resources() {
        let named = |name: &str, version: Option<&str>| {
            Ok(ModuleName {
                name: name.to_owned(),
                version: version.map(str::to_owned),
            })
        };
        assert_eq!("pay".parse(), named("pay", None));
        assert_eq!("wasm:pay@prod".parse(), named("pay", Some("prod")));
        assert_eq!("pay@sha256:ab".parse(), named("pay", Some("sha256:ab")));
        for wrong in ["", "@3", "pay@", "wasm:"] {
            assert!(wrong.parse::<ModuleName>().is_err(), "`{wrong}`");
        }
    }
}

//! `sandstep new`

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

/// `sandstep new`
#[derive(Debug, ClapArgs)]
pub struct New {
    /// Language to write the task in
    #[arg(long, short, value_enum, value_name = "LANGUAGE")]
    pub lang: Language,
    /// Directory to make; its last part is the task's name
    #[arg(value_name = "NAME")]
    pub directory: PathBuf,
}

/// A language there is an SDK for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Built by cargo
    Rust,
    /// Built by npm, run by QuickJS
    #[value(alias = "js")]
    Javascript,
    /// The same, checked by tsc
    #[value(alias = "ts")]
    Typescript,
    /// Built by make and Go alone
    #[value(alias = "golang")]
    Go,
    /// Built by make and clang or zig
    C,
    /// Built by make and componentize-py, run by CPython
    #[value(alias = "py")]
    Python,
    /// Built by npm, compiled ahead of time
    #[value(alias = "as")]
    Assemblyscript,
}

impl Language {
    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Language::Rust => "Rust",
            Language::Javascript => "JavaScript",
            Language::Typescript => "TypeScript",
            Language::Go => "Go",
            Language::C => "C",
            Language::Python => "Python",
            Language::Assemblyscript => "AssemblyScript",
        }
    }

    /// The file to look at first.
    pub fn source(self) -> &'static str {
        match self {
            Language::Rust => "src/lib.rs",
            Language::Javascript => "src/task.js",
            Language::Typescript => "src/task.ts",
            Language::Go => "main.go",
            Language::C => "task.c",
            Language::Python => "app.py",
            Language::Assemblyscript => "assembly/task.ts",
        }
    }

    /// The one command that builds a new project, in its directory.
    pub fn build(self) -> &'static str {
        match self {
            Language::Rust => "cargo wasm",
            Language::Javascript | Language::Typescript | Language::Assemblyscript => "npm run build",
            Language::Go | Language::C | Language::Python => "make",
        }
    }
}

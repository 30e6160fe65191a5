//! `docs/configuration.md`, written from what the commands say of themselves.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, ArgAction, Command, CommandFactory as _};

use super::Args;

/// Set to write the page anew in place of holding it against the code.
const UPDATE: &str = "SANDSTEP_UPDATE_DOCS";

/// What stands before everything else.
const OPENING: &str = "\
# Configuration

Everything is set on the command line or in the environment; an option that is typed wins over its variable. There is no
configuration file of the server itself: a unit of systemd, a container's command or a script says it all. Some options
name files with more in them:

| file | given with | described in |
|---|---|---|
| bounds on payloads, histories and definitions | `--limits FILE` | [limits.md](limits.md) |
| what HTTP tasks may call | `--connections FILE` | [http-tasks.md](http-tasks.md) |
| keys, tokens and what they may do | `--credentials FILE` | [security.md](security.md) |

How a server is looked after is in [operations.md](operations.md).

<!-- From here on this page is written by `SANDSTEP_UPDATE_DOCS=1 cargo test -p sandstep reference`. -->
";

fn page() -> String {
    let mut command = Args::command();
    command.build();
    let mut page = OPENING.to_owned();
    section(&mut page, "Options of every command");
    let common: Vec<&Arg> = shown(&command).filter(|arg| arg.is_global_set()).collect();
    table(&mut page, &common);
    for sub in command.get_subcommands() {
        describe(&mut page, sub, "sandstep");
    }
    section(&mut page, "Exit status and environment");
    let closing = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(page, "\n```text\n{}\n```", closing.trim_end());
    page
}

fn section(page: &mut String, title: &str) {
    let _ = writeln!(page, "\n## {title}");
}

fn describe(page: &mut String, command: &Command, above: &str) {
    if command.is_hide_set() {
        return;
    }
    let name = format!("{above} {}", command.get_name());
    let own: Vec<&Arg> = shown(command).filter(|arg| !arg.is_global_set()).collect();
    section(page, &format!("`{name}`"));
    let about = command.get_long_about().or(command.get_about());
    let _ = writeln!(page, "\n{}.", text(about.map(ToString::to_string)));
    if !own.is_empty() {
        table(page, &own);
    }
    for sub in command.get_subcommands() {
        describe(page, sub, &name);
    }
}

fn shown(command: &Command) -> impl Iterator<Item = &Arg> {
    let said_by_itself = |arg: &&Arg| matches!(arg.get_id().as_str(), "help" | "version") || arg.is_hide_set();
    command.get_arguments().filter(move |arg| !said_by_itself(arg))
}

fn table(page: &mut String, args: &[&Arg]) {
    let _ = writeln!(
        page,
        "\n| what is typed | what it does | default | environment |\n|---|---|---|---|"
    );
    for arg in args {
        let help = text(arg.get_long_help().or(arg.get_help()).map(ToString::to_string));
        let defaults: Vec<String> = arg
            .get_default_values()
            .iter()
            .filter(|_| takes_value(arg))
            .map(|value| format!("`{}`", value.to_string_lossy()))
            .collect();
        let env = arg.get_env().map(|name| format!("`{}`", name.to_string_lossy()));
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} |",
            cell(&spelling(arg)),
            cell(&(help + &choices(arg))),
            cell(&defaults.join(" ")),
            cell(&env.unwrap_or_default())
        );
    }
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

/// As it is typed.
fn spelling(arg: &Arg) -> String {
    let value = if takes_value(arg) {
        let names: Vec<String> = arg
            .get_value_names()
            .map(|names| names.iter().map(ToString::to_string).collect())
            .unwrap_or_default();
        names.join(" ")
    } else {
        String::new()
    };
    let Some(long) = arg.get_long() else {
        return format!(
            "`{}`",
            if value.is_empty() {
                arg.get_id().to_string()
            } else {
                value
            }
        );
    };
    let spaced = if value.is_empty() { value } else { format!(" {value}") };
    match arg.get_short() {
        Some(short) => format!("`-{short}`, `--{long}{spaced}`"),
        None => format!("`--{long}{spaced}`"),
    }
}

/// The words it takes, where they are few.
fn choices(arg: &Arg) -> String {
    let values = arg.get_possible_values();
    let words: Vec<String> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
    if words.is_empty() || !takes_value(arg) {
        return String::new();
    }
    format!(": {}", words.join(", "))
}

/// One line of it: paragraphs become sentences.
fn text(words: Option<String>) -> String {
    let words = words.unwrap_or_default();
    let paragraphs = words.split("\n\n");
    let lines: Vec<String> = paragraphs
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .map(|line| line.trim_end_matches('.').to_owned())
        .collect();
    lines.join(". ")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[test]
fn the_configuration_reference_is_what_the_commands_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let wanted = page();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&file, &wanted).expect("the page can be written");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    let line = found
        .lines()
        .zip(wanted.lines())
        .position(|(found, wanted)| found != wanted);
    assert!(
        found == wanted,
        "docs/configuration.md isn't what the commands say (line {:?}); write it anew with \
         `{UPDATE}=1 cargo test -p sandstep reference`",
        line.map(|line| line + 1)
    );
}

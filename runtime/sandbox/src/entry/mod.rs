//! How a component is called, found from what it exports.
//!
//! Each way is a file of its own and a variant of [`Way`]; the rest of the sandbox sees only [`Entries`], which knows
//! them by name, and [`Way::call`].

mod command;
mod describe;
mod find;
mod function;
mod http;
mod task;

use wasmtime::Store;
use wasmtime::component::Instance;

use crate::attempt::Guest;
use crate::guest_output::cut;

pub(crate) use task::HANDLER;

/// What a guest answered, whatever its entry.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A text that should be JSON.
    Output(String),
    /// A failure of its own.
    Failure {
        /// Name.
        error: String,
        /// Text.
        cause: String,
    },
    /// A failure of the call itself, in the sandbox's own words.
    Refused {
        /// One of the sandbox's names.
        error: &'static str,
        /// Text.
        cause: String,
    },
}

/// Why a component can't be called.
#[derive(Debug)]
pub(crate) enum NoEntry {
    /// It exports nothing we know how to call. Says why of each function that is there.
    Missing(Vec<String>),
    /// It exports the right name with another type.
    WrongType(String),
}

/// What a component has under a name.
#[derive(Debug)]
pub(crate) enum Way {
    /// The `sandstep:task` world.
    Task(task::TaskEntry),
    /// A function of any type.
    Function(function::FunctionEntry),
    /// A program.
    Command(command::CommandEntry),
    /// A handler of HTTP requests.
    Http(http::HttpEntry),
    /// A function that can't be called, and why.
    Refused(String),
}

/// Everything in a component that can be called, by name.
#[derive(Debug)]
pub(crate) struct Entries {
    ways: Vec<(String, Way)>,
    default: Option<usize>,
}

/// What a call may take up on the host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Bytes of the answer's text.
    pub(crate) output: usize,
    /// Bytes of the arguments while they are neither JSON nor in the guest's memory.
    pub(crate) values: usize,
}

impl Entries {
    /// The name of what is called where nobody names anything; empty where there is no such thing.
    pub(crate) fn default_name(&self) -> &str {
        self.default.map_or("", |index| &self.ways[index].0)
    }

    /// What a task calls: the function it names, or the default.
    ///
    /// Names may be short, as long as one thing only is meant: without an interface's version, or without the
    /// interface.
    ///
    /// # Errors
    /// A text for whoever named it.
    pub(crate) fn way(&self, function: Option<&str>) -> Result<&Way, String> {
        let Some(name) = function else {
            let default = self.default.map(|index| &self.ways[index].1);
            return default.ok_or_else(|| {
                format!(
                    "the module has several functions and none is the default; name one of {}",
                    self.listed()
                )
            });
        };
        for reading in [exactly, without_version, without_interface, without_function] {
            let mut found = self.ways.iter().filter(|(known, _)| reading(known, name));
            match (found.next(), found.next()) {
                (Some((_, way)), None) => return Ok(way),
                (Some((one, _)), Some((other, _))) => {
                    let name = cut(name, NAME_BYTES);
                    return Err(format!("`{name}` may mean `{one}` or `{other}`; write which"));
                }
                (None, _) => {}
            }
        }
        let name = cut(name, NAME_BYTES);
        Err(format!(
            "the module exports no function `{name}`; name one of {}",
            self.listed()
        ))
    }

    fn listed(&self) -> String {
        let callable = self.ways.iter().filter(|(_, way)| !matches!(way, Way::Refused(_)));
        let mut names: Vec<String> = callable.map(|(name, _)| format!("`{name}`")).collect();
        if names.len() > NAMES_LISTED {
            let more = names.len() - NAMES_LISTED;
            names.truncate(NAMES_LISTED);
            return format!("{} and {more} more", names.join(", "));
        }
        names.join(", ")
    }
}

/// Bytes that any guest may hand the host in one call, however little it may answer: a piece of a request's body, a log
/// line.
pub(crate) const HOST_CALL_BYTES: usize = 128 << 10;

/// Names listed in one message.
const NAMES_LISTED: usize = 20;

/// Bytes of a wrong name quoted in a message.
const NAME_BYTES: usize = 200;

fn exactly(known: &str, name: &str) -> bool {
    known == name
}

fn without_version(known: &str, name: &str) -> bool {
    unversioned(known) == unversioned(name)
}

fn without_interface(known: &str, name: &str) -> bool {
    known.rsplit_once('.').is_some_and(|(_, function)| function == name)
}

/// For interfaces with one function.
fn without_function(known: &str, name: &str) -> bool {
    let known = unversioned(known);
    let interface = known.rsplit_once('.').map(|(interface, _)| interface);
    interface.is_some_and(|interface| interface == unversioned(name))
}

/// `acme:shop/pricing.quote` of `acme:shop/pricing@1.2.0.quote`, and `acme:shop/pricing` of `acme:shop/pricing@1.2.0`.
fn unversioned(name: &str) -> std::borrow::Cow<'_, str> {
    let Some((interface, rest)) = name.split_once('@') else {
        return name.into();
    };
    // A version has digits behind its last point, a function's name begins with a letter.
    match rest.rsplit_once('.') {
        Some((_, function)) if function.starts_with(|first: char| first.is_ascii_alphabetic()) => {
            format!("{interface}.{function}").into()
        }
        _ => interface.into(),
    }
}

impl Way {
    /// Calls the guest with a JSON text.
    pub(crate) async fn call(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
        input: &str,
        room: Room,
    ) -> wasmtime::Result<Answer> {
        match self {
            Way::Task(entry) => entry.call(store, instance, input).await,
            Way::Function(entry) => entry.call(store, instance, input, room).await,
            Way::Command(entry) => entry.call(store, instance).await,
            Way::Http(entry) => entry.call(store, instance, input, room).await,
            Way::Refused(why) => Ok(Answer::Refused {
                error: crate::outcome::FUNCTION_NOT_FOUND,
                cause: format!("the function can't be called with JSON: {why}"),
            }),
        }
    }

    /// Whether the guest reads its input from standard input and answers on standard output.
    pub(crate) fn speaks_on_streams(&self) -> bool {
        matches!(self, Way::Command(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(names: &[&str]) -> Entries {
        let ways = names
            .iter()
            .map(|name| ((*name).to_owned(), Way::Refused((*name).to_owned())));
        Entries {
            ways: ways.collect(),
            default: None,
        }
    }

    #[test]
    fn names_may_be_short_while_one_thing_is_meant() {
        let entries = entries(&[
            "quote",
            "acme:shop/pricing@1.2.0.quote",
            "acme:shop/pricing@1.2.0.round-up",
            "acme:shop/stock.round-down",
            "acme:geo/earth@1.0.0-rc.1.area",
            "acme:geo/moon@2.0.0.area",
            "wasi:cli/run@0.2.3.run",
        ]);
        let found = |name: &str| match entries.way(Some(name)) {
            Ok(Way::Refused(name)) => name.clone(),
            other => format!("{other:?}"),
        };
        for (name, meant) in [
            ("quote", "quote"),
            ("acme:shop/pricing.quote", "acme:shop/pricing@1.2.0.quote"),
            ("acme:shop/pricing@1.2.0.quote", "acme:shop/pricing@1.2.0.quote"),
            ("round-up", "acme:shop/pricing@1.2.0.round-up"),
            ("acme:shop/stock", "acme:shop/stock.round-down"),
            ("acme:geo/earth.area", "acme:geo/earth@1.0.0-rc.1.area"),
            ("wasi:cli/run", "wasi:cli/run@0.2.3.run"),
            ("wasi:cli/run.run", "wasi:cli/run@0.2.3.run"),
        ] {
            assert_eq!(found(name), meant, "{name}");
        }
        for (name, why) in [
            ("area", "may mean"),
            ("acme:shop/pricing", "may mean"),
            ("cost", "exports no function `cost`"),
            ("", "exports no function"),
            ("@", "exports no function"),
        ] {
            assert!(entries.way(Some(name)).expect_err(name).contains(why), "{name}");
        }
        assert!(entries.way(None).expect_err("no default").contains("several"));
    }
}

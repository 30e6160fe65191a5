//! A program: `wasi:cli/run`. The input is on standard input and, while it is small, in a variable; standard output is
//! the output; the exit code and standard error make the failure.

use serde::Deserialize;
use wasmtime::Store;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, Instance};
use wasmtime_wasi::I32Exit;

use super::Answer;
use crate::attempt::Guest;
use crate::outcome;

/// Any 0.2 is found by this name.
const INTERFACE: &str = "wasi:cli/run@0.2.0";

/// Where `run` is.
#[derive(Debug)]
pub(crate) struct CommandEntry {
    run: ComponentExportIndex,
}

/// What a program may end its standard error with to name its failure.
#[derive(Deserialize)]
struct Named {
    error: String,
    #[serde(default)]
    cause: String,
}

impl CommandEntry {
    /// As module descriptions show it.
    pub(super) const NAME: &str = "wasi:cli/run";

    /// Types as module descriptions show them.
    pub(super) const SIGNATURE: &str = "JSON on standard input, JSON on standard output";

    pub(super) fn find(component: &Component) -> Option<Self> {
        let interface = component.get_export_index(None, INTERFACE)?;
        match component.get_export(Some(&interface), "run")? {
            (ComponentItem::ComponentFunc(function), run) if function.params().len() == 0 => Some(Self { run }),
            _ => None,
        }
    }

    pub(super) async fn call(&self, store: &mut Store<Guest>, instance: &Instance) -> wasmtime::Result<Answer> {
        let run = instance.get_typed_func::<(), (Result<(), ()>,)>(&mut *store, &self.run)?;
        let code = match run.call_async(&mut *store, ()).await {
            Ok((Ok(()),)) => 0,
            Ok((Err(()),)) => 1,
            Err(error) => match error.downcast_ref::<I32Exit>() {
                Some(I32Exit(code)) => *code,
                None => return Err(error),
            },
        };
        if code != 0 {
            return Ok(failure(code, store.data()));
        }
        Ok(match store.data().answered() {
            Ok(text) if text.trim().is_empty() => Answer::Output("null".to_owned()),
            Ok(text) => Answer::Output(text.trim().to_owned()),
            Err(error) => Answer::Refused {
                error: outcome::INVALID_OUTPUT,
                cause: format!("standard output must be JSON in UTF-8: {error}"),
            },
        })
    }
}

/// The failure of a program: in its own words, where the last line of standard error is an object with `error` and
/// `cause`.
fn failure(code: i32, guest: &Guest) -> Answer {
    let tail = guest.attempt().output().stderr_tail();
    let last = tail.as_deref().and_then(|tail| tail.lines().next_back());
    if let Some(Named { error, cause }) = last.and_then(|line| serde_json::from_str(line).ok()) {
        return Answer::Failure { error, cause };
    }
    let exited = format!("the program ended with exit code `{code}`");
    Answer::Refused {
        error: outcome::EXITED,
        cause: match tail {
            Some(tail) => format!("{exited}\nstandard error:\n{tail}"),
            None => exited,
        },
    }
}

//! How a component is called, found from what it exports.
//!
//! Each way is a file of its own and a variant of [`Entry`]; the rest of the sandbox sees only
//! [`Entry::find`] and [`Entry::call`].

mod task;

use wasmtime::Store;
use wasmtime::component::{Component, Instance};

use crate::attempt::Guest;

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
}

/// Why a component can't be called.
#[derive(Debug)]
pub(crate) enum NoEntry {
    /// It exports nothing we know how to call.
    Missing,
    /// It exports the right name with another type.
    WrongType(String),
}

/// A way of calling a component.
#[derive(Debug)]
pub(crate) enum Entry {
    /// The `sandstep:task` world.
    Task(task::TaskEntry),
}

impl Entry {
    /// The entry of a component.
    pub(crate) fn find(component: &Component) -> Result<Self, NoEntry> {
        task::TaskEntry::find(component).map(Entry::Task)
    }

    /// Its name, as module descriptions show it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Entry::Task(_) => task::NAME,
        }
    }

    /// Calls the guest with a JSON text.
    pub(crate) async fn call(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
        input: &str,
    ) -> wasmtime::Result<Answer> {
        match self {
            Entry::Task(entry) => entry.call(store, instance, input).await,
        }
    }
}

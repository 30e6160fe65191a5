//! The `sandstep:task` world: JSON text in, JSON text or a named error out.

use wasmtime::Store;
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};
use wasmtime::component::{Component, ComponentExportIndex, ComponentType, Instance, Lift};

use super::{Answer, NoEntry};
use crate::attempt::Guest;

/// As module descriptions show it.
pub(super) const NAME: &str = "sandstep:task";

/// The exported interface. A guest built for a later 0.1 is found by this name as well.
pub(crate) const HANDLER: &str = "sandstep:task/handler@0.1.0";

const HANDLE: &str = "handle";

/// Mirrors `task-error` of the `types` interface.
#[derive(ComponentType, Lift)]
#[component(record)]
struct TaskError {
    error: String,
    cause: String,
}

type Returned = (Result<String, TaskError>,);

/// Where `handle` is.
#[derive(Debug)]
pub(crate) struct TaskEntry {
    handle: ComponentExportIndex,
}

impl TaskEntry {
    pub(super) fn find(component: &Component) -> Result<Option<Self>, NoEntry> {
        let Some(handler) = component.get_export_index(None, HANDLER) else {
            return Ok(None);
        };
        match component.get_export(Some(&handler), HANDLE) {
            Some((ComponentItem::ComponentFunc(function), handle)) if is_handle(&function) => Ok(Some(Self { handle })),
            Some(_) => Err(NoEntry::WrongType(format!("`{HANDLER}#{HANDLE}`"))),
            None => Ok(None),
        }
    }

    pub(super) async fn call(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
        input: &str,
    ) -> wasmtime::Result<Answer> {
        let handle = instance.get_typed_func::<(&str,), Returned>(&mut *store, &self.handle)?;
        let (answer,) = handle.call_async(store, (input,)).await?;
        Ok(match answer {
            Ok(output) => Answer::Output(output),
            Err(TaskError { error, cause }) => Answer::Failure { error, cause },
        })
    }
}

/// `func(input: string) -> result<string, task-error>`
fn is_handle(function: &ComponentFunc) -> bool {
    let mut parameters = function.params();
    let mut results = function.results();
    matches!((parameters.next(), parameters.next()), (Some((_, Type::String)), None))
        && matches!((results.next(), results.next()), (Some(result), None) if is_result(&result))
        && !function.async_()
}

fn is_result(result: &Type) -> bool {
    let Type::Result(result) = result else { return false };
    let Some(Type::Record(error)) = result.err() else {
        return false;
    };
    let fields = error
        .fields()
        .map(|field| (field.name, matches!(field.ty, Type::String)));
    matches!(result.ok(), Some(Type::String)) && fields.eq([("error", true), ("cause", true)])
}

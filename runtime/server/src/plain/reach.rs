//! What a workflow can touch, state by state.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use engine::ports::Class;
use serde::Serialize;
use serde_json::{Map, Value};

use super::state_machines::definition_of;
use crate::aws::reach::{StateReach, states};
use crate::handle::Handle;
use crate::http::{Place, Problem};

/// What a workflow's tasks can touch.
#[derive(Serialize)]
struct WorkflowReach {
    /// The strongest class of the modules it runs; none where it runs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<Class>,
    states: Vec<StateReach>,
}

fn reach(handle: &Handle, definition: &Value) -> Response {
    let states = states(definition, &handle.inner().modules);
    let class = states.iter().filter_map(StateReach::class).max();
    axum::Json(WorkflowReach { class, states }).into_response()
}

/// Of a machine that is deployed.
pub(super) async fn of_machine(State(handle): State<Handle>, Place(name): Place<String>) -> Result<Response, Problem> {
    let definition = definition_of(&handle, &name).await?;
    Ok(reach(&handle, &definition))
}

/// Of a definition that comes with the request.
pub(super) async fn of_definition(State(handle): State<Handle>, body: axum::body::Bytes) -> Result<Response, Problem> {
    match serde_json::from_slice::<Map<String, Value>>(&body) {
        Ok(definition) => Ok(reach(&handle, &Value::Object(definition))),
        Err(error) => Err(Problem::new(
            400,
            "InvalidDefinition",
            format!("the definition is no JSON object: {error}"),
            "send a state machine's definition as the body",
        )),
    }
}

//! The API's operations, a verb a file.

mod activity;
mod alias;
mod configuration;
mod create_state_machine;
mod create_state_machine_alias;
mod delete_state_machine;
mod delete_state_machine_alias;
mod delete_state_machine_version;
mod describe_execution;
mod describe_map_run;
mod describe_state_machine;
mod describe_state_machine_alias;
mod describe_state_machine_for_execution;
pub(crate) mod execution;
mod get_execution_history;
mod list_executions;
mod list_map_runs;
mod list_state_machine_aliases;
mod list_state_machine_versions;
mod list_state_machines;
mod list_tags_for_resource;
mod map_runs;
mod publish_state_machine_version;
mod redrive_execution;
mod routing;
mod start_execution;
mod start_sync_execution;
mod stop_execution;
mod tag_resource;
mod tags;
mod task_token;
mod test_state;
mod untag_resource;
mod update_map_run;
mod update_state_machine;
mod update_state_machine_alias;
mod validate_state_machine_definition;

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::errors::{Answer, ApiError};
use super::wire;
use crate::handle::Handle;

/// Does one operation: JSON in, JSON out.
///
/// # Errors
/// The operation's errors; `UnknownOperationException` for one this server doesn't have.
pub async fn call(handle: &Handle, operation: &str, body: &[u8]) -> Answer<Vec<u8>> {
    match operation {
        "StartExecution" => answer(body, |asked| start_execution::call(handle, asked)).await,
        "StartSyncExecution" => answer(body, |asked| start_sync_execution::call(handle, asked)).await,
        "DescribeExecution" => answer(body, |asked| describe_execution::call(handle, asked)).await,
        "GetExecutionHistory" => get_execution_history::call(handle, wire::read(body)?).await,
        "ListExecutions" => answer(body, |asked| list_executions::call(handle, asked)).await,
        "DescribeMapRun" => answer(body, |asked| describe_map_run::call(handle, asked)).await,
        "ListMapRuns" => answer(body, |asked| list_map_runs::call(handle, asked)).await,
        "UpdateMapRun" => answer(body, |asked| update_map_run::call(handle, asked)).await,
        "RedriveExecution" => answer(body, |asked| redrive_execution::call(handle, asked)).await,
        "StopExecution" => answer(body, |asked| stop_execution::call(handle, asked)).await,
        "CreateStateMachine" => answer(body, |asked| create_state_machine::call(handle, asked)).await,
        "UpdateStateMachine" => answer(body, |asked| update_state_machine::call(handle, asked)).await,
        "DescribeStateMachine" => answer(body, |asked| describe_state_machine::call(handle, asked)).await,
        "DescribeStateMachineForExecution" => {
            answer(body, |asked| describe_state_machine_for_execution::call(handle, asked)).await
        }
        "ListStateMachines" => answer(body, |asked| list_state_machines::call(handle, asked)).await,
        "DeleteStateMachine" => answer(body, |asked| delete_state_machine::call(handle, asked)).await,
        "TestState" => answer(body, |asked| test_state::call(handle, asked)).await,
        "ValidateStateMachineDefinition" => {
            answer(body, |asked| validate_state_machine_definition::call(handle, asked)).await
        }
        "PublishStateMachineVersion" => answer(body, |asked| publish_state_machine_version::call(handle, asked)).await,
        "DeleteStateMachineVersion" => answer(body, |asked| delete_state_machine_version::call(handle, asked)).await,
        "ListStateMachineVersions" => answer(body, |asked| list_state_machine_versions::call(handle, asked)).await,
        "CreateStateMachineAlias" => answer(body, |asked| create_state_machine_alias::call(handle, asked)).await,
        "UpdateStateMachineAlias" => answer(body, |asked| update_state_machine_alias::call(handle, asked)).await,
        "DescribeStateMachineAlias" => answer(body, |asked| describe_state_machine_alias::call(handle, asked)).await,
        "DeleteStateMachineAlias" => answer(body, |asked| delete_state_machine_alias::call(handle, asked)).await,
        "ListStateMachineAliases" => answer(body, |asked| list_state_machine_aliases::call(handle, asked)).await,
        "TagResource" => answer(body, |asked| tag_resource::call(handle, asked)).await,
        "UntagResource" => answer(body, |asked| untag_resource::call(handle, asked)).await,
        "ListTagsForResource" => answer(body, |asked| list_tags_for_resource::call(handle, asked)).await,
        "CreateActivity" => answer(body, |asked| activity::create(handle, asked)).await,
        "DescribeActivity" => answer(body, |asked| activity::describe(handle, asked)).await,
        "DeleteActivity" => answer(body, |asked| activity::delete(handle, asked)).await,
        "ListActivities" => answer(body, |asked| activity::list(handle, asked)).await,
        "GetActivityTask" => answer(body, |asked| task_token::get_activity_task(handle, asked)).await,
        "SendTaskSuccess" => answer(body, |asked| task_token::success(handle, asked)).await,
        "SendTaskFailure" => answer(body, |asked| task_token::failure(handle, asked)).await,
        "SendTaskHeartbeat" => answer(body, |asked| task_token::heartbeat(handle, asked)).await,
        unknown => Err(ApiError::unknown_operation(format!(
            "the operation `{}` is not one of this server's; it has {}",
            unknown.chars().take(OPERATION_LENGTH).collect::<String>(),
            OPERATIONS.join(", ")
        ))),
    }
}

/// Longest operation name repeated in an error, in characters.
const OPERATION_LENGTH: usize = 128;
/// What [`call`] takes.
pub(crate) const OPERATIONS: &[&str] = &[
    "CreateActivity",
    "CreateStateMachine",
    "CreateStateMachineAlias",
    "DeleteActivity",
    "DeleteStateMachine",
    "DeleteStateMachineAlias",
    "DeleteStateMachineVersion",
    "DescribeActivity",
    "DescribeExecution",
    "DescribeMapRun",
    "DescribeStateMachine",
    "DescribeStateMachineAlias",
    "DescribeStateMachineForExecution",
    "GetActivityTask",
    "GetExecutionHistory",
    "ListActivities",
    "ListExecutions",
    "ListMapRuns",
    "ListStateMachineAliases",
    "ListStateMachineVersions",
    "ListStateMachines",
    "ListTagsForResource",
    "PublishStateMachineVersion",
    "RedriveExecution",
    "SendTaskFailure",
    "SendTaskHeartbeat",
    "SendTaskSuccess",
    "StartExecution",
    "StartSyncExecution",
    "StopExecution",
    "TagResource",
    "TestState",
    "UntagResource",
    "UpdateMapRun",
    "UpdateStateMachine",
    "UpdateStateMachineAlias",
    "ValidateStateMachineDefinition",
];

async fn answer<Q, A, F>(body: &[u8], operation: impl FnOnce(Q) -> F) -> Answer<Vec<u8>>
where
    Q: DeserializeOwned,
    A: Serialize,
    F: Future<Output = Answer<A>>,
{
    wire::write(&operation(wire::read(body)?).await?)
}

/// The operations of the service's model, of which not all need be here.
#[cfg(test)]
pub(crate) const MODEL: &[&str] = &[
    "CreateActivity",
    "CreateStateMachine",
    "CreateStateMachineAlias",
    "DeleteActivity",
    "DeleteStateMachine",
    "DeleteStateMachineAlias",
    "DeleteStateMachineVersion",
    "DescribeActivity",
    "DescribeExecution",
    "DescribeMapRun",
    "DescribeStateMachine",
    "DescribeStateMachineAlias",
    "DescribeStateMachineForExecution",
    "GetActivityTask",
    "GetExecutionHistory",
    "ListActivities",
    "ListExecutions",
    "ListMapRuns",
    "ListStateMachineAliases",
    "ListStateMachineVersions",
    "ListStateMachines",
    "ListTagsForResource",
    "PublishStateMachineVersion",
    "RedriveExecution",
    "SendTaskFailure",
    "SendTaskHeartbeat",
    "SendTaskSuccess",
    "StartExecution",
    "StartSyncExecution",
    "StopExecution",
    "TagResource",
    "TestState",
    "UntagResource",
    "UpdateMapRun",
    "UpdateStateMachine",
    "UpdateStateMachineAlias",
    "ValidateStateMachineDefinition",
];

//! What an expression may read: the state's input, the context object and the variables in sight.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::payload::Payload;
use crate::timestamp::Timestamp;

/// The execution's part of the context object, the same for every state.
#[derive(Debug, Clone)]
pub struct ExecutionContext {
    /// `$$.Execution.Id`.
    pub id: String,
    /// `$$.Execution.Name`.
    pub name: String,
    /// `$$.Execution.RoleArn`.
    pub role: Option<String>,
    /// `$$.Execution.Input`.
    pub input: Payload,
    /// `$$.Execution.StartTime`.
    pub started: Timestamp,
    /// `$$.StateMachine.Id`.
    pub machine_id: String,
    /// `$$.StateMachine.Name`.
    pub machine_name: String,
}

/// The state's part of the context object.
#[derive(Debug, Clone)]
pub struct StateContext<'a> {
    /// `$$.State.Name`.
    pub name: &'a str,
    /// `$$.State.EnteredTime`.
    pub entered: Timestamp,
    /// `$$.State.RetryCount`, of states that can be retried.
    pub retry_count: Option<u32>,
    /// `$$.Map.Item` of the innermost iteration.
    pub item: Option<(u32, &'a Value)>,
    /// `$$.Task.Token`.
    pub task_token: Option<&'a str>,
}

/// Everything one evaluation may read. The context object is built only when an expression asks.
pub struct Bindings<'a> {
    /// `$`.
    pub input: &'a Value,
    execution: &'a ExecutionContext,
    state: StateContext<'a>,
    variables: &'a BTreeMap<String, Payload>,
    context: OnceCell<Value>,
}

impl<'a> Bindings<'a> {
    /// Binds `input` as `$`.
    pub fn new(
        input: &'a Value,
        execution: &'a ExecutionContext,
        state: StateContext<'a>,
        variables: &'a BTreeMap<String, Payload>,
    ) -> Self {
        Self {
            input,
            execution,
            state,
            variables,
            context: OnceCell::new(),
        }
    }

    /// The same with another `$`.
    pub fn with_input<'b>(&'b self, input: &'b Value) -> Bindings<'b>
    where
        'a: 'b,
    {
        Bindings::new(input, self.execution, self.state.clone(), self.variables)
    }

    /// The same within a Map state's iteration, as its ItemSelector sees it.
    pub fn with_item<'b>(&'b self, index: u32, value: &'b Value) -> Bindings<'b>
    where
        'a: 'b,
    {
        let state = StateContext {
            item: Some((index, value)),
            ..self.state.clone()
        };
        Bindings::new(self.input, self.execution, state, self.variables)
    }

    /// The value of a variable.
    pub fn variable(&self, name: &str) -> Option<&Value> {
        self.variables.get(name).map(Payload::value)
    }

    /// The context object, keys in AWS's order.
    pub fn context(&self) -> &Value {
        self.context.get_or_init(|| {
            let mut execution = json!({
                "Id": self.execution.id,
                "Input": self.execution.input.value(),
                "StartTime": self.execution.started.to_string(),
                "Name": self.execution.name,
            });
            if let Some(role) = &self.execution.role {
                execution["RoleArn"] = json!(role);
            }
            execution["RedriveCount"] = json!(0);
            let mut state = json!({
                "Name": self.state.name,
                "EnteredTime": self.state.entered.to_string(),
            });
            if let Some(count) = self.state.retry_count {
                state["RetryCount"] = json!(count);
            }
            let mut context = json!({
                "Execution": execution,
                "StateMachine": {"Id": self.execution.machine_id, "Name": self.execution.machine_name},
                "State": state,
            });
            if let Some((index, value)) = self.state.item {
                context["Map"] = json!({"Item": {"Index": index, "Value": value}});
            }
            if let Some(token) = self.state.task_token {
                context["Task"] = json!({"Token": token});
            }
            context
        })
    }
}

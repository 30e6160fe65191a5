//! What an expression may read: the state's input, the context object and the variables in sight.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;

use jsonata_core::value::JValue;
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
    /// Whether `$$.Execution` has a RedriveCount: Express executions can't be redriven, and AWS's have none.
    pub redrivable: bool,
    /// `$$.Execution.RedriveCount`.
    pub redrive_count: u32,
    /// `$$.Execution.RedriveTime`, once it was redriven.
    pub redrive_time: Option<Timestamp>,
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
    pub item: Option<Item<'a>>,
    /// `$$.Task.Token`.
    pub task_token: Option<&'a str>,
}

/// `$$.Map.Item`.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// Its number, counted from 0.
    pub index: u64,
    /// The item itself.
    pub value: &'a Value,
    /// Its name, where the items are the fields of an object.
    pub key: Option<&'a str>,
    /// Where it was read, of distributed Map states.
    pub source: Option<&'a str>,
}

impl<'a> Item<'a> {
    /// The item of an iteration of an inline Map state.
    pub fn of_iteration(index: u32, value: &'a Value) -> Self {
        Self {
            index: u64::from(index),
            value,
            key: None,
            source: None,
        }
    }

    /// `$$.Map`.
    fn shown(self) -> Value {
        let mut shown = json!({"Index": self.index});
        if let Some(key) = self.key {
            shown["Key"] = json!(key);
        }
        shown["Value"] = self.value.clone();
        if let Some(source) = self.source {
            shown["Source"] = json!(source);
        }
        json!({"Item": shown})
    }
}

/// Everything one evaluation may read. The context object is built only when an expression asks.
pub struct Bindings<'a> {
    /// `$`, and `$states.input`.
    pub input: &'a Value,
    /// `$states.result`, where there is one.
    pub result: Option<&'a Value>,
    /// `$states.errorOutput`, in a catcher.
    pub error_output: Option<&'a Value>,
    execution: &'a ExecutionContext,
    state: StateContext<'a>,
    variables: &'a BTreeMap<String, Payload>,
    chance: &'a Chance,
    given: Option<&'a Value>,
    // boxed, so that they stay where they are
    context: OnceCell<Box<Value>>,
    without_input: OnceCell<Box<Value>>,
    taken_over: RefCell<BTreeMap<*const Value, JValue>>,
}

/// Where the context object holds what may be large.
pub(super) const EXECUTION_INPUT: [&str; 2] = ["Execution", "Input"];

/// What expressions may know of time and dice: recorded with the event they decide.
#[derive(Debug)]
pub struct Chance {
    now: Timestamp,
    state: Cell<u64>,
}

impl Chance {
    /// The time, and a seed for every number an expression may ask for.
    pub fn new(now: Timestamp, seed: u64) -> Self {
        Self {
            now,
            state: Cell::new(seed),
        }
    }
}

/// One step of SplitMix64: 64 random bits and the next state.
pub(super) fn split_mix(state: u64) -> (u64, u64) {
    let next = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut bits = next;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (bits ^ (bits >> 31), next)
}

impl<'a> Bindings<'a> {
    /// Binds `input` as `$`.
    pub fn new(
        input: &'a Value,
        execution: &'a ExecutionContext,
        state: StateContext<'a>,
        variables: &'a BTreeMap<String, Payload>,
        chance: &'a Chance,
    ) -> Self {
        Self {
            input,
            result: None,
            error_output: None,
            execution,
            state,
            variables,
            chance,
            given: None,
            context: OnceCell::new(),
            without_input: OnceCell::new(),
            taken_over: RefCell::default(),
        }
    }

    /// The same with a context object of the caller's making.
    pub fn with_context(self, context: &'a Value) -> Self {
        Self {
            given: Some(context),
            ..self
        }
    }

    /// The same within a Map state's iteration, as its ItemSelector sees it.
    pub fn with_item<'b>(&'b self, item: Item<'b>) -> Bindings<'b>
    where
        'a: 'b,
    {
        let state = StateContext {
            item: Some(item),
            ..self.state.clone()
        };
        Bindings {
            given: self.given,
            ..Bindings::new(self.input, self.execution, state, self.variables, self.chance)
        }
    }

    /// 64 fresh random bits.
    pub fn random(&self) -> u64 {
        let (bits, next) = split_mix(self.chance.state.get());
        self.chance.state.set(next);
        bits
    }

    /// `$$.Execution.Input`, where it isn't made up.
    pub(super) fn execution_input(&self) -> Option<&Value> {
        self.given.is_none().then(|| self.execution.input.value())
    }

    /// The time of the decision.
    pub fn now(&self) -> Timestamp {
        self.chance.now
    }

    /// The value of a variable.
    pub fn variable(&self, name: &str) -> Option<&Value> {
        self.variables.get(name).map(Payload::value)
    }

    /// What `value` is to JSONata's evaluator, made once. `value` is part of what is bound here, so that its address
    /// names it for as long as this lives.
    pub(super) fn taken_over(&self, value: &Value, take: impl FnOnce() -> JValue) -> JValue {
        let address: *const Value = value;
        if let Some(taken) = self.taken_over.borrow().get(&address) {
            return taken.clone();
        }
        let taken = take();
        self.taken_over.borrow_mut().insert(address, taken.clone());
        taken
    }

    /// The context object, keys in AWS's order.
    pub fn context(&self) -> &Value {
        self.context
            .get_or_init(|| Box::new(self.made_context(Some(self.execution.input.value()))))
    }

    /// The same without `$$.Execution.Input`, for whoever doesn't look there: the input may be large.
    pub(super) fn context_without_input(&self) -> &Value {
        if self.given.is_some() {
            return self.context();
        }
        self.without_input.get_or_init(|| Box::new(self.made_context(None)))
    }

    fn made_context(&self, input: Option<&Value>) -> Value {
        if let Some(given) = self.given {
            let mut context = given.clone();
            if let (Some(item), Value::Object(fields)) = (self.state.item, &mut context) {
                fields.insert("Map".into(), item.shown());
            }
            return context;
        }
        let mut execution = json!({"Id": self.execution.id});
        if let Some(input) = input {
            execution["Input"] = input.clone();
        }
        execution["StartTime"] = json!(self.execution.started.to_string());
        execution["Name"] = json!(self.execution.name);
        if let Some(role) = &self.execution.role {
            execution["RoleArn"] = json!(role);
        }
        if self.execution.redrivable {
            execution["RedriveCount"] = json!(self.execution.redrive_count);
        }
        if let Some(time) = self.execution.redrive_time {
            execution["RedriveTime"] = json!(time.to_string());
        }
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
        if let Some(item) = self.state.item {
            context["Map"] = item.shown();
        }
        if let Some(token) = self.state.task_token {
            context["Task"] = json!({"Token": token});
        }
        context
    }
}

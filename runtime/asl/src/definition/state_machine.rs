//! The checked model of a definition: what the interpreter runs.

use std::collections::BTreeMap;

use crate::execution::event::{Percentage, StateKind};
pub use crate::expression::QueryLanguage;
use crate::expression::comparison::Comparison;
use crate::expression::{Jsonata, Path, ReferencePath, Selector, Template};
use crate::payload::Payload;
use crate::timestamp::Timestamp;

/// A valid state machine.
#[derive(Debug, Clone)]
pub struct StateMachine {
    /// TimeoutSeconds of the whole execution.
    pub timeout_seconds: Option<u64>,
    pub(super) flows: Vec<Flow>,
}

/// A `StartAt` with its `States`: the machine, a Parallel state's branch or a Map state's processor.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Name of the first state.
    pub start_at: String,
    /// In the order of the definition.
    pub states: Vec<State>,
    pub(super) by_name: BTreeMap<String, usize>,
}

/// Index of a [`Flow`] in its machine; the root flow is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FlowId(pub(super) usize);

impl FlowId {
    /// The machine's own states.
    pub const ROOT: FlowId = FlowId(0);
}

impl StateMachine {
    /// A flow of this machine.
    pub fn flow(&self, id: FlowId) -> &Flow {
        &self.flows[id.0]
    }

    /// The flow of the Map state with this name: what its child executions run.
    pub fn processor_of(&self, map: &str) -> Option<FlowId> {
        let states = self.flows.iter().flat_map(|flow| &flow.states);
        states
            .filter(|state| state.name == map)
            .find_map(|state| match &state.kind {
                Kind::Map(map) => Some(map.processor),
                _ => None,
            })
    }

    /// Whether a distributed Map state has this label, given or made.
    pub fn has_label(&self, label: &str) -> bool {
        let states = self.flows.iter().flat_map(|flow| &flow.states);
        states.into_iter().any(|state| match &state.kind {
            Kind::Map(map) => map
                .distributed
                .as_ref()
                .is_some_and(|distributed| distributed.label == label),
            _ => false,
        })
    }

    /// The `Resource` of every Task state.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.flows
            .iter()
            .flat_map(|flow| &flow.states)
            .filter_map(|state| match &state.kind {
                Kind::Task(task) => Some(task.resource.as_str()),
                _ => None,
            })
    }
}

impl Flow {
    /// A state by its name.
    pub fn state(&self, name: &str) -> Option<&State> {
        self.by_name.get(name).map(|index| &self.states[*index])
    }
}

/// One state.
#[derive(Debug, Clone)]
pub struct State {
    /// Its name.
    pub name: String,
    /// QueryLanguage, its own or the machine's.
    pub language: QueryLanguage,
    /// Assign.
    pub assign: Option<Template>,
    /// Output.
    pub output: Option<Template>,
    /// InputPath.
    pub input_path: PayloadPath,
    /// OutputPath.
    pub output_path: PayloadPath,
    /// Where it goes when it is done.
    pub transition: Transition,
    /// What it does.
    pub kind: Kind,
}

/// InputPath and OutputPath.
#[derive(Debug, Clone, PartialEq)]
pub enum PayloadPath {
    /// Absent or `$`: everything, letter by letter.
    Whole,
    /// `null`: the empty object.
    Discard,
    /// A part.
    Path(Path),
}

/// ResultPath.
#[derive(Debug, Clone, PartialEq)]
pub enum ResultPath {
    /// Absent or `$`: the result replaces the input.
    Replace,
    /// `null`: the result is dropped.
    Discard,
    /// The result is written into the input.
    Write(ReferencePath),
}

/// What follows a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// `Next`.
    Next(String),
    /// `End`, or a kind of state that ends its scope.
    End,
    /// A Choice state decides by its rules.
    Rules,
}

/// A value given in the definition or read from the input at a path.
#[derive(Debug, Clone, PartialEq)]
pub enum Dynamic<T> {
    /// Given.
    Literal(T),
    /// Read.
    Path(Path),
    /// Evaluated.
    Expression(Jsonata),
}

/// A text given in the definition, read from the input or evaluated.
#[derive(Debug, Clone, PartialEq)]
pub enum DynamicText {
    /// Given.
    Literal(String),
    /// Read, or the result of an intrinsic function.
    Selector(Selector),
    /// Evaluated.
    Expression(Jsonata),
}

/// What a state does.
#[derive(Debug, Clone)]
pub enum Kind {
    /// See [`Pass`].
    Pass(Pass),
    /// See [`Task`].
    Task(Box<Task>),
    /// See [`Choice`].
    Choice(Choice),
    /// See [`Wait`].
    Wait(Wait),
    /// Ends its scope well.
    Succeed,
    /// See [`Fail`].
    Fail(Fail),
    /// See [`Parallel`].
    Parallel(Parallel),
    /// See [`Map`].
    Map(Box<Map>),
}

impl State {
    /// The kind as events carry it.
    pub fn state_kind(&self) -> StateKind {
        match self.kind {
            Kind::Pass(_) => StateKind::Pass,
            Kind::Task(_) => StateKind::Task,
            Kind::Choice(_) => StateKind::Choice,
            Kind::Wait(_) => StateKind::Wait,
            Kind::Succeed => StateKind::Succeed,
            Kind::Fail(_) => StateKind::Fail,
            Kind::Parallel(_) => StateKind::Parallel,
            Kind::Map(_) => StateKind::Map,
        }
    }

    /// Whether the state has a result of its own that ResultPath places: the others hand their input on.
    pub fn has_result(&self) -> bool {
        matches!(self.kind, Kind::Pass(_)) || self.outcome().is_some()
    }

    /// Retry, Catch, ResultSelector and ResultPath, of the kinds that have them.
    pub fn outcome(&self) -> Option<&OutcomeFields> {
        match &self.kind {
            Kind::Task(task) => Some(&task.outcome),
            Kind::Parallel(parallel) => Some(&parallel.outcome),
            Kind::Map(map) => Some(&map.outcome),
            Kind::Pass(_) | Kind::Choice(_) | Kind::Wait(_) | Kind::Succeed | Kind::Fail(_) => None,
        }
    }
}

/// Hands its input on, or a fixed result.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Result.
    pub result: Option<Payload>,
    /// Parameters.
    pub parameters: Option<Template>,
    /// ResultPath.
    pub result_path: ResultPath,
}

/// Runs a task.
#[derive(Debug, Clone)]
pub struct Task {
    /// Resource.
    pub resource: String,
    /// Parameters, or Arguments.
    pub parameters: Option<Template>,
    /// Credentials.
    pub credentials: Option<Template>,
    /// TimeoutSeconds or TimeoutSecondsPath.
    pub timeout: Option<Dynamic<u64>>,
    /// HeartbeatSeconds or HeartbeatSecondsPath.
    pub heartbeat: Option<Dynamic<u64>>,
    /// What follows its result.
    pub outcome: OutcomeFields,
}

/// What Task, Parallel and Map do with a result or a failure.
#[derive(Debug, Clone)]
pub struct OutcomeFields {
    /// ResultSelector.
    pub result_selector: Option<Template>,
    /// ResultPath.
    pub result_path: ResultPath,
    /// Retry.
    pub retry: Vec<Retrier>,
    /// Catch.
    pub catch: Vec<Catcher>,
}

/// One entry of Retry.
#[derive(Debug, Clone)]
pub struct Retrier {
    /// ErrorEquals.
    pub error_equals: Vec<String>,
    /// IntervalSeconds, 1 by default.
    pub interval_seconds: f64,
    /// MaxAttempts, 3 by default.
    pub max_attempts: u32,
    /// BackoffRate, 2.0 by default.
    pub backoff_rate: f64,
    /// MaxDelaySeconds.
    pub max_delay_seconds: Option<f64>,
    /// JitterStrategy is FULL.
    pub full_jitter: bool,
}

/// One entry of Catch.
#[derive(Debug, Clone)]
pub struct Catcher {
    /// ErrorEquals.
    pub error_equals: Vec<String>,
    /// ResultPath.
    pub result_path: ResultPath,
    /// Assign.
    pub assign: Option<Template>,
    /// Output.
    pub output: Option<Template>,
    /// Next.
    pub next: String,
}

/// Branches by rules.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Choices, tried in order.
    pub rules: Vec<Rule>,
    /// Default.
    pub default: Option<String>,
}

/// One entry of Choices.
#[derive(Debug, Clone)]
pub struct Rule {
    /// When it matches.
    pub condition: Condition,
    /// Assign.
    pub assign: Option<Template>,
    /// Output.
    pub output: Option<Template>,
    /// Where it leads.
    pub next: String,
}

/// What a rule asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All of them.
    And(Vec<Condition>),
    /// Any of them.
    Or(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// A comparison.
    Compare(Comparison),
    /// A JSONata expression.
    Expression(Jsonata),
}

/// Waits.
#[derive(Debug, Clone, PartialEq)]
pub enum Wait {
    /// Seconds.
    Seconds(u64),
    /// Timestamp.
    Timestamp(Timestamp),
    /// SecondsPath.
    SecondsPath(Path),
    /// TimestampPath.
    TimestampPath(Path),
    /// Seconds, evaluated.
    SecondsExpression(Jsonata),
    /// Timestamp, evaluated.
    TimestampExpression(Jsonata),
}

/// Ends its scope with an error.
#[derive(Debug, Clone)]
pub struct Fail {
    /// Error or ErrorPath.
    pub error: Option<DynamicText>,
    /// Cause or CausePath.
    pub cause: Option<DynamicText>,
}

/// Runs branches at once.
#[derive(Debug, Clone)]
pub struct Parallel {
    /// Branches.
    pub branches: Vec<FlowId>,
    /// Parameters, or Arguments.
    pub parameters: Option<Template>,
    /// What follows its result.
    pub outcome: OutcomeFields,
}

/// Runs a processor for each item.
#[derive(Debug, Clone)]
pub struct Map {
    /// ItemProcessor, or the older Iterator.
    pub processor: FlowId,
    /// ItemsPath, or Items.
    pub items: Items,
    /// ItemSelector, or the older Parameters.
    pub item_selector: Option<Template>,
    /// MaxConcurrency or MaxConcurrencyPath; 0 is no bound.
    pub max_concurrency: Option<Dynamic<u32>>,
    /// ToleratedFailureCount or its Path form.
    pub tolerated_count: Option<Dynamic<u64>>,
    /// ToleratedFailurePercentage or its Path form.
    pub tolerated_percentage: Option<Dynamic<Percentage>>,
    /// What a Map state in distributed mode has besides; absent in inline mode.
    pub distributed: Option<Distributed>,
    /// What follows its result.
    pub outcome: OutcomeFields,
}

/// A Map state in distributed mode: its processor runs in child executions.
#[derive(Debug, Clone)]
pub struct Distributed {
    /// ProcessorConfig's ExecutionType.
    pub execution_type: ExecutionType,
    /// Label; one that was made of the state's place where the author gave none.
    pub label: String,
    /// ItemReader.
    pub reader: Option<ItemReader>,
    /// ItemBatcher.
    pub batcher: Option<ItemBatcher>,
    /// ResultWriter.
    pub writer: Option<ResultWriter>,
}

/// What child executions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionType {
    /// Durable at every step.
    Standard,
    /// Five minutes at most.
    Express,
}

/// Where the items of a distributed Map state are read.
#[derive(Debug, Clone)]
pub struct ItemReader {
    /// Resource.
    pub resource: String,
    /// Parameters, or Arguments.
    pub parameters: Option<Template>,
    /// ReaderConfig, without MaxItems.
    pub config: Template,
    /// ReaderConfig's MaxItems or MaxItemsPath.
    pub max_items: Option<Dynamic<u64>>,
}

/// How the items of a distributed Map state are put together for each child.
#[derive(Debug, Clone)]
pub struct ItemBatcher {
    /// MaxItemsPerBatch or its Path form.
    pub max_items: Option<Dynamic<u64>>,
    /// MaxInputBytesPerBatch or its Path form.
    pub max_bytes: Option<Dynamic<u64>>,
    /// BatchInput.
    pub input: Option<Template>,
}

/// Where the results of a distributed Map state are written, and in what form.
#[derive(Debug, Clone)]
pub struct ResultWriter {
    /// Resource; without one the results are only formatted.
    pub resource: Option<String>,
    /// Parameters, or Arguments.
    pub parameters: Option<Template>,
    /// WriterConfig.
    pub config: Option<Template>,
}

/// Where a Map state's items come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Items {
    /// The state's input.
    Input,
    /// ItemsPath.
    Path(Path),
    /// Items.
    Template(Template),
}

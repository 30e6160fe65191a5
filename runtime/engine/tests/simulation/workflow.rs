//! Random workflows: all eight kinds of state, nested, with Retry, Catch and time-outs; every path through
//! them ends, and the fields they read are always there.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::map_runs::{BROKEN, FULL};
use crate::rng::Rng;
use crate::script::ONCE;

/// A generated machine and what its executions may be started with.
pub struct Workflow {
    pub definition: Value,
}

/// How deep Parallel and Map states nest.
const DEPTH: u32 = 2;

/// Time-outs that only a task which hangs can reach.
const PATIENT_SECONDS: i64 = 50_000;

/// The lowest roll that makes a Map state.
const MAP: u64 = 93;

/// The fields every state finds in its input.
pub fn input(rng: &mut Rng) -> Value {
    let items: Vec<i64> = (0..rng.below(4)).map(|_| rng.between(0, 5)).collect();
    json!({
        "n": rng.between(0, 5),
        "flag": rng.percent(50),
        "word": *rng.pick(&["a", "b", "c"]),
        "items": items,
    })
}

pub fn workflow(rng: &mut Rng) -> Workflow {
    let fond_of_maps = rng.percent(30);
    let mut generator = Generator {
        rng,
        states: 0,
        fond_of_maps,
    };
    let mut definition = generator.flow(DEPTH);
    if generator.rng.percent(6) {
        let seconds = *generator.rng.pick(&[3, 20, 1_000]);
        definition["TimeoutSeconds"] = json!(seconds);
    }
    Workflow { definition }
}

struct Generator<'r> {
    rng: &'r mut Rng,
    states: u32,
    /// Map Runs meet what goes wrong more often where there are more of them.
    fond_of_maps: bool,
}

impl Generator<'_> {
    /// `StartAt` and `States`: a line of states in which every transition leads forward.
    fn flow(&mut self, depth: u32) -> Value {
        let length = 1 + self.rng.below(if depth == DEPTH { 5 } else { 3 }) as usize;
        let names: Vec<String> = (0..length)
            .map(|_| {
                self.states += 1;
                format!("S{}", self.states)
            })
            .collect();
        let mut states = Map::new();
        for (index, name) in names.iter().enumerate() {
            let later = &names[index + 1..];
            states.insert(name.clone(), self.state(name, later, depth));
        }
        let reachable = reachable(&states, &names[0]);
        states.retain(|name, _| reachable.contains(name));
        json!({"StartAt": names[0], "States": states})
    }

    fn state(&mut self, name: &str, later: &[String], depth: u32) -> Value {
        let roll = if self.fond_of_maps && self.rng.percent(35) {
            MAP
        } else {
            self.rng.below(100)
        };
        let mut state = match roll {
            0..=9 => self.pass(name),
            10..=59 => self.task(name),
            60..=69 => self.wait(),
            70..=77 if !later.is_empty() => return self.choice(later),
            78..=81 => return self.succeed(),
            82..=84 => return json!({"Type": "Fail", "Error": "Refused", "Cause": name}),
            85..=92 if depth > 0 => self.parallel(name, depth),
            MAP..=99 if depth > 0 => self.map(name, depth),
            _ => self.task(name),
        };
        if ["Task", "Parallel", "Map"].contains(&state["Type"].as_str().unwrap_or_default()) {
            self.retry_and_catch(&mut state, name, later);
        }
        if self.rng.percent(5) {
            state["OutputPath"] = json!("$");
        }
        match later.first() {
            Some(next) if !self.rng.percent(8) => state["Next"] = json!(next),
            _ => state["End"] = json!(true),
        }
        state
    }

    fn pass(&mut self, name: &str) -> Value {
        let field = format!("$.{name}");
        match self.rng.below(4) {
            0 => json!({"Type": "Pass"}),
            1 => json!({"Type": "Pass", "Result": {"fixed": name}, "ResultPath": field}),
            2 => json!({"Type": "Pass", "InputPath": "$.word", "ResultPath": field}),
            _ => {
                json!({"Type": "Pass", "Parameters": {"twice.$": "$.n", "name": name}, "ResultPath": field})
            }
        }
    }

    fn task(&mut self, name: &str) -> Value {
        let mut task = json!({"Type": "Task", "Resource": *self.rng.pick(&["wasm:steady", "wasm:flaky"])});
        if self.rng.percent(12) {
            task["Resource"] = json!(ONCE);
        }
        match self.rng.below(20) {
            0 | 1 => {
                task["Resource"] = json!("wasm:hang");
                task["TimeoutSeconds"] = json!(*self.rng.pick(&[1, 5, 500, PATIENT_SECONDS]));
            }
            2 => {
                task["Resource"] = json!("wasm:silent");
                task["HeartbeatSeconds"] = json!(self.rng.between(1, 20));
                task["TimeoutSeconds"] = json!(PATIENT_SECONDS);
            }
            3 | 4 => task["TimeoutSeconds"] = json!(self.rng.between(1, 4)),
            _ => {}
        }
        match self.rng.below(3) {
            0 => task["Parameters"] = json!({"n.$": "$.n", "state": name}),
            1 => task["InputPath"] = json!("$.word"),
            _ => {}
        }
        match self.rng.below(3) {
            0 => task["ResultPath"] = Value::Null,
            1 => {
                task["ResultSelector"] = json!({"kept.$": "$.done"});
                task["ResultPath"] = json!(format!("$.{name}"));
            }
            _ => task["ResultPath"] = json!(format!("$.{name}")),
        }
        task
    }

    fn wait(&mut self) -> Value {
        match self.rng.below(8) {
            0 => json!({"Type": "Wait", "SecondsPath": "$.n"}),
            1 => json!({"Type": "Wait", "Timestamp": "1970-01-01T00:30:00Z"}),
            2 | 3 => json!({"Type": "Wait", "Seconds": self.rng.between(50, 5_000)}),
            _ => json!({"Type": "Wait", "Seconds": self.rng.between(0, 10)}),
        }
    }

    fn choice(&mut self, later: &[String]) -> Value {
        let mut choices = Vec::new();
        for _ in 0..=self.rng.below(2) {
            let mut rule = self.rule();
            rule["Next"] = json!(self.rng.pick(later));
            choices.push(rule);
        }
        json!({"Type": "Choice", "Choices": choices, "Default": self.rng.pick(later)})
    }

    fn rule(&mut self) -> Value {
        match self.rng.below(6) {
            0 => json!({"Variable": "$.flag", "BooleanEquals": true}),
            1 => json!({"Variable": "$.word", "StringEquals": *self.rng.pick(&["a", "b"])}),
            2 => json!({"Not": {"Variable": "$.n", "NumericLessThan": self.rng.between(0, 5)}}),
            3 => {
                json!({"And": [{"Variable": "$.n", "NumericGreaterThan": 1}, {"Variable": "$.flag", "BooleanEquals": false}]})
            }
            4 => json!({"Variable": "$.absent", "IsPresent": true}),
            _ => json!({"Variable": "$.n", "NumericGreaterThan": self.rng.between(0, 5)}),
        }
    }

    fn succeed(&mut self) -> Value {
        match self.rng.below(3) {
            0 => json!({"Type": "Succeed", "InputPath": "$.n"}),
            1 => json!({"Type": "Succeed", "OutputPath": "$.word"}),
            _ => json!({"Type": "Succeed"}),
        }
    }

    fn parallel(&mut self, name: &str, depth: u32) -> Value {
        let branches: Vec<Value> = (0..1 + self.rng.below(3)).map(|_| self.flow(depth - 1)).collect();
        json!({"Type": "Parallel", "Branches": branches, "ResultPath": format!("$.{name}")})
    }

    fn map(&mut self, name: &str, depth: u32) -> Value {
        if self.rng.percent(60) {
            return self.distributed_map(name, depth);
        }
        let mut state = json!({
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemSelector": {
                "n.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index",
                "flag.$": "$.flag", "word.$": "$.word", "items": [1, 2]
            },
            "ItemProcessor": self.flow(depth - 1),
            "ResultPath": format!("$.{name}"),
        });
        match self.rng.below(3) {
            0 => state["MaxConcurrency"] = json!(self.rng.between(1, 2)),
            1 => state["MaxConcurrency"] = json!(0),
            _ => {}
        }
        state
    }

    fn distributed_map(&mut self, name: &str, depth: u32) -> Value {
        let batched = self.rng.percent(25);
        let mut processor = if batched {
            // what a batch holds is no input for the other states
            self.states += 1;
            let task = format!("S{}", self.states);
            let resource = *self.rng.pick(&["wasm:steady", "wasm:flaky"]);
            json!({"StartAt": task, "States": {task: {"Type": "Task", "Resource": resource, "End": true}}})
        } else {
            self.flow(depth - 1)
        };
        processor["ProcessorConfig"] = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
        let mut state = json!({
            "Type": "Map",
            "Label": name,
            "ItemSelector": {
                "n.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index",
                "flag.$": "$.flag", "word.$": "$.word", "items": [1, 2]
            },
            "ItemProcessor": processor,
            "ResultPath": format!("$.{name}"),
        });
        if batched {
            state["ItemBatcher"] =
                json!({"MaxItemsPerBatch": self.rng.between(1, 3), "BatchInput": {"word.$": "$.word"}});
        }
        if self.rng.percent(50) {
            state["ItemsPath"] = json!("$.items");
        } else {
            let bucket = if self.rng.percent(10) { BROKEN } else { "data" };
            state["ItemReader"] = json!({
                "Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"InputType": "JSON"},
                "Parameters": {"Bucket": bucket, "Key.$": "$.word"},
            });
        }
        if self.rng.percent(20) {
            let bucket = if self.rng.percent(20) { FULL } else { "results" };
            state["ResultWriter"] = json!({
                "Resource": "arn:aws:states:::s3:putObject",
                "Parameters": {"Bucket": bucket, "Prefix": "p"},
            });
        }
        match self.rng.below(3) {
            0 => state["MaxConcurrency"] = json!(self.rng.between(1, 2)),
            1 => state["MaxConcurrency"] = json!(0),
            _ => {}
        }
        if self.rng.percent(30) {
            state["ToleratedFailureCount"] = json!(self.rng.between(0, 2));
        }
        if self.rng.percent(30) {
            state["ToleratedFailurePercentage"] = json!(*self.rng.pick(&[0, 34, 50, 100]));
        }
        state
    }

    fn retry_and_catch(&mut self, state: &mut Value, name: &str, later: &[String]) {
        if self.rng.percent(50) {
            let mut retriers = Vec::new();
            if self.rng.percent(50) {
                retriers.push(self.retrier(&["Boom"]));
            }
            if self.rng.percent(50) {
                retriers.push(self.retrier(&["Crash", "States.Timeout"]));
            }
            if retriers.is_empty() || self.rng.percent(20) {
                retriers.push(self.retrier(&["States.ALL"]));
            }
            state["Retry"] = json!(retriers);
        }
        if !later.is_empty() && self.rng.percent(50) {
            let mut catchers = Vec::new();
            if self.rng.percent(50) {
                let errors = *self.rng.pick(&["Boom", "Crash", "Refused"]);
                catchers.push(json!({
                    "ErrorEquals": [errors], "Next": self.rng.pick(later), "ResultPath": format!("$.caught{name}")
                }));
            }
            if self.rng.percent(70) || catchers.is_empty() {
                catchers.push(json!({"ErrorEquals": ["States.ALL"], "Next": self.rng.pick(later), "ResultPath": null}));
            }
            state["Catch"] = json!(catchers);
        }
    }

    fn retrier(&mut self, errors: &[&str]) -> Value {
        let mut retrier = json!({"ErrorEquals": errors, "IntervalSeconds": self.rng.between(1, 3), "MaxAttempts": self.rng.between(0, 2)});
        match self.rng.below(3) {
            0 => retrier["BackoffRate"] = json!(1.5),
            1 => {
                retrier["MaxDelaySeconds"] = json!(4);
                retrier["JitterStrategy"] = json!("FULL");
            }
            _ => {}
        }
        retrier
    }
}

/// Names of the states that some path leads to; the others would be refused.
fn reachable(states: &Map<String, Value>, start: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start.to_owned()];
    while let Some(name) = open.pop() {
        let state = &states[&name];
        let rules = [&state["Choices"], &state["Catch"]]
            .into_iter()
            .filter_map(Value::as_array)
            .flatten();
        let next = rules
            .map(|rule| &rule["Next"])
            .chain([&state["Next"], &state["Default"]]);
        open.extend(
            next.filter_map(Value::as_str)
                .filter(|next| !reached.contains(*next))
                .map(str::to_owned),
        );
        reached.insert(name);
    }
    reached
}

//! Definitions: mostly valid ones, of every kind of state in both languages.

use serde_json::{Map, Value, json};

use crate::expressions as e;
use crate::slips::slip;
use crate::tape::Tape;
use crate::values::value;

/// Parallel and Map states within each other.
const DEPTH: usize = 2;

const RESOURCES: [&str; 4] = [
    "wasm:task",
    "arn:aws:states:::lambda:invoke",
    "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "arn:aws:states:us-east-1:000000000000:activity:worker",
];

/// Names a retrier or a catcher may list.
const ERRORS: [&str; 10] = [
    "States.ALL",
    "Own.A",
    "Own.B",
    "States.TaskFailed",
    "States.Timeout",
    "States.QueryEvaluationError",
    "States.IntrinsicFailure",
    "States.ExceedToleratedFailureThreshold",
    "States.DataLimitExceeded",
    "Sandbox.Trapped",
];

/// A definition.
pub fn definition(tape: &mut Tape) -> Value {
    let mut generator = Generator {
        jsonata: tape.percent(35),
        tape,
        states: 0,
    };
    let mut definition = generator.flow(0);
    if generator.jsonata {
        definition["QueryLanguage"] = json!("JSONata");
    }
    if generator.tape.percent(8) {
        definition["TimeoutSeconds"] = json!(generator.tape.pick(&[1, 30, 1000]));
    }
    if tape.percent(30) {
        for _ in 0..=tape.below(2) {
            slip(tape, &mut definition);
        }
    }
    definition
}

struct Generator<'t> {
    tape: &'t mut Tape,
    /// Whether the machine says so of all its states.
    jsonata: bool,
    states: u32,
}

/// What a state is made within.
struct Around<'n> {
    names: &'n [String],
    later: &'n [String],
    depth: usize,
    variables: Vec<String>,
    jsonata: bool,
}

impl Generator<'_> {
    /// `StartAt` and `States`.
    fn flow(&mut self, depth: usize) -> Value {
        let names: Vec<String> = (0..=self.tape.below(if depth == 0 { 5 } else { 3 }))
            .map(|_| {
                self.states += 1;
                format!("S{}", self.states)
            })
            .collect();
        // an inner scope may read what outer ones assign, and assigns names of its own
        let variables: Vec<String> = (0..=depth)
            .flat_map(|depth| [format!("v{depth}"), format!("w{depth}")])
            .collect();
        let mut states = Map::new();
        for (index, name) in names.iter().enumerate() {
            let jsonata = self.jsonata || self.tape.percent(25);
            let around = Around {
                names: &names,
                later: &names[index + 1..],
                depth,
                variables: variables.clone(),
                jsonata,
            };
            let mut state = self.state(&around);
            if jsonata && !self.jsonata {
                state["QueryLanguage"] = json!("JSONata");
            }
            states.insert(name.clone(), state);
        }
        let reached = reachable(&states, &names[0]);
        states.retain(|name, _| reached.contains(name));
        let ends = |state: &Value| {
            state["End"] == json!(true) || ["Succeed", "Fail"].map(Value::from).contains(&state["Type"])
        };
        if let (false, Some((_, last))) = (states.values().any(ends), states.iter_mut().next_back()) {
            *last = json!({"Type": "Succeed"});
            let reached = reachable(&states, &names[0]);
            states.retain(|name, _| reached.contains(name));
        }
        json!({"StartAt": names[0], "States": states})
    }

    fn state(&mut self, around: &Around<'_>) -> Value {
        let deep = around.depth < DEPTH;
        let mut state = match self.tape.below(100) {
            0..=19 => self.pass(around),
            20..=44 => self.task(around),
            45..=52 => self.wait(around),
            53..=66 if !around.later.is_empty() => return self.choice(around),
            67..=69 => return self.succeed(around),
            70..=73 => return self.fail(around),
            74..=85 if deep => self.parallel(around),
            86..=99 if deep => self.map(around),
            _ => self.pass(around),
        };
        self.shape(&mut state, around);
        match around.later.first() {
            Some(next) if !self.tape.percent(15) => {
                state["Next"] = json!(if self.tape.percent(12) {
                    self.target(around)
                } else {
                    next.clone()
                })
            }
            _ => state["End"] = json!(true),
        }
        state
    }

    /// Mostly a later state; going back makes loops.
    fn target(&mut self, around: &Around<'_>) -> String {
        let names = if around.later.is_empty() || self.tape.percent(20) {
            around.names
        } else {
            around.later
        };
        names[self.tape.below(names.len() as u64) as usize].clone()
    }

    /// The fields many kinds of state share.
    fn shape(&mut self, state: &mut Value, around: &Around<'_>) {
        let kind = state["Type"].as_str().unwrap_or_default().to_owned();
        let returns = ["Task", "Parallel", "Map"].contains(&kind.as_str());
        let tape = &mut *self.tape;
        if around.jsonata {
            let own: &[&str] = if returns {
                &["$states.result", "$states.result.a"]
            } else {
                &[]
            };
            if tape.percent(40) {
                state["Output"] = e::document(tape, &around.variables, own);
            }
            if tape.percent(20) {
                state["Assign"] = self.assign(around, own);
            }
        } else {
            for field in ["InputPath", "OutputPath"] {
                if tape.percent(8) {
                    state[field] = if tape.percent(20) {
                        Value::Null
                    } else {
                        json!(e::path(tape, &around.variables))
                    };
                }
            }
            if (returns || kind == "Pass") && tape.percent(70) {
                state["ResultPath"] = if tape.percent(20) {
                    Value::Null
                } else {
                    json!(e::reference_path(tape))
                };
            }
            if returns && tape.percent(15) {
                state["ResultSelector"] = e::template(tape, &around.variables, 1);
            }
            if tape.percent(20) {
                state["Assign"] = self.assign(around, &[]);
            }
        }
        if returns {
            self.retry_and_catch(state, around);
        }
    }

    fn assign(&mut self, around: &Around<'_>, own: &[&str]) -> Value {
        let name = format!("{}{}", self.tape.pick(&["v", "w"]), around.depth);
        let tape = &mut *self.tape;
        if around.jsonata {
            return json!({name: e::document(tape, &around.variables, own)});
        }
        match tape.below(3) {
            0 => json!({name: value(tape, 2)}),
            1 => json!({format!("{name}.$"): e::selector(tape, &around.variables)}),
            _ => json!({name: e::template(tape, &around.variables, 1)}),
        }
    }

    fn pass(&mut self, around: &Around<'_>) -> Value {
        let tape = &mut *self.tape;
        match tape.below(3) {
            _ if around.jsonata => json!({"Type": "Pass"}),
            0 => json!({"Type": "Pass"}),
            1 => json!({"Type": "Pass", "Result": value(tape, 3)}),
            _ => json!({"Type": "Pass", "Parameters": e::template(tape, &around.variables, 2)}),
        }
    }

    fn task(&mut self, around: &Around<'_>) -> Value {
        let mut task = json!({"Type": "Task", "Resource": self.tape.pick(&RESOURCES)});
        self.arguments(&mut task, around, 40);
        for (field, low) in [("TimeoutSeconds", 60), ("HeartbeatSeconds", 1)] {
            if self.tape.percent(20) {
                let seconds = json!(low + self.tape.below(50));
                self.dynamic(&mut task, field, seconds, around);
            }
        }
        if self.tape.percent(4) {
            task["Credentials"] = json!({"RoleArn": "role"});
        }
        task
    }

    /// A field as given, by its path, or as an expression.
    fn dynamic(&mut self, state: &mut Value, field: &str, given: Value, around: &Around<'_>) {
        let tape = &mut *self.tape;
        match (tape.below(3), around.jsonata) {
            (0, _) => state[field] = given,
            (_, true) => state[field] = e::braced(tape, &around.variables, &["$states.input.n"]),
            (_, false) => {
                state[format!("{field}Path")] = json!(if tape.percent(60) {
                    "$.n".to_owned()
                } else {
                    e::path(tape, &around.variables)
                })
            }
        }
    }

    fn arguments(&mut self, state: &mut Value, around: &Around<'_>, percent: u64) {
        if !self.tape.percent(percent) {
            return;
        }
        let tape = &mut *self.tape;
        if around.jsonata {
            state["Arguments"] = e::document(tape, &around.variables, &[]);
        } else {
            state["Parameters"] = e::template(tape, &around.variables, 2);
        }
    }

    fn wait(&mut self, around: &Around<'_>) -> Value {
        let mut wait = json!({"Type": "Wait"});
        if self.tape.percent(60) {
            let seconds = json!(self.tape.below(100));
            self.dynamic(&mut wait, "Seconds", seconds, around);
        } else {
            let time = json!(self.tape.pick(&["2024-01-01T00:00:00Z", "2020-01-01T00:00:00.5-11:00"]));
            self.dynamic(&mut wait, "Timestamp", time, around);
        }
        wait
    }

    fn choice(&mut self, around: &Around<'_>) -> Value {
        let rules: Vec<Value> = (0..=self.tape.below(2))
            .map(|_| {
                let mut rule = if around.jsonata {
                    let mut rule =
                        json!({"Condition": e::braced(self.tape, &around.variables, &["$states.input.n > 1", "true"])});
                    if self.tape.percent(20) {
                        rule["Output"] = e::document(self.tape, &around.variables, &[]);
                    }
                    rule
                } else {
                    e::condition(self.tape, &around.variables, 2)
                };
                if self.tape.percent(15) {
                    rule["Assign"] = self.assign(around, &[]);
                }
                rule["Next"] = json!(self.target(around));
                rule
            })
            .collect();
        let mut choice = json!({"Type": "Choice", "Choices": rules});
        if !self.tape.percent(15) {
            choice["Default"] = json!(around.later[0]);
        }
        choice
    }

    fn succeed(&mut self, around: &Around<'_>) -> Value {
        let tape = &mut *self.tape;
        match tape.below(2) {
            0 => json!({"Type": "Succeed"}),
            _ if around.jsonata => json!({"Type": "Succeed", "Output": e::document(tape, &around.variables, &[])}),
            _ => json!({"Type": "Succeed", "InputPath": e::path(tape, &around.variables)}),
        }
    }

    fn fail(&mut self, around: &Around<'_>) -> Value {
        let mut fail = json!({"Type": "Fail"});
        for field in ["Error", "Cause"] {
            let tape = &mut *self.tape;
            match tape.below(4) {
                0 => {}
                1 | 2 => fail[field] = json!(tape.pick(&["Own.A", "Own.B", ""])),
                _ if around.jsonata => fail[field] = e::braced(tape, &around.variables, &["$states.input.t"]),
                _ => fail[format!("{field}Path")] = json!(e::selector(tape, &around.variables)),
            }
        }
        fail
    }

    fn parallel(&mut self, around: &Around<'_>) -> Value {
        let branches: Vec<Value> = (0..=self.tape.below(2)).map(|_| self.flow(around.depth + 1)).collect();
        let mut parallel = json!({"Type": "Parallel", "Branches": branches});
        self.arguments(&mut parallel, around, 20);
        parallel
    }

    fn map(&mut self, around: &Around<'_>) -> Value {
        let mut processor = self.flow(around.depth + 1);
        let distributed = self.tape.percent(35);
        let mut map = json!({"Type": "Map"});
        let tape = &mut *self.tape;
        if around.jsonata {
            if tape.percent(75) {
                map["Items"] = json!(tape.pick(&[
                    "{% $states.input.items %}",
                    "{% [1..3] %}",
                    "{% $states.input.a %}",
                    "[]"
                ]));
            }
            if tape.percent(25) {
                let own = ["$states.context.Map.Item.Value", "$states.context.Map.Item.Index"];
                map["ItemSelector"] = e::document(tape, &around.variables, &own);
            }
        } else {
            if tape.percent(80) {
                map["ItemsPath"] =
                    json!(tape.pick(&["$.items", "$.a", "$.items[*]", "$$.Execution.Input.items", "$.b"]));
            }
            if tape.percent(25) {
                map["ItemSelector"] = e::template(tape, &around.variables, 1);
            }
        }
        for (field, most) in [
            ("MaxConcurrency", 3),
            ("ToleratedFailureCount", 3),
            ("ToleratedFailurePercentage", 101),
        ] {
            if self.tape.percent(20) {
                let number = json!(self.tape.below(most));
                self.dynamic(&mut map, field, number, around);
            }
        }
        if distributed {
            self.distribute(&mut map, &mut processor, around);
        }
        map["ItemProcessor"] = processor;
        map
    }

    fn distribute(&mut self, map: &mut Value, processor: &mut Value, around: &Around<'_>) {
        let tape = &mut *self.tape;
        processor["ProcessorConfig"] =
            json!({"Mode": "DISTRIBUTED", "ExecutionType": tape.pick(&["STANDARD", "EXPRESS"])});
        let arguments = if around.jsonata { "Arguments" } else { "Parameters" };
        if tape.percent(40) {
            map["ItemReader"] = json!({
                "Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"InputType": tape.pick(&["JSON", "JSONL"])},
                arguments: {"Bucket": "b", "Key": "k"},
            });
            for field in ["Items", "ItemsPath"] {
                map.as_object_mut().and_then(|map| map.remove(field));
            }
        }
        if tape.percent(30) {
            map["ItemBatcher"] = json!({"MaxItemsPerBatch": 1 + tape.below(3)});
            if tape.percent(50) {
                map["ItemBatcher"]["BatchInput"] = match around.jsonata {
                    true => e::document(tape, &around.variables, &[]),
                    false => e::template(tape, &around.variables, 1),
                };
            }
        }
        if tape.percent(25) {
            map["ResultWriter"] = json!({"Resource": "arn:aws:states:::s3:putObject", arguments: {"Bucket": "b"}});
        }
    }

    fn retry_and_catch(&mut self, state: &mut Value, around: &Around<'_>) {
        if self.tape.percent(35) {
            let retriers = (0..=self.tape.below(2)).map(|_| self.retrier()).collect();
            state["Retry"] = wildcard_last(retriers);
        }
        if self.tape.percent(40) {
            let catchers = (0..=self.tape.below(2)).map(|_| self.catcher(around)).collect();
            state["Catch"] = wildcard_last(catchers);
        }
    }

    fn errors(&mut self) -> Value {
        let first = self.tape.pick(&ERRORS);
        if first == "States.ALL" || self.tape.percent(60) {
            return json!([first]);
        }
        json!([first, self.tape.pick(&ERRORS[1..])])
    }

    fn retrier(&mut self) -> Value {
        let mut retrier = json!({"ErrorEquals": self.errors(), "MaxAttempts": self.tape.below(4)});
        match self.tape.below(4) {
            0 => {}
            1 => retrier["IntervalSeconds"] = json!(1 + self.tape.below(1000)),
            2 => retrier["BackoffRate"] = json!(1.0 + self.tape.below(40) as f64 / 10.0),
            _ => {
                retrier["MaxDelaySeconds"] = json!(5 + self.tape.below(20));
                retrier["JitterStrategy"] = json!("FULL");
            }
        }
        retrier
    }

    fn catcher(&mut self, around: &Around<'_>) -> Value {
        let mut catcher = json!({"ErrorEquals": self.errors(), "Next": self.target(around)});
        let own = ["$states.errorOutput", "$states.errorOutput.Cause"];
        if self.tape.percent(40) {
            if around.jsonata {
                catcher["Output"] = e::document(self.tape, &around.variables, &own);
            } else {
                catcher["ResultPath"] = json!(e::reference_path(self.tape));
            }
        }
        if self.tape.percent(15) {
            catcher["Assign"] = self.assign(around, &own);
        }
        catcher
    }
}

/// `States.ALL` may stand in one entry, the last.
fn wildcard_last(entries: Vec<Value>) -> Value {
    let (all, others): (Vec<Value>, Vec<Value>) = entries
        .into_iter()
        .partition(|entry| entry["ErrorEquals"][0] == json!("States.ALL"));
    others.into_iter().chain(all.into_iter().take(1)).collect()
}

/// Names of the states that some path leads to; the others would be refused.
fn reachable(states: &Map<String, Value>, start: &str) -> Vec<String> {
    let mut reached = Vec::new();
    let mut open = vec![start];
    while let Some(name) = open.pop() {
        let Some(state) = states.get(name).filter(|_| !reached.iter().any(|known| known == name)) else {
            continue;
        };
        reached.push(name.to_owned());
        let entries = [&state["Choices"], &state["Catch"]]
            .into_iter()
            .filter_map(Value::as_array)
            .flatten();
        let next = entries
            .map(|entry| &entry["Next"])
            .chain([&state["Next"], &state["Default"]]);
        open.extend(next.filter_map(Value::as_str));
    }
    reached
}

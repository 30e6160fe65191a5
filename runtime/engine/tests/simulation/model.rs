//! The dumb reference: walks a definition as it is written, without events, clocks or concurrency, and
//! says what may come of it.
//!
//! Where the language leaves it to time which of several things happens first (two branches that fail, a
//! task close to its deadline) the answer is the set of all of them.

use serde_json::{Value, json};

use crate::map_runs::{FULL, data_set};
use crate::script::{Answer, ONCE, answer};

/// One way for a state, a flow or an execution to end.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    Returns(Value),
    Fails { error: String, cause: Option<String> },
}

/// More endings than this are not told apart.
const MANY: usize = 200;

/// Everything that may happen, or `None` when that is too much to list.
pub type Endings = Option<Vec<Ending>>;

/// What may come of an execution, the machine's own time-out left aside.
pub fn evaluate(seed: u64, definition: &Value, input: &Value) -> Endings {
    Model { seed }.flow(definition, input)
}

struct Model {
    seed: u64,
}

impl Model {
    fn flow(&self, flow: &Value, input: &Value) -> Endings {
        self.from(flow, flow["StartAt"].as_str()?, input)
    }

    fn from(&self, flow: &Value, name: &str, raw: &Value) -> Endings {
        let state = &flow["States"][name];
        match state["Type"].as_str()? {
            "Succeed" => {
                let effective = at(raw, &state["InputPath"]);
                return Some(vec![Ending::Returns(at(&effective, &state["OutputPath"]))]);
            }
            "Fail" => {
                let error = state["Error"].as_str()?.to_owned();
                return Some(vec![Ending::Fails {
                    error,
                    cause: state["Cause"].as_str().map(str::to_owned),
                }]);
            }
            "Choice" => return self.from(flow, choose(state, raw)?, raw),
            _ => {}
        }
        let mut endings = Vec::new();
        for ending in self.with_retries(name, state, raw, &[])? {
            let (output, next) = match ending {
                Ending::Returns(result) => (output(state, raw, result), state["Next"].as_str()),
                Ending::Fails { error, cause } => {
                    let catchers = state["Catch"].as_array().map_or(&[][..], Vec::as_slice);
                    let Some(catcher) = catchers.iter().find(|catcher| matches(catcher, &error)) else {
                        add(&mut endings, Ending::Fails { error, cause })?;
                        continue;
                    };
                    let caught = match cause {
                        Some(cause) => json!({"Error": error, "Cause": cause}),
                        None => json!({"Error": error}),
                    };
                    (put(raw, &catcher["ResultPath"], caught), catcher["Next"].as_str())
                }
            };
            match next {
                None => add(&mut endings, Ending::Returns(output))?,
                Some(next) => {
                    for ending in self.from(flow, next, &output)? {
                        add(&mut endings, ending)?;
                    }
                }
            }
        }
        Some(endings)
    }

    /// Endings of a state before Catch, `spent` saying how often each retrier was used.
    fn with_retries(&self, name: &str, state: &Value, raw: &Value, spent: &[u64]) -> Endings {
        let retriers = state["Retry"].as_array().map_or(&[][..], Vec::as_slice);
        let mut endings = Vec::new();
        for ending in self.once(name, state, raw, spent.iter().sum())? {
            if let Ending::Fails { error, .. } = &ending
                && let Some(index) = retriers.iter().position(|retrier| matches(retrier, error))
            {
                let mut spent = spent.to_vec();
                spent.resize(retriers.len(), 0);
                if spent[index] < retriers[index]["MaxAttempts"].as_u64()? {
                    spent[index] += 1;
                    for ending in self.with_retries(name, state, raw, &spent)? {
                        add(&mut endings, ending)?;
                    }
                    continue;
                }
            }
            add(&mut endings, ending)?;
        }
        Some(endings)
    }

    /// Endings of one attempt of a state.
    fn once(&self, name: &str, state: &Value, raw: &Value, retries: u64) -> Endings {
        let effective = at(raw, &state["InputPath"]);
        match state["Type"].as_str()? {
            "Wait" => Some(vec![Ending::Returns(effective)]),
            "Pass" => Some(vec![Ending::Returns(match &state["Result"] {
                Value::Null => filled(&state["Parameters"], &effective),
                result => result.clone(),
            })]),
            "Task" => self.task(name, state, &filled(&state["Parameters"], &effective), retries),
            "Parallel" => {
                let branches = state["Branches"].as_array()?;
                let branches: Option<Vec<_>> = branches.iter().map(|branch| self.flow(branch, &effective)).collect();
                together(&branches?)
            }
            "Map" if state["ItemProcessor"]["ProcessorConfig"].is_object() => self.distributed(state, &effective, raw),
            "Map" => {
                let items = at(raw, &state["ItemsPath"]);
                let mut iterations = Vec::new();
                for (index, item) in items.as_array()?.iter().enumerate() {
                    let input = json!({
                        "n": item, "index": index, "flag": raw["flag"], "word": raw["word"], "items": [1, 2]
                    });
                    iterations.push(self.flow(&state["ItemProcessor"], &input)?);
                }
                together(&iterations)
            }
            _ => None,
        }
    }

    /// A Map Run: children that fail leave no result, until there are too many of them.
    fn distributed(&self, state: &Value, effective: &Value, raw: &Value) -> Endings {
        let fails = |error: &str, cause: Option<&str>| Ending::Fails {
            error: error.to_owned(),
            cause: cause.map(str::to_owned),
        };
        if state["ResultWriter"]["Parameters"]["Bucket"] == FULL {
            return Some(vec![fails("States.ResultWriterFailed", None)]);
        }
        let reader = &state["ItemReader"]["Parameters"];
        let (items, broken) = match reader["Bucket"].as_str() {
            Some(bucket) => data_set(self.seed, bucket, effective["word"].as_str()?),
            None => (at(effective, &state["ItemsPath"]).as_array()?.clone(), false),
        };
        let selected = items.iter().enumerate().map(|(index, item)| {
            json!({"n": item, "index": index, "flag": raw["flag"], "word": raw["word"], "items": [1, 2]})
        });
        let selected: Vec<Value> = selected.collect();
        let children: Vec<(usize, Value)> = match state["ItemBatcher"]["MaxItemsPerBatch"].as_u64() {
            None => selected.into_iter().map(|input| (1, input)).collect(),
            Some(most) => selected
                .chunks(most as usize)
                .map(|items| {
                    let input = json!({"BatchInput": {"word": raw["word"]}, "Items": items});
                    (items.len(), input)
                })
                .collect(),
        };
        // results so far, and how many items failed
        let mut ways: Vec<(Vec<Value>, usize)> = vec![(Vec::new(), 0)];
        for (count, input) in &children {
            let mut longer = Vec::new();
            for ending in self.flow(&state["ItemProcessor"], input)? {
                for (results, failed) in &ways {
                    let mut results = results.clone();
                    let failed = match &ending {
                        Ending::Returns(value) => {
                            results.push(value.clone());
                            *failed
                        }
                        Ending::Fails { .. } => failed + count,
                    };
                    let way = (results, failed);
                    if !longer.contains(&way) {
                        longer.push(way);
                    }
                    if longer.len() > MANY {
                        return None;
                    }
                }
            }
            ways = longer;
        }
        let mut endings = Vec::new();
        for (results, failed) in ways {
            let too_many = fails(
                "States.ExceedToleratedFailureThreshold",
                Some("The specified tolerated failure threshold was exceeded"),
            );
            let count = state["ToleratedFailureCount"]
                .as_u64()
                .map(|count| failed as u64 > count);
            let share = state["ToleratedFailurePercentage"].as_f64();
            // of items whose number is never known nobody can say what share has failed
            let share = share.map(|share| !broken && failed as f64 * 100.0 / items.len().max(1) as f64 > share);
            let over = match (count, share) {
                (None, None) => failed > 0,
                (count, share) => failed > 0 && (count == Some(true) || share == Some(true)),
            };
            if over {
                add(&mut endings, too_many)?;
            }
            if broken {
                add(&mut endings, fails("States.ItemReaderFailed", None))?;
            } else if !over {
                add(
                    &mut endings,
                    Ending::Returns(match state["ResultWriter"].is_object() {
                        true => json!({"written": results}),
                        false => Value::Array(results),
                    }),
                )?;
            }
        }
        Some(endings)
    }

    fn task(&self, name: &str, state: &Value, parameters: &Value, retries: u64) -> Endings {
        let timed_out = |error: &str| Ending::Fails {
            error: error.to_owned(),
            cause: None,
        };
        let mut endings = Vec::new();
        match answer(self.seed, state["Resource"].as_str()?, name, parameters, retries as u32) {
            Answer::Returns(result) => endings.push(Ending::Returns(match &state["ResultSelector"] {
                Value::Null => result,
                selector => filled(selector, &result),
            })),
            Answer::Fails(error) => {
                endings.push(Ending::Fails {
                    error: error.to_owned(),
                    cause: Some(name.to_owned()),
                });
            }
            Answer::FallsSilent => endings.push(timed_out("States.HeartbeatTimeout")),
            Answer::Hangs => {}
        }
        // Only a crash that came while the attempt ran does this, which is checked where it is recorded.
        if state["Resource"] == ONCE {
            let failure = engine::interrupted();
            endings.push(Ending::Fails {
                error: failure.error?,
                cause: failure.cause,
            });
        }
        // A deadline counts from the moment the attempt is wanted, so waiting for a slot or a restart can
        // use it up.
        if !state["TimeoutSeconds"].is_null() {
            endings.push(timed_out("States.Timeout"));
        }
        Some(endings)
    }
}

/// Endings of things that run at once: all results, or any one failure.
fn together(parts: &[Vec<Ending>]) -> Endings {
    let mut endings = Vec::new();
    for part in parts {
        for ending in part.iter().filter(|ending| matches!(ending, Ending::Fails { .. })) {
            add(&mut endings, ending.clone())?;
        }
    }
    let mut results: Vec<Vec<Value>> = vec![Vec::new()];
    for part in parts {
        let mut longer = Vec::new();
        for ending in part {
            if let Ending::Returns(value) = ending {
                for result in &results {
                    let mut result = result.clone();
                    result.push(value.clone());
                    longer.push(result);
                }
            }
        }
        if longer.len() > MANY {
            return None;
        }
        results = longer;
    }
    for result in results {
        add(&mut endings, Ending::Returns(Value::Array(result)))?;
    }
    Some(endings)
}

fn add(endings: &mut Vec<Ending>, ending: Ending) -> Option<()> {
    if !endings.contains(&ending) {
        endings.push(ending);
    }
    (endings.len() <= MANY).then_some(())
}

fn matches(rule: &Value, error: &str) -> bool {
    let names = rule["ErrorEquals"].as_array().map_or(&[][..], Vec::as_slice);
    let heartbeat = error == "States.HeartbeatTimeout";
    names
        .iter()
        .any(|name| name == error || name == "States.ALL" || (name == "States.Timeout" && heartbeat))
}

/// A path of one step at most; absent is the whole.
fn at(value: &Value, path: &Value) -> Value {
    match path.as_str() {
        None | Some("$") => value.clone(),
        Some(path) => value[&path[2..]].clone(),
    }
}

/// A template whose paths have one step at most; absent is the whole input.
fn filled(template: &Value, input: &Value) -> Value {
    let Value::Object(fields) = template else {
        return input.clone();
    };
    let filled = fields.iter().map(|(name, field)| match name.strip_suffix(".$") {
        Some(name) => (name.to_owned(), at(input, field)),
        None => (name.clone(), field.clone()),
    });
    Value::Object(filled.collect())
}

/// ResultPath.
fn put(raw: &Value, path: &Value, result: Value) -> Value {
    let Some(path) = path.as_str() else {
        return raw.clone();
    };
    let mut output = raw.clone();
    output[&path[2..]] = result;
    output
}

fn output(state: &Value, raw: &Value, result: Value) -> Value {
    // Absent is not null: without ResultPath the result replaces the input.
    if state.get("ResultPath").is_none() {
        result
    } else {
        put(raw, &state["ResultPath"], result)
    }
}

fn choose<'s>(state: &'s Value, input: &Value) -> Option<&'s str> {
    let rules = state["Choices"].as_array()?;
    let chosen = rules
        .iter()
        .find(|rule| holds(rule, input))
        .map_or(&state["Default"], |rule| &rule["Next"]);
    chosen.as_str()
}

fn holds(rule: &Value, input: &Value) -> bool {
    if let Some(rules) = rule["And"].as_array() {
        return rules.iter().all(|rule| holds(rule, input));
    }
    if rule["Not"].is_object() {
        return !holds(&rule["Not"], input);
    }
    if rule["IsPresent"].is_boolean() {
        return false;
    }
    let value = at(input, &rule["Variable"]);
    let number = value.as_i64().unwrap_or_default();
    match rule
        .as_object()
        .into_iter()
        .flatten()
        .find(|(name, _)| *name != "Variable" && *name != "Next")
    {
        Some((name, bound)) if name == "NumericLessThan" => number < bound.as_i64().unwrap_or_default(),
        Some((name, bound)) if name == "NumericGreaterThan" => number > bound.as_i64().unwrap_or_default(),
        Some((_, expected)) => value == *expected,
        None => false,
    }
}

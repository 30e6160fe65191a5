//! Reads a definition's document into the model. Goes on after a mistake, so that all are found.

use std::collections::BTreeMap;

use serde_json::Value;

use super::choice;
use super::diagnostic::{Code, Diagnostic, Step};
use super::field_table;
use super::fields::Fields;
use super::state_machine::*;
use crate::expression::Template;
use crate::expression::jsonata::StatesField;
use crate::limits::Limits;
use crate::payload::Payload;
use crate::timestamp::Timestamp;

/// AWS's bound on seconds in definitions.
pub(super) const MAX_SECONDS: u64 = 99_999_999;
/// Parallel and Map states within each other. AWS doesn't publish its bound; the JSON parser's, 128
/// levels, allows 31, and this one comes first to say it in the language's words.
const MAX_NESTING: usize = 25;

const KINDS: [&str; 8] = ["Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map"];

pub(super) struct Reader {
    pub diagnostics: Vec<Diagnostic>,
    limits: Limits,
    /// The machine's.
    language: QueryLanguage,
    flows: Vec<Option<Flow>>,
}

impl Reader {
    pub fn new(limits: &Limits) -> Self {
        Self {
            diagnostics: Vec::new(),
            limits: *limits,
            language: QueryLanguage::default(),
            flows: Vec::new(),
        }
    }

    /// The machine, when all of it could be read.
    pub fn machine(&mut self, document: &Value) -> Option<StateMachine> {
        let fields = Fields::of(document, Vec::new(), QueryLanguage::JsonPath, &mut self.diagnostics)?;
        fields.only(
            &[&[
                "Comment",
                "StartAt",
                "States",
                "Version",
                "TimeoutSeconds",
                "QueryLanguage",
            ]],
            &mut self.diagnostics,
        );
        fields.one_of("Version", &["1.0"], &mut self.diagnostics);
        fields.text("Comment", &mut self.diagnostics);
        self.language = self.query_language(&fields);
        let timeout_seconds = fields.integer("TimeoutSeconds", 1..=MAX_SECONDS, &mut self.diagnostics);
        self.flow(&fields, 0)?;
        let flows = std::mem::take(&mut self.flows)
            .into_iter()
            .collect::<Option<Vec<Flow>>>()?;
        Some(StateMachine { timeout_seconds, flows })
    }

    /// The language of a state: its own, or the machine's, which JSONata binds for all.
    pub(super) fn query_language(&mut self, fields: &Fields<'_>) -> QueryLanguage {
        if !fields.map.contains_key("QueryLanguage") {
            return self.language;
        }
        match fields
            .one_of("QueryLanguage", &["JSONPath", "JSONata"], &mut self.diagnostics)
            .as_deref()
        {
            Some("JSONPath") if self.language == QueryLanguage::JsonAta => {
                fields.refuse_whole(
                    "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine",
                    &mut self.diagnostics,
                );
                QueryLanguage::JsonAta
            }
            Some("JSONPath") => QueryLanguage::JsonPath,
            // AWS takes what it doesn't know for JSONata
            Some(_) | None => QueryLanguage::JsonAta,
        }
    }

    pub(super) fn flow(&mut self, fields: &Fields<'_>, depth: usize) -> Option<FlowId> {
        if depth > MAX_NESTING {
            self.diagnostics.push(Diagnostic::error(
                Code::TooDeeplyNested,
                format!("States are nested more than {MAX_NESTING} deep"),
                &fields.path,
            ));
            return None;
        }
        fields.require(&["States", "StartAt"], &mut self.diagnostics);
        let id = FlowId(self.flows.len());
        self.flows.push(None);
        let start_at = fields.text("StartAt", &mut self.diagnostics);
        let states = fields.object("States", &mut self.diagnostics)?;
        if states.is_empty() {
            fields.refuse("States", "Value cannot be empty", &mut self.diagnostics);
        }
        let mut read = Vec::with_capacity(states.len());
        let mut complete = true;
        for (name, document) in states {
            let mut path = fields.at("States");
            path.push(Step::Field(name.clone()));
            if name.chars().count() > self.limits.state_name_characters {
                self.diagnostics.push(Diagnostic::error(
                    Code::InvalidStateName,
                    format!(
                        "State name is longer than {} characters",
                        self.limits.state_name_characters
                    ),
                    &path,
                ));
            }
            match self.state(name, document, path, depth) {
                Some(state) => read.push(state),
                None => complete = false,
            }
        }
        if !complete {
            return None;
        }
        let by_name: BTreeMap<String, usize> = read
            .iter()
            .enumerate()
            .map(|(index, state)| (state.name.clone(), index))
            .collect();
        self.flows[id.0] = Some(Flow {
            start_at: start_at?,
            states: read,
            by_name,
        });
        Some(id)
    }

    fn state(&mut self, name: &str, document: &Value, path: Vec<Step>, depth: usize) -> Option<State> {
        let mut fields = Fields::of(document, path, self.language, &mut self.diagnostics)?;
        if !fields.map.contains_key("Type") {
            fields.require(&["Type"], &mut self.diagnostics);
            return None;
        }
        let kind_name = fields.one_of("Type", &KINDS, &mut self.diagnostics)?;
        fields.language = self.query_language(&fields);
        let other = match fields.language {
            QueryLanguage::JsonPath => QueryLanguage::JsonAta,
            QueryLanguage::JsonAta => QueryLanguage::JsonPath,
        };
        fields.only_in_language(
            field_table::allowed(&kind_name, fields.language),
            field_table::allowed(&kind_name, other),
            &mut self.diagnostics,
        );
        fields.text("Comment", &mut self.diagnostics);
        if matches!(kind_name.as_str(), "Task" | "Parallel" | "Map") {
            fields.outcome = Some(StatesField::Result);
        }
        let kind = match kind_name.as_str() {
            "Pass" => Some(self.pass(&fields)),
            "Task" => self.task(&fields),
            "Choice" => choice::read(&fields, &mut self.diagnostics).map(Kind::Choice),
            "Wait" => self.wait(&fields).map(Kind::Wait),
            "Succeed" => Some(Kind::Succeed),
            "Fail" => Some(self.fail(&fields)),
            "Parallel" => self.parallel(&fields, depth),
            _ => self.map(&fields, depth),
        };
        let transition = self.transition(&fields, &kind_name)?;
        let findings = &mut self.diagnostics;
        Some(State {
            name: name.to_owned(),
            language: fields.language,
            assign: fields.assign(findings),
            output: fields.template("Output", findings),
            input_path: fields.payload_path("InputPath", findings),
            output_path: fields.payload_path("OutputPath", findings),
            transition,
            kind: kind?,
        })
    }

    fn transition(&mut self, fields: &Fields<'_>, kind: &str) -> Option<Transition> {
        match kind {
            "Choice" => return Some(Transition::Rules),
            "Succeed" | "Fail" => return Some(Transition::End),
            _ => {}
        }
        let next = fields.text("Next", &mut self.diagnostics);
        let end = fields.boolean("End", &mut self.diagnostics);
        match (next, end) {
            (Some(_), Some(true)) => {
                fields.at_most_one(&["Next", "End"], &mut self.diagnostics);
                None
            }
            (Some(next), _) => Some(Transition::Next(next)),
            (None, Some(true)) => Some(Transition::End),
            (None, _) => {
                if !fields.map.contains_key("Next") {
                    fields.refuse_whole("These fields are required: [Next] or [End]", &mut self.diagnostics);
                }
                None
            }
        }
    }

    fn pass(&mut self, fields: &Fields<'_>) -> Kind {
        if let Some(Value::String(text)) = fields.map.get("Result")
            && text.starts_with("$.")
        {
            self.diagnostics.push(Diagnostic::warning(
                Code::PassResultIsStatic,
                "Result is taken as it is; use Parameters to have a path evaluated",
                &fields.at("Result"),
            ));
        }
        Kind::Pass(Pass {
            result: fields.map.get("Result").map(|value| Payload::from_value(value.clone())),
            parameters: fields.template("Parameters", &mut self.diagnostics),
            result_path: fields.result_path(&mut self.diagnostics),
        })
    }

    fn task(&mut self, fields: &Fields<'_>) -> Option<Kind> {
        let findings = &mut self.diagnostics;
        fields.require(&["Resource"], findings);
        let resource = fields.text("Resource", findings);
        if resource.as_deref() == Some("") {
            fields.refuse("Resource", "Value cannot be empty", findings);
        }
        if let Some(credentials) = fields.object("Credentials", findings)
            && !["RoleArn", "RoleArn.$"]
                .iter()
                .any(|name| credentials.contains_key(*name))
        {
            fields.refuse(
                "Credentials",
                "The field 'RoleArn' is required but was missing",
                findings,
            );
        }
        let timeout = fields.dynamic(
            "TimeoutSeconds",
            |fields, findings| fields.integer("TimeoutSeconds", 1..=MAX_SECONDS, findings),
            findings,
        );
        let heartbeat = fields.dynamic(
            "HeartbeatSeconds",
            |fields, findings| fields.integer("HeartbeatSeconds", 1..=MAX_SECONDS, findings),
            findings,
        );
        if let (Some(Dynamic::Literal(timeout)), Some(Dynamic::Literal(heartbeat))) = (&timeout, &heartbeat)
            && heartbeat >= timeout
        {
            fields.refuse(
                "HeartbeatSeconds",
                "HeartbeatSeconds must be smaller than TimeoutSeconds",
                findings,
            );
        }
        let task = Task {
            resource: resource.unwrap_or_default(),
            parameters: arguments(fields, findings),
            credentials: fields.template("Credentials", findings),
            timeout,
            heartbeat,
            outcome: self.outcome(fields),
        };
        Some(Kind::Task(Box::new(task)))
    }

    fn wait(&mut self, fields: &Fields<'_>) -> Option<Wait> {
        const FORMS: [&str; 4] = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];
        let findings = &mut self.diagnostics;
        fields.at_most_one(&FORMS, findings);
        if let Some(name) = FORMS.into_iter().find(|name| fields.map.contains_key(*name)) {
            return match name {
                "Seconds" | "Timestamp" if fields.is_expression(name) => {
                    let expression = fields.expression(name, findings)?;
                    Some(if name == "Seconds" {
                        Wait::SecondsExpression(expression)
                    } else {
                        Wait::TimestampExpression(expression)
                    })
                }
                "Seconds" => fields.integer("Seconds", 0..=MAX_SECONDS, findings).map(Wait::Seconds),
                "SecondsPath" => fields.single_path("SecondsPath", findings).map(Wait::SecondsPath),
                "TimestampPath" => fields.single_path("TimestampPath", findings).map(Wait::TimestampPath),
                _ => {
                    let text = fields.text("Timestamp", findings)?;
                    let time = Timestamp::parse(&text);
                    if time.is_none() {
                        fields.refuse("Timestamp", "String does not match RFC3339 timestamp", findings);
                    }
                    time.map(Wait::Timestamp)
                }
            };
        }
        fields.refuse_whole(
            format!("One of these fields is required: [{}]", FORMS.join(", ")),
            findings,
        );
        None
    }

    fn fail(&mut self, fields: &Fields<'_>) -> Kind {
        let findings = &mut self.diagnostics;
        Kind::Fail(Fail {
            error: fields.dynamic_text("Error", findings),
            cause: fields.dynamic_text("Cause", findings),
        })
    }

    fn parallel(&mut self, fields: &Fields<'_>, depth: usize) -> Option<Kind> {
        fields.require(&["Branches"], &mut self.diagnostics);
        let parameters = arguments(fields, &mut self.diagnostics);
        let outcome = self.outcome(fields);
        let branches = fields.array("Branches", &mut self.diagnostics)?;
        if branches.is_empty() {
            fields.refuse("Branches", "Value cannot be empty", &mut self.diagnostics);
            return None;
        }
        let flows: Vec<Option<FlowId>> = branches
            .iter()
            .enumerate()
            .map(|(index, branch)| {
                let mut path = fields.at("Branches");
                path.push(Step::Index(index));
                let branch = Fields::of(branch, path, fields.language, &mut self.diagnostics)?;
                branch.only(
                    &[&["StartAt", "States", "Comment", "QueryLanguage"]],
                    &mut self.diagnostics,
                );
                self.query_language(&branch);
                self.flow(&branch, depth + 1)
            })
            .collect();
        let branches = flows.into_iter().collect::<Option<Vec<_>>>()?;
        Some(Kind::Parallel(Parallel {
            branches,
            parameters,
            outcome,
        }))
    }
}

/// A state's Parameters, by the name its language gives them.
pub(super) fn arguments(fields: &Fields<'_>, findings: &mut Vec<Diagnostic>) -> Option<Template> {
    match fields.language {
        QueryLanguage::JsonPath => fields.template("Parameters", findings),
        QueryLanguage::JsonAta => fields.template("Arguments", findings),
    }
}

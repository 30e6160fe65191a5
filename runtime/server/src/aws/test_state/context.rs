//! The context object of a state under test: the caller's, or one of a made-up execution.

use asl::definition::{Kind, Map, State};
use asl::{Payload, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::integration::{Integration, Pattern};
use crate::aws::arn::Namespace;
use crate::aws::errors::{Answer, ApiError};

/// The name a state has while it is tested, as AWS's answers show it.
pub const STATE_NAME: &str = "StateName";

/// Where a distributed Map state's items come from when nothing reads them.
const FROM_STATE_DATA: &str = "STATE_DATA";

/// The context object where the caller gives none. AWS runs tests as Express executions of a nameless machine; what
/// runs in the iterations of `around` sees its first, whose item is the input.
pub fn made_up(
    namespace: &Namespace,
    (state, around): (&State, Option<&Map>),
    role: Option<&str>,
    input: &Payload,
    now: Timestamp,
) -> Payload {
    let (machine, execution) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
    let mut under_test = json!({"Name": STATE_NAME, "EnteredTime": now.to_string()});
    if state.outcome().is_some() {
        under_test["RetryCount"] = json!(0);
    }
    let mut context = json!({
        "Execution": {
            "Id": namespace.express_execution(&machine, &execution),
            "Input": input.value(),
            "StartTime": now.to_string(),
            "Name": execution,
            "RoleArn": role,
        },
        "StateMachine": {"Id": namespace.machine(&machine), "Name": machine},
        "State": under_test,
    });
    if takes_token(state) {
        context["Task"] = json!({"Token": Uuid::new_v4().to_string()});
    }
    if let Some(map) = around {
        let mut item = json!({"Index": 0, "Value": input.value()});
        if map
            .distributed
            .as_ref()
            .is_some_and(|distributed| distributed.reader.is_none())
        {
            item["Source"] = json!(FROM_STATE_DATA);
        }
        context["Map"] = json!({"Item": item});
    }
    Payload::from_value(context)
}

/// How often the state was retried before, where a context object says.
pub fn retries(context: &Payload) -> Option<u64> {
    context.value().get("State")?.get("RetryCount")?.as_u64()
}

/// The caller's context object, exactly: what isn't in it isn't there.
///
/// # Errors
/// `ValidationException` for what can't be a context object of `state`.
pub fn given(text: &str, state: &State) -> Answer<Payload> {
    let refuse = |reason: String| ApiError::validation(format!("Invalid Context object provided: {reason}"));
    let payload = Payload::from_text(text).map_err(|_| refuse("it must be valid JSON".into()))?;
    let Value::Object(fields) = payload.value() else {
        return Err(refuse("it must be a JSON object".into()));
    };
    for (name, value) in fields {
        let known = match name.as_str() {
            "Execution" => &EXECUTION[..],
            "State" => &STATE,
            "StateMachine" => &MACHINE,
            "Task" if takes_token(state) => &TASK,
            _ => {
                return Err(refuse(format!(
                    "'{name}' field is not supported when mocking a Context object"
                )));
            }
        };
        let Value::Object(fields) = value else {
            return Err(refuse(format!("'{name}' field must be an object")));
        };
        section(name, fields, known).map_err(refuse)?;
    }
    Ok(payload)
}

/// What a field of the context object holds.
#[derive(Clone, Copy)]
enum Holds {
    Text,
    Time,
    Count,
    Json,
}

const EXECUTION: [(&str, Holds); 6] = [
    ("Id", Holds::Text),
    ("Input", Holds::Json),
    ("Name", Holds::Text),
    ("RoleArn", Holds::Text),
    ("StartTime", Holds::Time),
    ("RedriveCount", Holds::Count),
];
const STATE: [(&str, Holds); 3] = [
    ("EnteredTime", Holds::Time),
    ("Name", Holds::Text),
    ("RetryCount", Holds::Count),
];
const MACHINE: [(&str, Holds); 2] = [("Id", Holds::Text), ("Name", Holds::Text)];
const TASK: [(&str, Holds); 1] = [("Token", Holds::Text)];

fn section(name: &str, fields: &serde_json::Map<String, Value>, known: &[(&str, Holds)]) -> Result<(), String> {
    for (field, value) in fields {
        let Some((_, holds)) = known.iter().find(|(known, _)| known == field) else {
            return Err(format!(
                "'{name}.{field}' field is not supported when mocking a Context object"
            ));
        };
        let (fits, wanted) = match holds {
            Holds::Text => (value.is_string(), "a string"),
            Holds::Time => (
                value.as_str().and_then(Timestamp::parse).is_some(),
                "an ISO-8601 date-time",
            ),
            Holds::Count => (value.is_u64(), "a non-negative integer"),
            Holds::Json => (true, "JSON"),
        };
        if !fits {
            return Err(format!("'{name}.{field}' field must be {wanted}"));
        }
    }
    Ok(())
}

/// Whether the state's task is one that ends with a token.
fn takes_token(state: &State) -> bool {
    match &state.kind {
        Kind::Task(task) => Integration::read(&task.resource).pattern == Pattern::Callback,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use asl::definition::{FlowId, parse_state};

    use super::*;

    fn state(resource: &str) -> State {
        let definition = json!({"Type": "Task", "Resource": resource, "End": true}).to_string();
        let (machine, found) = parse_state(&definition, STATE_NAME, &asl::Limits::default());
        let machine = machine.unwrap_or_else(|| panic!("{found:?}"));
        machine.flow(FlowId::ROOT).state(STATE_NAME).expect("one state").clone()
    }

    #[test]
    fn the_callers_context_is_taken_as_it_is_where_it_can_be_one() {
        let plain = state("arn:aws:states:::lambda:invoke");
        let callback = state("arn:aws:states:::sqs:sendMessage.waitForTaskToken");
        for text in ["{}", r#"{"Execution": {}}"#, r#"{ "State": {"RetryCount": 2} }"#] {
            assert_eq!(
                given(text, &plain).map(|context| context.text().to_owned()),
                Ok(text.to_owned())
            );
        }
        let task = r#"{"Task": {"Token": "t"}}"#;
        assert!(given(task, &callback).is_ok());
        for (text, named) in [
            (task, "'Task' field"),
            (r#"{"Map": {}}"#, "'Map' field"),
            (r#"{"State": 1}"#, "'State' field"),
            (r#"{"State": {"RetryCount": -1}}"#, "'State.RetryCount' field"),
            (
                r#"{"Execution": {"StartTime": "today"}}"#,
                "'Execution.StartTime' field",
            ),
            (r#"{"Execution": {"Colour": 1}}"#, "'Execution.Colour' field"),
            ("[]", "a JSON object"),
            ("{", "valid JSON"),
        ] {
            let refused = given(text, &plain).expect_err(text);
            assert!(
                refused.message.starts_with("Invalid Context object provided: "),
                "{refused:?}"
            );
            assert!(refused.message.contains(named), "{refused:?}");
        }
    }
}

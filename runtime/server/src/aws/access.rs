//! What each operation does, and to what: the one table that decides who may call it.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::arn::Namespace;
use super::errors::{Answer, ApiError};
use crate::access::Action;

/// What an operation touches, for keys that are limited to some names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nothing stored.
    Nothing,
    /// Anything: not for limited keys.
    Everything,
    /// What these parameters name by ARN; those that are absent don't count, but one must be there.
    Arns(&'static [&'static str]),
    /// What is made under the name in `name`.
    Name,
    /// The machine whose versions an alias is to point to.
    Routes,
    /// The machine whose task this token is for.
    TaskToken,
    /// A list, of which a limited key is shown its part; the answer's member that holds it.
    Listed(&'static str),
}

const ACTIVITY: Reach = Reach::Arns(&["activityArn"]);
const ALIAS: Reach = Reach::Arns(&["stateMachineAliasArn"]);
const EXECUTION: Reach = Reach::Arns(&["executionArn"]);
const MACHINE: Reach = Reach::Arns(&["stateMachineArn"]);
const MAP_RUN: Reach = Reach::Arns(&["mapRunArn"]);
const TAGGED: Reach = Reach::Arns(&["resourceArn"]);
const VERSION: Reach = Reach::Arns(&["stateMachineVersionArn"]);

/// Every operation of the API version 2016-11-23. One that isn't here is nobody's.
const OPERATIONS: &[(&str, Action, Reach)] = &[
    ("CreateActivity", Action::Administer, Reach::Name),
    ("CreateStateMachine", Action::Administer, Reach::Name),
    ("CreateStateMachineAlias", Action::Administer, Reach::Routes),
    ("DeleteActivity", Action::Administer, ACTIVITY),
    ("DeleteStateMachine", Action::Administer, MACHINE),
    ("DeleteStateMachineAlias", Action::Administer, ALIAS),
    ("DeleteStateMachineVersion", Action::Administer, VERSION),
    ("DescribeActivity", Action::Read, ACTIVITY),
    ("DescribeExecution", Action::Read, EXECUTION),
    ("DescribeMapRun", Action::Read, MAP_RUN),
    ("DescribeStateMachine", Action::Read, MACHINE),
    ("DescribeStateMachineAlias", Action::Read, ALIAS),
    ("DescribeStateMachineForExecution", Action::Read, EXECUTION),
    ("GetActivityTask", Action::Work, ACTIVITY),
    ("GetExecutionHistory", Action::Read, EXECUTION),
    ("ListActivities", Action::Read, Reach::Listed("activities")),
    (
        "ListExecutions",
        Action::Read,
        Reach::Arns(&["stateMachineArn", "mapRunArn"]),
    ),
    ("ListMapRuns", Action::Read, EXECUTION),
    ("ListStateMachineAliases", Action::Read, MACHINE),
    ("ListStateMachineVersions", Action::Read, MACHINE),
    ("ListStateMachines", Action::Read, Reach::Listed("stateMachines")),
    ("ListTagsForResource", Action::Read, TAGGED),
    ("PublishStateMachineVersion", Action::Administer, MACHINE),
    ("RedriveExecution", Action::Operate, EXECUTION),
    ("SendTaskFailure", Action::Work, Reach::TaskToken),
    ("SendTaskHeartbeat", Action::Work, Reach::TaskToken),
    ("SendTaskSuccess", Action::Work, Reach::TaskToken),
    ("StartExecution", Action::Start, MACHINE),
    ("StartSyncExecution", Action::Start, MACHINE),
    ("StopExecution", Action::Operate, EXECUTION),
    ("TagResource", Action::Administer, TAGGED),
    // Runs a definition of the caller's, with any module.
    ("TestState", Action::Administer, Reach::Everything),
    ("UntagResource", Action::Administer, TAGGED),
    ("UpdateMapRun", Action::Operate, MAP_RUN),
    ("UpdateStateMachine", Action::Administer, MACHINE),
    ("UpdateStateMachineAlias", Action::Administer, ALIAS),
    ("ValidateStateMachineDefinition", Action::Read, Reach::Nothing),
];

/// What an operation does, and to what.
///
/// # Errors
/// `UnknownOperationException` for one that isn't in the table, whatever else knows it.
pub fn of(operation: &str) -> Answer<(Action, Reach)> {
    let found = OPERATIONS.iter().find(|(name, ..)| *name == operation);
    found.map(|(_, action, reach)| (*action, *reach)).ok_or_else(|| {
        ApiError::unknown_operation("the operation is not one of AWS Step Functions; check the header X-Amz-Target")
    })
}

/// Something an operation touches.
#[derive(Debug, PartialEq, Eq)]
pub struct Touched {
    /// As the caller names it.
    pub resource: String,
    /// The state machine's or activity's name, where there is one.
    pub name: Option<String>,
}

/// What the parameters of an operation name. Empty for what is decided otherwise.
///
/// # Errors
/// `SerializationException` for parameters that are no object: handlers might read them otherwise.
pub fn touched(reach: Reach, body: &[u8], namespace: &Namespace) -> Answer<Vec<Touched>> {
    let by_arn = |arn: &str| Touched {
        resource: arn.to_owned(),
        name: namespace.name_in(arn).map(str::to_owned),
    };
    let touched: Vec<Touched> = match reach {
        Reach::Nothing | Reach::Everything | Reach::TaskToken | Reach::Listed(_) => return Ok(Vec::new()),
        Reach::Arns(names) => {
            let parameters = parameters(body)?;
            let given = names.iter().filter_map(|name| parameters.get(*name)?.as_str());
            given.map(by_arn).collect()
        }
        Reach::Name => {
            let parameters = parameters(body)?;
            let name = parameters.get("name").and_then(Value::as_str);
            name.map(|name| Touched {
                resource: name.to_owned(),
                name: Some(name.to_owned()),
            })
            .into_iter()
            .collect()
        }
        Reach::Routes => {
            let parameters = parameters(body)?;
            let routes = parameters.get("routingConfiguration").and_then(Value::as_array);
            let arns = routes.into_iter().flatten();
            arns.map(|route| by_arn(route["stateMachineVersionArn"].as_str().unwrap_or_default()))
                .collect()
        }
    };
    Ok(touched)
}

/// The task token in an operation's parameters.
///
/// # Errors
/// `SerializationException` as [`touched`].
pub fn task_token(body: &[u8]) -> Answer<String> {
    let parameters = parameters(body)?;
    let token = parameters.get("taskToken").and_then(Value::as_str);
    Ok(token.unwrap_or_default().to_owned())
}

fn parameters(body: &[u8]) -> Answer<Map<String, Value>> {
    let body = if body.is_empty() {
        Cow::Borrowed(&b"{}"[..])
    } else {
        Cow::Borrowed(body)
    };
    serde_json::from_slice(&body)
        .map_err(|error| ApiError::serialization(format!("the body is no JSON object: {error}; send one")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace() -> Namespace {
        Namespace::new("aws", "us-east-1", "000000000000")
    }

    fn names(reach: Reach, body: &str) -> Vec<Option<String>> {
        let touched = touched(reach, body.as_bytes(), &namespace()).expect("an object");
        touched.into_iter().map(|touched| touched.name).collect()
    }

    #[test]
    fn every_operation_has_its_line() {
        let model: Vec<&str> = crate::aws::operations::MODEL.to_vec();
        assert_eq!(model.len(), 37, "the operations of the service's model");
        let table: Vec<&str> = OPERATIONS.iter().map(|(name, ..)| *name).collect();
        assert_eq!(table, model);
        for operation in crate::aws::operations::OPERATIONS {
            assert!(of(operation).is_ok(), "{operation}");
        }
        assert_eq!(of("DropTables").expect_err("unknown").kind, "UnknownOperationException");
    }

    #[test]
    fn parameters_lead_to_names() {
        let arn = |rest: &str| format!(r#""arn:aws:states:us-east-1:000000000000:{rest}""#);
        for (rest, name) in [
            ("stateMachine:orders", Some("orders")),
            ("stateMachine:orders:3", Some("orders")),
            ("stateMachine:orders/each", Some("orders")),
            ("execution:orders:one", Some("orders")),
            ("express:orders:one:two", Some("orders")),
            (
                "mapRun:orders/each:1b4e28ba-2fa1-11d2-883f-0016d3cca427",
                Some("orders"),
            ),
            ("activity:orders", Some("orders")),
            ("nonsense", None),
        ] {
            let body = format!(r#"{{"stateMachineArn": {}}}"#, arn(rest));
            assert_eq!(names(MACHINE, &body), [name.map(str::to_owned)], "{rest}");
        }
        let elsewhere = r#"{"stateMachineArn": "arn:aws:states:eu-west-1:111111111111:stateMachine:orders"}"#;
        assert_eq!(names(MACHINE, elsewhere), [None]);
        assert_eq!(names(Reach::Name, r#"{"name": "orders"}"#), [Some("orders".into())]);
        let routes = format!(
            r#"{{"name": "live", "routingConfiguration": [{{"stateMachineVersionArn": {}, "weight": 1}}, {{}}]}}"#,
            arn("stateMachine:orders:1")
        );
        assert_eq!(names(Reach::Routes, &routes), [Some("orders".into()), None]);
        assert_eq!(names(MACHINE, ""), []);
        let list = touched(MACHINE, b"[\"arn\"]", &namespace());
        assert_eq!(list.expect_err("no object").kind, "SerializationException");
    }
}

//! One call of a task: JSON text in, JSON text or a named failure out.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::TaskError;

/// The input isn't JSON or doesn't fit the task's type.
const INVALID_INPUT: &str = "InvalidInput";
/// The output can't be written as JSON.
const INVALID_OUTPUT: &str = "InvalidOutput";

/// Reads the input, calls the task and writes its output.
///
/// # Errors
/// What the task returned, `InvalidInput` or `InvalidOutput`.
pub fn handle<I, O, E>(input: &str, task: impl FnOnce(I) -> Result<O, E>) -> Result<String, TaskError>
where
    I: DeserializeOwned,
    O: Serialize,
    E: Into<TaskError>,
{
    let output = task(read(input)?).map_err(Into::into)?;
    serde_json::to_string(&output).map_err(|error| TaskError::new(INVALID_OUTPUT, error.to_string()))
}

fn read<I: DeserializeOwned>(input: &str) -> Result<I, TaskError> {
    // Keeping the path costs an allocation for every key, so it is only looked for when it is needed.
    serde_json::from_str(input).map_err(|error| {
        let reader = &mut serde_json::Deserializer::from_str(input);
        match serde_path_to_error::deserialize::<_, I>(reader) {
            // The path of the document itself says nothing.
            Err(located) if located.path().iter().next().is_some() => {
                TaskError::new(INVALID_INPUT, format!("`{}`: {}", located.path(), located.inner()))
            }
            _ => TaskError::new(INVALID_INPUT, error.to_string()),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Line {
        quantity: u32,
    }

    #[derive(Deserialize)]
    struct Order {
        lines: Vec<Line>,
    }

    fn count(order: Order) -> Result<u32, TaskError> {
        Ok(order.lines.iter().map(|line| line.quantity).sum())
    }

    #[test]
    fn a_task_is_json_in_and_json_out() {
        assert_eq!(
            handle(r#"{"lines": [{"quantity": 2}, {"quantity": 3}]}"#, count),
            Ok("5".to_owned())
        );
    }

    #[test]
    fn what_does_not_fit_says_where_and_why() {
        for (input, cause) in [
            (
                r#"{"lines":[{"quantity":1},{"quantity":"two"}]}"#,
                r#"`lines[1].quantity`: invalid type: string "two", expected u32 at line 1 column 42"#,
            ),
            (
                r#"{"lines":[{}]}"#,
                "`lines[0]`: missing field `quantity` at line 1 column 12",
            ),
            ("{}", "missing field `lines` at line 1 column 2"),
            ("", "EOF while parsing a value at line 1 column 0"),
            (r#"{"lines":[]} x"#, "trailing characters at line 1 column 14"),
        ] {
            assert_eq!(
                handle(input, count),
                Err(TaskError::new("InvalidInput", cause)),
                "{input}"
            );
        }
    }

    #[test]
    fn an_output_that_is_no_json_is_a_failure_not_a_panic() {
        let task = |(): ()| Ok::<_, TaskError>(BTreeMap::from([((1, 2), 3)]));
        let failure = handle("null", task).expect_err("a tuple is no key");
        assert_eq!(failure.error(), "InvalidOutput");
    }

    #[test]
    fn any_error_type_will_do() {
        let task = |text: String| text.parse::<u32>();
        assert_eq!(handle(r#""12""#, task), Ok("12".to_owned()));
        assert_eq!(handle(r#""x""#, task).expect_err("no number").error(), "ParseIntError");
    }
}

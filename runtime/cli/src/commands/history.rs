//! `sandstep history`: what an execution did, event by event, while it does it where asked to.

use std::time::Duration;

use serde_json::{Value, json};

use super::{short_name, text};
use crate::args;
use crate::client::{Client, Error, HISTORY_PAGE};
use crate::events::EventTable;
use crate::output::{Output, hint};
use crate::problem::{Ending, Result};

/// Between two looks at a running execution: soon enough for a person, seldom enough for a server.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Shows a history, page by page.
pub fn history(client: &Client, asked: &args::History, output: &Output) -> Result {
    let arn = client.execution_arn(&asked.execution)?;
    if output.is_json() && !asked.follow {
        let mut events = Vec::new();
        let mut pages = Pages::new(&arn);
        while let Some(page) = pages.next(client)? {
            events.extend(page);
        }
        output.json(&json!({ "events": events }))?;
        return Ok(Ending::Good);
    }
    let mut table = EventTable::new();
    let mut pages = Pages::new(&arn);
    loop {
        let mut closed = false;
        while let Some(page) = pages.next(client)? {
            for event in &page {
                closed |= ends(event);
                if output.is_json() {
                    output.json_line(event)?;
                } else {
                    table.push(event);
                }
            }
            if !output.is_json() && !page.is_empty() {
                output.table(table.shown())?;
            }
        }
        if !asked.follow || closed || pages.cut {
            break;
        }
        std::thread::sleep(LOOK_AGAIN);
        pages.look_again();
    }
    if pages.cut {
        hint(
            output,
            "not all its events are remembered: the server keeps so many of an Express execution, and none when it stops",
        );
    } else if !asked.follow && table.is_open() {
        hint(
            output,
            &format!("not over yet; `sandstep history {} --follow` goes on", short_name(&arn)),
        );
    }
    Ok(Ending::Good)
}

/// Whether an event is the last of its execution.
pub fn ends(event: &Value) -> bool {
    let kind = text(event, "type");
    matches!(
        kind,
        "ExecutionSucceeded" | "ExecutionFailed" | "ExecutionAborted" | "ExecutionTimedOut"
    )
}

/// Events in order, each once, also when the history grows between two looks.
struct Pages<'a> {
    arn: &'a str,
    /// Where the next page begins; the last page's own place once there is none after it.
    token: Option<String>,
    /// Id of the last event given out.
    last: u64,
    finished: bool,
    /// Whether events between these are not kept: those of an Express execution that is too long or too old.
    cut: bool,
}

fn last_id(events: &[Value]) -> Option<u64> {
    events.iter().filter_map(|event| event["id"].as_u64()).max()
}

impl<'a> Pages<'a> {
    fn new(arn: &'a str) -> Self {
        Self {
            arn,
            token: None,
            last: 0,
            finished: false,
            cut: false,
        }
    }

    /// The events of the next page that weren't given out yet; nothing after the last page.
    fn next(&mut self, client: &Client) -> std::result::Result<Option<Vec<Value>>, Error> {
        if self.finished {
            return Ok(None);
        }
        if let Some(answer) = client.express_history(self.arn, self.last) {
            let mut answer = answer?;
            self.finished = answer.get("next").is_none();
            self.cut |= answer["complete"] == json!(false);
            let Value::Array(events) = answer["events"].take() else {
                return Ok(Some(Vec::new()));
            };
            self.last = last_id(&events).unwrap_or(self.last);
            return Ok(Some(events));
        }
        let mut parameters = json!({ "executionArn": self.arn, "maxResults": HISTORY_PAGE });
        if let Some(token) = &self.token {
            parameters["nextToken"] = json!(token);
        }
        let mut answer = match client.call("GetExecutionHistory", &parameters) {
            // A token a restarted server doesn't know any more costs nothing but reading from the start.
            Err(Error::Refused { code, .. }) if self.token.is_some() && code == "InvalidToken" => {
                self.token = None;
                return Ok(Some(Vec::new()));
            }
            answer => answer?,
        };
        match answer["nextToken"].take() {
            Value::String(token) => self.token = Some(token),
            _ => self.finished = true,
        }
        let Value::Array(mut events) = answer["events"].take() else {
            return Ok(Some(Vec::new()));
        };
        events.retain(|event| event["id"].as_u64().is_none_or(|id| id > self.last));
        self.last = last_id(&events).unwrap_or(self.last);
        Ok(Some(events))
    }

    /// Reads the last page again, which may have grown.
    fn look_again(&mut self) {
        self.finished = false;
    }
}

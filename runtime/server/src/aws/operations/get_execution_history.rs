//! GetExecutionHistory.

use engine::ids::ExecutionId;
use engine::ports::Reader;
use serde::Deserialize;

use super::execution::find;
use crate::aws::constraints::{ARN_LENGTH, Constraints, PAGE_SIZE, TOKEN_LENGTH, page_size};
use crate::aws::errors::{Answer, ApiError};
use crate::aws::history::{Events, Origin, Timeline, render};
use crate::aws::page_token::Question;
use crate::clock;
use crate::handle::{Handle, Inner};

/// A page ends early once it has this many bytes: 1,000 events may hold 512 KiB each, or far more.
const PAGE_BYTES: usize = 8 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    execution_arn: Option<String>,
    max_results: Option<i64>,
    reverse_order: Option<bool>,
    next_token: Option<String>,
    include_execution_data: Option<bool>,
}

/// Answers the JSON text: events are written as they are rendered.
pub async fn call(handle: &Handle, asked: Asked) -> Answer<Vec<u8>> {
    Constraints::new()
        .text("executionArn", asked.execution_arn.as_deref(), ARN_LENGTH)
        .range("maxResults", asked.max_results, 0, PAGE_SIZE)
        .length("nextToken", asked.next_token.as_deref(), 1, TOKEN_LENGTH)
        .check()?;
    handle.blocking(move |inner| page(inner, &asked)).await?
}

fn page(inner: &Inner, asked: &Asked) -> Answer<Vec<u8>> {
    let arn = asked.execution_arn.as_deref().unwrap_or_default();
    let reverse = asked.reverse_order.unwrap_or(false);
    let now = clock::now();
    let (machine, execution) = find(inner, arn)?;
    let question = Question::new(
        &inner.token_key,
        "GetExecutionHistory",
        &[arn, if reverse { "reverse" } else { "" }],
    );
    let position = question.position(asked.next_token.as_deref(), now)?;
    let (timeline, events) = inner.pages.timeline(execution.id, &*inner.reader)?;
    let mut page = Page {
        timeline: &timeline,
        events,
        reader: &*inner.reader,
        execution: execution.id,
        origin: Origin {
            namespace: &inner.namespace,
            machine: &machine.name,
            execution: execution.id,
        },
        data: asked.include_execution_data.unwrap_or(true),
        limit: page_size(asked.max_results),
    };
    let (mut body, next) = if reverse {
        page.backward(position)
    } else {
        page.forward(position)
    }?;
    if let Some(next) = next {
        body.extend_from_slice(b",\"nextToken\":\"");
        body.extend_from_slice(question.token(next, now).as_bytes());
        body.push(b'"');
    }
    body.push(b'}');
    keep_for_next_page(inner, execution.id, timeline, next.is_some());
    Ok(body)
}

fn keep_for_next_page(inner: &Inner, execution: ExecutionId, timeline: Timeline, more: bool) {
    if more {
        inner.pages.keep(execution, timeline);
    }
}

struct Page<'a> {
    timeline: &'a Timeline,
    events: Events,
    reader: &'a dyn Reader,
    execution: ExecutionId,
    origin: Origin<'a>,
    data: bool,
    limit: usize,
}

impl Page<'_> {
    /// From the events already given out onwards.
    fn forward(&mut self, given: Option<u64>) -> Answer<(Vec<u8>, Option<u64>)> {
        let total = self.timeline.entries().len();
        let start = given.map_or(0, |given| given as usize).min(total);
        let (body, count) = self.write(start..total)?;
        let end = start + count;
        Ok((body, (end < total).then_some(end as u64)))
    }

    /// From the events still to be given out downwards.
    fn backward(&mut self, left: Option<u64>) -> Answer<(Vec<u8>, Option<u64>)> {
        let total = self.timeline.entries().len();
        let left = left.map_or(total, |left| left as usize).min(total);
        let (body, count) = self.write((0..left).rev())?;
        let left = left - count;
        Ok((body, (left > 0).then_some(left as u64)))
    }

    /// `{"events":[…]`, and how many there are in it.
    fn write(&mut self, indices: impl Iterator<Item = usize>) -> Answer<(Vec<u8>, usize)> {
        let indices = self.fitting(indices);
        let entries = self.timeline.entries();
        let shown = indices.iter().map(|index| &entries[*index]);
        self.events.fetch(shown, self.data, self.execution, self.reader)?;
        let mut body = b"{\"events\":[".to_vec();
        let mut count = 0;
        for index in indices {
            if count > 0 {
                if body.len() >= PAGE_BYTES {
                    break;
                }
                body.push(b',');
            }
            let id = index as u32 + 1;
            let event = render(&entries[index], id, &self.events, &self.origin, self.data)
                .ok_or_else(|| ApiError::fault(format!("event {id} is missing from the journal")))?;
            serde_json::to_writer(&mut body, &event)
                .map_err(|error| ApiError::fault(format!("event {id} can't be written: {error}")))?;
            count += 1;
        }
        body.push(b']');
        Ok((body, count))
    }

    /// As many of them as fit on a page together with what they are named after; one at least.
    fn fitting(&self, indices: impl Iterator<Item = usize>) -> Vec<usize> {
        let entries = self.timeline.entries();
        let mut bytes = 0;
        indices
            .take(self.limit)
            .take_while(|index| {
                let fits = bytes < PAGE_BYTES;
                if self.data {
                    bytes += self.timeline.event_bytes(entries[*index].event);
                }
                fits
            })
            .collect()
    }
}

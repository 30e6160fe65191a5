//! What the guests of an execution wrote, attempt by attempt.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use asl::{Attempt, Event, EventKind, LogLine, ScopeId};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::names::{self, execution_arn};
use super::page_length;
use crate::aws::errors::ApiError;
use crate::aws::operations::execution::find;
use crate::express;
use crate::handle::{Handle, Inner};
use crate::http::{Asked, Place, Problem};

/// Lines after which an answer ends, with the attempt that wrote the last of them.
const PAGE: u32 = 1000;
/// The most a caller may ask for.
const LARGEST_PAGE: u32 = 10_000;
/// Bytes after which an answer ends in the same way.
const PAGE_BYTES: usize = 8 << 20;

/// Which part of them.
#[derive(Deserialize)]
pub(super) struct Page {
    after: Option<u64>,
    limit: Option<u32>,
}

/// One line.
#[derive(Serialize)]
struct Line {
    /// Position of the journal event that holds it.
    position: u64,
    /// When the attempt ended; lines have no times of their own.
    time: String,
    state: String,
    /// 0 for the first attempt.
    attempt: u32,
    level: String,
    message: String,
}

#[derive(Serialize, Default)]
struct Lines {
    lines: Vec<Line>,
    /// What to ask for as `after` to get more; absent where there is no more now.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// The lines as JSON, or as text for whoever prefers that.
pub(super) async fn lines(
    State(handle): State<Handle>,
    Place(id): Place<String>,
    Asked(page): Asked<Page>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let arn = execution_arn(&handle.inner().namespace, &id)?;
    let limit = page_length(page.limit, PAGE, LARGEST_PAGE)?;
    let after = page.after.unwrap_or(0);
    let lines = handle.blocking(move |inner| read(inner, &arn, after, limit)).await??;
    let accepted = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    if !accepted.is_some_and(|accept| accept.starts_with("text/plain")) {
        return Ok(axum::Json(lines).into_response());
    }
    let text: String = lines.lines.iter().map(Line::to_text).collect();
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

impl Line {
    fn to_text(&self) -> String {
        let Self {
            time,
            state,
            attempt,
            level,
            message,
            ..
        } = self;
        format!("{time} {state}#{attempt} {level}: {}\n", message.trim_end())
    }
}

fn read(inner: &Inner, arn: &str, after: u64, limit: u32) -> Result<Lines, ApiError> {
    let mut reading = Reading {
        after,
        room: limit as usize,
        room_bytes: PAGE_BYTES,
        position: 0,
        scopes: BTreeMap::new(),
        lines: Lines::default(),
    };
    if names::is_express(arn) {
        let run = express::find(inner, arn)?.ok_or_else(|| ApiError::execution_does_not_exist(arn))?;
        let _ = run.events.into_iter().try_for_each(|event| reading.see(event));
        return Ok(reading.lines);
    }
    let (_, execution) = find(inner, arn)?;
    inner
        .reader
        .visit_journal(execution.id, 0, &mut |event| reading.see(event))?;
    Ok(reading.lines)
}

struct Reading {
    after: u64,
    room: usize,
    room_bytes: usize,
    position: u64,
    /// The state under way in each scope, and its attempt.
    scopes: BTreeMap<ScopeId, (String, u32)>,
    lines: Lines,
}

impl Reading {
    fn see(&mut self, event: Event) -> ControlFlow<()> {
        self.position += 1;
        match event.kind {
            EventKind::StateEntered { scope, state, .. } => {
                self.scopes.insert(scope, (state, 0));
            }
            EventKind::StateExited { scope, next: None, .. } => {
                self.scopes.remove(&scope);
            }
            EventKind::TaskScheduled { scope, retry_count, .. } => {
                if let Some((_, attempt)) = self.scopes.get_mut(&scope) {
                    *attempt = retry_count;
                }
            }
            EventKind::TaskSucceeded { scope, attempt, .. }
            | EventKind::TaskFailed { scope, attempt, .. }
            | EventKind::TaskTimedOut { scope, attempt, .. }
                if self.position > self.after && !attempt.log.is_empty() =>
            {
                if self.room == 0 || self.room_bytes == 0 {
                    self.lines.next = self.lines.lines.last().map(|line| line.position);
                    return ControlFlow::Break(());
                }
                self.add(scope, attempt, &event.at.to_string());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn add(&mut self, scope: ScopeId, ended: Attempt, time: &str) {
        let (state, attempt) = self.scopes.get(&scope).cloned().unwrap_or_default();
        for LogLine { level, message } in ended.log {
            self.room = self.room.saturating_sub(1);
            self.room_bytes = self.room_bytes.saturating_sub(message.len());
            self.lines.lines.push(Line {
                position: self.position,
                time: time.to_owned(),
                state: state.clone(),
                attempt,
                level,
                message,
            });
        }
    }
}

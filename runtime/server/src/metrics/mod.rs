//! `/metrics`: what this server did and has in hand, in Prometheus' text format.
//!
//! Numbers of a server's whole life, kept in atomics: whoever counts never waits. The number of series is fixed when
//! the server starts but for which statuses were answered; nothing a caller names becomes a label.

mod executions;
mod requests;
mod series;

use std::sync::Arc;
use std::time::Duration;

use asl::Timestamp;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use engine::Load;

pub(crate) use executions::Executions;
pub(crate) use requests::{Requests, count};
pub(crate) use series::Counter;

use crate::clock;
use crate::execution_logs::Counts;
use crate::handle::Handle;
use crate::http::Routes;
use crate::traces;
use series::Page;

/// How long the engine is waited for to say what it has in hand; a page without that comes in time.
const PATIENCE: Duration = Duration::from_secs(1);
/// The text format's own type.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that is counted.
pub(crate) struct Metrics {
    pub(crate) executions: Executions,
    pub(crate) requests: Arc<Requests>,
    /// Batches that came faster than they were observed.
    pub(crate) unobserved: Arc<Counter>,
    /// Lines of execution logs.
    pub(crate) log_events: Arc<Counts>,
    /// Spans of traces.
    pub(crate) spans: Arc<traces::Counts>,
    started: Timestamp,
}

impl Metrics {
    /// Of a server that starts now and answers at these paths.
    pub(crate) fn new(paths: impl IntoIterator<Item = &'static str>) -> Self {
        Self {
            executions: Executions::new(),
            requests: Arc::new(Requests::new(paths)),
            unobserved: Arc::default(),
            log_events: Arc::default(),
            spans: Arc::default(),
            started: clock::now(),
        }
    }

    fn page(&self, load: Option<&Load>) -> String {
        let mut page = Page::default();
        page.metric("sandstep_build_info", "gauge", "The version that runs.");
        page.series("sandstep_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        page.single(
            "process_start_time_seconds",
            "gauge",
            "When the server started, in seconds since 1970.",
            self.started.as_seconds(),
        );
        self.executions.write(&mut page);
        if let Some(load) = load {
            write_load(load, &mut page);
        }
        page.single(
            "sandstep_unobserved_batches_total",
            "counter",
            "Commits that came faster than they could be observed: the numbers above, logs and traces miss them.",
            self.unobserved.get(),
        );
        let name = "sandstep_execution_log_events_total";
        page.metric(name, "counter", "Log events of executions, by what became of them.");
        for (result, counter) in [("written", &self.log_events.written), ("lost", &self.log_events.lost)] {
            page.series(name, &[("result", result)], counter.get());
        }
        let name = "sandstep_trace_spans_total";
        page.metric(name, "counter", "Spans of traces, by what became of them.");
        for (result, counter) in [("exported", &self.spans.exported), ("lost", &self.spans.lost)] {
            page.series(name, &[("result", result)], counter.get());
        }
        self.requests.write(&mut page);
        page.into_text()
    }
}

fn write_load(load: &Load, page: &mut Page) {
    let name = "sandstep_executions_running";
    page.metric(
        name,
        "gauge",
        "Executions that haven't closed, by type of state machine.",
    );
    page.series(
        name,
        &[("type", "standard")],
        load.running - load.unrecorded.min(load.running),
    );
    page.series(name, &[("type", "express")], load.unrecorded);
    for (name, help, value) in [
        (
            "sandstep_executions_resident",
            "Executions in memory; the others wait on disk.",
            load.resident,
        ),
        (
            "sandstep_executions_quarantined",
            "Executions set aside until the next start.",
            load.quarantined,
        ),
        ("sandstep_task_slots", "Attempts that may run at once.", load.slots),
        ("sandstep_task_slots_taken", "Attempts that run.", load.slots_taken),
        (
            "sandstep_tasks_waiting",
            "Attempts that wait for a slot: the depth of the queue.",
            load.tasks_waiting,
        ),
    ] {
        page.single(name, "gauge", help, value);
    }
}

/// The route.
pub(crate) fn routes() -> Routes {
    vec![("/metrics", get(metrics))]
}

async fn metrics(State(handle): State<Handle>) -> Response {
    let looked = tokio::time::timeout(PATIENCE, handle.inner().mailbox.look()).await;
    let load = looked.ok().and_then(Result::ok);
    let text = handle.inner().metrics.page(load.as_ref());
    ([(CONTENT_TYPE, TEXT)], text).into_response()
}

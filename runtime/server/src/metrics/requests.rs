//! Requests by what they asked for and how they were answered.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, Response, StatusCode};
use axum::middleware::Next;

use super::series::{Counter, Histogram, Page};
use crate::aws::operation_of;
use crate::aws::operations::OPERATIONS;

/// Statuses that are told apart; any other is counted as `other`.
const STATUSES: [u16; 18] = [
    200, 201, 202, 204, 206, 400, 401, 403, 404, 405, 408, 409, 413, 416, 422, 429, 500, 503,
];
/// Methods that are told apart; any other can't be answered but with 405.
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "other"];
/// The AWS API's path.
const AWS: &str = "/";
/// Seconds until an answer begins: from memory, after a sync, after a long poll.
const SECONDS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];
/// Microseconds in a second.
const MICROS: f64 = 1e6;

/// As many rows as there are operations and routes: what a caller sends makes none.
pub(crate) struct Requests {
    rows: Vec<Row>,
    /// First row of each path: one for each method follows.
    paths: HashMap<&'static str, usize>,
}

struct Row {
    operation: String,
    by_status: [Counter; STATUSES.len() + 1],
    seconds: Histogram,
}

impl Requests {
    /// For the AWS API's operations and these paths.
    pub(crate) fn new(paths: impl IntoIterator<Item = &'static str>) -> Self {
        let mut rows: Vec<Row> = OPERATIONS.iter().map(|name| Row::new((*name).to_owned())).collect();
        // What names no operation, and paths that lead nowhere.
        rows.push(Row::new("unknown".to_owned()));
        let paths = paths
            .into_iter()
            .filter(|path| *path != AWS)
            .map(|path| {
                let first = rows.len();
                rows.extend(METHODS.map(|method| Row::new(format!("{method} {path}"))));
                (path, first)
            })
            .collect();
        Self { rows, paths }
    }

    fn row(&self, request: &Request) -> usize {
        let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        match path.and_then(|path| self.paths.get(path)) {
            Some(first) => first + method(request.method()),
            // OPERATIONS are in the order of their names.
            None => operation_of(request.headers())
                .ok()
                .filter(|_| path == Some(AWS))
                .and_then(|operation| OPERATIONS.binary_search(&operation).ok())
                .unwrap_or(OPERATIONS.len()),
        }
    }

    pub(crate) fn write(&self, page: &mut Page) {
        let name = "sandstep_http_requests_total";
        page.metric(
            name,
            "counter",
            "Requests answered, by operation or route and by status.",
        );
        let statuses = STATUSES.map(|status| status.to_string());
        let statuses = || statuses.iter().map(String::as_str).chain(["other"]);
        for row in &self.rows {
            for (status, counter) in statuses().zip(&row.by_status) {
                if counter.get() > 0 {
                    page.series(
                        name,
                        &[("operation", &row.operation), ("status", status)],
                        counter.get(),
                    );
                }
            }
        }
        let name = "sandstep_http_request_seconds";
        page.metric(
            name,
            "histogram",
            "Time from a request's head to the beginning of its answer.",
        );
        for row in self.rows.iter().filter(|row| row.was_asked()) {
            page.histogram(name, &[("operation", &row.operation)], &row.seconds);
        }
    }
}

impl Row {
    fn new(operation: String) -> Self {
        Self {
            operation,
            by_status: Default::default(),
            seconds: Histogram::new(SECONDS, MICROS),
        }
    }

    fn count(&self, status: StatusCode, since: Instant) {
        let place = STATUSES.iter().position(|known| *known == status.as_u16());
        self.by_status[place.unwrap_or(STATUSES.len())].add(1);
        let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.seconds.observe(micros);
        tracing::debug!(
            operation = self.operation,
            status = status.as_u16(),
            micros,
            "request answered"
        );
    }

    fn was_asked(&self) -> bool {
        self.by_status.iter().any(|counter| counter.get() > 0)
    }
}

fn method(method: &Method) -> usize {
    match *method {
        Method::GET | Method::HEAD => 0,
        Method::PUT => 1,
        Method::POST => 2,
        Method::DELETE => 3,
        _ => 4,
    }
}

/// Counts a request when its answer begins.
pub(crate) async fn count(State(requests): State<Arc<Requests>>, request: Request, next: Next) -> Response<Body> {
    let since = Instant::now();
    let row = requests.row(&request);
    let response = next.run(request).await;
    requests.rows[row].count(response.status(), since);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_can_be_looked_up_by_name() {
        assert!(OPERATIONS.is_sorted());
    }
}

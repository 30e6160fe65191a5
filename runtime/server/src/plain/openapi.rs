//! The document that describes every route.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// OpenAPI 3.1; a test compares it with the router.
pub(crate) const DOCUMENT: &str = include_str!("openapi.json");

/// `GET /v1/openapi.json`.
pub(super) async fn document() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], DOCUMENT).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// As OpenAPI writes them: it has no sign for a place that takes slashes.
    #[test]
    fn every_path_of_the_router_is_described_and_the_other_way_round() {
        let document: serde_json::Value = serde_json::from_str(DOCUMENT).expect("JSON");
        let paths = document["paths"].as_object().expect("an object");
        let described: BTreeSet<String> = paths.keys().cloned().collect();
        let routes = crate::http::routes();
        let answered: BTreeSet<String> = routes.iter().map(|(path, _)| path.replace("{*", "{")).collect();
        assert_eq!(described, answered);
        assert_eq!(answered.len(), routes.len(), "no path stands there twice");
    }
}

//! What each route outside of the AWS API does, and to what: the one table that decides who may call it.

use axum::http::Method;

use super::policy::Action;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Everybody, without a key: it says nothing about what is stored.
    Nothing,
    /// The AWS API, where it depends on the operation.
    Operation,
    /// Keys that may do this.
    Key(Action, Reach),
}

/// What a route touches, for keys that are limited to some names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Anything: not for limited keys.
    Everything,
    /// What this parameter of the path names.
    Name(&'static str),
    /// The state machine of the execution that this parameter of the path names.
    MachineOf(&'static str),
    /// A list of names or of what has them, of which a limited key is shown its part; the answer's member that holds it.
    Listed(&'static str),
}

const fn key(action: Action, reach: Reach) -> Needs {
    Needs::Key(action, reach)
}

/// Every route. One that isn't here is answered to nobody.
#[rustfmt::skip]
const ROUTES: &[(Method, &str, Needs)] = &[
    (Method::POST, "/", Needs::Operation),
    (Method::GET, "/healthz", Needs::Nothing),
    (Method::GET, "/metrics", key(Action::Read, Reach::Everything)),
    (Method::GET, "/v1/openapi.json", Needs::Nothing),
    (Method::GET, "/v1/state-machines", key(Action::Read, Reach::Listed("stateMachines"))),
    (Method::GET, "/v1/state-machines/{name}", key(Action::Read, Reach::Name("name"))),
    (Method::PUT, "/v1/state-machines/{name}", key(Action::Administer, Reach::Name("name"))),
    (Method::DELETE, "/v1/state-machines/{name}", key(Action::Administer, Reach::Name("name"))),
    (Method::GET, "/v1/state-machines/{name}/executions", key(Action::Read, Reach::Name("name"))),
    (Method::POST, "/v1/state-machines/{name}/executions", key(Action::Start, Reach::Name("name"))),
    (Method::GET, "/v1/executions/{id}", key(Action::Read, Reach::MachineOf("id"))),
    (Method::GET, "/v1/executions/{id}/history", key(Action::Read, Reach::MachineOf("id"))),
    (Method::GET, "/v1/executions/{id}/logs", key(Action::Read, Reach::MachineOf("id"))),
    (Method::GET, "/v1/executions/{id}/events", key(Action::Read, Reach::MachineOf("id"))),
    (Method::POST, "/v1/executions/{id}/stop", key(Action::Operate, Reach::MachineOf("id"))),
    (Method::GET, "/v1/gc", key(Action::Administer, Reach::Everything)),
    (Method::POST, "/v1/gc", key(Action::Administer, Reach::Everything)),
    (Method::GET, "/v1/modules", key(Action::Read, Reach::Listed("modules"))),
    (Method::GET, "/v1/modules/{name}", key(Action::Read, Reach::Name("name"))),
    (Method::GET, "/v1/modules/{name}/compiled", key(Action::Operate, Reach::Name("name"))),
    (Method::GET, "/v1/modules/{name}/component", key(Action::Read, Reach::Name("name"))),
    (Method::GET, "/v1/modules/{name}/labels", key(Action::Read, Reach::Name("name"))),
    (Method::GET, "/v1/modules/{name}/labels/{label}", key(Action::Read, Reach::Name("name"))),
    (Method::PUT, "/v1/modules/{name}/labels/{label}", key(Action::Administer, Reach::Name("name"))),
    (Method::DELETE, "/v1/modules/{name}/labels/{label}", key(Action::Administer, Reach::Name("name"))),
    (Method::GET, "/v1/modules/{name}/reach", key(Action::Read, Reach::Name("name"))),
    (Method::GET, "/v1/modules/{name}/uploaded", key(Action::Read, Reach::Name("name"))),
    (Method::GET, "/v1/state-machines/{name}/reach", key(Action::Read, Reach::Name("name"))),
    (Method::POST, "/v1/reach", key(Action::Read, Reach::Everything)),
    (Method::PUT, "/v1/modules/{name}", key(Action::Administer, Reach::Name("name"))),
    (Method::DELETE, "/v1/modules/{name}", key(Action::Administer, Reach::Name("name"))),
    (Method::GET, "/v1/objects", key(Action::Read, Reach::Listed("buckets"))),
    (Method::GET, "/v1/objects/{bucket}", key(Action::Read, Reach::Name("bucket"))),
    (Method::PUT, "/v1/objects/{bucket}", key(Action::Administer, Reach::Name("bucket"))),
    (Method::DELETE, "/v1/objects/{bucket}", key(Action::Administer, Reach::Name("bucket"))),
    (Method::GET, "/v1/objects/{bucket}/{*key}", key(Action::Read, Reach::Name("bucket"))),
    (Method::PUT, "/v1/objects/{bucket}/{*key}", key(Action::Operate, Reach::Name("bucket"))),
    (Method::DELETE, "/v1/objects/{bucket}/{*key}", key(Action::Operate, Reach::Name("bucket"))),
];

/// What is known of a request's route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// It is in the table.
    Known(Needs),
    /// Its path is, with other methods.
    OtherMethod,
    /// It isn't.
    Unknown,
}

/// Looks a route up. HEAD is GET without its body.
pub fn of(method: &Method, path: &str) -> Route {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let mut there = false;
    for (its_method, its_path, needs) in ROUTES {
        if *its_path == path {
            if its_method == method {
                return Route::Known(*needs);
            }
            there = true;
        }
    }
    if there { Route::OtherMethod } else { Route::Unknown }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The document of the API is held against the router elsewhere.
    #[test]
    fn every_route_has_its_line_and_every_line_its_route() {
        let document: serde_json::Value = serde_json::from_str(crate::plain::DOCUMENT).expect("JSON");
        let mut described = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().expect("an object") {
            let methods = operations.as_object().expect("an object").keys();
            described.extend(
                methods
                    .filter(|method| *method != "head")
                    .map(|method| format!("{} {path}", method.to_uppercase())),
            );
        }
        let table: BTreeSet<String> = ROUTES
            .iter()
            .map(|(method, path, _)| format!("{method} {}", path.replace("{*", "{")))
            .collect();
        assert_eq!(table, described, "left the table, right the document");
        assert_eq!(table.len(), ROUTES.len(), "no line stands there twice");
    }

    #[test]
    fn methods_without_a_line_are_nobodys() {
        assert_eq!(of(&Method::HEAD, "/healthz"), Route::Known(Needs::Nothing));
        assert_eq!(of(&Method::POST, "/healthz"), Route::OtherMethod);
        assert_eq!(of(&Method::GET, "/v2"), Route::Unknown);
    }
}

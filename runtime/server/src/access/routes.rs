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
    (Method::GET, "/v1/modules", key(Action::Read, Reach::Listed("modules"))),
    (Method::GET, "/v1/modules/{name}", key(Action::Read, Reach::Name("name"))),
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
    use std::path::Path;

    use super::*;

    /// Path and methods of every `.route("…", …)` in the sources of this crate.
    fn declared(directory: &Path, routes: &mut Vec<(Method, String)>) {
        for entry in std::fs::read_dir(directory).expect("the sources are there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                declared(&path, routes);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("UTF-8");
            for call in source.split(concat!(".route", "(")).skip(1) {
                let literal = call.trim_start().strip_prefix('"');
                let (route, rest) = literal.and_then(|path| path.split_once('"')).expect("a literal");
                let mut depth = 1;
                let end = rest.find(|letter| {
                    depth += i32::from(letter == '(') - i32::from(letter == ')');
                    depth == 0
                });
                let handlers = &rest[..end.expect("a closing parenthesis")];
                for (word, method) in [
                    ("get(", Method::GET),
                    ("post(", Method::POST),
                    ("put(", Method::PUT),
                    ("patch(", Method::PATCH),
                    ("delete(", Method::DELETE),
                ] {
                    if handlers.contains(&format!(" {word}")) || handlers.contains(&format!(".{word}")) {
                        routes.push((method, route.to_owned()));
                    }
                }
                let all = ["any(", "on(", "options(", "_service("];
                assert!(
                    !all.iter().any(|word| handlers.contains(word)),
                    "unreadable: {handlers}"
                );
            }
        }
    }

    #[test]
    fn every_route_has_its_line_and_every_line_its_route() {
        let mut declared_routes = Vec::new();
        declared(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut declared_routes);
        declared_routes.sort_by_key(|(method, path)| (path.clone(), method.to_string()));
        let mut table: Vec<(Method, String)> = ROUTES
            .iter()
            .map(|(method, path, _)| (method.clone(), (*path).to_owned()))
            .collect();
        table.sort_by_key(|(method, path)| (path.clone(), method.to_string()));
        assert_eq!(table, declared_routes, "left the table, right the sources");
    }

    #[test]
    fn methods_without_a_line_are_nobodys() {
        assert_eq!(of(&Method::HEAD, "/healthz"), Route::Known(Needs::Nothing));
        assert_eq!(of(&Method::POST, "/healthz"), Route::OtherMethod);
        assert_eq!(of(&Method::GET, "/v2"), Route::Unknown);
    }
}

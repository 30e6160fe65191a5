//! Answers HTTP requests, and makes some. `tests/e2e/http_guests.rs` asks for each.
//!
//! - `GET /orders/7` says the method, the path and a header.
//! - `POST /echo` sends the body back as it came, with its content type.
//! - `/ask` makes the request that the headers `x-method` and `x-url` say and answers with what came, or with 502.
//! - everything else is not found.

use std::io::{Read as _, Write as _};

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingRequest, OutgoingResponse,
    ResponseOutparam, Scheme,
};

wasip2::http::proxy::export!(Probe);

struct Probe;

struct Answer {
    status: u16,
    content_type: String,
    body: Vec<u8>,
}

impl wasip2::exports::http::incoming_handler::Guest for Probe {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let Answer {
            status,
            content_type,
            body,
        } = answer(&request);
        let headers = Fields::new();
        headers
            .append("content-type", content_type.as_bytes())
            .expect("a header of its own");
        let response = OutgoingResponse::new(headers);
        response.set_status_code(status).expect("a status");
        let sent = response.body().expect("asked for once");
        ResponseOutparam::set(out, Ok(response));
        let mut stream = sent.write().expect("asked for once");
        stream.write_all(&body).expect("the host reads");
        drop(stream);
        OutgoingBody::finish(sent, None).expect("nothing promised");
    }
}

fn answer(request: &IncomingRequest) -> Answer {
    let path = request.path_with_query().unwrap_or_default();
    let header = |name: &str| {
        let value = request.headers().get(name).pop().unwrap_or_default();
        String::from_utf8_lossy(&value).into_owned()
    };
    if path.starts_with("/orders/") {
        let text = format!(
            r#"{{"method": "{}", "path": "{path}", "team": "{}"}}"#,
            method(&request.method()),
            header("x-team")
        );
        return plain(200, "application/json", text.into_bytes());
    }
    match path.as_str() {
        "/echo" => plain(
            200,
            &header("content-type"),
            read(request.consume().expect("not read yet")),
        ),
        "/ask" => match ask(&header("x-method"), &header("x-url")) {
            Ok((status, body)) => plain(status, "text/plain", body),
            Err(error) => plain(502, "text/plain", format!("{error:?}").into_bytes()),
        },
        _ => plain(404, "text/plain", format!("nothing at {path}").into_bytes()),
    }
}

fn plain(status: u16, content_type: &str, body: Vec<u8>) -> Answer {
    Answer {
        status,
        content_type: content_type.to_owned(),
        body,
    }
}

fn ask(method: &str, url: &str) -> Result<(u16, Vec<u8>), ErrorCode> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let request = OutgoingRequest::new(Fields::new());
    let scheme = if scheme == "http" { Scheme::Http } else { Scheme::Https };
    let set = request
        .set_method(&Method::Other(method.to_owned()))
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(Some(authority)))
        .and_then(|()| request.set_path_with_query(Some(path)));
    set.map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    let answered = outgoing_handler::handle(request, None)?;
    answered.subscribe().block();
    let response = answered.get().expect("waited for").expect("taken once")?;
    Ok((response.status(), read(response.consume().expect("not read yet"))))
}

fn read(body: IncomingBody) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut stream = body.stream().expect("asked for once");
    // What broke off is as long as it came.
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

fn method(method: &Method) -> &str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Patch => "PATCH",
        Method::Head => "HEAD",
        Method::Options => "OPTIONS",
        Method::Connect => "CONNECT",
        Method::Trace => "TRACE",
        Method::Other(name) => name,
    }
}

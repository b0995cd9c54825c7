//! `/fetch?url=U[&method=M][&timeout=MS]`: asks another server and passes its answer on.

use alloc::format;
use alloc::string::String;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, IncomingRequest, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, ResponseOutparam, Scheme,
};

use crate::query::Query;
use crate::{body, start, text};

/// The answer's status, `content-type`, `location` and `trailer` are the other server's; 502 with the reason if there is none.
pub fn fetch(request: IncomingRequest, query: &Query, out: ResponseOutparam) {
    match ask(request, query) {
        Ok(response) => pass_on(response, out),
        Err(reason) => text(out, 502, &format!("fetch failed: {reason}\n")),
    }
}

fn ask(request: IncomingRequest, query: &Query) -> Result<IncomingResponse, String> {
    let url = query.text("url").ok_or("the query has no url")?;
    let (scheme, rest) = url.split_once("://").ok_or("the url has no scheme")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.into()),
    };
    let method = match query.text("method").as_deref() {
        None | Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        Some("POST") => Method::Post,
        Some("PUT") => Method::Put,
        Some("DELETE") => Method::Delete,
        Some(other) => Method::Other(other.into()),
    };

    let fields = Fields::new();
    for name in ["content-type", "user-agent"] {
        for value in request.headers().get(name) {
            fields.append(name, &value).map_err(|error| format!("header {name}: {error:?}"))?;
        }
    }
    let outgoing = OutgoingRequest::new(fields);
    outgoing.set_method(&method).map_err(|()| "the method was refused")?;
    outgoing.set_scheme(Some(&scheme)).map_err(|()| "the scheme was refused")?;
    outgoing.set_authority(Some(authority)).map_err(|()| "the authority was refused")?;
    let path = if path.is_empty() { "/" } else { path };
    outgoing.set_path_with_query(Some(path)).map_err(|()| "the path was refused")?;
    let options = query.number("timeout").map(|ms| {
        let options = RequestOptions::new();
        let limit = Some(ms.saturating_mul(1_000_000));
        // A host need not support any of them.
        let _ = options.set_connect_timeout(limit);
        let _ = options.set_first_byte_timeout(limit);
        let _ = options.set_between_bytes_timeout(limit);
        options
    });

    let sent = outgoing.body().map_err(|()| "the body was taken already")?;
    let answer = outgoing_handler::handle(outgoing, options).map_err(|code| format!("{code:?}"))?;
    if matches!(method, Method::Get | Method::Head) {
        OutgoingBody::finish(sent, None).map_err(|code| format!("{code:?}"))?;
    } else {
        let from = request.consume().map_err(|()| "the request's body was taken already")?;
        let to = sent.write().map_err(|()| "the stream was taken already")?;
        body::forward(from, sent, to, false)?;
    }
    loop {
        match answer.get() {
            Some(Ok(response)) => return response.map_err(|code| format!("{code:?}")),
            Some(Err(())) => return Err("the response was taken already".into()),
            None => answer.subscribe().block(),
        }
    }
}

fn pass_on(response: IncomingResponse, out: ResponseOutparam) {
    let headers = response.headers();
    let mut passed = alloc::vec::Vec::new();
    for name in ["content-type", "location", "trailer"] {
        for value in headers.get(name) {
            passed.push((name, String::from_utf8_lossy(&value).into_owned()));
        }
    }
    drop(headers);
    let passed: alloc::vec::Vec<_> =
        passed.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let from = response.consume().unwrap();
    let (body, to) = start(out, response.status(), &passed);
    // What was cut off there is cut off here.
    let _ = body::forward(from, body, to, false);
}

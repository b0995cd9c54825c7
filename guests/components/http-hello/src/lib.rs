//! A handler of HTTP requests for the tests and measurements of `lithe serve`: each path is one way of answering, some
//! of them wrong on purpose. `routes` is the list; BUILD.md says what each answers.
#![no_std]

extern crate alloc;
use bare as _;

mod body;
mod fetch;
mod query;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use wasip2::cli::stderr::get_stderr;
use wasip2::clocks::monotonic_clock;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
    Scheme,
};
use wasip2::io::streams::OutputStream;
use wasip2::random::random::get_random_u64;

use query::Query;

wasip2::http::proxy::export!(Handler);

struct Handler;

/// The requests that this instance has seen.
static REQUESTS: AtomicU32 = AtomicU32::new(0);

impl Guest for Handler {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let seen = REQUESTS.fetch_add(1, Ordering::Relaxed) + 1;
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        routes(path, Query(query), request, out, seen);
    }
}

fn routes(path: &str, query: Query, request: IncomingRequest, out: ResponseOutparam, seen: u32) {
    match path {
        "/" => text(out, 200, "hello\n"),
        "/echo" => body::echo(request, out, query.has("splice")),
        "/big" => body::big(out, query.number("bytes").unwrap_or(0)),
        "/headers" => text(out, 200, &describe(&request)),
        "/fetch" => fetch::fetch(request, &query, out),
        "/trap" => core::arch::wasm32::unreachable(),
        "/loop" => endless(),
        // The outparam is dropped without a response.
        "/never" => {}
        "/half" => half(out, false),
        "/half-trap" => half(out, true),
        "/error" => {
            ResponseOutparam::set(out, Err(ErrorCode::InternalError(Some("asked for".into()))))
        }
        "/trailers" => trailers(out),
        "/sleep" => {
            let ms = query.number("ms").unwrap_or(0);
            monotonic_clock::subscribe_duration(ms.saturating_mul(1_000_000)).block();
            text(out, 200, &format!("slept {ms} ms\n"));
        }
        "/alloc" => alloc_megabytes(out, query.number("mb").unwrap_or(0)),
        "/many-headers" => many_headers(out, query.number("n").unwrap_or(0)),
        "/count" => text(out, 200, &format!("request {seen} of this instance\n")),
        "/random" => text(out, 200, &format!("{:016x}\n", get_random_u64())),
        "/log" => {
            let line = format!("{}\n", query.text("text").unwrap_or_default());
            // Nobody has to read the log.
            let _ = get_stderr().blocking_write_and_flush(&line.as_bytes()[..line.len().min(4096)]);
            text(out, 200, "logged\n");
        }
        _ => match path.strip_prefix("/status/").and_then(|code| code.parse().ok()) {
            Some(code) => text(out, code, &format!("status {code}\n")),
            None => text(out, 404, "there is nothing here\n"),
        },
    }
}

/// A response with these headers, whose head is on its way.
fn start(
    out: ResponseOutparam,
    status: u16,
    headers: &[(&str, &str)],
) -> (OutgoingBody, OutputStream) {
    let fields = Fields::new();
    for (name, value) in headers {
        fields.append(name, value.as_bytes()).unwrap();
    }
    start_with(out, status, fields)
}

fn start_with(out: ResponseOutparam, status: u16, fields: Fields) -> (OutgoingBody, OutputStream) {
    let response = OutgoingResponse::new(fields);
    response.set_status_code(status).unwrap();
    let body = response.body().unwrap();
    let stream = body.write().unwrap();
    ResponseOutparam::set(out, Ok(response));
    (body, stream)
}

fn text(out: ResponseOutparam, status: u16, text: &str) {
    let length = format!("{}", text.len());
    let (body, stream) =
        start(out, status, &[("content-type", "text/plain"), ("content-length", &length)]);
    let written = body::write(&stream, text.as_bytes()).and_then(|()| stream.blocking_flush());
    drop(stream);
    if written.is_ok() {
        // A status without a body (204, 304) makes the length wrong, and a HEAD request may: the host's answer to it.
        let _ = OutgoingBody::finish(body, None);
    }
}

/// Half of the announced body: then it is dropped unfinished, or the guest traps.
fn half(out: ResponseOutparam, trap: bool) {
    let (body, stream) =
        start(out, 200, &[("content-type", "text/plain"), ("content-length", "1000")]);
    let _ = body::write(&stream, &[b'h'; 500]).and_then(|()| stream.blocking_flush());
    if trap {
        core::arch::wasm32::unreachable();
    }
    drop(stream);
    drop(body);
}

fn trailers(out: ResponseOutparam) {
    let (body, stream) =
        start(out, 200, &[("content-type", "text/plain"), ("trailer", "x-sum, x-end")]);
    let _ = body::write(&stream, b"a body with trailers\n").and_then(|()| stream.blocking_flush());
    drop(stream);
    let fields = Fields::new();
    fields.append("x-sum", b"1843").unwrap();
    fields.append("x-end", b"yes").unwrap();
    let _ = OutgoingBody::finish(body, Some(fields));
}

fn alloc_megabytes(out: ResponseOutparam, megabytes: u64) {
    let bytes = usize::try_from(megabytes.saturating_mul(1 << 20)).unwrap_or(usize::MAX);
    let mut memory = Vec::<u8>::new();
    if memory.try_reserve_exact(bytes).is_err() {
        return text(out, 507, &format!("cannot allocate {megabytes} MB\n"));
    }
    memory.resize(bytes, 1);
    let pages =
        core::hint::black_box(&memory).iter().step_by(4096).map(|&one| u64::from(one)).sum::<u64>();
    text(out, 200, &format!("allocated {megabytes} MB, touched {pages} pages\n"));
}

fn many_headers(out: ResponseOutparam, count: u64) {
    let fields = Fields::new();
    for i in 0..count {
        if let Err(error) = fields.append(&format!("x-header-{i}"), b"a value of some length") {
            return text(out, 500, &format!("header {i}: {error:?}\n"));
        }
    }
    let (body, stream) = start_with(out, 200, fields);
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

fn endless() {
    let mut turns = 0u64;
    loop {
        turns = core::hint::black_box(turns.wrapping_add(1));
    }
}

/// What the handler sees of a request, one fact a line.
fn describe(request: &IncomingRequest) -> String {
    let scheme = match request.scheme() {
        Some(Scheme::Http) => "http".into(),
        Some(Scheme::Https) => "https".into(),
        Some(Scheme::Other(other)) => other,
        None => "none".into(),
    };
    let mut lines = format!(
        "method {}\npath {}\nscheme {scheme}\nauthority {}\n",
        method_name(&request.method()),
        request.path_with_query().unwrap_or_else(|| "none".into()),
        request.authority().unwrap_or_else(|| "none".into()),
    );
    let mut headers = request.headers().entries();
    headers.sort();
    for (name, value) in headers {
        lines += &format!("{name}: {}\n", String::from_utf8_lossy(&value));
    }
    lines
}

fn method_name(method: &Method) -> &str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(other) => other,
    }
}

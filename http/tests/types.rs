//! The functions of `wasi:http`, each called through the linker and the canonical ABI by `forward-http.wasm`, which
//! imports them and exports them again. What a handler has comes in `serve.rs`.

mod common;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lithe::{Engine, Store};
use lithe_component::{Component, Instance, Linker, ResourceAny, Val};
use lithe_http::{Http, MAX_GUEST_REQUESTS};
use lithe_wasi::p2::P2;
use lithe_wasi::{Ctx, Grants};

use common::Data;

fn forward() -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../guests/components/out");
    std::fs::read(folder.join("forward-http.wasm")).unwrap()
}

struct Guest {
    store: Store<Data>,
    instance: Instance,
}

impl Guest {
    fn new(grants: Grants) -> Guest {
        let engine = Engine::default();
        let component = Component::new(&engine, forward()).unwrap();
        let mut linker = Linker::<Data>::new(&engine);
        lithe_wasi::p2::add_to_linker(&mut linker).unwrap();
        lithe_http::add_to_linker(&mut linker).unwrap();
        let data = Data { p2: P2::new(Ctx::new(grants).unwrap()), http: Http::default() };
        let mut store = Store::new(&engine, data);
        let instance = linker.instantiate(&mut store, &component).unwrap();
        Guest { store, instance }
    }

    fn try_call(&mut self, name: &str, args: &[Val]) -> Result<Option<Val>, lithe::Error> {
        let func = self.instance.func(&mut self.store, name)?;
        func.call(&mut self.store, args)
    }

    fn value(&mut self, name: &str, args: &[Val]) -> Val {
        self.try_call(name, args).unwrap_or_else(|error| panic!("{name}: {error}")).unwrap()
    }

    /// The result as text.
    fn call(&mut self, name: &str, args: &[Val]) -> String {
        let result = self.try_call(&format!("http-types-{name}"), args);
        let result = result.unwrap_or_else(|error| panic!("{name}{args:?}: {error}"));
        result.as_ref().map_or_else(String::new, show)
    }

    /// The resource in the result.
    fn get(&mut self, name: &str, args: &[Val]) -> Val {
        let name = match name.starts_with("http-") || name.starts_with("io-") {
            true => name.to_owned(),
            false => format!("http-types-{name}"),
        };
        let value = self.value(&name, args);
        inner(&value).unwrap_or_else(|| panic!("{name}: {}", show(&value)))
    }

    fn fields(&mut self, entries: &[(&str, &str)]) -> Val {
        let fields = self.get("new-fields", &[]);
        for (name, value) in entries {
            let args = [fields.clone(), text(name), bytes(value)];
            assert_eq!(self.call("fields-append", &args), "ok");
        }
        fields
    }

    fn drop(&mut self, value: Val) -> Result<(), lithe::Error> {
        let Val::Resource(resource) = value else { panic!() };
        ResourceAny::drop(resource, &mut self.store)
    }
}

fn inner(value: &Val) -> Option<Val> {
    match value {
        Val::Resource(_) => Some(value.clone()),
        Val::Result(Ok(Some(value))) | Val::Option(Some(value)) => inner(value),
        _ => None,
    }
}

fn text(text: &str) -> Val {
    Val::String(text.into())
}

fn bytes(text: &str) -> Val {
    Val::List(text.bytes().map(Val::U8).collect())
}

fn some(value: Val) -> Val {
    Val::Option(Some(Box::new(value)))
}

fn other(name: &str) -> Val {
    Val::Variant("other".into(), Some(Box::new(text(name))))
}

fn case(name: &str) -> Val {
    Val::Variant(name.into(), None)
}

const NONE: Val = Val::Option(None);

fn show(value: &Val) -> String {
    let list = |values: &[Val]| values.iter().map(show).collect::<Vec<_>>().join(", ");
    let payload = |name: &str, value: &Option<Box<Val>>| match value {
        Some(value) => format!("{name}({})", show(value)),
        None => name.to_owned(),
    };
    match value {
        Val::List(values) if matches!(values.first(), Some(Val::U8(_))) => {
            let byte = |value: &Val| if let Val::U8(byte) = value { *byte } else { 0 };
            String::from_utf8_lossy(&values.iter().map(byte).collect::<Vec<_>>()).into_owned()
        }
        Val::List(values) => format!("[{}]", list(values)),
        Val::Tuple(values) => format!("({})", list(values)),
        Val::Bool(value) => value.to_string(),
        Val::U16(value) => value.to_string(),
        Val::U64(value) => value.to_string(),
        Val::String(text) => text.clone(),
        Val::Variant(name, value) => payload(name, value),
        Val::Option(Some(value)) => format!("some({})", show(value)),
        Val::Option(None) => "none".into(),
        Val::Result(Ok(value)) => payload("ok", value),
        Val::Result(Err(value)) => payload("err", value),
        Val::Resource(_) => "#".into(),
        value => format!("{value:?}"),
    }
}

#[test]
fn fields_are_kept_and_changed() {
    let mut guest = Guest::new(Grants::new());
    let fields = guest.fields(&[("A", "1"), ("a", "2"), ("b", "3")]);
    assert_eq!(
        guest.call("fields-entries", std::slice::from_ref(&fields)),
        "[(a, 1), (a, 2), (b, 3)]"
    );
    assert_eq!(guest.call("fields-get", &[fields.clone(), text("a")]), "[1, 2]");
    assert_eq!(guest.call("fields-get", &[fields.clone(), text("no name")]), "[]");
    assert_eq!(guest.call("fields-has", &[fields.clone(), text("B")]), "true");
    assert_eq!(guest.call("fields-has", &[fields.clone(), text("\n")]), "false");
    let values = Val::List(vec![bytes("4"), bytes("5")]);
    assert_eq!(guest.call("fields-set", &[fields.clone(), text("b"), values.clone()]), "ok");
    assert_eq!(guest.call("fields-delete", &[fields.clone(), text("a")]), "ok");
    assert_eq!(guest.call("fields-delete", &[fields.clone(), text("a")]), "ok");
    let copy = guest.get("fields-clone", std::slice::from_ref(&fields));
    assert_eq!(guest.call("fields-append", &[copy.clone(), text("c"), bytes("6")]), "ok");
    assert_eq!(guest.call("fields-entries", &[copy]), "[(b, 4), (b, 5), (c, 6)]");
    assert_eq!(guest.call("fields-entries", std::slice::from_ref(&fields)), "[(b, 4), (b, 5)]");
    for (name, value, error) in [
        ("host", "x", "err(forbidden)"),
        ("Connection", "x", "err(forbidden)"),
        ("a b", "x", "err(invalid-syntax)"),
        ("a", "x\r\ny: z", "err(invalid-syntax)"),
    ] {
        let args = [fields.clone(), text(name), bytes(value)];
        assert_eq!(guest.call("fields-append", &args), error, "{name}");
        let list = Val::List(vec![Val::Tuple(vec![text(name), bytes(value)])]);
        assert_eq!(guest.call("fields-from-list", &[list]), error);
        let args = [fields.clone(), text(name), Val::List(vec![bytes(value)])];
        assert_eq!(guest.call("fields-set", &args), error);
    }
    assert_eq!(guest.call("fields-delete", &[fields.clone(), text("host")]), "err(forbidden)");
    let list = Val::List(vec![Val::Tuple(vec![text("x"), bytes("y")])]);
    let made = guest.get("fields-from-list", &[list]);
    assert_eq!(guest.call("fields-entries", &[made]), "[(x, y)]");
    // What was handed on is only looked at.
    let request = guest.get("new-outgoing-request", &[fields]);
    let seen = guest.get("outgoing-request-headers", &[request]);
    for (name, args) in [
        ("fields-append", vec![text("x"), bytes("y")]),
        ("fields-set", vec![text("x"), values]),
        ("fields-delete", vec![text("b")]),
    ] {
        let args: Vec<Val> = [seen.clone()].into_iter().chain(args).collect();
        assert_eq!(guest.call(name, &args), "err(immutable)");
    }
}

#[test]
fn a_set_of_fields_has_limits() {
    let mut guest = Guest::new(Grants::new());
    let fields = guest.fields(&[]);
    let huge = bytes(&"v".repeat(100_000));
    assert_eq!(guest.call("fields-append", &[fields.clone(), text("a"), huge.clone()]), "ok");
    let error = guest.try_call("http-types-fields-append", &[fields, text("a"), huge]).unwrap_err();
    assert!(error.message().contains("131072 bytes"), "{error}");
    let mut guest = Guest::new(Grants::new());
    let many = (0..1025).map(|_| Val::Tuple(vec![text("n"), bytes("v")])).collect();
    let error = guest.try_call("http-types-fields-from-list", &[Val::List(many)]).unwrap_err();
    assert!(error.message().contains("1024 fields"), "{error}");
}

#[test]
fn requests_have_parts_that_are_checked() {
    let mut guest = Guest::new(Grants::new());
    let fields = guest.fields(&[]);
    let request = guest.get("new-outgoing-request", &[fields]);
    let this = || request.clone();
    let mut check = |part: &str, before: &str, good: &[(Val, &str)], bad: &[Val]| {
        let (get, set) =
            (format!("outgoing-request-{part}"), format!("outgoing-request-set-{part}"));
        assert_eq!(guest.call(&get, &[this()]), before);
        let mut last = before.to_owned();
        for (value, shown) in good {
            assert_eq!(guest.call(&set, &[this(), value.clone()]), "ok");
            last = guest.call(&get, &[this()]);
            assert_eq!(&last, shown);
        }
        for value in bad {
            assert_eq!(guest.call(&set, &[this(), value.clone()]), "err", "{}", show(value));
            assert_eq!(guest.call(&get, &[this()]), last);
        }
    };
    check(
        "method",
        "get",
        &[(case("delete"), "delete"), (other("PURGE"), "other(PURGE)"), (other("PUT"), "put")],
        &[other("A B"), other(""), other("GET / HTTP/1.1\r\nx")],
    );
    check(
        "path-with-query",
        "none",
        &[(some(text("/a?b")), "some(/a?b)"), (NONE, "none"), (some(text("*")), "some(*)")],
        &[some(text("a b")), some(text("/\r\n")), some(text("http://x/"))],
    );
    check(
        "scheme",
        "none",
        &[
            (some(case("HTTP")), "some(HTTP)"),
            (some(other("ws")), "some(other(ws))"),
            (NONE, "none"),
        ],
        &[some(other("a b")), some(other(""))],
    );
    check(
        "authority",
        "none",
        &[(some(text("a:1")), "some(a:1)"), (NONE, "none"), (some(text("[::1]")), "some([::1])")],
        &[some(text("user@host")), some(text("a/b")), some(text("")), some(text("a:b"))],
    );
    assert_eq!(guest.call("outgoing-request-body", &[this()]), "ok(#)");
    assert_eq!(guest.call("outgoing-request-body", &[this()]), "err");
}

#[test]
fn options_are_kept() {
    let mut guest = Guest::new(Grants::new());
    let options = guest.get("new-request-options", &[]);
    for name in ["connect-timeout", "first-byte-timeout", "between-bytes-timeout"] {
        let get = format!("request-options-{name}");
        let set = format!("request-options-set-{name}");
        assert_eq!(guest.call(&get, std::slice::from_ref(&options)), "none");
        for value in [0, 1, u64::MAX] {
            assert_eq!(guest.call(&set, &[options.clone(), some(Val::U64(value))]), "ok");
            let shown = guest.call(&get, std::slice::from_ref(&options));
            assert_eq!(shown, format!("some({value})"));
        }
        assert_eq!(guest.call(&set, &[options.clone(), NONE]), "ok");
        assert_eq!(guest.call(&get, std::slice::from_ref(&options)), "none");
    }
}

#[test]
fn responses_have_a_status_and_one_body() {
    let mut guest = Guest::new(Grants::new());
    let fields = guest.fields(&[("content-length", "3"), ("x", "y")]);
    let response = guest.get("new-outgoing-response", &[fields]);
    let this = || response.clone();
    assert_eq!(guest.call("outgoing-response-status-code", &[this()]), "200");
    for (status, result) in
        [(404, "ok"), (599, "ok"), (100, "err"), (101, "err"), (600, "err"), (0, "err")]
    {
        let set = guest.call("outgoing-response-set-status-code", &[this(), Val::U16(status)]);
        assert_eq!(set, result, "{status}");
    }
    assert_eq!(guest.call("outgoing-response-status-code", &[this()]), "599");
    let seen = guest.get("outgoing-response-headers", &[this()]);
    assert_eq!(guest.call("fields-get", &[seen, text("x")]), "[y]");
    let body = guest.get("outgoing-response-body", &[this()]);
    assert_eq!(guest.call("outgoing-response-body", &[this()]), "err");
    let stream = guest.get("outgoing-body-write", std::slice::from_ref(&body));
    assert_eq!(guest.call("outgoing-body-write", std::slice::from_ref(&body)), "err");
    let write = "io-streams-output-stream-blocking-write-and-flush";
    assert_eq!(show(&guest.value(write, &[stream.clone(), bytes("ab")])), "ok");
    // Not before the stream is gone, and not with fewer bytes than announced.
    guest.drop(stream).unwrap();
    let finished = guest.call("outgoing-body-finish", &[body, NONE]);
    assert_eq!(finished, "err(HTTP-response-body-size(some(2)))");
}

#[test]
fn the_body_of_a_message_that_is_dropped_is_closed() {
    let mut guest = Guest::new(Grants::new());
    for message in ["outgoing-request", "outgoing-response"] {
        let fields = guest.fields(&[]);
        let this = guest.get(&format!("new-{message}"), &[fields]);
        let body = guest.get(&format!("{message}-body"), std::slice::from_ref(&this));
        let stream = guest.get("outgoing-body-write", &[body]);
        guest.drop(this).unwrap();
        let check = guest.value("io-streams-output-stream-check-write", &[stream]);
        assert_eq!(show(&check), "err(closed)", "{message}");
    }
}

#[test]
fn a_body_with_a_stream_cannot_be_finished() {
    let mut guest = Guest::new(Grants::new());
    let fields = guest.fields(&[]);
    let response = guest.get("new-outgoing-response", &[fields]);
    let body = guest.get("outgoing-response-body", &[response]);
    guest.get("outgoing-body-write", std::slice::from_ref(&body));
    let error = guest.try_call("http-types-outgoing-body-finish", &[body, NONE]).unwrap_err();
    assert!(error.message().contains("children"), "{error}");
}

#[test]
fn headers_are_dropped_before_their_message() {
    for message in ["outgoing-request", "outgoing-response"] {
        let mut guest = Guest::new(Grants::new());
        let fields = guest.fields(&[]);
        let this = guest.get(&format!("new-{message}"), &[fields]);
        let seen = guest.get(&format!("{message}-headers"), std::slice::from_ref(&this));
        let error = guest.drop(this).unwrap_err();
        assert!(error.message().contains("children"), "{error}");
        drop(seen);
    }
}

/// A server that gives one answer.
fn server(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
            head.push(byte[0]);
        }
        stream.write_all(answer).unwrap();
    });
    address
}

impl Guest {
    /// A request to a server, with these headers.
    fn request_to(&mut self, address: SocketAddr, headers: &[(&str, &str)]) -> Val {
        let fields = self.fields(headers);
        let request = self.get("new-outgoing-request", &[fields]);
        let http = [request.clone(), some(case("HTTP"))];
        assert_eq!(self.call("outgoing-request-set-scheme", &http), "ok");
        let authority = [request.clone(), some(text(&address.to_string()))];
        assert_eq!(self.call("outgoing-request-set-authority", &authority), "ok");
        request
    }

    /// Makes a request.
    fn start(&mut self, address: SocketAddr) -> Val {
        let request = self.request_to(address, &[]);
        let options = self.get("new-request-options", &[]);
        self.value("http-outgoing-handler-handle", &[request, some(options)])
    }

    /// Makes a request and waits for the answer.
    fn request(&mut self, address: SocketAddr) -> Val {
        let future = inner(&self.start(address)).unwrap();
        let pollable =
            self.get("future-incoming-response-subscribe", std::slice::from_ref(&future));
        self.try_call("io-poll-pollable-block", std::slice::from_ref(&pollable)).unwrap();
        let response = self.get_nested("future-incoming-response-get", &future);
        assert_eq!(
            self.call("future-incoming-response-get", std::slice::from_ref(&future)),
            "some(err)"
        );
        assert!(self.drop(future.clone()).is_err());
        self.drop(pollable).unwrap();
        response
    }

    /// The resource within `some(ok(ok(...)))`.
    fn get_nested(&mut self, name: &str, this: &Val) -> Val {
        self.get(name, std::slice::from_ref(this))
    }

    fn read(&mut self, stream: &Val) -> Val {
        let read = "io-streams-input-stream-blocking-read";
        self.value(read, &[stream.clone(), Val::U64(100)])
    }
}

#[test]
fn answers_are_received() {
    let answer =
        b"HTTP/1.1 202 Accepted\r\nx: y\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\
        trailer: t\r\n\r\n4\r\nbody\r\n0\r\nt: u\r\n\r\n";
    let address = server(answer);
    let mut guest = Guest::new(Grants::new().http(address.to_string().parse().unwrap()));
    let response = guest.request(address);
    assert_eq!(guest.call("incoming-response-status", std::slice::from_ref(&response)), "202");
    let headers = guest.get("incoming-response-headers", std::slice::from_ref(&response));
    assert_eq!(
        guest.call("fields-entries", std::slice::from_ref(&headers)),
        "[(x, y), (trailer, t)]"
    );
    assert_eq!(guest.call("fields-delete", &[headers, text("x")]), "err(immutable)");
    let body = guest.get("incoming-response-consume", std::slice::from_ref(&response));
    assert_eq!(guest.call("incoming-response-consume", std::slice::from_ref(&response)), "err");
    let stream = guest.get("incoming-body-stream", std::slice::from_ref(&body));
    assert_eq!(guest.call("incoming-body-stream", std::slice::from_ref(&body)), "err");
    assert_eq!(show(&guest.read(&stream)), "ok(body)");
    let none = [stream.clone(), Val::U64(0)];
    assert_eq!(show(&guest.value("io-streams-input-stream-read", &none)), "ok([])");
    assert_eq!(show(&guest.read(&stream)), "err(closed)");
    assert_eq!(show(&guest.value("io-streams-input-stream-read", &none)), "err(closed)");
    guest.drop(stream).unwrap();
    let trailers = guest.get("incoming-body-finish", &[body]);
    let pollable = guest.get("future-trailers-subscribe", std::slice::from_ref(&trailers));
    guest.try_call("io-poll-pollable-block", &[pollable]).unwrap();
    let fields = guest.get_nested("future-trailers-get", &trailers);
    assert_eq!(guest.call("fields-entries", &[fields]), "[(t, u)]");
    assert_eq!(guest.call("future-trailers-get", &[trailers]), "some(err)");
}

#[test]
fn a_request_without_a_body_announces_none() {
    // What follows on the connection would be taken for the body.
    let address = server(b"");
    let mut guest = Guest::new(Grants::new().http(address.to_string().parse().unwrap()));
    for (length, sent) in [("5", false), ("0", true)] {
        let request = guest.request_to(address, &[("content-length", length)]);
        let result = show(&guest.value("http-outgoing-handler-handle", &[request, NONE]));
        assert_eq!(result == "ok(#)", sent, "{result}");
        assert!(sent || result.starts_with("err(HTTP-request-body-size"), "{result}");
    }
}

#[test]
fn a_request_that_has_no_body_as_a_rule_has_the_one_that_is_written() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (began, has_begun) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (mut seen, mut piece) = (Vec::new(), [0; 1024]);
        while !seen.ends_with(b"0\r\n\r\n") {
            if seen.ends_with(b"before\r\n") {
                began.send(()).unwrap();
            }
            let count = stream.read(&mut piece).unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&piece[..count]);
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        String::from_utf8(seen).unwrap()
    });
    let mut guest = Guest::new(Grants::new().http(address.to_string().parse().unwrap()));
    let request = guest.request_to(address, &[]);
    let body = guest.get("outgoing-request-body", std::slice::from_ref(&request));
    let stream = guest.get("outgoing-body-write", std::slice::from_ref(&body));
    let write = "io-streams-output-stream-blocking-write-and-flush";
    assert_eq!(show(&guest.value(write, &[stream.clone(), bytes("before")])), "ok");
    let result = guest.value("http-outgoing-handler-handle", &[request, NONE]);
    has_begun.recv().unwrap();
    assert_eq!(show(&guest.value(write, &[stream.clone(), bytes("after")])), "ok");
    guest.drop(stream).unwrap();
    assert_eq!(guest.call("outgoing-body-finish", &[body, NONE]), "ok");
    let seen = server.join().unwrap();
    assert!(seen.starts_with("GET / HTTP/1.1\r\n"), "{seen}");
    let (_, sent) = seen.split_once("\r\n\r\n").unwrap();
    let bytes: String = sent.split("\r\n").skip(1).step_by(2).collect();
    assert_eq!(bytes, "beforeafter");
    drop(result);
}

#[test]
fn an_answer_counts_until_its_body_has_ended() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
                head.push(byte[0]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").unwrap();
            kept.push(stream);
        }
    });
    let mut guest = Guest::new(Grants::new().http(address.to_string().parse().unwrap()));
    let unread: Vec<Val> = (0..MAX_GUEST_REQUESTS).map(|_| guest.request(address)).collect();
    let refused = guest.start(address);
    assert_eq!(show(&refused), "err(connection-limit-reached)");
    guest.drop(unread[0].clone()).unwrap();
    guest.request(address);
}

#[test]
fn errors_of_streams_have_codes() {
    let address = server(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf");
    let mut guest = Guest::new(Grants::new().http(address.to_string().parse().unwrap()));
    let response = guest.request(address);
    let body = guest.get("incoming-response-consume", &[response]);
    let stream = guest.get("incoming-body-stream", std::slice::from_ref(&body));
    assert_eq!(show(&guest.read(&stream)), "ok(half)");
    let failed = guest.read(&stream);
    let Val::Result(Err(Some(error))) = &failed else { panic!("{}", show(&failed)) };
    let Val::Variant(_, Some(error)) = &**error else { panic!("{}", show(&failed)) };
    let code = guest.call("http-error-code", &[(**error).clone()]);
    assert_eq!(code, "some(connection-terminated)");
    assert_eq!(show(&guest.read(&stream)), "err(closed)");
}

/// What `forward-http.wasm` calls a function.
fn forwarded(interface: &str, function: &str) -> String {
    let bare = function.rsplit(']').next().unwrap().replace('.', "-");
    let new = if function.starts_with("[constructor]") { "new-" } else { "" };
    format!("http-{interface}-{new}{bare}")
}

#[test]
fn every_function_has_a_row_and_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("../docs/wasi-http.md")).unwrap();
    let component = Component::new(&Engine::default(), forward()).unwrap();
    let names = component.exports().into_iter().map(|export| export.name);
    let exports: BTreeSet<String> = names.filter(|name| name.starts_with("http-")).collect();
    let mut rows = BTreeSet::new();
    for row in table.lines().filter(|line| line.starts_with("| `wasi:http`")) {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [_, _, interface, function, test, _] = cells[..] else { panic!("{row}") };
        let (file, name) = test.split_once("::").unwrap();
        let tests = std::fs::read_to_string(root.join(format!("tests/{file}.rs"))).unwrap();
        assert!(tests.contains(&format!("fn {name}()")), "{row}");
        if interface != "incoming-handler" {
            assert!(rows.insert(forwarded(interface, function)), "twice: {row}");
        }
    }
    assert_eq!(rows, exports);
}

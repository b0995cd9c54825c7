//! Requests answered by a real component, over HTTP/1.1 by a raw client and over HTTP/2 by hyper's.

mod common;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use common::{Answer, config, engines, program_of, start, start_with, wasm};
use lithe_http::server::Config;
use lithe_wasi::Grants;

#[test]
fn every_engine_answers() {
    for engine in engines() {
        let server = start_with(config(), program_of(&engine, &wasm(), Grants::new()));
        let answer = server.get("/");
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello\n"));
        assert!(answer.head.contains("content-length: 6\r\n"), "{}", answer.head);
        assert_eq!(server.get("/count").text(), "request 1 of this instance\n");
        assert_eq!(server.get("/count").text(), "request 1 of this instance\n");
        assert_eq!(server.get("/none").status, 404);
        assert_eq!(server.get("/trap").status, 500);
        assert!(server.reports().contains("unreachable"), "{}", server.reports());
        assert_eq!(server.get("/sleep?ms=20").text(), "slept 20 ms\n");
        let body = vec![b'e'; 300_000];
        let answer = server.ask("POST", "/echo", "", &body);
        assert!(answer.whole && answer.body == body);
        server.stop();
    }
}

#[test]
fn a_guest_sees_the_request_without_what_belongs_to_the_connection() {
    let server = start(config());
    let headers =
        "X-One: 1\r\nx-one: 2\r\nkeep-alive: 5\r\nproxy-authorization: secret\r\nte: trailers\r\n";
    let text = server.ask("PURGE", "/headers?a=%20b", headers, b"").text();
    assert_eq!(
        text,
        "method PURGE\npath /headers?a=%20b\nscheme http\nauthority test\nte: trailers\nx-one: 1\nx-one: 2\n"
    );
}

#[test]
fn bodies_stream_both_ways() {
    let server = start(config());
    let body: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
    for path in ["/echo", "/echo?splice"] {
        let mut stream = server.connect();
        let mut reader = stream.try_clone().unwrap();
        let sent = body.clone();
        let path = path.to_owned();
        let writer = std::thread::spawn(move || {
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\
                 connection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            for piece in sent.chunks(70_000) {
                write!(stream, "{:x}\r\n", piece.len()).unwrap();
                stream.write_all(piece).unwrap();
                stream.write_all(b"\r\n").unwrap();
            }
            stream.write_all(b"0\r\n\r\n").unwrap();
        });
        let answer = Answer::parse(&common::rest(&mut reader));
        writer.join().unwrap();
        assert!(answer.whole && answer.body == body, "{}", answer.body.len());
    }
    let answer = server.get("/big?bytes=2000000");
    assert!(answer.whole);
    assert_eq!(answer.body.len(), 2_000_000);
}

#[test]
fn an_echo_begins_before_the_request_ends() {
    let server = start(config());
    let mut stream = server.connect();
    stream
        .write_all(
            b"POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n",
        )
        .unwrap();
    let mut seen = Vec::new();
    let mut piece = [0; 4096];
    while !seen.ends_with(b"3\r\none\r\n") {
        let count = stream.read(&mut piece).unwrap();
        assert!(count > 0, "{:?}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..count]);
    }
    stream.write_all(b"3\r\ntwo\r\n0\r\n\r\n").unwrap();
    while !seen.ends_with(b"3\r\ntwo\r\n0\r\n\r\n") {
        let count = stream.read(&mut piece).unwrap();
        assert!(count > 0, "{:?}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..count]);
    }
}

#[test]
fn trailers_go_both_ways() {
    let server = start(config());
    let answer = server.ask("GET", "/trailers", "te: trailers\r\n", b"");
    assert_eq!(answer.text(), "a body with trailers\n");
    assert_eq!(answer.trailers, "x-sum: 1843\r\nx-end: yes\r\n\r\n");
    let mut stream = server.connect();
    stream
        .write_all(
            b"POST /echo HTTP/1.1\r\nhost: test\r\nte: trailers\r\ntrailer: x-t\r\n\
              transfer-encoding: chunked\r\nconnection: close\r\n\r\n4\r\nbody\r\n0\r\nx-t: of the request\r\n\r\n",
        )
        .unwrap();
    let answer = Answer::parse(&common::rest(&mut stream));
    assert_eq!(
        (answer.text().as_str(), answer.trailers.as_str()),
        ("body", "x-t: of the request\r\n\r\n")
    );
}

#[test]
fn answers_without_a_body_have_none() {
    let server = start(config());
    let answer = server.ask("HEAD", "/", "", b"");
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert!(answer.head.contains("content-length: 6\r\n"), "{}", answer.head);
    for status in [204, 304] {
        let answer = server.get(&format!("/status/{status}"));
        assert_eq!((answer.status, answer.body.len()), (status, 0));
    }
    // More than any buffer, which nobody reads.
    let answer = server.ask("HEAD", "/big?bytes=3000000", "", b"");
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(server.reports(), "");
}

#[test]
fn a_client_may_wait_to_be_told_to_go_on() {
    let server = start(config());
    let mut stream = server.connect();
    stream
        .write_all(
            b"POST /echo HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\
              connection: close\r\n\r\n",
        )
        .unwrap();
    let mut told = [0; 25];
    stream.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"body").unwrap();
    assert_eq!(Answer::parse(&common::rest(&mut stream)).text(), "body");
}

#[test]
fn requests_follow_each_other_on_a_connection() {
    let server = start(config());
    let mut stream = server.connect();
    for _ in 0..3 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
        let mut seen = Vec::new();
        let mut piece = [0; 4096];
        while !seen.ends_with(b"hello\n") {
            let count = stream.read(&mut piece).unwrap();
            assert!(count > 0);
            seen.extend_from_slice(&piece[..count]);
        }
    }
    // Two at once.
    stream
        .write_all(
            b"GET /count HTTP/1.1\r\nhost: test\r\n\r\nGET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n",
        )
        .unwrap();
    let all = String::from_utf8(common::rest(&mut stream)).unwrap();
    assert!(all.contains("request 1 of this instance\n") && all.ends_with("hello\n"), "{all}");
}

#[test]
fn instances_are_used_again_when_that_is_asked_for() {
    let server = start(Config { reuse: 3, loops: 1, ..config() });
    let seen: Vec<String> = (0..5).map(|_| server.get("/count").text()).collect();
    let numbers: Vec<&str> = seen.iter().map(|text| &text[8..9]).collect();
    assert_eq!(numbers, ["1", "2", "3", "1", "2"]);
    // One that failed is not.
    assert_eq!(server.get("/trap").status, 500);
    assert_eq!(server.get("/count").text(), "request 1 of this instance\n");
    // One that left its body unfinished answers as such.
    assert!(!server.get("/half").whole);
    assert_eq!(server.get("/count").text(), "request 3 of this instance\n");
}

#[test]
fn an_instance_that_was_late_is_not_used_again() {
    let deadline = Some(Duration::from_nanos(1));
    let server = start(Config { reuse: 9, loops: 1, deadline, ..config() });
    for _ in 0..20 {
        // It may be interrupted just so, or end before the watchdog looks.
        let answer = server.get("/count");
        assert!(answer.status == 504 || answer.text().starts_with("request 1 "), "{answer:?}");
    }
}

#[test]
fn requests_are_answered_side_by_side() {
    let server = start(Config { loops: 1, ..config() });
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(server.get("/sleep?ms=300").status, 200));
        }
    });
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn what_is_under_way_is_finished_when_the_server_stops() {
    let server = start(config());
    let address = server.address;
    let mut idle = server.connect();
    let mut stream = server.connect();
    stream.write_all(b"GET /sleep?ms=500 HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(150));
    let began = Instant::now();
    server.stop();
    assert!(began.elapsed() < Duration::from_secs(3));
    let answer = Answer::parse(&common::rest(&mut stream));
    assert_eq!(answer.text(), "slept 500 ms\n");
    assert_eq!(common::rest(&mut idle), b"");
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_server_ends_at_once_when_told_twice() {
    let server = start(Config { deadline: None, grace: Duration::from_secs(60), ..config() });
    let mut waiting = server.connect();
    waiting.write_all(b"GET /sleep?ms=60000 HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    let mut computing = server.connect();
    computing.write_all(b"GET /loop HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let began = Instant::now();
    server.handle.stop();
    server.stop();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(common::rest(&mut waiting), b"");
}

#[test]
fn a_program_can_be_replaced() {
    let server = start(config());
    let mut old = server.connect();
    old.write_all(b"GET /sleep?ms=300 HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
        .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let other = program_of(&common::engine(), &wasm(), Grants::new());
    server.handle.replace(other);
    assert_eq!(server.get("/").text(), "hello\n");
    assert_eq!(Answer::parse(&common::rest(&mut old)).text(), "slept 300 ms\n");
}

#[test]
fn requests_are_logged_and_counted() {
    let server = start(Config { metrics: Some("127.0.0.1:0".parse().unwrap()), ..config() });
    server.get("/");
    server.get("/trap");
    server.ask("POST", "/echo", "", b"12345");
    let figures = || {
        let mut stream = common::connect(server.metrics.unwrap());
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: m\r\n\r\n").unwrap();
        Answer::parse(&common::rest(&mut stream)).text()
    };
    // Connections end when the server sees it.
    let wanted = Instant::now() + Duration::from_secs(5);
    while !figures().contains("lithe_connections 0\n") && Instant::now() < wanted {
        std::thread::sleep(Duration::from_millis(10));
    }
    let text = figures();
    for line in [
        "lithe_requests_total{status=\"2xx\"} 2",
        "lithe_requests_total{status=\"5xx\"} 1",
        "lithe_requests_in_flight 0",
        "lithe_connections 0",
        "lithe_instances_total 3",
        "lithe_guest_errors_total 1",
        "lithe_request_bytes_total 5",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    let log = server.log.lock().unwrap().join("\n");
    assert!(log.contains("\"GET / HTTP/1.1\" 200 6 "), "{log}");
    assert!(log.contains("\"POST /echo HTTP/1.1\" 200 5 "), "{log}");
    assert!(log.contains("\"GET /trap HTTP/1.1\" 500 "), "{log}");
}

//! Clients and guests that mean no good, or know no better: each is answered or cut off, and the server goes on serving
//! the others.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{Answer, Running, config, connect, rest, start};
use lithe_http::server::Config;

/// The server still answers.
fn alive(server: &Running) {
    let answer = server.get("/");
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello\n"));
}

/// Waits until no request is under way.
fn quiet(server: &Running, requests: usize) {
    let until = Instant::now() + Duration::from_secs(10);
    while server.log.lock().unwrap().len() < requests {
        assert!(Instant::now() < until, "{:?}", server.log.lock().unwrap());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn guests_that_do_not_answer_are_answered_for() {
    let server = start(config());
    for (path, words) in
        [("/never", "ended without an answer"), ("/trap", "unreachable"), ("/error", "asked for")]
    {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.whole), (500, true), "{path}");
        assert!(server.reports().contains(words), "{path}: {}", server.reports());
    }
    alive(&server);
}

#[test]
fn half_a_body_never_looks_whole() {
    let server = start(config());
    for path in ["/half", "/half-trap"] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.whole, answer.body.len()), (200, false, 500), "{path}");
    }
    // A request's body that ends early is an error to the guest, whose echo is then unfinished.
    let mut stream = server.connect();
    stream
        .write_all(b"POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\nshort")
        .unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let all = rest(&mut stream);
    assert!(all.is_empty() || !Answer::parse(&all).whole);
    alive(&server);
}

#[test]
fn guests_have_a_deadline_for_waiting_and_for_computing() {
    let server = start(Config { deadline: Some(Duration::from_millis(300)), ..config() });
    for path in ["/sleep?ms=60000", "/loop"] {
        let began = Instant::now();
        assert_eq!(server.get(path).status, 504, "{path}");
        assert!(began.elapsed() < Duration::from_secs(5), "{path}: {:?}", began.elapsed());
    }
    // One that computes holds its event loop up, and the others not for longer than its deadline.
    let mut streams: Vec<TcpStream> = (0..4).map(|_| server.connect()).collect();
    for stream in &mut streams {
        stream.write_all(b"GET /loop HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
    }
    alive(&server);
    for stream in &mut streams {
        assert_eq!(Answer::parse(&rest(stream)).status, 504);
    }
}

#[test]
fn heads_have_limits() {
    let server = start(Config { max_head: 16 << 10, ..config() });
    let long = "a".repeat(20_000);
    let many = "x: y\r\n".repeat(200);
    for head in [
        format!("GET /{long} HTTP/1.1\r\nhost: test\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: test\r\nx: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: test\r\n{many}\r\n"),
    ] {
        let mut stream = server.connect();
        let _ = stream.write_all(head.as_bytes());
        let all = rest(&mut stream);
        if !all.is_empty() {
            let status = Answer::parse(&all).status;
            assert!([400, 414, 431].contains(&status), "{status}");
        }
    }
    // A head that never ends.
    let mut stream = server.connect();
    let mut sent = 0;
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    while stream.write_all(b"x-some-header: with a value\r\n").is_ok() && sent < 100_000 {
        sent += 1;
    }
    assert!(sent < 100_000);
    alive(&server);
}

#[test]
fn requests_that_are_none_are_refused() {
    let server = start(config());
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", 400),
        ("GET / HTTP/3.7\r\nhost: a\r\n\r\n", 400),
        ("CONNECT other:80 HTTP/1.1\r\nhost: other:80\r\n\r\n", 501),
        ("\0\x01\x02\r\n\r\n", 400),
    ] {
        let mut stream = server.connect();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let all = rest(&mut stream);
        if !all.is_empty() {
            assert_eq!(Answer::parse(&all).status, status, "{request:?}");
        }
    }
    // Without a version, and asterisks.
    let answer = server.ask("OPTIONS", "*", "", b"");
    assert_eq!(answer.status, 404);
    alive(&server);
}

#[test]
fn a_request_names_one_host() {
    let server = start(config());
    for (line, host, status) in [
        ("/headers", "host: test:80\r\n", 200),
        ("/headers", "host: [::1]:80\r\n", 200),
        ("/headers", "host:\r\n", 200),
        ("http://a/headers", "host: b\r\n", 200),
        ("http://a/headers", "", 400),
        ("/headers", "host: a/b\r\n", 400),
        ("/headers", "host: a b\r\n", 400),
        ("/headers", "host: a, b\r\n", 400),
        ("/headers", "host: user@a\r\n", 400),
        ("/headers", "host: a\\b\r\n", 400),
        ("/headers", "host: \u{e4}\r\n", 400),
        ("http://user@a/headers", "host: a\r\n", 400),
    ] {
        let mut stream = server.connect();
        let head = format!("GET {line} HTTP/1.1\r\n{host}connection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let answer = Answer::parse(&rest(&mut stream));
        assert_eq!(answer.status, status, "{line} {host:?}: {}", answer.text());
        if line.starts_with("http") && status == 200 {
            assert!(answer.text().contains("authority a\n"), "{}", answer.text());
        }
    }
}

#[test]
fn header_bombs_of_guests_end_the_guest() {
    let server = start(config());
    assert_eq!(server.get("/many-headers?n=500").status, 200);
    assert_eq!(server.get("/many-headers?n=1000000").status, 500);
    assert!(
        server.reports().contains("a set of header fields has more than"),
        "{}",
        server.reports()
    );
    alive(&server);
}

#[test]
fn a_client_that_goes_away_ends_its_guest() {
    let server = start(Config { loops: 1, ..config() });
    // Before the answer, and in the middle of one.
    for request in ["GET /sleep?ms=20000", "GET /big?bytes=100000000"] {
        let mut stream = server.connect();
        stream.write_all(format!("{request} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut stream = server.connect();
    stream
        .write_all(b"POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 1000\r\n\r\nsome")
        .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    drop(stream);
    quiet(&server, 3);
    assert!(!server.reports().contains("panic"), "{}", server.reports());
    alive(&server);
}

#[test]
fn slow_clients_lose_their_connection() {
    let limit = Duration::from_millis(400);
    let server = start(Config {
        head_timeout: limit,
        body_timeout: limit,
        idle_timeout: Duration::from_millis(1500),
        ..config()
    });
    let ends_within = |mut stream: TcpStream, seconds| {
        let began = Instant::now();
        rest(&mut stream);
        let took = began.elapsed();
        assert!(took < Duration::from_secs(seconds), "{took:?}");
        took
    };
    // Nothing at all.
    assert!(ends_within(server.connect(), 5) >= Duration::from_millis(1400));
    // A head, byte by byte.
    let mut stream = server.connect();
    let mut writer = stream.try_clone().unwrap();
    let slow = std::thread::spawn(move || {
        for byte in b"GET / HTTP/1.1\r\nhost: test\r\nx: y\r\n".iter().cycle() {
            if writer.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    rest(&mut stream);
    slow.join().unwrap();
    // A body that pauses.
    let mut stream = server.connect();
    stream.write_all(b"POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 9\r\n\r\nbo").unwrap();
    ends_within(stream, 5);
    // One who does not read.
    let mut stream = server.connect();
    stream.write_all(b"GET /big?bytes=100000000 HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    quiet(&server, 2);
    let mut all = 0;
    let mut piece = vec![0; 1 << 16];
    while let Ok(count) = stream.read(&mut piece) {
        if count == 0 {
            break;
        }
        all += count;
    }
    assert!(all < 100_000_000);
    alive(&server);
}

#[test]
fn idle_connections_make_room_for_others() {
    let server = start(Config { loops: 1, max_connections: 20, ..config() });
    let idle: Vec<TcpStream> = (0..100).map(|_| server.connect()).collect();
    alive(&server);
    // Even those that have begun a head.
    let slow: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = server.connect();
            let _ = stream.write_all(b"GET / HT");
            stream
        })
        .collect();
    alive(&server);
    drop((idle, slow));
    // Busy ones do not: further clients are told so, or see the end.
    let busy: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(b"GET /sleep?ms=2000 HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
            std::thread::sleep(Duration::from_millis(10));
            stream
        })
        .collect();
    let mut refused = server.connect();
    let all = rest(&mut refused);
    assert!(all.is_empty() || Answer::parse(&all).status == 503);
    drop(busy);
    quiet(&server, 22);
    alive(&server);
}

#[test]
fn ten_thousand_idle_connections_are_too_many() {
    let server = start(Config { max_connections: 400, ..config() });
    let mut kept = Vec::new();
    for round in 0..10_000 {
        let stream = connect(server.address);
        kept.push(stream);
        if kept.len() > 600 {
            kept.drain(..300);
        }
        if round % 2500 == 0 {
            alive(&server);
        }
    }
    alive(&server);
}

#[test]
fn too_many_requests_are_refused() {
    let server = start(Config { loops: 1, max_requests: 3, ..config() });
    let mut busy: Vec<TcpStream> = (0..3)
        .map(|_| {
            let mut stream = server.connect();
            stream
                .write_all(b"GET /sleep?ms=700 HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
                .unwrap();
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    let answer = server.get("/");
    assert_eq!(answer.status, 503);
    assert!(answer.head.contains("retry-after: 1"));
    for stream in &mut busy {
        assert_eq!(Answer::parse(&rest(stream)).status, 200);
    }
    alive(&server);
}

#[test]
fn guests_that_wait_hold_nobody_up_and_have_limited_memory() {
    let server = start(Config { loops: 1, ..config() });
    // What nobody reads is kept up to a buffer, however much is sent.
    let streams: Vec<TcpStream> = (0..30)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(b"GET /big?bytes=50000000 HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    alive(&server);
    drop(streams);
    quiet(&server, 31);
}

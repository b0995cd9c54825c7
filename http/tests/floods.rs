//! Clients of HTTP/2 that keep to the frames and to nothing else, and slow clients of either version. Frames are written
//! by hand, because no client library would. Each test ends with a server that goes on serving others.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Answer, Running, config, connect, rest, start};
use lithe_http::server::Config;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// Identifiers of settings.
const INITIAL_WINDOW_SIZE: u16 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A block of header fields that asks for a path.
fn head(method: &str, path: &str) -> Vec<u8> {
    // Indexed scheme; method, path and authority as literals with the name of an index.
    let mut block = vec![0x86];
    for (index, value) in [(2, method), (4, path), (1, "test")] {
        assert!(value.len() < 127);
        block.extend([index, u8::try_from(value.len()).unwrap()]);
        block.extend(value.as_bytes());
    }
    block
}

fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &head("GET", path))
}

fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (identifier, value) in settings {
        payload.extend(identifier.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    frame(SETTINGS, 0, 0, &payload)
}

/// A connection with the preface and these settings sent.
fn connect2(server: &Running, with: &[(u16, u32)]) -> TcpStream {
    let mut stream = server.connect();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    stream.write_all(&settings(with)).unwrap();
    stream
}

/// The next frame: kind, flags, stream, payload. Nothing at the end of the connection.
fn next(stream: &mut TcpStream) -> Option<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).ok()?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    stream.read_exact(&mut payload).ok()?;
    Some((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload))
}

/// Reads until the connection ends; how many frames of a kind there were.
fn drain(stream: &mut TcpStream, kind: u8) -> usize {
    std::iter::from_fn(|| next(stream)).filter(|frame| frame.0 == kind).count()
}

fn answer_within(server: &Running, limit: Duration) {
    let began = Instant::now();
    let answer = server.get("/");
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello\n"));
    assert!(began.elapsed() < limit, "{:?}", began.elapsed());
}

/// What the tests of this file allow, though processors be slow.
const PROMPT: Duration = Duration::from_secs(3);

fn requests(server: &Running) -> usize {
    server.log.lock().unwrap().len()
}

/// Requests that are not at their end, as the metrics say.
fn in_flight(server: &Running) -> usize {
    let mut stream = connect(server.metrics.unwrap());
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    let text = Answer::parse(&rest(&mut stream)).text();
    let line = text.lines().find_map(|line| line.strip_prefix("lithe_requests_in_flight "));
    line.unwrap().parse().unwrap()
}

fn until<W: std::fmt::Display>(what: impl Fn() -> W, is: impl Fn() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(20), "{}", what());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs `attack` again and again in a thread until the server has answered others; the attack ends when it cannot go on.
fn during(attack: impl FnMut() -> bool + Send, server: &Running) {
    let over = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (ended, mut attack) = (over.clone(), attack);
        scope.spawn(move || while !ended.load(Ordering::SeqCst) && attack() {});
        std::thread::sleep(Duration::from_millis(100));
        for _ in 0..5 {
            answer_within(server, PROMPT);
            std::thread::sleep(Duration::from_millis(20));
        }
        over.store(true, Ordering::SeqCst);
    });
}

#[test]
fn the_frames_of_this_file_are_understood() {
    let server = start(config());
    let mut stream = connect2(&server, &[]);
    stream.write_all(&get(1, "/")).unwrap();
    let data = std::iter::from_fn(|| next(&mut stream)).find(|frame| frame.0 == DATA).unwrap();
    assert_eq!((data.2, &data.3[..]), (1, &b"hello\n"[..]));
}

/// Answers that nobody takes hold places of requests, which there are not many of.
#[test]
fn windows_that_are_not_opened_end_the_connection() {
    for window in [0, 1] {
        let server = start(Config {
            loops: 1,
            max_requests: 40,
            body_timeout: Duration::from_millis(500),
            ..config()
        });
        let mut stream = connect2(&server, &[(INITIAL_WINDOW_SIZE, window)]);
        for number in 0..40 {
            // Guests that have ended, and some that still write.
            let path = if number % 4 == 0 { "/big?bytes=300000" } else { "/" };
            stream.write_all(&get(number * 2 + 1, path)).unwrap();
        }
        std::thread::sleep(Duration::from_millis(250));
        assert_eq!(server.get("/").status, 503, "window {window}");
        assert_eq!(requests(&server), 1, "no answer was taken, so none is over");
        until(|| "the connection ends", || requests(&server) >= 41);
        answer_within(&server, PROMPT);
        drain(&mut stream, DATA);
    }
}

/// A byte now and then is no pause, so the deadline has to end it.
#[test]
fn windows_that_are_opened_by_the_byte_end_with_the_deadline() {
    let server = start(Config {
        loops: 1,
        body_timeout: Duration::from_millis(400),
        deadline: Some(Duration::from_millis(800)),
        ..config()
    });
    let mut stream = connect2(&server, &[(INITIAL_WINDOW_SIZE, 0)]);
    stream.write_all(&get(1, "/random")).unwrap();
    let began = Instant::now();
    let open = frame(WINDOW_UPDATE, 0, 1, &1u32.to_be_bytes());
    let mut reader = stream.try_clone().unwrap();
    let reads = std::thread::spawn(move || drain(&mut reader, DATA));
    // There are 17 bytes.
    while stream.write_all(&open).is_ok() {
        assert!(began.elapsed() < Duration::from_secs(8));
        std::thread::sleep(Duration::from_millis(150));
    }
    let bytes = reads.join().unwrap();
    assert!((3..17).contains(&bytes), "{bytes}");
    answer_within(&server, PROMPT);
}

#[test]
fn streams_that_are_reset_at_once_are_limited() {
    let metrics = Some(([127, 0, 0, 1], 0).into());
    let server = start(Config { loops: 1, metrics, ..config() });
    // Reset before the server came to look at them: the connection is told to calm down.
    let mut stream = connect2(&server, &[]);
    let mut pairs = Vec::new();
    for number in 0..2000 {
        pairs.extend(get(number * 2 + 1, "/sleep?ms=5000"));
        pairs.extend(frame(RST_STREAM, 0, number * 2 + 1, &8u32.to_be_bytes()));
    }
    let _ = stream.write_all(&pairs);
    answer_within(&server, PROMPT);
    assert_eq!(drain(&mut stream, GOAWAY), 1);
    let begun = requests(&server);
    assert!(begun < 500, "{begun} guests");
    // One after the other, each when its guest runs: no guest is left, and others have their turn.
    let mut stream = connect2(&server, &[]);
    let mut number = 1;
    let flood = || {
        let reset = frame(RST_STREAM, 0, number, &8u32.to_be_bytes());
        let sent = stream.write_all(&get(number, "/sleep?ms=5000")).is_ok()
            && stream.write_all(&reset).is_ok();
        number += 2;
        sent
    };
    during(flood, &server);
    drop(stream);
    until(|| "guests end with their streams", || in_flight(&server) == 0);
    assert!(!server.reports().contains("panic"), "{}", server.reports());
}

#[test]
fn heads_without_end_are_ended() {
    let server = start(Config {
        loops: 1,
        max_head: 16 << 10,
        idle_timeout: Duration::from_millis(600),
        ..config()
    });
    // Of continuations with fields, with nothing in them, and with more of one field.
    for payload in [&b"\x00\x01x\x01y"[..], b"", &[b'a'; 1000]] {
        let mut stream = connect2(&server, &[]);
        let mut block = head("GET", "/");
        if payload.first() == Some(&b'a') {
            // A value of 2^21 + 126 bytes.
            block.extend(b"\x00\x01x\x7f\xff\xff\x7f");
        }
        stream.write_all(&frame(HEADERS, END_STREAM, 1, &block)).unwrap();
        let more = frame(CONTINUATION, 0, 1, payload);
        let mut sent = 0;
        while stream.write_all(&more).is_ok() && sent < 200_000 {
            sent += 1;
        }
        assert!(sent < 200_000, "{payload:?}");
        answer_within(&server, PROMPT);
    }
    // One that pauses for good.
    let mut stream = connect2(&server, &[]);
    stream.write_all(&frame(HEADERS, END_STREAM, 1, &head("GET", "/"))).unwrap();
    let began = Instant::now();
    drain(&mut stream, GOAWAY);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(requests(&server), 3);
}

#[test]
fn frames_that_want_answers_hold_nobody_up() {
    let server = start(Config {
        loops: 1,
        body_timeout: Duration::from_millis(500),
        idle_timeout: Duration::from_secs(2),
        ..config()
    });
    let ping = frame(PING, 0, 0, &[7; 8]).repeat(1000);
    let change: Vec<u8> = (0..1000).flat_map(|i| settings(&[(INITIAL_WINDOW_SIZE, i)])).collect();
    let window = frame(WINDOW_UPDATE, 0, 0, &0u32.to_be_bytes()).repeat(1000);
    let unknown = frame(0x77, 0, 0, b"unknown").repeat(1000);
    for (flood, reads) in
        [(&ping, true), (&change, true), (&unknown, true), (&ping, false), (&change, false)]
    {
        let mut stream = connect2(&server, &[]);
        let mut reader = stream.try_clone().unwrap();
        let reads = reads.then(|| std::thread::spawn(move || drain(&mut reader, PING)));
        let began = Instant::now();
        during(|| stream.write_all(flood).is_ok(), &server);
        // It ends, be it because it reads nothing, or because it asks for nothing.
        while stream.write_all(flood).is_ok() {
            assert!(began.elapsed() < Duration::from_secs(15));
        }
        if let Some(reads) = reads {
            reads.join().unwrap();
        }
        answer_within(&server, PROMPT);
    }
    // An error of the protocol.
    let mut stream = connect2(&server, &[]);
    let _ = stream.write_all(&window);
    assert_eq!(drain(&mut stream, GOAWAY), 1);
    let mut stream = connect2(&server, &[]);
    let _ = stream.write_all(&frame(SETTINGS, ACK, 0, &[0; 6]));
    assert_eq!(drain(&mut stream, GOAWAY), 1);
    answer_within(&server, PROMPT);
}

#[test]
fn bodies_of_nothing_end() {
    let metrics = Some(([127, 0, 0, 1], 0).into());
    let deadline = Some(Duration::from_millis(800));
    let server = start(Config { loops: 1, deadline, metrics, ..config() });
    // Frames without bytes, and with one byte each, to a guest that reads and to one that does not; as fast as they can
    // be sent, which the connection is ended for, and slowly.
    for path in ["/echo", "/sleep?ms=60000"] {
        for (payload, pause) in [(&b""[..], 0), (b"x", 0), (b"x", 20)] {
            let mut stream = connect2(&server, &[]);
            stream.write_all(&frame(HEADERS, END_HEADERS, 1, &head("POST", path))).unwrap();
            let piece = frame(DATA, 0, 1, payload).repeat(if pause == 0 { 100 } else { 1 });
            let mut reader = stream.try_clone().unwrap();
            let reads = std::thread::spawn(move || drain(&mut reader, DATA));
            let flood = || {
                std::thread::sleep(Duration::from_millis(pause));
                stream.write_all(&piece).is_ok()
            };
            during(flood, &server);
            until(|| format!("{path} {payload:?} {pause}"), || in_flight(&server) == 0);
            drop(stream.shutdown(std::net::Shutdown::Both));
            reads.join().unwrap();
        }
    }
    answer_within(&server, PROMPT);
}

#[test]
fn a_byte_at_a_time_ends_with_the_deadline() {
    let server = start(Config {
        loops: 1,
        body_timeout: Duration::from_millis(300),
        deadline: Some(Duration::from_millis(800)),
        ..config()
    });
    // A body that never pauses for long, read and not read.
    for path in ["/echo", "/sleep?ms=60000", "/"] {
        let mut stream = server.connect();
        let head = format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let began = Instant::now();
        while stream.write_all(b"x").is_ok() {
            assert!(began.elapsed() < Duration::from_secs(8), "{path}");
            std::thread::sleep(Duration::from_millis(50));
        }
        answer_within(&server, PROMPT);
    }
    // An answer that is read byte by byte: the guest cannot go on, and ends, and what it wrote is not kept.
    let mut stream = connect(server.address);
    stream.write_all(b"GET /big?bytes=100000000 HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    let before = requests(&server);
    let began = Instant::now();
    let mut byte = [0];
    while requests(&server) == before && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        assert!(began.elapsed() < Duration::from_secs(8));
        std::thread::sleep(Duration::from_millis(50));
    }
    let all = rest(&mut stream);
    assert!(all.len() < 100_000_000);
    answer_within(&server, PROMPT);
    assert!(!server.reports().contains("panic"), "{}", server.reports());
}

#[test]
fn a_patient_reader_gets_the_whole_answer() {
    // The limits are for those who take nothing, not for those who are slow.
    let server = start(Config { loops: 1, body_timeout: Duration::from_millis(500), ..config() });
    let mut stream = server.connect();
    let head = b"GET /big?bytes=8000000 HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    stream.write_all(head).unwrap();
    let mut all = Vec::new();
    let mut piece = vec![0; 400_000];
    loop {
        match stream.read(&mut piece).unwrap() {
            0 => break,
            count => all.extend(&piece[..count]),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let answer = Answer::parse(&all);
    assert_eq!((answer.body.len(), answer.whole), (8_000_000, true));
}

//! Names whose addresses change between two looks, which is how a public name is made to lead into a private network. The
//! rule stands for the public Internet, 127.0.0.2 for the address on it that is granted, 127.0.0.1 for the private one.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Answer, Running, config, engine, program_of, program_with_http, start_with, wasm};
use lithe_http::server::Config;
use lithe_http::{Client, FieldLimits, Http, Roots};
use lithe_wasi::p2::sockets::{Answer as Resolved, ErrorCode, Resolve};
use lithe_wasi::{Denials, Grants};
use rustix::net::{AddressFamily, SocketType};

/// Gives one answer after the other, the last one for ever.
#[derive(Debug, Default)]
struct Changing {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Changing {
    fn new(answers: &[&[&str]]) -> Arc<Changing> {
        let parse = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        let answers = Mutex::new(answers.iter().rev().map(parse).collect());
        Arc::new(Changing { answers, asked: AtomicUsize::new(0) })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Resolve for Changing {
    fn resolve(&self, name: &str) -> Resolved<Vec<IpAddr>> {
        assert_ne!(name, "panics.example.com");
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 {
            return Ok(answers.pop().unwrap());
        }
        answers.last().cloned().ok_or(ErrorCode::NameUnresolvable)
    }
}

/// A server that says its name, and keeps connections or does not.
struct Other {
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Other {
    fn start(address: SocketAddr, name: &'static str, keeps: bool) -> (Other, SocketAddr) {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let other = Other { connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) = (other.connections.clone(), other.requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                connections.fetch_add(1, Ordering::SeqCst);
                let requests = requests.clone();
                std::thread::spawn(move || {
                    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                    while lines.by_ref().map_while(Result::ok).any(|line| line.is_empty()) {
                        requests.fetch_add(1, Ordering::SeqCst);
                        let close = if keeps { "" } else { "connection: close\r\n" };
                        let length = name.len();
                        let answer = format!(
                            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{close}\r\n{name}"
                        );
                        if stream.write_all(answer.as_bytes()).is_err() || !keeps {
                            return;
                        }
                    }
                });
            }
        });
        (other, address)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// The granted server and the private one, on one port.
fn both(keeps: bool) -> (Other, Other, u16) {
    for _ in 0..100 {
        let (granted, address) = Other::start("127.0.0.2:0".parse().unwrap(), "granted", keeps);
        let private = SocketAddr::from(([127, 0, 0, 1], address.port()));
        if TcpListener::bind(private).is_ok() {
            return (granted, Other::start(private, "private", keeps).0, address.port());
        }
    }
    panic!("no port is free at both addresses");
}

fn serve(resolver: &Arc<Changing>, port: u16) -> (Running, Denials) {
    // Every name, as long as it leads to the Internet or to that address.
    let rules = [format!("*:{port}"), format!("127.0.0.2:{port}")];
    let grants =
        rules.iter().fold(Grants::new(), |grants, rule| grants.http(rule.parse().unwrap()));
    let denials = grants.denials();
    let config = Config { loops: 1, resolver: Some(resolver.clone()), ..config() };
    (start_with(config, program_of(&engine(), &wasm(), grants)), denials)
}

fn fetch(server: &Running, name: &str, port: u16) -> Answer {
    server.get(&format!("/fetch?url=http://{name}:{port}/&timeout=2000"))
}

#[test]
fn the_address_that_was_checked_is_the_one_that_is_connected_to() {
    let (granted, private, port) = both(false);
    let resolver =
        Changing::new(&[&["127.0.0.2"], &["127.0.0.1"], &["127.0.0.2"], &["169.254.169.254"]]);
    let (server, denials) = serve(&resolver, port);
    for (asked, fine) in [(1, true), (2, false), (3, true), (4, false), (5, false)] {
        let answer = fetch(&server, "rebind.example.com", port);
        // One lookup for one request: there is no second answer to fall for.
        assert_eq!(resolver.asked(), asked);
        match fine {
            true => assert_eq!((answer.status, answer.text().as_str()), (200, "granted")),
            false => {
                assert_eq!(answer.status, 502);
                assert!(answer.text().contains("DestinationIpProhibited"), "{}", answer.text());
            }
        }
    }
    assert_eq!((granted.connections(), private.connections()), (2, 0));
    let attempts: Vec<String> = denials.list().into_iter().map(|denial| denial.attempt).collect();
    for address in ["127.0.0.1", "169.254.169.254"] {
        let attempt =
            format!("http request to rebind.example.com at {address}:{port}, which is not public");
        assert!(attempts.contains(&attempt), "{attempts:?}");
    }
}

#[test]
fn one_bad_address_among_others_is_passed_over() {
    let (granted, private, port) = both(false);
    let resolver = Changing::new(&[
        &["127.0.0.1", "127.0.0.2"],
        &["::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "0.0.0.0", "::", "127.0.0.2"],
        &["::ffff:127.0.0.1"],
    ]);
    let (server, _) = serve(&resolver, port);
    for _ in 0..2 {
        assert_eq!(fetch(&server, "mixed.example.com", port).text(), "granted");
    }
    assert_eq!(fetch(&server, "mixed.example.com", port).status, 502);
    assert_eq!((granted.connections(), private.connections()), (2, 0));
    // A resolver that panics is one that finds nothing.
    let answer = fetch(&server, "panics.example.com", port);
    assert!(answer.text().contains("DnsError"), "{}", answer.text());
    assert_eq!(fetch(&server, "mixed.example.com", port).status, 502);
}

#[test]
fn kept_connections_stay_with_the_address_that_they_were_made_to() {
    let (granted, private, port) = both(true);
    let resolver = Changing::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let (server, _) = serve(&resolver, port);
    for _ in 0..3 {
        assert_eq!(fetch(&server, "rebind.example.com", port).text(), "granted");
    }
    assert_eq!((resolver.asked(), granted.connections()), (1, 1));
    // Another name gets no connection of this one, though it led to the same address.
    assert_eq!(fetch(&server, "other.example.com", port).status, 502);
    assert_eq!((granted.connections(), private.connections()), (1, 0));
}

#[test]
fn an_address_that_does_not_answer_keeps_nobody_waiting() {
    // The system answers no connection that the queue of a server has no room for.
    let (granted, _private, port) = both(false);
    let silent = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 3], port));
    rustix::net::bind(&silent, &address).unwrap();
    rustix::net::listen(&silent, 0).unwrap();
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200));
    let queued: Vec<_> = std::iter::from_fn(|| connect().ok()).take(100).collect();
    assert!(queued.len() < 100);
    let resolver = Changing::new(&[&["127.0.0.3", "127.0.0.2"]]);
    let grants = [2, 3].iter().fold(Grants::new(), |grants, host| {
        grants.http(format!("127.0.0.{host}:{port}").parse().unwrap())
    });
    let grants = grants.http(format!("*:{port}").parse().unwrap());
    let config = Config { loops: 1, resolver: Some(resolver), ..config() };
    let server = start_with(config, program_of(&engine(), &wasm(), grants));
    let began = Instant::now();
    assert_eq!(fetch(&server, "db.example.com", port).text(), "granted");
    let took = began.elapsed();
    assert!(took > Duration::from_millis(200) && took < Duration::from_millis(1500), "{took:?}");
    assert_eq!(granted.connections(), 1);
}

#[test]
fn kept_connections_pass_no_grant_on() {
    let (_granted, private, port) = both(true);
    let resolver = Changing::new(&[&["127.0.0.1"]]);
    let client = Client::with_resolver(Roots::default(), resolver.clone());
    let http = Http::new(FieldLimits::default(), client);
    let serve = |rule: &str| {
        let grants = Grants::new().http(format!("{rule}:{port}").parse().unwrap());
        let denials = grants.denials();
        let program = program_with_http(&engine(), &wasm(), grants, http.clone());
        (start_with(Config { loops: 1, ..config() }, program), denials)
    };
    // Two programs with one client. The first may ask this very name, wherever it is.
    let (named, no_denials) = serve("db.example.com");
    let (wild, denials) = serve("*.example.com");
    for round in 1..4 {
        assert_eq!(fetch(&named, "db.example.com", port).text(), "private");
        assert_eq!(private.connections(), 1, "the kept connection is still there");
        let answer = fetch(&wild, "db.example.com", port);
        assert!(answer.text().contains("DestinationIpProhibited"), "{}", answer.text());
        assert_eq!(private.requests.load(Ordering::SeqCst), round);
    }
    assert!(no_denials.list().is_empty());
    assert_eq!(denials.list().len(), 1, "{:?}", denials.list());
}

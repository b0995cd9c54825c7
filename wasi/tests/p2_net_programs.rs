//! Programs that use the network through their language's standard library, run as components against real peers.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lithe::{Engine, Error, Store, TrapKind};
use lithe_component::{Component, Linker};
use lithe_wasi::p2::{self, P2};
use lithe_wasi::{Ctx, Grants, Output, OutputPipe};

const LIMIT: Duration = Duration::from_secs(60);

/// Runs a program until a time; what it exits with, or the error that ended it.
fn try_run(
    program: &str,
    args: &[&str],
    grants: Grants,
    output: &OutputPipe,
    limit: Duration,
) -> Result<Result<(), ()>, Error> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../guests/components/out")
        .join(program)
        .with_extension("wasm");
    let engine = Engine::default();
    let component = Component::new(&engine, std::fs::read(path).unwrap()).unwrap();
    let mut linker = Linker::new(&engine);
    p2::add_to_linker(&mut linker).unwrap();
    let stdio = Output::Pipe(output.clone());
    let grants = grants.stdout(stdio.clone()).stderr(stdio).arg(program);
    let mut ctx = Ctx::new(grants.args(args.iter().copied())).unwrap();
    ctx.set_deadline(Some(Instant::now() + limit));
    let mut store = Store::new(&engine, P2::new(ctx));
    let instance = linker.instantiate(&mut store, &component).unwrap();
    let func = instance.func_in(&mut store, "wasi:cli/run@0.2.0", "run").unwrap();
    let func = func.typed::<(), Result<(), ()>>(&mut store).unwrap();
    match func.call(&mut store, ()) {
        Err(error) => match error.exit_status() {
            Some(0) => Ok(Ok(())),
            Some(_) => Ok(Err(())),
            None => Err(error),
        },
        result => result,
    }
}

fn granted(rules: &[&str]) -> Grants {
    rules.iter().fold(Grants::new(), |grants, rule| grants.net(rule.parse().unwrap()))
}

fn run(program: &str, args: &[&str], rules: &[&str], output: &OutputPipe) -> Result<(), ()> {
    try_run(program, args, granted(rules), output, LIMIT).unwrap()
}

/// Runs a program to its end; what it printed.
fn output(program: &str, args: &[&str], rules: &[&str]) -> (Result<(), ()>, String) {
    let pipe = OutputPipe::new();
    let result = run(program, args, rules, &pipe);
    (result, String::from_utf8(pipe.contents()).unwrap())
}

/// Runs a server; its address, the program and its output.
fn server(
    program: &'static str,
    args: &'static [&'static str],
    rules: &'static [&'static str],
) -> (SocketAddr, JoinHandle<Result<(), ()>>, OutputPipe) {
    let pipe = OutputPipe::new();
    let of_server = pipe.clone();
    let thread = std::thread::spawn(move || run(program, args, rules, &of_server));
    let start = Instant::now();
    loop {
        let text = String::from_utf8(pipe.contents()).unwrap();
        if let Some((line, _)) = text.split_once('\n') {
            let address = line.strip_prefix("listening on ").unwrap().parse().unwrap();
            return (address, thread, pipe);
        }
        assert!(start.elapsed() < LIMIT && !thread.is_finished(), "{text}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn tcp_client() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        stream.write_all(text.to_uppercase().as_bytes()).unwrap();
    });
    let rule = format!("tcp:{at}");
    let (result, text) = output("tcp-p2", &["client", &at.to_string(), "hello"], &[&rule]);
    let expected = format!("connected to {at}\nno delay: true\nreceived 5 bytes: HELLO\n");
    assert_eq!((result, text), (Ok(()), expected));
    peer.join().unwrap();
}

#[test]
fn tcp_client_that_is_denied_or_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let (result, text) = output("tcp-p2", &["client", &at, "x"], &["tcp:127.0.0.2:*"]);
    assert_eq!((result, text), (Err(()), "failed: PermissionDenied\n".into()));
    drop(listener);
    let (result, text) = output("tcp-p2", &["client", &at, "x"], &["tcp:127.0.0.1:*"]);
    assert_eq!((result, text), (Err(()), "failed: ConnectionRefused\n".into()));
}

#[test]
fn tcp_server() {
    let (at, server, pipe) =
        server("tcp-p2", &["server", "127.0.0.1:0", "2"], &["listen:127.0.0.1:*"]);
    let bytes: Vec<u8> = (0..1_000_000u32).map(|i| (i >> 8) as u8 ^ i as u8).collect();
    for bytes in [&bytes[..5], &bytes] {
        let mut stream = TcpStream::connect(at).unwrap();
        let (mut reading, mut echo) = (stream.try_clone().unwrap(), Vec::new());
        let reader = std::thread::spawn(move || {
            reading.read_to_end(&mut echo).unwrap();
            echo
        });
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(reader.join().unwrap() == bytes);
    }
    assert_eq!(server.join().unwrap(), Ok(()));
    let text = String::from_utf8(pipe.contents()).unwrap();
    assert!(text.ends_with("sent back 1000000 bytes\n"), "{text}");
}

#[test]
fn udp_clients() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = peer.local_addr().unwrap();
    let echo = std::thread::spawn(move || {
        for _ in 0..2 {
            let mut buffer = [0; 100];
            let (count, from) = peer.recv_from(&mut buffer).unwrap();
            peer.send_to(&buffer[..count], from).unwrap();
        }
    });
    let rule = format!("udp:{at}");
    for form in ["client", "connected-client"] {
        let (result, text) = output("udp-p2", &[form, &at.to_string(), "hello"], &[&rule]);
        let expected = format!("received 5 bytes from {at}: hello\n");
        assert_eq!((result, text), (Ok(()), expected), "{form}");
    }
    echo.join().unwrap();
    let (result, text) = output("udp-p2", &["client", &at.to_string(), "x"], &["udp:127.0.0.2:*"]);
    assert_eq!((result, text), (Err(()), "failed: PermissionDenied\n".into()));
}

#[test]
fn udp_server() {
    let (at, server, _) =
        server("udp-p2", &["server", "[::1]:0", "2"], &["listen:[::1]:*", "udp:[::1]:*"]);
    let peer = UdpSocket::bind("[::1]:0").unwrap();
    peer.set_read_timeout(Some(LIMIT)).unwrap();
    for text in ["hello", ""] {
        peer.send_to(text.as_bytes(), at).unwrap();
        let mut buffer = [0; 100];
        assert_eq!(peer.recv_from(&mut buffer).unwrap(), (text.len(), at));
    }
    assert_eq!(server.join().unwrap(), Ok(()));
}

#[test]
fn names() {
    let (result, text) = output("dns-p2", &["localhost"], &["lookup:localhost"]);
    assert_eq!(result, Ok(()), "{text}");
    assert!(text.lines().all(|line| ["127.0.0.1", "::1"].contains(&line)), "{text}");
    let (result, text) = output("dns-p2", &["192.0.2.7"], &[]);
    assert_eq!((result, text), (Ok(()), "192.0.2.7\n".into()));
    let (result, _) = output("dns-p2", &["localhost"], &["lookup:example.com"]);
    assert_eq!(result, Err(()));
}

#[test]
fn waiting_ends_at_the_deadline() {
    let limit = Duration::from_millis(200);
    let (peer, pipe) = (UdpSocket::bind("127.0.0.1:0").unwrap(), OutputPipe::new());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (udp, tcp) = (peer.local_addr().unwrap(), silent.local_addr().unwrap());
    for (program, args) in [
        ("tcp-p2", ["server", "127.0.0.1:0", "1"]),
        ("tcp-p2", ["client", &tcp.to_string(), "x"]),
        ("udp-p2", ["client", &udp.to_string(), "x"]),
    ] {
        let grants = granted(&["tcp:*:*", "udp:*:*", "listen:*:*"]);
        let start = Instant::now();
        let error = try_run(program, &args, grants, &pipe, limit).unwrap_err();
        assert_eq!(error.trap().map(|trap| trap.kind()), Some(TrapKind::Interrupt), "{args:?}");
        assert!(start.elapsed() >= limit && start.elapsed() < LIMIT);
    }
}

#[test]
fn what_was_denied_is_told() {
    let grants = granted(&["udp:127.0.0.1:*"]);
    let denials = grants.denials();
    let result =
        try_run("tcp-p2", &["client", "192.0.2.1:80", "x"], grants, &OutputPipe::new(), LIMIT);
    assert_eq!(result.unwrap(), Err(()));
    let told: Vec<String> = denials.list().iter().map(ToString::to_string).collect();
    let denied =
        "tcp connection to 192.0.2.1:80, denied once; grant it with --net tcp:192.0.2.1:80";
    assert_eq!(told, [denied]);
}

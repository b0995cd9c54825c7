//! `wasi:sockets/ip-name-lookup`, with resolvers that do what they should not.

mod p2;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use lithe_wasi::NetPolicy;
use lithe_wasi::p2::sockets::{
    Answer, ErrorCode, IpAddressFamily, MAX_ADDRESSES, MAX_LOOKUPS, Resolve, ResolveAddressStream,
    Sockets, TcpSocket,
};
use p2::{policy, ready};

/// Gives one answer after the other.
#[derive(Debug)]
struct Scripted(Mutex<VecDeque<Answer<Vec<IpAddr>>>>);

impl Resolve for Scripted {
    fn resolve(&self, name: &str) -> Answer<Vec<IpAddr>> {
        assert_ne!(name, "panics.example.com");
        self.0.lock().unwrap().pop_front().unwrap_or(Err(ErrorCode::NameUnresolvable))
    }
}

/// Answers when the gate opens.
#[derive(Clone, Debug, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Resolve for Gate {
    fn resolve(&self, _: &str) -> Answer<Vec<IpAddr>> {
        let open = self.0.1.wait_while(self.0.0.lock().unwrap(), |open| !*open);
        drop(open);
        Ok(vec![ip("192.0.2.1")])
    }
}

impl Gate {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn scripted(answers: impl IntoIterator<Item = Answer<Vec<IpAddr>>>) -> Sockets {
    let mut sockets = Sockets::default();
    sockets.set_resolver(Scripted(Mutex::new(answers.into_iter().collect())));
    sockets
}

fn begin(sockets: &Sockets, policy: &NetPolicy, name: &str) -> Answer<ResolveAddressStream> {
    ResolveAddressStream::new(sockets, policy, name.into())
}

fn lookup(sockets: &Sockets, policy: &NetPolicy, name: &str) -> Answer<Vec<IpAddr>> {
    let mut stream = begin(sockets, policy, name)?;
    ready(&mut stream);
    let mut addresses = Vec::new();
    while let Some(address) = stream.resolve_next_address(policy)? {
        addresses.push(address);
    }
    assert_eq!(stream.resolve_next_address(policy), Ok(None));
    Ok(addresses)
}

#[test]
fn addresses_stand_for_themselves() {
    let (sockets, nothing) = (scripted([]), policy(&[]));
    for (name, address) in [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
    ] {
        assert_eq!(lookup(&sockets, &nothing, name), Ok(vec![ip(address)]), "{name}");
    }
    assert!(nothing.denials().list().is_empty());
}

#[test]
fn names_that_are_none() {
    let (sockets, everything) = (scripted([]), policy(&["lookup:*"]));
    let (long, label) = ("a.".repeat(127) + "a", "a".repeat(64));
    for name in [
        "",
        ".",
        "a..b",
        "a b",
        "a/b",
        "[::1]",
        "1.2.3",
        "0x7f.1",
        "127.1",
        "2130706433",
        "0177.0.0.1",
        "127.0.0.1.",
        "a:80",
        "user@host",
        "fe80::1%eth0",
        "a\0b",
        "b\u{fc}cher.example",
        &long,
        &label,
    ] {
        let result = begin(&sockets, &everything, name);
        assert_eq!(result.err(), Some(ErrorCode::InvalidArgument), "{name}");
    }
}

#[test]
fn names_need_grants() {
    let sockets = scripted([Ok(vec![ip("192.0.2.1")]), Ok(vec![ip("192.0.2.2")])]);
    let some = policy(&["lookup:db.example.com", "tcp:*:*"]);
    let denied = begin(&sockets, &some, "example.com").err();
    assert_eq!(denied, Some(ErrorCode::AccessDenied));
    assert_eq!(some.denials().list()[0].grant.as_deref(), Some("--net lookup:example.com"));
    assert_eq!(lookup(&sockets, &some, "DB.example.COM"), Ok(vec![ip("192.0.2.1")]));
    assert_eq!(lookup(&sockets, &some, "db.example.com."), Ok(vec![ip("192.0.2.2")]));
}

#[test]
fn answers_of_resolvers() {
    let all = policy(&["lookup:*"]);
    let found = ["::ffff:192.0.2.1", "192.0.2.1", "2001:db8::1", "192.0.2.1"].map(ip).to_vec();
    let many: Vec<IpAddr> = (0..10_000u32).map(|i| IpAddr::V4((0x0a00_0000 + i).into())).collect();
    let sockets = scripted([
        Ok(found),
        Ok(many),
        Ok(vec![]),
        Err(ErrorCode::TemporaryResolverFailure),
        Err(ErrorCode::PermanentResolverFailure),
    ]);
    let name = "example.com";
    assert_eq!(lookup(&sockets, &all, name), Ok(vec![ip("192.0.2.1"), ip("2001:db8::1")]));
    assert_eq!(lookup(&sockets, &all, name).unwrap().len(), MAX_ADDRESSES);
    assert_eq!(lookup(&sockets, &all, name), Err(ErrorCode::NameUnresolvable));
    assert_eq!(lookup(&sockets, &all, name), Err(ErrorCode::TemporaryResolverFailure));
    assert_eq!(lookup(&sockets, &all, name), Err(ErrorCode::PermanentResolverFailure));
    let panics = lookup(&sockets, &all, "panics.example.com");
    assert_eq!(panics, Err(ErrorCode::PermanentResolverFailure));
}

#[test]
fn the_system_resolves() {
    let sockets = Sockets::default();
    let found = lookup(&sockets, &policy(&["lookup:localhost"]), "localhost").unwrap();
    assert!(found.iter().all(IpAddr::is_loopback), "{found:?}");
    assert!(!found.is_empty());
}

#[test]
fn lookups_are_limited_and_abandoned_ones_end() {
    let gate = Gate::default();
    let mut sockets = Sockets::default();
    sockets.set_resolver(gate.clone());
    let all = policy(&["lookup:*"]);
    let mut first = begin(&sockets, &all, "example.com").unwrap();
    assert_eq!(first.resolve_next_address(&all), Err(ErrorCode::WouldBlock));
    // Dropping a stream does not make room: its thread is still there.
    for _ in 1..MAX_LOOKUPS {
        drop(begin(&sockets, &all, "example.com").unwrap());
    }
    assert_eq!(sockets.lookups(), MAX_LOOKUPS);
    let one_more = begin(&sockets, &all, "example.com").err();
    assert_eq!(one_more, Some(ErrorCode::TemporaryResolverFailure));
    // Addresses need no thread.
    assert!(begin(&sockets, &all, "127.0.0.1").is_ok());
    gate.open();
    ready(&mut first);
    assert_eq!(first.resolve_next_address(&all), Ok(Some(ip("192.0.2.1"))));
    let start = Instant::now();
    while sockets.lookups() > 0 {
        assert!(start.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(lookup(&sockets, &all, "example.com"), Ok(vec![ip("192.0.2.1")]));
}

/// A name that is granted stands for the addresses that this guest got for it: not for others, and not before.
#[test]
fn connecting_after_answers_that_change() {
    let sockets = scripted([Ok(vec![ip("192.0.2.1")]), Ok(vec![ip("127.0.0.1")])]);
    let rules = policy(&["tcp:db.example.com:5432", "tcp:*.example.org:80"]);
    let denied = |address: &str| {
        let address: SocketAddr = address.parse().unwrap();
        let family = IpAddressFamily::Ipv4;
        let mut socket = TcpSocket::new(&sockets, family).unwrap();
        socket.start_connect(&rules, address) == Err(ErrorCode::AccessDenied)
    };
    assert!(denied("192.0.2.1:5432"));
    assert_eq!(lookup(&sockets, &rules, "db.example.com"), Ok(vec![ip("192.0.2.1")]));
    assert!(!denied("192.0.2.1:5432"));
    assert!(denied("192.0.2.1:5433"));
    assert!(denied("192.0.2.2:5432"));
    assert!(denied("127.0.0.1:5432"));
    // A wildcard lets the guest choose the name, and so the address: it does not reach this machine.
    assert_eq!(lookup(&sockets, &rules, "evil.example.org"), Ok(vec![ip("127.0.0.1")]));
    assert!(denied("127.0.0.1:80"));
    assert!(denied("127.0.0.1:5432"));
}

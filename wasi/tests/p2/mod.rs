//! What the tests of WASI 0.2's sockets share: policies from rules, and waiting.

#![allow(dead_code, reason = "every test crate uses its own part")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lithe_wasi::NetPolicy;
use lithe_wasi::p2::io::{InputStream, OutputStream, Subscribe};
use lithe_wasi::p2::{Blocking, Readiness, Waiter};

pub const LOOPBACK: &str = "127.0.0.1:0";
pub const LOOPBACK6: &str = "[::1]:0";

/// The longest that a test waits.
const LIMIT: Duration = Duration::from_secs(20);

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub fn policy(rules: &[&str]) -> NetPolicy {
    rules.iter().fold(NetPolicy::new(), |policy, rule| policy.allow(rule.parse().unwrap()))
}

/// Waits as guests do until something is ready.
pub fn ready(what: &mut impl Subscribe) {
    wait(|| what.readiness());
}

pub fn wait_input(stream: &mut impl InputStream) {
    wait(|| stream.readiness());
}

pub fn wait_output(stream: &mut impl OutputStream) {
    wait(|| stream.readiness());
}

fn wait(mut readiness: impl FnMut() -> Readiness) {
    let start = Instant::now();
    let mut waiter = Blocking::default();
    while let Readiness::Wait(wait) = readiness() {
        assert!(start.elapsed() < LIMIT, "still waiting for {wait:?}");
        waiter.wait(&[wait], Some(LIMIT)).unwrap();
    }
}

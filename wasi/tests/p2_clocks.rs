//! `wasi:clocks`, `wasi:random` and `wasi:config` of WASI 0.2, called through the linker.

mod linked;

use std::time::{Duration, Instant};

use linked::*;
use lithe::ErrorKind;
use lithe_component::Val;
use lithe_wasi::{Ctx, Grants};

fn number(value: Val) -> u64 {
    match value {
        Val::U64(number) => number,
        other => panic!("{}", show(&other)),
    }
}

fn now(guest: &mut Guest) -> u64 {
    number(guest.value("clocks-monotonic-clock-now", &[]))
}

#[test]
fn the_monotonic_clock_moves_on() {
    let mut guest = Guest::new(Grants::new());
    let first = now(&mut guest);
    std::thread::sleep(Duration::from_millis(2));
    assert!(now(&mut guest) >= first + 2_000_000);
    let resolution = number(guest.value("clocks-monotonic-clock-resolution", &[]));
    assert!((1..=1_000_000_000).contains(&resolution));
}

#[test]
fn the_wall_clock_tells_the_time() {
    let mut guest = Guest::new(Grants::new());
    let time = guest.value("clocks-wall-clock-now", &[]);
    let host = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(host.abs_diff(number(field(&time, "seconds"))) < 10);
    let resolution = guest.value("clocks-wall-clock-resolution", &[]);
    assert_ne!(show(&resolution), "{seconds: 0, nanoseconds: 0}");
}

#[test]
fn the_time_zone_of_the_host_is_its_own() {
    let mut guest = Guest::new(Grants::new());
    for time in [datetime(0, 0), datetime(u64::MAX, u32::MAX)] {
        let display = guest.call("clocks-timezone-display", std::slice::from_ref(&time));
        let utc = r#"{utc-offset: 0, name: "UTC", in-daylight-saving-time: false}"#;
        assert_eq!(display, utc);
        assert_eq!(guest.call("clocks-timezone-utc-offset", &[time]), "0");
    }
}

#[test]
fn pollables_of_clocks_become_ready() {
    let mut guest = Guest::new(Grants::new());
    let (instant, duration) =
        ("clocks-monotonic-clock-subscribe-instant", "clocks-monotonic-clock-subscribe-duration");
    let ready = |guest: &mut Guest, name: &str, when: u64| {
        let pollable = guest.resource(name, &[u64(when)]);
        let ready = guest.call("io-poll-pollable-ready", &[of(pollable)]);
        guest.drop(pollable);
        ready
    };
    assert_eq!(ready(&mut guest, instant, 0), "true");
    let now = now(&mut guest);
    assert_eq!(ready(&mut guest, instant, now), "true");
    assert_eq!(ready(&mut guest, duration, 0), "true");
    // Later than any clock will tell.
    for when in [u64::MAX, u64::MAX - 1, i64::MAX as u64, i64::MAX as u64 + 1] {
        assert_eq!(ready(&mut guest, instant, when), "false");
        assert_eq!(ready(&mut guest, duration, when), "false");
    }
    let start = Instant::now();
    let short = guest.resource(duration, &[u64(20_000_000)]);
    let never = guest.resource(duration, &[u64(u64::MAX)]);
    let list = Val::List(vec![of(never), of(short), of(short)]);
    assert_eq!(guest.call("io-poll-poll", &[list]), "[1, 2]");
    assert!(start.elapsed() >= Duration::from_millis(20));
    guest.call("io-poll-pollable-block", &[of(short)]);
}

#[test]
fn waiting_ends_at_the_deadline() {
    let mut ctx = Ctx::new(Grants::new()).unwrap();
    ctx.set_deadline(Some(Instant::now() + Duration::from_millis(50)));
    let mut guest = Guest::of(ctx);
    let never = guest.resource("clocks-monotonic-clock-subscribe-instant", &[u64(u64::MAX)]);
    let error = guest.try_call("io-poll-pollable-block", &[of(never)]).unwrap_err();
    assert!(error.message().contains("interrupt"), "{}", error.message());
}

#[test]
fn seeded_clocks_do_not_make_guests_wait() {
    let run = || {
        let mut guest = Guest::new(Grants::new().seed(7));
        let start = Instant::now();
        let before = now(&mut guest);
        let name = "clocks-monotonic-clock-subscribe-duration";
        let hour = guest.resource(name, &[u64(3_600_000_000_000)]);
        let year = guest.resource(name, &[u64(31_536_000_000_000_000)]);
        assert_eq!(guest.call("io-poll-pollable-ready", &[of(hour)]), "false");
        let list = Val::List(vec![of(year), of(hour)]);
        assert_eq!(guest.call("io-poll-poll", &[list]), "[1]");
        let after = now(&mut guest);
        assert!(after >= before + 3_600_000_000_000);
        guest.call("io-poll-pollable-block", &[of(year)]);
        assert!(now(&mut guest) >= before + 31_536_000_000_000_000);
        assert!(start.elapsed() < Duration::from_secs(60));
        let wall = guest.call("clocks-wall-clock-now", &[]);
        let random = guest.call("random-random-get-random-u64", &[]);
        (after, wall, random)
    };
    assert_eq!(run(), run());
}

#[test]
fn random_bytes_are_as_many_as_asked_for() {
    let mut guest = Guest::new(Grants::new());
    for name in ["random-random-get-random-bytes", "random-insecure-get-insecure-random-bytes"] {
        assert_eq!(guest.call(name, &[u64(0)]), "[]");
        let first = bytes_of(&guest.value(name, &[u64(1000)]));
        let second = bytes_of(&guest.value(name, &[u64(1000)]));
        assert_eq!((first.len(), second.len()), (1000, 1000));
        assert_ne!(first, second);
    }
    for name in ["random-random-get-random-u64", "random-insecure-get-insecure-random-u64"] {
        assert_ne!(guest.call(name, &[]), guest.call(name, &[]));
    }
    let seed = "random-insecure-seed-insecure-seed";
    assert_ne!(guest.call(seed, &[]), "(0, 0)");
}

#[test]
fn random_bytes_without_end_are_refused() {
    for name in ["random-random-get-random-bytes", "random-insecure-get-insecure-random-bytes"] {
        for len in [lithe_wasi::p2::random::MAX_RANDOM_BYTES + 1, 1 << 40, u64::MAX] {
            let error = Guest::new(Grants::new()).try_call(name, &[u64(len)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Limit);
        }
    }
}

#[test]
fn configuration_is_what_was_granted() {
    let grants = Grants::new().config_var("a", "1").config_var("ü", "zwei").env("secret", "x");
    let mut guest = Guest::new(grants);
    assert_eq!(guest.call("config-store-get", &[text("ü")]), r#"ok(some("zwei"))"#);
    assert_eq!(guest.call("config-store-get", &[text("secret")]), "ok(none)");
    assert_eq!(guest.call("config-store-get-all", &[]), r#"ok([("a", "1"), ("ü", "zwei")])"#);
}

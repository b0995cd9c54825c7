//! `poll_oneoff`, inherited streams and deadlines.
//!
//! Streams of this process are what they are when the tests run, so waiting is tried with FIFOs.

mod common;

use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use lithe_wasi::p1::MAX_SUBSCRIPTIONS;
use lithe_wasi::{Access, Errno, Grants, Input, Stop};
use rustix::fs::{CWD, mkfifoat};

const DIR: u32 = 3;
const MILLI: u64 = 1_000_000;

const CLOCK: u8 = 0;
const FD_READ: u8 = 1;
const FD_WRITE: u8 = 2;
const HANGUP: u16 = 1;

#[derive(Debug, PartialEq)]
struct Event {
    userdata: u64,
    error: u16,
    kind: u8,
    nbytes: u64,
    flags: u16,
}

/// A subscription: `word` is the clock or descriptor.
struct Sub(u8, u32, u64, u16);

const SUBS: u64 = 1 << 20;
const EVENTS: u64 = 8 << 20;

fn put(guest: &mut Guest, subs: &[Sub]) {
    for (index, Sub(kind, word, timeout, flags)) in subs.iter().enumerate() {
        let mut bytes = [0; 48];
        bytes[..8].copy_from_slice(&(index as u64 + 100).to_le_bytes());
        bytes[8] = *kind;
        bytes[16..20].copy_from_slice(&word.to_le_bytes());
        bytes[24..32].copy_from_slice(&timeout.to_le_bytes());
        bytes[40..42].copy_from_slice(&flags.to_le_bytes());
        guest.put(SUBS + index as u64 * 48, &bytes);
    }
}

fn try_poll(guest: &mut Guest, subs: &[Sub]) -> Result<Result<Vec<Event>, Errno>, Stop> {
    put(guest, subs);
    match guest.try_call("poll_oneoff", &[SUBS, EVENTS, subs.len() as u64, RESULT])? {
        Errno::Success => {}
        errno => return Ok(Err(errno)),
    }
    let events = (0..u64::from(guest.u32(RESULT)))
        .map(|index| EVENTS + index * 32)
        .map(|at| Event {
            userdata: guest.u64(at),
            error: guest.u16(at + 8),
            kind: guest.bytes(at + 10, 1)[0],
            nbytes: guest.u64(at + 16),
            flags: guest.u16(at + 24),
        })
        .collect();
    Ok(Ok(events))
}

fn poll(guest: &mut Guest, subs: &[Sub]) -> Result<Vec<Event>, Errno> {
    try_poll(guest, subs).unwrap()
}

fn event(userdata: u64, error: Errno, kind: u8, nbytes: u64, flags: u16) -> Event {
    Event { userdata, error: error as u16, kind, nbytes, flags }
}

fn time(guest: &mut Guest, clock: u64) -> u64 {
    guest.call("clock_time_get", &[clock, 0, RESULT]).unwrap();
    guest.u64(RESULT)
}

#[test]
fn clocks_end_waits() {
    let mut guest = Guest::new(Grants::new());
    for (clock, absolute) in [(0, false), (1, false), (0, true), (1, true)] {
        let at = if absolute { time(&mut guest, clock) } else { 0 } + 30 * MILLI;
        let start = Instant::now();
        let sub = Sub(CLOCK, clock as u32, at, absolute.into());
        let events = poll(&mut guest, &[sub]).unwrap();
        assert_eq!(events, [event(100, Errno::Success, CLOCK, 0, 0)]);
        let waited = start.elapsed();
        assert!(waited >= Duration::from_millis(29), "{clock} {absolute}: {waited:?}");
        assert!(waited < Duration::from_millis(900), "{clock} {absolute}: {waited:?}");
    }
    // The past, and the nearest of several.
    for clock in [0, 1] {
        assert_eq!(poll(&mut guest, &[Sub(CLOCK, clock, 1, 1)]).unwrap().len(), 1);
        assert_eq!(poll(&mut guest, &[Sub(CLOCK, clock, 0, 0)]).unwrap().len(), 1);
    }
    let subs =
        [Sub(CLOCK, 1, u64::MAX, 0), Sub(CLOCK, 1, 5 * MILLI, 0), Sub(CLOCK, 0, u64::MAX, 1)];
    let events = poll(&mut guest, &subs).unwrap();
    assert_eq!(events, [event(101, Errno::Success, CLOCK, 0, 0)]);
}

#[test]
fn bad_subscriptions_are_errors() {
    let mut guest = Guest::new(Grants::new());
    assert_eq!(poll(&mut guest, &[]), Err(Errno::Inval));
    assert_eq!(poll(&mut guest, &[Sub(3, 0, 0, 0)]), Err(Errno::Inval));
    assert_eq!(poll(&mut guest, &[Sub(CLOCK, 1, 0, 2)]), Err(Errno::Inval));
    let million = [SUBS, EVENTS, 1_000_000, RESULT];
    assert_eq!(guest.call("poll_oneoff", &million), Err(Errno::Inval));
    assert_eq!(guest.call("poll_oneoff", &[SUBS, EVENTS, 0xffff_ffff, RESULT]), Err(Errno::Inval));
    assert_eq!(
        guest.call("poll_oneoff", &[MEMORY as u64 - 47, EVENTS, 1, RESULT]),
        Err(Errno::Fault)
    );
    assert_eq!(
        guest.call("poll_oneoff", &[SUBS, MEMORY as u64 - 31, 1, RESULT]),
        Err(Errno::Fault)
    );
    // One bad one does not spoil the others, and nothing waits for it.
    let subs = [Sub(FD_READ, 77, 0, 0), Sub(CLOCK, 9, 0, 0), Sub(CLOCK, 2, 0, 0)];
    let rest = [Sub(FD_READ, 1, 0, 0), Sub(FD_WRITE, 0, 0, 0), Sub(CLOCK, 1, u64::MAX, 0)];
    let subs: Vec<Sub> = subs.into_iter().chain(rest).collect();
    let events = poll(&mut guest, &subs).unwrap();
    assert_eq!(
        events,
        [
            event(100, Errno::Badf, FD_READ, 0, 0),
            event(101, Errno::Inval, CLOCK, 0, 0),
            event(102, Errno::Inval, CLOCK, 0, 0),
            event(103, Errno::Badf, FD_READ, 0, 0),
            event(104, Errno::Badf, FD_WRITE, 0, 0),
        ]
    );
    let most: Vec<Sub> = (0..MAX_SUBSCRIPTIONS).map(|_| Sub(FD_WRITE, 1, 0, 0)).collect();
    assert_eq!(poll(&mut guest, &most).unwrap().len(), most.len());
}

#[test]
fn files_and_memory_are_always_ready() {
    let temp = TempDir::new();
    temp.write("file", "contents");
    let grants = Grants::new().stdin(Input::bytes(*b"12345"));
    let mut guest = Guest::new(grants.dir(temp.path(), "/", Access::ReadWrite));
    let fd = guest.open(DIR, 0, "file", 0, READ | WRITE, 0).unwrap();
    guest.read(fd, 3).unwrap();
    guest.read(0, 1).unwrap();
    let subs = [
        Sub(FD_READ, 0, 0, 0),
        Sub(FD_WRITE, 1, 0, 0),
        Sub(FD_READ, fd, 0, 0),
        Sub(FD_WRITE, fd, 0, 0),
        Sub(FD_READ, DIR, 0, 0),
        Sub(CLOCK, 1, u64::MAX, 0),
    ];
    let events = poll(&mut guest, &subs).unwrap();
    let nbytes: Vec<_> = events.iter().map(|event| (event.userdata, event.nbytes)).collect();
    assert_eq!(nbytes, [(100, 4), (101, 0), (102, 5), (103, 1), (104, 0)]);
    guest.read(fd, 100).unwrap();
    let events = poll(&mut guest, &[Sub(FD_READ, fd, 0, 0)]).unwrap();
    assert_eq!(events, [event(100, Errno::Success, FD_READ, 0, 0)]);
}

#[test]
fn pipes_become_ready() {
    let temp = TempDir::new();
    mkfifoat(CWD, temp.join("fifo"), 0o600.into()).unwrap();
    let mut guest = Guest::new(Grants::new().dir(temp.path(), "/", Access::ReadWrite));
    let reader = guest.open(DIR, 0, "fifo", 0, READ, 0).unwrap();
    let writer = guest.open(DIR, 0, "fifo", 0, WRITE, 0).unwrap();
    let subs =
        || [Sub(FD_READ, reader, 0, 0), Sub(FD_WRITE, writer, 0, 0), Sub(CLOCK, 1, MILLI, 0)];
    let events = poll(&mut guest, &subs()).unwrap();
    assert_eq!(events[0], event(101, Errno::Success, FD_WRITE, 1, 0));
    let wait = [Sub(FD_READ, reader, 0, 0), Sub(CLOCK, 1, 10 * MILLI, 0)];
    let events = poll(&mut guest, &wait).unwrap();
    assert_eq!(events, [event(101, Errno::Success, CLOCK, 0, 0)]);

    guest.call("fd_fdstat_set_flags", &[reader.into(), NONBLOCK]).unwrap();
    assert_eq!(guest.read(reader, 10), Err(Errno::Again));
    guest.write(writer, b"hello").unwrap();
    let events = poll(&mut guest, &wait).unwrap();
    assert_eq!(events, [event(100, Errno::Success, FD_READ, 5, 0)]);
    guest.close(writer).unwrap();
    let events = poll(&mut guest, &wait).unwrap();
    assert_eq!(events, [event(100, Errno::Success, FD_READ, 5, HANGUP)]);
    assert_eq!(guest.read(reader, 10).unwrap(), b"hello");
    let events = poll(&mut guest, &wait).unwrap();
    assert_eq!(events, [event(100, Errno::Success, FD_READ, 0, HANGUP)]);
    assert_eq!(guest.read(reader, 10).unwrap(), b"");

    // Offsets mean nothing to a pipe.
    assert_eq!(guest.seek(reader, 0, 1), Err(Errno::Spipe));
    assert_eq!(guest.pread(reader, 1, 0), Err(Errno::Spipe));
    let stat = guest.fdstat(reader).unwrap();
    assert_eq!((stat.filetype, stat.base & 0x24), (0, 0));
    // Nobody reads any more.
    let writer = guest.open(DIR, 0, "fifo", 0, WRITE, 0).unwrap();
    guest.close(reader).unwrap();
    assert_eq!(guest.write(writer, b"x"), Err(Errno::Pipe));
    let events = poll(&mut guest, &[Sub(FD_WRITE, writer, 0, 0)]).unwrap();
    assert_eq!((events[0].kind, events[0].flags), (FD_WRITE, HANGUP));
}

#[test]
fn deadlines_end_every_wait() {
    let temp = TempDir::new();
    for name in ["empty", "full"] {
        mkfifoat(CWD, temp.join(name), 0o600.into()).unwrap();
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let grants = Grants::new().tcp_listener(listener).dir(temp.path(), "/", Access::ReadWrite);
    let mut guest = Guest::new(grants);
    let dir = 4;
    let empty = guest.open(dir, 0, "empty", 0, READ, 0).unwrap();
    let unread = guest.open(dir, 0, "full", 0, READ, 0).unwrap();
    let full = guest.open(dir, 0, "full", 0, WRITE, 0).unwrap();
    guest.call("fd_fdstat_set_flags", &[full.into(), NONBLOCK]).unwrap();
    while guest.write(full, &[0; 4096]).is_ok() {}
    guest.call("fd_fdstat_set_flags", &[full.into(), 0]).unwrap();
    let (iovs, count) = guest.iovecs(&[(DATA, 10)]);
    put(&mut guest, &[Sub(CLOCK, 1, u64::MAX, 0)]);
    put(&mut guest, &[Sub(FD_READ, empty, 0, 0)]);
    let calls: [(&str, &[u64]); 4] = [
        ("fd_read", &[empty.into(), iovs, count, RESULT]),
        ("fd_write", &[full.into(), iovs, count, RESULT]),
        ("poll_oneoff", &[SUBS, EVENTS, 1, RESULT]),
        ("sock_accept", &[3, 0, RESULT]),
    ];
    for (name, args) in calls {
        let start = Instant::now();
        guest.ctx.set_deadline(Some(start + Duration::from_millis(30)));
        assert_eq!(guest.try_call(name, args), Err(Stop::Deadline), "{name}");
        let waited = start.elapsed();
        assert!(waited >= Duration::from_millis(29), "{name} {waited:?}");
        assert!(waited < Duration::from_millis(500), "{name} {waited:?}");
        // It has passed: nothing waits any more.
        assert_eq!(guest.try_call(name, args), Err(Stop::Deadline), "{name}");
    }
    // Two gigabytes of random bytes take longer.
    let len = MEMORY as u64 - DATA;
    assert_eq!(guest.try_call("random_get", &[DATA, len]), Err(Stop::Deadline));
    guest.ctx.set_deadline(None);
    assert_eq!(guest.call("random_get", &[DATA, len]), Ok(()));
    guest.close(unread).unwrap();
}

/// Runs the test `name` of this program with the given standard streams.
fn rerun(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]);
    command
}

#[test]
fn inherited_streams_are_what_they_are() {
    let temp = TempDir::new();
    temp.write("input", "from a file");
    let run = |stdin: Stdio, what: &str| {
        let output = rerun("child").env("WHAT", what).stdin(stdin).output().unwrap();
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        output
    };
    let file = std::fs::File::open(temp.join("input")).unwrap();
    let output = run(file.into(), "file");
    assert!(String::from_utf8_lossy(&output.stdout).contains("written by the guest"));
    let (reader, writer) = std::io::pipe().unwrap();
    rustix::io::write(&writer, b"from a pipe").unwrap();
    run(reader.as_fd().try_clone_to_owned().unwrap().into(), "pipe");
    // The child has read what it asked for and not a byte more.
    let mut rest = [0; 100];
    let count = rustix::io::read(&reader, &mut rest).unwrap();
    assert_eq!(&rest[..count], b"pipe");
    run(Stdio::null(), "null");
}

/// The other half of `inherited_streams_are_what_they_are`.
#[test]
#[ignore = "runs as a child of another test"]
fn child() {
    let mut guest = Guest::new(Grants::new().inherit_stdio());
    let stat = guest.fdstat(0).unwrap();
    let what = std::env::var("WHAT").unwrap();
    let seekable = stat.base & 0x24 == 0x24;
    match &what[..] {
        "file" => {
            assert_eq!((stat.filetype, seekable), (4, true));
            assert_eq!(guest.fd_filestat(0).unwrap().size, 11);
            assert_eq!(guest.read(0, 6).unwrap(), b"from a");
            assert_eq!(guest.tell(0), Ok(6));
            let events = poll(&mut guest, &[Sub(FD_READ, 0, 0, 0)]).unwrap();
            assert_eq!(events[0].nbytes, 5);
            assert_eq!(guest.read(0, 60).unwrap(), b" file");
        }
        "pipe" => {
            assert_eq!((stat.filetype, seekable), (0, false));
            let events = poll(&mut guest, &[Sub(FD_READ, 0, 0, 0)]).unwrap();
            assert_eq!(events[0].nbytes, 11);
            assert_eq!(guest.read(0, 7).unwrap(), b"from a ");
            assert_eq!(guest.seek(0, 0, 0), Err(Errno::Spipe));
        }
        _ => {
            // A device without being a terminal: libc recognizes terminals by what they lack.
            assert_eq!((stat.filetype, seekable), (2, true));
            assert_eq!(guest.read(0, 100).unwrap(), b"");
        }
    }
    assert_eq!(guest.call("fd_fdstat_set_flags", &[1, APPEND]), Err(Errno::Notsup));
    assert_eq!(guest.call("fd_fdstat_set_flags", &[1, NONBLOCK]), Ok(()));
    guest.ctx.set_deadline(Some(Instant::now() + Duration::from_secs(10)));
    assert_eq!(guest.write(1, b"\nwritten by the guest\n"), Ok(22));
    let args = [0, 1, 1, ATIM | MTIM];
    assert_eq!(guest.call("fd_filestat_set_times", &args), Err(Errno::Notcapable));
}

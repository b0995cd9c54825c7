//! What threads of one guest do with the descriptors they share: waits hold nobody up, numbers stay unique
//! and within the limit, and what one closes stays usable for the call that another one is in.

mod common;

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use lithe_wasi::{Access, Errno, Grants};
use rustix::fs::{CWD, mkfifoat};

const DIR: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);

fn guest(temp: &TempDir) -> Guest {
    Guest::new(Grants::new().dir(temp.path(), "/", Access::ReadWrite))
}

#[test]
fn a_read_that_waits_holds_nobody_up() {
    let temp = TempDir::new();
    mkfifoat(CWD, temp.join("fifo"), 0o600.into()).unwrap();
    let mut guest = guest(&temp);
    let reader = guest.open(DIR, 0, "fifo", 0, READ, 0).unwrap();
    let writer = guest.open(DIR, 0, "fifo", 0, WRITE, 0).unwrap();
    let mut other = guest.thread();
    let waiting = thread::spawn(move || other.read(reader, 10));
    thread::sleep(PAUSE);
    assert!(!waiting.is_finished());
    let file = guest.open(DIR, 0, "file", CREAT, READ | WRITE, 0).unwrap();
    guest.write(file, b"meanwhile").unwrap();
    assert_eq!(guest.pread(file, 20, 0).unwrap(), b"meanwhile");
    // The read has the pipe even after its number is gone.
    guest.close(reader).unwrap();
    assert_eq!(guest.read(reader, 1), Err(Errno::Badf));
    assert_eq!(guest.write(writer, b"hello"), Ok(5));
    assert_eq!(waiting.join().unwrap().unwrap(), b"hello");
    assert_eq!(guest.write(writer, b"hello"), Err(Errno::Pipe));
}

#[test]
fn a_poll_that_waits_holds_nobody_up() {
    let temp = TempDir::new();
    mkfifoat(CWD, temp.join("fifo"), 0o600.into()).unwrap();
    let mut guest = guest(&temp);
    let reader = guest.open(DIR, 0, "fifo", 0, READ, 0).unwrap();
    let writer = guest.open(DIR, 0, "fifo", 0, WRITE, 0).unwrap();
    let mut other = guest.thread();
    let waiting = thread::spawn(move || {
        // One subscription: the descriptor is readable.
        let mut subscription = [0; 48];
        subscription[8] = 1;
        subscription[16..20].copy_from_slice(&reader.to_le_bytes());
        other.put(DATA, &subscription);
        other.call("poll_oneoff", &[DATA, DATA + 64, 1, RESULT])?;
        Ok::<_, Errno>((other.u32(RESULT), other.u64(DATA + 64 + 16)))
    });
    thread::sleep(PAUSE);
    assert!(!waiting.is_finished());
    guest.mkdir(DIR, "made").unwrap();
    guest.close(reader).unwrap();
    guest.write(writer, b"four").unwrap();
    assert_eq!(waiting.join().unwrap(), Ok((1, 4)));
}

#[test]
fn each_thread_has_its_own_deadline() {
    let temp = TempDir::new();
    mkfifoat(CWD, temp.join("fifo"), 0o600.into()).unwrap();
    let mut guest = guest(&temp);
    let reader = guest.open(DIR, 0, "fifo", 0, READ, 0).unwrap();
    let writer = guest.open(DIR, 0, "fifo", 0, WRITE, 0).unwrap();
    let mut other = guest.thread();
    other.ctx.set_deadline(Some(Instant::now() + PAUSE));
    let (iovs, count) = other.iovecs(&[(DATA, 10)]);
    let stopped = other.try_call("fd_read", &[reader.into(), iovs, count, RESULT]);
    assert_eq!(stopped, Err(lithe_wasi::Stop::Deadline));
    guest.write(writer, b"late").unwrap();
    assert_eq!(guest.read(reader, 10).unwrap(), b"late");
}

#[test]
fn numbers_are_unique_and_limited() {
    const THREADS: usize = 4;
    const EACH: usize = 40;
    const FREE: usize = 100;
    let temp = TempDir::new();
    temp.write("file", b"text");
    let limit = DIR + 1 + FREE as u32;
    let grants = Grants::new().dir(temp.path(), "/", Access::ReadWrite).max_descriptors(limit);
    let mut guest = Guest::new(grants);
    for _ in 0..20 {
        let opened: Vec<Vec<u32>> = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    let mut own = guest.thread();
                    scope.spawn(move || {
                        let open = |_| match own.open(DIR, 0, "file", 0, READ, 0) {
                            Ok(fd) => Some(fd),
                            Err(error) => {
                                assert_eq!(error, Errno::Mfile);
                                None
                            }
                        };
                        (0..EACH).filter_map(open).collect()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let all: BTreeSet<u32> = opened.iter().flatten().copied().collect();
        assert_eq!(all.len(), FREE);
        assert_eq!(opened.iter().flatten().count(), FREE);
        assert_eq!(all.last(), Some(&(limit - 1)));
        assert_eq!(guest.open(DIR, 0, "file", 0, READ, 0), Err(Errno::Mfile));
        // Every thread closes what another one opened.
        thread::scope(|scope| {
            for list in &opened {
                let mut own = guest.thread();
                scope.spawn(move || list.iter().for_each(|fd| own.close(*fd).unwrap()));
            }
        });
    }
    assert_eq!(guest.open(DIR, 0, "file", 0, READ, 0), Ok(DIR + 1));
}

#[test]
fn appends_stay_appends_while_others_write_at_offsets() {
    const APPEND: u64 = 1;
    const TIMES: usize = 300;
    let temp = TempDir::new();
    let mut guest = guest(&temp);
    let fd = guest.open(DIR, 0, "log", CREAT, READ | WRITE, APPEND).unwrap();
    guest.write(fd, b"....").unwrap();
    thread::scope(|scope| {
        for byte in [b"a", b"b"] {
            let mut own = guest.thread();
            scope.spawn(move || {
                for _ in 0..TIMES {
                    assert_eq!(own.write(fd, byte), Ok(1));
                }
            });
        }
        let mut own = guest.thread();
        scope.spawn(move || {
            for _ in 0..TIMES {
                assert_eq!(own.pwrite(fd, b"XYZ", 0), Ok(3));
            }
        });
    });
    let text = temp.read("log");
    assert_eq!(text.len(), 4 + 2 * TIMES);
    assert_eq!(&text[..4], b"XYZ.");
    assert_eq!(text.iter().filter(|byte| **byte == b'a').count(), TIMES);
}

#[test]
fn listings_by_several_threads_are_complete() {
    let temp = TempDir::new();
    let mut guest = guest(&temp);
    for index in 0..200 {
        guest.mkdir(DIR, format!("entry{index}")).unwrap();
    }
    thread::scope(|scope| {
        for _ in 0..4 {
            let mut own = guest.thread();
            scope.spawn(move || {
                for _ in 0..10 {
                    let (mut cookie, mut names) = (0, BTreeSet::new());
                    loop {
                        own.call("fd_readdir", &[DIR.into(), DATA, 500, cookie, RESULT]).unwrap();
                        let used = u64::from(own.u32(RESULT));
                        let mut at = 0;
                        while at + 24 <= used {
                            let len = u64::from(own.u32(DATA + at + 16));
                            if at + 24 + len > used {
                                break;
                            }
                            cookie = own.u64(DATA + at);
                            names.insert(own.bytes(DATA + at + 24, len).to_vec());
                            at += 24 + len;
                        }
                        if used < 500 {
                            break;
                        }
                    }
                    assert_eq!(names.len(), 202);
                }
            });
        }
    });
}

//! `wasi:io` of WASI 0.2, called through the linker.

mod linked;

use linked::*;
use lithe_component::Val;
use lithe_wasi::{Grants, Input, Output, OutputPipe};

const WRITE: &str = "io-streams-output-stream-write";
const CHECK: &str = "io-streams-output-stream-check-write";

fn guest(input: &'static [u8]) -> (Guest, OutputPipe) {
    let pipe = OutputPipe::with_limit(100_000);
    let grants = Grants::new().stdin(Input::bytes(input)).stdout(Output::Pipe(pipe.clone()));
    (Guest::new(grants), pipe)
}

#[test]
fn writing_more_than_was_permitted_traps() {
    for (checked, count) in [(false, 1), (true, 100_001)] {
        let (mut guest, pipe) = guest(b"");
        let out = guest.resource("cli-stdout-get-stdout", &[]);
        if checked {
            assert_eq!(guest.call(CHECK, &[of(out)]), "ok(100000)");
        }
        let words = guest.trap(WRITE, &[of(out), bytes(&vec![b'x'; count])]);
        assert!(words.contains("more bytes than check-write permitted"), "{words}");
        assert!(pipe.contents().is_empty());
    }
    let (mut guest, _) = guest(b"");
    let out = guest.resource("cli-stdout-get-stdout", &[]);
    guest.call(CHECK, &[of(out)]);
    guest.trap("io-streams-output-stream-write-zeroes", &[of(out), u64(u64::MAX)]);
}

#[test]
fn blocking_writes_have_a_limit() {
    for (name, arg) in [
        ("io-streams-output-stream-blocking-write-and-flush", bytes(&[0; 4097])),
        ("io-streams-output-stream-blocking-write-zeroes-and-flush", u64(4097)),
    ] {
        let (mut guest, _) = guest(b"");
        let out = guest.resource("cli-stdout-get-stdout", &[]);
        guest.trap(name, &[of(out), arg]);
    }
}

#[test]
fn output_streams_write_flush_and_splice() {
    let (mut guest, pipe) = guest(b"0123456789");
    let out = guest.resource("cli-stdout-get-stdout", &[]);
    let stdin = guest.resource("cli-stdin-get-stdin", &[]);
    guest.write_all(out, b"a");
    assert_eq!(guest.call("io-streams-output-stream-flush", &[of(out)]), "ok");
    assert_eq!(guest.call("io-streams-output-stream-blocking-flush", &[of(out)]), "ok");
    guest.call(CHECK, &[of(out)]);
    assert_eq!(guest.call("io-streams-output-stream-write-zeroes", &[of(out), u64(2)]), "ok");
    let zeroes = "io-streams-output-stream-blocking-write-zeroes-and-flush";
    assert_eq!(guest.call(zeroes, &[of(out), u64(1)]), "ok");
    let write = "io-streams-output-stream-blocking-write-and-flush";
    assert_eq!(guest.call(write, &[of(out), bytes(b"b")]), "ok");
    let splice = "io-streams-output-stream-splice";
    assert_eq!(guest.call(splice, &[of(out), of(stdin), u64(4)]), "ok(4)");
    let splice = "io-streams-output-stream-blocking-splice";
    assert_eq!(guest.call(splice, &[of(out), of(stdin), u64(100)]), "ok(6)");
    assert_eq!(guest.call(splice, &[of(out), of(stdin), u64(1)]), "err(closed)");
    assert_eq!(pipe.contents(), b"a\0\0\0b0123456789");
    let pollable = guest.resource("io-streams-output-stream-subscribe", &[of(out)]);
    assert_eq!(guest.call("io-poll-pollable-ready", &[of(pollable)]), "true");
}

#[test]
fn input_streams_read_and_skip() {
    let (mut guest, _) = guest(b"0123456789");
    let stdin = guest.resource("cli-stdin-get-stdin", &[]);
    let call = |guest: &mut Guest, name: &str, len: u64| {
        guest.call(&format!("io-streams-input-stream-{name}"), &[of(stdin), u64(len)])
    };
    assert_eq!(call(&mut guest, "read", 2), "ok(b\"01\")");
    assert_eq!(call(&mut guest, "skip", 2), "ok(2)");
    assert_eq!(call(&mut guest, "blocking-read", 0), "ok([])");
    assert_eq!(call(&mut guest, "blocking-read", 2), "ok(b\"45\")");
    assert_eq!(call(&mut guest, "blocking-skip", 2), "ok(2)");
    assert_eq!(call(&mut guest, "blocking-skip", u64::MAX), "ok(2)");
    for name in ["read", "skip", "blocking-read", "blocking-skip"] {
        assert_eq!(call(&mut guest, name, 1), "err(closed)");
    }
}

#[test]
fn polling_nothing_traps_and_a_pollable_may_be_polled_twice() {
    let (mut guest, _) = guest(b"text");
    let stdin = guest.resource("cli-stdin-get-stdin", &[]);
    let pollable = guest.resource("io-streams-input-stream-subscribe", &[of(stdin)]);
    let list = Val::List(vec![of(pollable), of(pollable)]);
    assert_eq!(guest.call("io-poll-poll", &[list]), "[0, 1]");
    guest.call("io-poll-pollable-block", &[of(pollable)]);
    let words = guest.trap("io-poll-poll", &[Val::List(Vec::new())]);
    assert!(words.contains("empty"), "{words}");
}

#[test]
fn a_stream_stays_while_it_has_pollables() {
    let (mut guest, _) = guest(b"text");
    let stdin = guest.resource("cli-stdin-get-stdin", &[]);
    let pollable = guest.resource("io-streams-input-stream-subscribe", &[of(stdin)]);
    assert!(stdin.drop(&mut guest.store).is_err());
    guest.drop(pollable);
    guest.drop(stdin);
    assert!(guest.store.data().table.is_empty());
}

#[test]
fn errors_have_words() {
    let (mut guest, pipe) = guest(b"");
    let out = guest.resource("cli-stdout-get-stdout", &[]);
    guest.write_all(out, &[b'x'; 100_000]);
    guest.call(CHECK, &[of(out)]);
    let Val::Result(Err(Some(error))) = guest.value(WRITE, &[of(out), bytes(b"y")]) else {
        panic!()
    };
    let Val::Variant(name, Some(error)) = *error else { panic!() };
    let Val::Resource(error) = *error else { panic!() };
    assert_eq!(name, "last-operation-failed");
    let words = guest.call("io-error-error-to-debug-string", &[of(error)]);
    assert_eq!(words, "\"no space left on the device\"");
    // It has failed once and for all.
    assert_eq!(guest.call(CHECK, &[of(out)]), "err(closed)");
    assert_eq!(pipe.contents().len(), 100_000);
}

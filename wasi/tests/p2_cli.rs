//! `wasi:cli` and `wasi:logging` of WASI 0.2, called through the linker.

mod linked;

use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use linked::*;
use lithe_component::Val;
use lithe_wasi::{Ctx, Grants, Input, Output, OutputPipe};

fn with_output(pipe: &OutputPipe) -> Grants {
    Grants::new().stdout(Output::Pipe(pipe.clone())).stderr(Output::Pipe(pipe.clone()))
}

#[test]
fn arguments_and_environment_are_what_was_granted() {
    let grants = Grants::new().arg("prog").arg("").arg("zwei ü").env("A", "1=2").env("B", "");
    let mut guest = Guest::new(grants);
    let arguments = guest.call("cli-environment-get-arguments", &[]);
    assert_eq!(arguments, r#"["prog", "", "zwei ü"]"#);
    let environment = guest.call("cli-environment-get-environment", &[]);
    assert_eq!(environment, r#"[("A", "1=2"), ("B", "")]"#);
    assert_eq!(guest.call("cli-environment-initial-cwd", &[]), "none");
}

#[test]
fn text_that_is_not_utf8_is_replaced_and_nul_is_refused() {
    let odd = std::ffi::OsStr::from_bytes(b"a\xffb");
    let mut guest = Guest::new(Grants::new().arg(odd).env(odd, odd));
    assert_eq!(guest.call("cli-environment-get-arguments", &[]), "[\"a\u{fffd}b\"]");
    let environment = guest.call("cli-environment-get-environment", &[]);
    assert_eq!(environment, "[(\"a\u{fffd}b\", \"a\u{fffd}b\")]");
    assert!(Ctx::new(Grants::new().arg("a\0b")).is_err());
    assert!(Ctx::new(Grants::new().env("a", "b\0c")).is_err());
}

#[test]
fn exits_have_codes() {
    let exit = |name: &str, arg: Val| {
        let error = Guest::new(Grants::new()).try_call(name, &[arg]).unwrap_err();
        error.exit_status().unwrap()
    };
    assert_eq!(exit("cli-exit-exit", Val::Result(Ok(None))), 0);
    assert_eq!(exit("cli-exit-exit", Val::Result(Err(None))), 1);
    for code in [0, 1, 42, 255] {
        assert_eq!(exit("cli-exit-exit-with-code", Val::U8(code)), i32::from(code));
    }
}

#[test]
fn standard_input_is_read_once_and_ends() {
    let mut guest = Guest::new(Grants::new().stdin(Input::bytes(*b"some text")));
    let first = guest.resource("cli-stdin-get-stdin", &[]);
    let second = guest.resource("cli-stdin-get-stdin", &[]);
    let read = "io-streams-input-stream-read";
    assert_eq!(guest.call(read, &[of(first), u64(0)]), "ok([])");
    assert_eq!(guest.call(read, &[of(first), u64(4)]), "ok(b\"some\")");
    let skip = guest.call("io-streams-input-stream-skip", &[of(first), u64(1)]);
    assert_eq!(skip, "ok(1)");
    assert_eq!(guest.call(read, &[of(second), u64(u64::MAX)]), "ok(b\"text\")");
    for stream in [first, second] {
        assert_eq!(guest.call(read, &[of(stream), u64(1)]), "err(closed)");
        let pollable = guest.resource("io-streams-input-stream-subscribe", &[of(stream)]);
        assert_eq!(guest.call("io-poll-pollable-ready", &[of(pollable)]), "true");
        guest.drop(pollable);
        guest.drop(stream);
    }
    let mut guest = Guest::new(Grants::new());
    let empty = guest.resource("cli-stdin-get-stdin", &[]);
    assert_eq!(guest.call(read, &[of(empty), u64(1)]), "err(closed)");
}

#[test]
fn output_goes_to_the_host_until_its_pipe_is_full() {
    let pipe = OutputPipe::with_limit(10);
    let mut guest = Guest::new(with_output(&pipe));
    let stdout = guest.resource("cli-stdout-get-stdout", &[]);
    let stderr = guest.resource("cli-stderr-get-stderr", &[]);
    guest.write_all(stdout, b"some");
    guest.write_all(stderr, b"text");
    assert_eq!(pipe.contents(), b"sometext");
    let write = "io-streams-output-stream-blocking-write-and-flush";
    assert_eq!(guest.call(write, &[of(stdout), bytes(b"12")]), "ok");
    assert_eq!(guest.call(write, &[of(stdout), bytes(b"3")]), "err(last-operation-failed(#))");
    pipe.take();
    // A stream that failed is closed; the others and new ones are not.
    assert_eq!(guest.call(write, &[of(stdout), bytes(b"4")]), "err(closed)");
    let stdout = guest.resource("cli-stdout-get-stdout", &[]);
    guest.write_all(stdout, b"again");
    assert_eq!(pipe.contents(), b"again");
}

#[test]
fn output_that_nobody_wants_is_taken() {
    let mut guest = Guest::new(Grants::new());
    let stdout = guest.resource("cli-stdout-get-stdout", &[]);
    guest.write_all(stdout, &[b'x'; 3 << 20]);
    assert_eq!(guest.call("io-streams-output-stream-blocking-flush", &[of(stdout)]), "ok");
}

#[test]
fn streams_of_the_host_are_no_terminals() {
    let pipe = OutputPipe::new();
    let mut guest = Guest::new(with_output(&pipe));
    for name in ["stdin", "stdout", "stderr"] {
        let name = format!("cli-terminal-{name}-get-terminal-{name}");
        assert_eq!(guest.call(&name, &[]), "none");
    }
}

#[test]
fn messages_are_lines_of_standard_error() {
    let pipe = OutputPipe::new();
    let mut guest = Guest::new(Grants::new().stderr(Output::Pipe(pipe.clone())));
    let log = |guest: &mut Guest, level: &str, context: &str, message: &str| {
        let level = Val::Enum(level.into());
        guest.call("logging-logging-log", &[level, text(context), text(message)])
    };
    log(&mut guest, "info", "db", "ready");
    log(&mut guest, "critical", "", "two\nlines");
    assert_eq!(pipe.contents(), b"info db: ready\ncritical: two\n  lines\n");
}

/// What a child process does that has its own standard streams.
#[test]
fn child() {
    let Ok(what) = std::env::var("LITHE_CHILD") else { return };
    let mut guest = Guest::new(Grants::new().inherit_stdio());
    let stdin = guest.resource("cli-stdin-get-stdin", &[]);
    let stdout = guest.resource("cli-stdout-get-stdout", &[]);
    let flags = || rustix::fs::fcntl_getfl(rustix::stdio::stdin()).unwrap();
    let before = flags();
    match &*what {
        "echo" => {
            let read = "io-streams-input-stream-read";
            // Nothing is there yet, and asking does not wait.
            assert_eq!(guest.call(read, &[of(stdin), u64(10)]), "ok([])");
            let pollable = guest.resource("io-streams-input-stream-subscribe", &[of(stdin)]);
            assert_eq!(guest.call("io-poll-pollable-ready", &[of(pollable)]), "false");
            guest.write_all(stdout, b"<ready>");
            guest.call("io-poll-pollable-block", &[of(pollable)]);
            assert_eq!(guest.call(read, &[of(stdin), u64(2)]), "ok(b\"in\")");
            // What was not asked for is still there for others.
            let mut rest = [0; 3];
            assert_eq!(rustix::io::read(rustix::stdio::stdin(), &mut rest), Ok(3));
            assert_eq!(&rest, b"put");
            let end = guest.call("io-streams-input-stream-blocking-read", &[of(stdin), u64(1)]);
            assert_eq!(end, "err(closed)");
            assert_eq!(guest.call("io-poll-pollable-ready", &[of(pollable)]), "true");
            guest.write_all(stdout, b"<ended>");
        }
        "broken" => {
            let write = "io-streams-output-stream-blocking-write-and-flush";
            // The harness has printed what it prints at the start, and nobody reads any more.
            guest.write_all(stdout, b"<ready>");
            assert_eq!(rustix::io::read(rustix::stdio::stdin(), &mut [0; 1]), Ok(0));
            let result = guest.call(write, &[of(stdout), bytes(b"text")]);
            assert_eq!(result, "err(closed)");
            let check = guest.call("io-streams-output-stream-check-write", &[of(stdout)]);
            assert_eq!(check, "err(closed)");
            std::process::exit(7);
        }
        what => panic!("{what}"),
    }
    assert_eq!(flags(), before);
}

fn spawn(what: &str) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env("LITHE_CHILD", what)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads until the child is ready.
fn await_ready(output: &mut std::process::ChildStdout) -> Vec<u8> {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("<ready>") {
        let mut piece = [0; 100];
        let count = std::io::Read::read(output, &mut piece).unwrap();
        assert_ne!(count, 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..count]);
    }
    seen
}

#[test]
fn inherited_input_is_neither_waited_for_nor_read_ahead() {
    let mut child = spawn("echo");
    let mut output = child.stdout.take().unwrap();
    let mut seen = await_ready(&mut output);
    child.stdin.take().unwrap().write_all(b"input").unwrap();
    std::io::Read::read_to_end(&mut output, &mut seen).unwrap();
    let seen = String::from_utf8_lossy(&seen);
    assert!(child.wait().unwrap().success(), "{seen}");
    assert!(seen.contains("<ended>"), "{seen}");
}

#[test]
fn output_to_a_broken_pipe_is_closed() {
    let mut child = spawn("broken");
    let mut output = child.stdout.take().unwrap();
    await_ready(&mut output);
    drop(output);
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

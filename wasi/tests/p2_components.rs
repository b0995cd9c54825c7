//! Commands that real tools made, run on WASI 0.2.

mod common;
mod linked;

use std::path::Path;

use common::TempDir;
use linked::{component, link};
use lithe::Store;
use lithe_wasi::p2::P2;
use lithe_wasi::{Access, Ctx, Grants, Input, Output, OutputPipe};

/// How a command ended, and what it printed.
struct Run {
    status: i32,
    stdout: String,
    stderr: String,
}

fn run(bytes: &[u8], grants: Grants) -> Run {
    let (stdout, stderr) = (OutputPipe::new(), OutputPipe::new());
    let grants = grants.stdout(Output::Pipe(stdout.clone())).stderr(Output::Pipe(stderr.clone()));
    let (engine, pre) = link(bytes);
    let mut store = Store::new(&engine, P2::new(Ctx::new(grants).unwrap()));
    let instance = pre.instantiate(&mut store).unwrap();
    let func = instance.func_in(&mut store, "wasi:cli/run@0.2.0", "run").unwrap();
    let func = func.typed::<(), Result<(), ()>>(&mut store).unwrap();
    let status = match func.call(&mut store, ()) {
        Ok(result) => result.is_err().into(),
        Err(error) => error.exit_status().unwrap_or_else(|| panic!("{error}: {}", text(&stderr))),
    };
    Run { status, stdout: text(&stdout), stderr: text(&stderr) }
}

fn text(pipe: &OutputPipe) -> String {
    String::from_utf8(pipe.contents()).unwrap()
}

fn hello(args: &[&str], dir: Option<&Path>) -> Run {
    let grants = Grants::new()
        .arg("hello-p2")
        .args(args)
        .env("HELLO_WORD", "zwei ü")
        .env("OTHER", "x")
        .stdin(Input::bytes(*b"some text\nof two lines\n"));
    let grants = match dir {
        Some(dir) => grants.dir(dir, "/data", Access::ReadWrite),
        None => grants,
    };
    run(&component("hello-p2.wasm"), grants)
}

#[test]
fn a_rust_command_does_what_its_native_build_does() {
    let temp = TempDir::new();
    let run = hello(&["all", "/data", "a", "b c", "ü"], Some(temp.path()));
    let expected = String::from_utf8(component("hello-p2.expected")).unwrap();
    assert_eq!(run.stdout, expected, "{}", run.stderr);
    assert_eq!(run.status, 0);
    let kept = std::fs::metadata(temp.join("hello-scratch/kept.txt")).unwrap();
    assert_eq!(kept.len(), 16);
}

#[test]
fn commands_end_with_their_codes() {
    assert_eq!(hello(&["exit", "0"], None).status, 0);
    assert_eq!(hello(&["exit", "5"], None).status, 1);
    assert_eq!(hello(&["exit-with-code", "5"], None).status, 5);
    assert_eq!(hello(&["fail"], None).status, 1);
    let run = hello(&["stderr", "words"], None);
    assert_eq!((run.status, run.stderr.trim_end()), (0, "words"));
    assert_eq!(hello(&["big", "1000000"], None).stdout.len(), 1_000_000);
}

#[test]
fn files_are_copied_in_pieces() {
    let temp = TempDir::new();
    let cp = |args: &[&str]| {
        let grants = Grants::new().arg("cp-p2").args(args);
        run(&component("cp-p2.wasm"), grants.dir(temp.path(), "/", Access::ReadWrite))
    };
    let run = cp(&["write", "/from", "3m", "64k"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let run = cp(&["copy", "/from", "/to", "4k"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(temp.read("from").len(), 3 << 20);
    assert!(temp.read("from") == temp.read("to"));
    assert_eq!(cp(&["read", "/to", "64k"]).stdout, cp(&["read", "/from", "1m"]).stdout);
}

#[test]
fn read_only_grants_are_read() {
    let temp = TempDir::new();
    temp.write("file", "text");
    let cp = |args: &[&str]| {
        let grants = Grants::new().arg("cp-p2").args(args);
        run(&component("cp-p2.wasm"), grants.dir(temp.path(), "/", Access::ReadOnly))
    };
    let run = cp(&["read", "/file", "4k"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let run = cp(&["write", "/file", "1m", "4k"]);
    assert_eq!(run.status, 1, "{}", run.stderr);
    assert_eq!(cp(&["write", "/new", "1m", "4k"]).status, 1);
    assert_eq!(temp.read("file"), b"text");
    assert!(!temp.join("new").exists());
}

#[test]
fn a_preview_1_module_runs_by_its_adapter() {
    let temp = TempDir::new();
    let grants = Grants::new().args(["files", "/data"]);
    let grants = grants.dir(temp.path(), "/data", Access::ReadWrite);
    let run = run(&component("files-adapter.wasm"), grants);
    assert_eq!(run.status, 0, "{}{}", run.stdout, run.stderr);
}

/// Runs when the large components are there, which are not part of the project.
#[test]
fn a_python_command_runs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/components");
    let Ok(bytes) = std::fs::read(folder.join("py-cli-p2.wasm")) else { return };
    let temp = TempDir::new();
    let grants = Grants::new()
        .args(["py-cli-p2.wasm", "a", "b"])
        .env("LITHE_A", "1")
        .stdin(Input::bytes(*b"hi there"))
        .dir(temp.path(), "/", Access::ReadWrite);
    let run = run(&bytes, grants);
    assert_eq!(run.status, 0, "{}{}", run.stdout, run.stderr);
    let expected = r#"{"args": ["a", "b"], "env": ["LITHE_A"], "cwd": null}
primes 17984
re 1000
sha d69e689881578332
stat 6000 ['g.txt', 'sub']
escape denied PermissionError
symlink denied PermissionError
slept True
stdin 'hi there'
"#;
    assert_eq!(run.stdout, expected);
    assert_eq!(run.stderr, "err\n");
}

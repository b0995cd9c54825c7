//! What it costs to start: system calls and threads, next to an empty Rust main compiled on the spot.
//! Needs `strace`, which the project's CI installs; without it the test says so and passes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// System calls that running an empty module may need beyond those of an empty Rust main.
const BUDGET: usize = 30;
/// The same for native code from the cache: handlers of signals, guards, the guest's stack.
const NATIVE_BUDGET: usize = 80;

/// The names of the system calls that a program makes, one for each call.
fn calls(program: &[&Path], log: &Path) -> Option<Vec<String>> {
    let run = Command::new("strace")
        .env("XDG_CACHE_HOME", log.with_extension("cache"))
        .args(["-f", "-o"])
        .arg(log)
        .args(program)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .ok()?;
    if !run.status.success() {
        eprintln!("strace failed: {}", String::from_utf8_lossy(&run.stderr));
        return None;
    }
    let log = std::fs::read_to_string(log).ok()?;
    let name = |line: &str| {
        let call = line.split_once(' ')?.1.trim_start().split_once('(')?.0;
        call.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_').then(|| call.into())
    };
    Some(log.lines().filter_map(name).collect())
}

/// An empty Rust program.
fn empty_main(folder: &Path) -> PathBuf {
    let (source, program) = (folder.join("main.rs"), folder.join("main"));
    std::fs::write(&source, "fn main() {}\n").expect("a source file");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let built = Command::new(rustc)
        .args(["--edition=2024", "-O", "-o"])
        .arg(&program)
        .arg(&source)
        .status();
    assert!(built.is_ok_and(|status| status.success()), "rustc compiles an empty main");
    program
}

#[test]
fn an_empty_module_starts_with_few_system_calls_and_no_thread() {
    let folder = std::env::temp_dir().join(format!("lithe-startup-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a scratch directory");
    let floor = calls(&[&empty_main(&folder)], &folder.join("log"));
    let lithe = Path::new(env!("CARGO_BIN_EXE_lithe"));
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/empty.wat");
    let mut found = Vec::new();
    let interp = Path::new("--engine=interp");
    let native = Path::new("--engine=native");
    let mut runs = vec![
        vec![lithe, interp, &guest],
        vec![lithe, Path::new("run"), interp, Path::new("--fuel=9"), &guest],
    ];
    if cfg!(feature = "native") {
        runs.push(vec![lithe, native, &guest]);
    }
    for words in &runs {
        // The first time, native code is compiled.
        calls(words, &folder.join("log"));
        found.push((words[1], calls(words, &folder.join("log"))));
    }
    let _ = std::fs::remove_dir_all(&folder);
    let Some(floor) = floor else {
        eprintln!("skipped: strace is missing, or may not trace here");
        return;
    };
    for (words, calls) in found {
        let budget = if words == native { NATIVE_BUDGET } else { BUDGET };
        let calls = calls.expect("strace works");
        let more = calls.len().saturating_sub(floor.len());
        println!("empty main {} calls, lithe {} calls", floor.len(), calls.len());
        assert!(more <= budget, "{more} more system calls than an empty main: {calls:?}");
        assert!(
            !calls.iter().any(|call| call.contains("clone")),
            "a thread was started: {calls:?}"
        );
    }
}

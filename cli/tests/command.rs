//! What golden sessions cannot show: files, pipes, and time.

use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn lithe() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lithe"));
    command.stdin(Stdio::null()).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

/// A directory of its own for one test, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("lithe-cli-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a scratch directory");
        Scratch(path)
    }

    fn grant(&self, rest: &str) -> String {
        format!("{}::{rest}", self.0.display())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_documentation_is_up_to_date() {
    let shown = lithe().arg("--help-markdown").output().expect("lithe runs");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let written = fs::read_to_string(&file).expect("docs/cli.md");
    assert!(
        String::from_utf8_lossy(&shown.stdout) == written,
        "docs/cli.md is old; write it anew with `cargo run -- --help-markdown > docs/cli.md`"
    );
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = lithe().args(["completions", shell]).output().expect("lithe runs");
        let text = String::from_utf8_lossy(&script.stdout);
        assert!(script.status.success() && text.contains("show-grants"), "{shell}");
    }
}

#[test]
fn a_reader_that_went_away_is_no_bug() {
    for args in [&["inspect", "tests/guests/math.wat"][..], &["completions", "bash"], &["--help"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = lithe().args(args).stdout(writer).output().expect("lithe runs");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(output.stderr.is_empty(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn read_only_is_read_only() {
    let scratch = Scratch::new("read-only");
    let created = scratch.0.join("created");
    let create = |grant: &str| {
        let guest = ["--dir", &scratch.grant(grant), "tests/guests/create.wat"].map(String::from);
        lithe().args(guest).status().expect("lithe runs").code()
    };
    assert_eq!(create("/::ro"), Some(69));
    assert!(!created.exists());
    assert_eq!(create("/"), Some(0));
    assert!(created.exists());
}

#[test]
fn a_guest_that_truncates_its_own_file_runs_on() {
    let scratch = Scratch::new("self");
    let module = scratch.0.join("self.wasm");
    fs::copy("tests/guests/selfwrite.wat", &module).expect("a copy");
    let run = lithe().arg("--dir").arg(scratch.grant("/")).arg(&module).status();
    assert_eq!(run.expect("lithe runs").code(), Some(42));
    assert_eq!(fs::metadata(&module).expect("the module").len(), 0);
}

#[test]
fn nobody_reading_does_not_hold_up_the_time_limit() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let start = Instant::now();
    let guest = ["--timeout", "100ms", "tests/guests/flood.wat"];
    let output = lithe().args(guest).stdout(writer).output().expect("lithe runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(134), "{text}");
    assert!(text.contains("wasm trap: interrupt"), "{text}");
    assert!(start.elapsed() < Duration::from_secs(2));
    drop(reader);
}

/// What the guest says to whoever connects. Until it listens, a connection to its port may fail, or even
/// reach its own socket: the port is one that the system also gives to those who connect.
fn greeting(address: SocketAddr) -> String {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let attempt = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(address)?;
            let mut text = String::new();
            if stream.local_addr()? != address {
                stream.read_to_string(&mut text)?;
            }
            Ok(text)
        };
        match attempt() {
            Ok(text) if !text.is_empty() => return text,
            other => assert!(Instant::now() < deadline, "{address}: {other:?}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_guest_serves_on_an_address() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = free.local_addr().expect("an address");
    drop(free);
    let listen = format!("tcplisten={address}");
    let guest = ["--timeout", "20s", "-S", &listen, "tests/guests/accept.wat"];
    let mut child = lithe().args(guest).spawn().expect("lithe runs");
    assert_eq!(greeting(address), "hello\n");
    assert_eq!(child.wait().expect("an end").code(), Some(0));
}

#[test]
fn a_guest_serves_on_a_socket_that_was_passed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = listener.local_addr().expect("an address");
    // The shell becomes lithe, so that the process id is right, with the socket as descriptor 3.
    let script = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\" 3<&0 </dev/null";
    let mut child = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_lithe")])
        .args(["--timeout", "20s", "-S", "listenfd", "tests/guests/accept.wat"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(OwnedFd::from(listener))
        .spawn()
        .expect("lithe runs");
    assert_eq!(greeting(address), "hello\n");
    assert_eq!(child.wait().expect("an end").code(), Some(0));
}

#[test]
fn the_environment_is_passed_on_only_when_asked() {
    let guest = |flags: &[&str]| {
        let mut command = lithe();
        command.env_clear().env("SECRET", "s").env("OTHER", "o").args(flags);
        let output = command.arg("tests/guests/args.wat").output().expect("lithe runs");
        let mut lines: Vec<String> =
            String::from_utf8_lossy(&output.stdout).lines().map(String::from).collect();
        lines.sort();
        lines
    };
    assert_eq!(guest(&[]), ["args.wat"]);
    assert_eq!(guest(&["--env", "OTHER"]), ["OTHER=o", "args.wat"]);
    assert_eq!(
        guest(&["-S", "inherit-env", "--env", "OTHER=mine"]),
        ["OTHER=mine", "SECRET=s", "args.wat"]
    );
}

#[test]
fn the_source_of_a_trap_is_shown_only_if_it_is_source() {
    let scratch = Scratch::new("excerpt");
    let trap = fs::read("../examples/trap.wasm").expect("the example");
    let run = |name: &str, text: &str| {
        // The example names its source `trap.c`; another name of the same length takes its place.
        let mut module = trap.clone();
        for at in 0..module.len() - 6 {
            if &module[at..at + 6] == b"trap.c" {
                module[at..at + 6].copy_from_slice(name.as_bytes());
            }
        }
        fs::write(scratch.0.join("module.wasm"), module).expect("a module");
        fs::write(scratch.0.join(name), text).expect("a source");
        let output = lithe().arg(scratch.0.join("module.wasm")).output().expect("lithe runs");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let source = "a secret\n".repeat(40);
    assert!(run("trap.c", &source).contains("a secret"));
    assert!(!run("id_rsa", &source).contains("a secret"));
    assert!(!run("trap.c", "too short\n").contains("too short"));
}

#[test]
fn a_module_comes_from_standard_input() {
    let module = fs::File::open("tests/guests/exit.wat").expect("the guest");
    let status = lithe().arg("-").stdin(module).status().expect("lithe runs");
    assert_eq!(status.code(), Some(7));
}

#[test]
fn hostile_bytes_are_refused_in_a_sentence() {
    let scratch = Scratch::new("hostile");
    let file = scratch.0.join("module.wasm");
    let module = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b";
    for cut in 0..module.len() {
        fs::write(&file, &module[..cut]).expect("a file");
        let output = lithe().arg(&file).output().expect("lithe runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{cut}: {text}");
        assert!(text.starts_with("Error: ") && text.contains("module.wasm"), "{cut}: {text}");
    }
}

#[test]
fn the_time_limit_is_kept() {
    let start = Instant::now();
    let mut child = lithe()
        .args(["--timeout", "200ms", "tests/guests/loop.wat"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("lithe runs");
    let mut text = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut text).expect("text");
    assert_eq!(child.wait().expect("an end").code(), Some(134), "{text}");
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_millis(200), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
}

#[test]
fn threads_that_wait_for_nothing_end_at_the_time_limit() {
    let start = Instant::now();
    let guest = ["--threads", "--timeout", "200ms", "--invoke", "wait", "tests/guests/threads.wat"];
    let output = lithe().args(guest).output().expect("lithe runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(134), "{text}");
    // One of the threads tells, not both.
    assert_eq!(text.matches("wasm trap: interrupt").count(), 1, "{text}");
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_millis(200), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
}

#[test]
fn a_program_with_threads_is_right_every_time() {
    const RIGHT: &[u8] =
        b"counts 64424509455000 locked 4497000 queue 170346800 ring 725978176 right\n";
    for engine in ["auto", "loop"] {
        for run in 0..20 {
            let guest = ["--threads", "--timeout", "20s", "--engine", engine];
            let output = lithe().args(guest).arg("../guests/threads/threads.wasm").output();
            let output = output.expect("lithe runs");
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{engine} {run}: {text}");
            assert_eq!(output.stdout, RIGHT, "{engine} {run}: {text}");
        }
    }
}

#[cfg(feature = "native")]
#[test]
fn machine_code_is_shown_for_every_machine() {
    let shown = |flags: &[&str]| {
        let output = lithe().arg("inspect").args(flags).arg("tests/guests/math.wat").output();
        let output = output.expect("lithe runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{flags:?}: {text}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    for machine in
        ["host", "x86_64", "aarch64", "riscv64", "riscv64+v", "aarch64-unknown-linux-gnu"]
    {
        let text = shown(&["--native", "add", "--target", machine]);
        assert!(text.starts_with("function 0 `add`: func(i32, i32) -> (i32)\n"), "{text}");
        assert!(text.contains("i32.add") && text.contains("ret"), "{machine}: {text}");
    }
    let checks = shown(&["--native", "add", "--target", "x86_64", "--count-fuel"]);
    assert!(checks.len() > shown(&["--native", "add", "--target", "x86_64"]).len());
    assert!(shown(&["--format", "json", "--native", "0"]).contains("\"native\":["));
}

#[cfg(feature = "native")]
#[test]
fn an_object_is_for_linkers() {
    let scratch = Scratch::new("object");
    for (machine, number) in [("x86_64", 62), ("aarch64", 183), ("riscv64+v", 243)] {
        let object = scratch.0.join(machine).with_extension("o");
        let mut command = lithe();
        command.args(["compile", "--emit", "object", "--target", machine, "-o"]).arg(&object);
        let status = command.arg("tests/guests/math.wat").status().expect("lithe runs");
        assert!(status.success());
        let bytes = fs::read(&object).expect("an object");
        assert!(bytes.starts_with(b"\x7fELF\x02\x01"));
        assert_eq!(bytes[18..20], [number, 0]);
        let symbol = b"lithe_math\0";
        assert!(bytes.windows(symbol.len()).any(|window| window == symbol));
    }
}

#[cfg(feature = "native")]
#[test]
fn an_artifact_comes_through_a_pipe() {
    let scratch = Scratch::new("pipe");
    let module = || fs::File::open("tests/guests/exit.wat").expect("the guest");
    let compiled = lithe().args(["compile", "-o", "-", "-"]).stdin(module()).output();
    let compiled = compiled.expect("lithe runs").stdout;
    let file = scratch.0.join("exit.lithe");
    fs::write(&file, &compiled).expect("an artifact");
    let run = |flags: &[&str]| {
        let artifact = fs::File::open(&file).expect("the artifact");
        lithe().args(flags).arg("-").stdin(artifact).status().expect("lithe runs").code()
    };
    assert_eq!(run(&["--allow-precompiled"]), Some(7));
    assert_eq!(run(&[]), Some(1));
    // An old one stays where it runs while a new one takes its name.
    let status = lithe().args(["compile", "tests/guests/exit.wat", "-o"]).arg(&file).status();
    assert!(status.expect("lithe runs").success());
    assert!(fs::read_dir(&scratch.0).expect("the folder").count() == 1);
}

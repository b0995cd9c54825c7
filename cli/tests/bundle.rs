//! Artifacts of components: they run as the components do, and whatever is wrong with one is told before it runs.
#![cfg(feature = "native")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lithe::Artifact;

/// Where the header has the number of entries, the version of Lithe, the checksum, and the component's length.
const COUNT: usize = 12;
const VERSION: usize = 16;
const CHECKSUM: usize = 24;
const COMPONENT: usize = 32;
/// Bytes of the header, and of an entry.
const HEADER: usize = 72;
const ENTRY: usize = 48;
/// Where an entry has the offset of its artifact, and its length.
const OFFSET: usize = 32;
const LENGTH: usize = 40;

/// A directory of its own for one test, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Scratch {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bundle-{test}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a scratch directory");
        Scratch(path)
    }

    fn lithe(&self, args: &[&str]) -> Output {
        command(args).current_dir(&self.0).output().expect("lithe runs")
    }

    /// Compiles a component of the guests to `NAME.lithe`, and gives its bytes.
    fn compiled(&self, name: &str, flags: &[&str]) -> Vec<u8> {
        let component = guest(name);
        let out = format!("{name}.lithe");
        let words = [&["compile", "-o", &out], flags, &[component.as_str()]].concat();
        let output = self.lithe(&words);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(self.0.join(out)).expect("an artifact")
    }

    /// The first line of what is said when the bytes are run.
    fn refusal(&self, bytes: &[u8]) -> String {
        fs::write(self.0.join("it.lithe"), bytes).expect("an artifact");
        let output = self.lithe(&["--allow-precompiled", "it.lithe"]);
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = text.lines().next().unwrap_or_default();
        let line = line.strip_prefix("Error: cannot load `it.lithe`: ").unwrap_or(line);
        line.strip_prefix("the native code cannot be used: ").unwrap_or(line).into()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lithe"));
    command.stdin(Stdio::null()).env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR")).args(args);
    command
}

fn guest(name: &str) -> String {
    format!("{}/../guests/components/out/{name}.wasm", env!("CARGO_MANIFEST_DIR"))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..][..8].try_into().unwrap())
}

/// The bytes with a number of the header or the entries changed, and a checksum that fits.
fn with(bytes: &[u8], at: usize, number: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let size = if at == COUNT { 4 } else { 8 };
    bytes[at..][..size].copy_from_slice(&number.to_le_bytes()[..size]);
    sealed(bytes)
}

/// The bytes with a checksum that fits.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let count = u32::from_le_bytes(bytes[COUNT..][..4].try_into().unwrap()) as usize;
    let end = (HEADER + count * ENTRY).min(bytes.len());
    bytes[CHECKSUM..][..8].fill(0);
    let checksum = Artifact::hash(&bytes[..end]);
    bytes[CHECKSUM..][..8].copy_from_slice(&checksum[..8]);
    bytes
}

#[test]
fn it_runs_like_the_component() {
    let scratch = Scratch::new("runs");
    let component = guest("hello-p2");
    let expected = scratch.lithe(&["--engine", "interp", &component, "args", "one", "two"]);
    assert!(expected.status.success() && !expected.stdout.is_empty());
    scratch.compiled("hello-p2", &[]);
    let words = ["--allow-precompiled", "hello-p2.lithe", "args", "one", "two"];
    let output = scratch.lithe(&words);
    assert_eq!(output, expected);
    let output = scratch.lithe(&[&["--stats"], &words[..]].concat());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("native, from an artifact"), "{text}");
    // Through pipes.
    let file = || fs::File::open(&component).expect("the component");
    let output = command(&["compile", "-o", "-", "-"]).stdin(file()).output();
    let artifact = scratch.0.join("piped.lithe");
    fs::write(&artifact, output.expect("lithe runs").stdout).expect("an artifact");
    let piped = fs::File::open(&artifact).expect("the artifact");
    let words = ["--allow-precompiled", "-", "args", "one", "two"];
    let output = command(&words).stdin(piped).output().expect("lithe runs");
    assert_eq!(output, expected);
}

#[test]
fn modules_of_one_content_have_one_code() {
    let scratch = Scratch::new("distinct");
    let module = r#"(core module (func (export "run") (result i32) (i32.const 0)))"#;
    let other = r#"(core module (func (export "go") (result i32) (i32.const 0)))"#;
    let text = format!("(component {module} {module} {other})");
    fs::write(scratch.0.join("it.wat"), text).expect("a component");
    assert!(scratch.lithe(&["compile", "it.wat"]).status.success());
    let bytes = fs::read(scratch.0.join("it.lithe")).expect("an artifact");
    assert_eq!(bytes[COUNT..][..4], [2, 0, 0, 0]);
    let none = "(component)";
    fs::write(scratch.0.join("none.wat"), none).expect("a component");
    assert!(scratch.lithe(&["compile", "none.wat"]).status.success());
    let output = scratch.lithe(&["inspect", "--format", "json", "none.lithe"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_damaged_header_is_noticed() {
    let scratch = Scratch::new("header");
    let good = scratch.compiled("kv-plugin", &[]);
    assert_eq!(sealed(good.clone()), good);
    assert_eq!(scratch.refusal(&good[..40]), "it is damaged: it has only 40 bytes");
    let damaged = "it is damaged: its header is not what was written";
    assert_eq!(scratch.refusal(&good[..HEADER + 10]), damaged);
    for at in [CHECKSUM, COMPONENT, 50, HEADER, HEADER + OFFSET] {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        assert_eq!(scratch.refusal(&bytes), damaged, "{at}");
    }
    for count in [1 << 13, u32::MAX.into()] {
        assert_eq!(scratch.refusal(&with(&good, COUNT, count)), damaged, "{count}");
    }
    let stale = "it was made by another version of Lithe; compile the component again";
    assert_eq!(scratch.refusal(&with(&good, VERSION, 1)), stale);
    let mut bytes = good.clone();
    bytes[8] += 1;
    assert_eq!(scratch.refusal(&sealed(bytes)), stale);
}

#[test]
fn parts_that_are_elsewhere_are_noticed() {
    let scratch = Scratch::new("parts");
    let good = scratch.compiled("kv-plugin", &[]);
    let shorter = |by: usize| &good[..good.len() - by];
    let size = good.len();
    for by in [1, 1 << 12, size / 2] {
        let words =
            format!("it is damaged: it has {} bytes and was written with {size}", size - by);
        assert_eq!(scratch.refusal(shorter(by)), words);
    }
    let longer = [&good[..], &[0]].concat();
    let words = format!("it is damaged: it has {} bytes and was written with {size}", size + 1);
    assert_eq!(scratch.refusal(&longer), words);
    let disorder = "it is damaged: its parts do not follow each other";
    let (first, second) = (HEADER + OFFSET, HEADER + ENTRY + OFFSET);
    let (start, next) = (long(&good, first), long(&good, second));
    for offset in [0, 8, start - 1, start + 1, start + (1 << 16), next, u64::MAX, u64::MAX << 16] {
        assert_eq!(scratch.refusal(&with(&good, first, offset)), disorder, "{offset}");
    }
    // Overlapping.
    assert_eq!(scratch.refusal(&with(&good, second, start)), disorder);
    let length = HEADER + LENGTH;
    for len in [0, long(&good, length) + (1 << 16), u64::MAX, u64::MAX - start + 1] {
        assert_eq!(scratch.refusal(&with(&good, length, len)), disorder, "{len}");
    }
    assert_eq!(scratch.refusal(&with(&good, COMPONENT, 1 << 20)), disorder);
    assert_eq!(scratch.refusal(&with(&good, COMPONENT, u64::MAX)), disorder);
    let empty = "it is damaged: it has no component";
    assert_eq!(scratch.refusal(&with(&good, COMPONENT, 0)), empty);
    let words = "its component has 2000000000 bytes; 1073741824 are the most that is read";
    assert_eq!(scratch.refusal(&with(&good, COMPONENT, 2_000_000_000)), words);
}

#[test]
fn other_contents_are_noticed() {
    let scratch = Scratch::new("contents");
    let good = scratch.compiled("kv-plugin", &[]);
    let component = fs::read(guest("kv-plugin")).expect("the component");
    let entries = good[COUNT] as usize;
    let start = HEADER + entries * ENTRY;
    assert_eq!(good[start..][..component.len()], component);
    // Data of the first core module.
    let at = component.windows(8).position(|window| window == b"00010203").expect("data");
    let mut bytes = good.clone();
    bytes[start + at] = b'1';
    let words = scratch.refusal(&bytes);
    assert!(words.contains("core module 0: "), "{words}");
    assert!(words.ends_with("it has no code of a module that its component has"), "{words}");
    // The code of one module under the hash of another one.
    let mut bytes = good.clone();
    let (first, second) = bytes[HEADER..].split_at_mut(ENTRY);
    first[..32].swap_with_slice(&mut second[..32]);
    let words = scratch.refusal(&sealed(bytes));
    assert!(words.ends_with("it is damaged: it has code of another module"), "{words}");
    // An artifact within.
    let artifact = long(&good, HEADER + OFFSET) as usize;
    let mut bytes = good.clone();
    bytes[artifact + 50] ^= 1;
    let words = scratch.refusal(&bytes);
    assert!(words.ends_with("it is damaged: its header is not what was written"), "{words}");
    let mut bytes = good.clone();
    bytes[artifact] ^= 1;
    let words = scratch.refusal(&bytes);
    assert!(words.ends_with("it is no artifact of Lithe"), "{words}");
    let mut bytes = good.clone();
    bytes[start] = b'x';
    assert_eq!(scratch.refusal(&bytes), "it is damaged: it has no component");
}

#[test]
fn other_machines_and_ways_to_run_are_refused() {
    let scratch = Scratch::new("machines");
    let other = if cfg!(target_arch = "aarch64") { "x86_64" } else { "aarch64" };
    let bytes = scratch.compiled("kv-plugin", &["--target", other]);
    let words = scratch.refusal(&bytes);
    assert!(words.contains(&format!("its code is for {other}, and this machine is ")), "{words}");
    let bytes = scratch.compiled("kv-plugin", &["--count-fuel"]);
    let words = scratch.refusal(&bytes);
    assert!(words.ends_with("it counts fuel, and the engine does not"), "{words}");
    // Where nobody asked for a way to trap, the artifact's is taken.
    scratch.compiled("hello-p2", &["--traps", "checks"]);
    let run = |flags: &[&str]| {
        let words = [flags, &["--allow-precompiled", "hello-p2.lithe", "args"]].concat();
        scratch.lithe(&words).status.code()
    };
    assert_eq!(run(&[]), Some(0));
    assert_eq!(run(&["--traps", "checks"]), Some(0));
    assert_eq!(run(&["--traps", "signals"]), Some(1));
}

#[test]
fn a_damaged_one_is_shown() {
    let scratch = Scratch::new("shown");
    let mut bytes = scratch.compiled("kv-plugin", &[]);
    let inspect = |bytes: &[u8]| {
        fs::write(scratch.0.join("it.lithe"), bytes).expect("an artifact");
        let output = scratch.lithe(&["inspect", "--format", "json", "it.lithe"]);
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let text = inspect(&bytes);
    assert!(text.contains("\"kind\":\"component\"") && text.contains("\"intact\":true"), "{text}");
    // Within the code of the first module.
    let artifact = long(&bytes, HEADER + OFFSET) as usize;
    bytes[artifact + (1 << 16)] ^= 1;
    let text = inspect(&bytes);
    assert!(text.contains("\"intact\":false"), "{text}");
    let start = HEADER + bytes[COUNT] as usize * ENTRY;
    bytes[start + 20] ^= 1;
    let text = inspect(&bytes);
    assert!(text.contains("it is damaged: its component is not what was written"), "{text}");
}

#[cfg(feature = "http")]
#[test]
fn it_is_served() {
    use std::io::{BufRead, BufReader, Read, Write};

    let scratch = Scratch::new("served");
    scratch.compiled("http-hello", &[]);
    let words = ["serve", "--addr", "127.0.0.1:0", "--loops", "1", "http-hello.lithe"];
    let refused = scratch.lithe(&words);
    assert_eq!(refused.status.code(), Some(1));
    let words = [&words[..1], &["--allow-precompiled"], &words[1..]].concat();
    let mut server = command(&words);
    let server = server.current_dir(&scratch.0).stderr(Stdio::piped()).spawn();
    let mut server = server.expect("lithe runs");
    let mut line = String::new();
    let mut said = BufReader::new(server.stderr.take().expect("a pipe"));
    said.read_line(&mut line).expect("a line");
    let address = line.trim().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let mut answer = String::new();
    let asked = std::net::TcpStream::connect(address).and_then(|mut stream| {
        write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        stream.read_to_string(&mut answer)
    });
    server.kill().expect("the server ends");
    server.wait().expect("the server ends");
    asked.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("hello"), "{line}{answer}");
}

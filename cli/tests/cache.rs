//! The cache of native code: what may be taken from it, and what guests and others cannot put into it.
#![cfg(feature = "native")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

/// A directory of its own for one test, removed at its end, with a cache in it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Scratch {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cache-{test}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a scratch directory");
        Scratch(path)
    }

    fn cache(&self) -> PathBuf {
        self.0.join("xdg/lithe")
    }

    fn lithe(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lithe"));
        command.stdin(Stdio::null()).current_dir(&self.0);
        command.env("XDG_CACHE_HOME", self.0.join("xdg")).args(args);
        command.output().expect("lithe runs")
    }

    /// Runs a module that ends with a status; gives that and how the code was found.
    fn status(&self, args: &[&str]) -> (i32, String) {
        let output = self.lithe(&[&["--stats"], args].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code().unwrap_or_else(|| panic!("{text}"));
        let how = text.lines().find_map(|line| line.trim().strip_prefix("code "));
        let how = how.unwrap_or(&text).trim();
        (code, how.split_once(" in ").map_or(how, |(how, _)| how).into())
    }

    /// A module that ends with this status, of the same size for each.
    fn module(&self, name: &str, status: u8) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, binary(status)).expect("a module");
        path
    }

    /// The files in the cache with this ending.
    fn files(&self, ending: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.cache()).expect("the cache").flatten();
        let paths = entries.map(|entry| entry.path());
        paths.filter(|path| path.extension().is_some_and(|e| e == ending)).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program that ends with this status, below 64.
fn binary(status: u8) -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    bytes.extend(b"\x01\x08\x02\x60\x01\x7f\0\x60\0\0");
    bytes.extend(b"\x02\x24\x01\x16wasi_snapshot_preview1\x09proc_exit\0\0");
    bytes.extend(b"\x03\x02\x01\x01\x07\x0a\x01\x06_start\0\x01\x0a\x08\x01\x06\0\x41");
    bytes.push(status);
    bytes.extend(b"\x10\0\x0b");
    bytes
}

const COMPILED: &str = "native, compiled";
const CACHED: &str = "native, from the cache";

#[test]
fn the_second_run_finds_the_code() {
    let scratch = Scratch::new("second");
    scratch.module("a.wasm", 7);
    assert_eq!(scratch.status(&["a.wasm"]), (7, COMPILED.into()));
    // By contents, since the file is new; and under another name.
    assert_eq!(scratch.status(&["a.wasm"]), (7, CACHED.into()));
    fs::rename(scratch.0.join("a.wasm"), scratch.0.join("b.wasm")).expect("a new name");
    assert_eq!(scratch.status(&["b.wasm"]), (7, CACHED.into()));
    // From standard input.
    let file = fs::File::open(scratch.0.join("b.wasm")).expect("the module");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lithe"));
    command.env("XDG_CACHE_HOME", scratch.0.join("xdg")).args(["--stats", "-"]).stdin(file);
    let output = command.output().expect("lithe runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains(CACHED));
    // What changes code or what is accepted asks for other code.
    for flags in [&["--fuel", "100"][..], &["--traps", "checks"], &["-W", "simd=n"]] {
        let args = [flags, &["b.wasm"]].concat();
        assert_eq!(scratch.status(&args), (7, COMPILED.into()), "{flags:?}");
        assert_eq!(scratch.status(&args), (7, CACHED.into()), "{flags:?}");
    }
    // All is private.
    let mode = |path: &Path| fs::metadata(path).expect("a file").mode() & 0o7777;
    assert_eq!(mode(&scratch.cache()), 0o700);
    assert!(scratch.files("lithe").iter().all(|path| mode(path) == 0o500));
    assert_eq!(scratch.files("lithe").len(), 4);
    assert!(scratch.files("tmp").is_empty());
}

#[test]
fn a_file_that_changed_is_another_module() {
    let scratch = Scratch::new("changed");
    for status in 0..20 {
        scratch.module("a.wasm", status);
        assert_eq!(scratch.status(&["a.wasm"]).0, status.into());
        assert_eq!(scratch.status(&["a.wasm"]), (status.into(), CACHED.into()));
    }
    // Nothing was noted about a file that might have changed without its times telling.
    assert!(scratch.files("key").is_empty());
    std::thread::sleep(Duration::from_millis(3200));
    assert_eq!(scratch.status(&["a.wasm"]), (19, CACHED.into()));
    assert_eq!(scratch.files("key").len(), 1);
    assert_eq!(scratch.status(&["a.wasm"]), (19, CACHED.into()));
    // The file keeps its size and the times that can be set.
    let times = fs::metadata(scratch.0.join("a.wasm")).and_then(|m| m.modified()).expect("a time");
    scratch.module("a.wasm", 20);
    let file = fs::File::options().write(true).open(scratch.0.join("a.wasm")).expect("the module");
    file.set_modified(times).expect("another time");
    assert_eq!(scratch.status(&["a.wasm"]).0, 20);
}

#[test]
fn a_folder_that_others_may_write_is_not_used() {
    let scratch = Scratch::new("folder");
    scratch.module("a.wasm", 7);
    assert_eq!(scratch.status(&["a.wasm"]), (7, COMPILED.into()));
    for mode in [0o770, 0o702, 0o777] {
        fs::set_permissions(scratch.cache(), Permissions::from_mode(mode)).expect("a mode");
        assert_eq!(scratch.status(&["a.wasm"]), (7, COMPILED.into()));
        let shown = scratch.lithe(&["cache"]);
        let text = String::from_utf8_lossy(&shown.stderr).into_owned();
        assert!(text.contains("others may write"), "{text}");
        let told = scratch.lithe(&["--stats", "a.wasm"]);
        assert!(String::from_utf8_lossy(&told.stderr).contains("no cache       "));
        let told = scratch.lithe(&["--trace", "a.wasm"]);
        assert!(String::from_utf8_lossy(&told.stderr).contains("others may write"));
        // Who did not ask is not told.
        assert!(scratch.lithe(&["a.wasm"]).stderr.is_empty());
    }
    fs::set_permissions(scratch.cache(), Permissions::from_mode(0o700)).expect("a mode");
    assert_eq!(scratch.status(&["a.wasm"]), (7, CACHED.into()));
    // A link in its place is not followed, nor is a file.
    fs::rename(scratch.cache(), scratch.0.join("elsewhere")).expect("another place");
    symlink(scratch.0.join("elsewhere"), scratch.cache()).expect("a link");
    assert_eq!(scratch.status(&["a.wasm"]), (7, COMPILED.into()));
    fs::remove_file(scratch.cache()).expect("no link");
    fs::write(scratch.cache(), "").expect("a file");
    assert_eq!(scratch.status(&["a.wasm"]), (7, COMPILED.into()));
}

#[test]
fn files_that_lithe_did_not_make_are_not_used() {
    let scratch = Scratch::new("files");
    scratch.module("a.wasm", 7);
    scratch.module("b.wasm", 8);
    assert_eq!(scratch.status(&["b.wasm"]), (8, COMPILED.into()));
    let b = scratch.files("lithe").remove(0);
    let code = fs::read(&b).expect("an artifact");
    fs::remove_file(&b).expect("no artifact");
    assert_eq!(scratch.status(&["a.wasm"]), (7, COMPILED.into()));
    let a = scratch.files("lithe").remove(0);
    let seal = |mode| fs::set_permissions(&a, Permissions::from_mode(mode)).expect("a mode");
    // Code of another module in its place, however it got there.
    for mode in [0o500, 0o600, 0o644, 0o755, 0o700, 0o501, 0o4500] {
        seal(0o700);
        fs::write(&a, &code).expect("other code");
        seal(mode);
        assert_eq!(scratch.status(&["a.wasm"]), (7, COMPILED.into()), "{mode:o}");
    }
    // Its own code with another mode, or behind a link.
    for mode in [0o600, 0o644, 0o755, 0o700, 0o555] {
        seal(mode);
        assert_eq!(scratch.status(&["a.wasm"]), (7, COMPILED.into()), "{mode:o}");
    }
    fs::rename(&a, scratch.0.join("elsewhere")).expect("another place");
    symlink(scratch.0.join("elsewhere"), &a).expect("a link");
    assert_eq!(scratch.status(&["a.wasm"]), (7, COMPILED.into()));
    // Damaged ones: every byte of the header, and every length.
    let whole = fs::read(&a).expect("an artifact");
    for at in (0..240).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        seal(0o700);
        fs::write(&a, damaged).expect("a damaged artifact");
        seal(0o500);
        assert_eq!(scratch.status(&["a.wasm"]), (7, COMPILED.into()), "{at}");
    }
    for len in [0, 1, 8, 239, 240, 241, 4096, whole.len() / 2, whole.len() - 1] {
        seal(0o700);
        fs::write(&a, &whole[..len]).expect("a part of an artifact");
        seal(0o500);
        assert_eq!(scratch.status(&["a.wasm"]), (7, COMPILED.into()), "{len}");
    }
    assert_eq!(scratch.status(&["a.wasm"]), (7, CACHED.into()));
}

#[test]
fn code_from_before_the_last_start_of_the_system_is_looked_at() {
    let scratch = Scratch::new("crash");
    scratch.module("a.wasm", 7);
    let code = |write: &dyn Fn(&mut Vec<u8>)| {
        assert_eq!(scratch.status(&["a.wasm"]).0, 7);
        let path = scratch.files("lithe").remove(0);
        let mut bytes = fs::read(&path).expect("an artifact");
        write(&mut bytes);
        fs::set_permissions(&path, Permissions::from_mode(0o700)).expect("a mode");
        fs::write(&path, bytes).expect("an artifact");
        fs::set_permissions(&path, Permissions::from_mode(0o500)).expect("a mode");
        let file = fs::File::open(&path).expect("an artifact");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).expect("a time");
        path
    };
    let path = code(&|_| ());
    assert_eq!(scratch.status(&["a.wasm"]), (7, CACHED.into()));
    let age = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("a time");
    assert!(age.elapsed().is_ok_and(|age| age < Duration::from_secs(60)));
    // As after a crash: the length is right, the contents are zeros.
    code(&|bytes| bytes[240..].fill(0));
    assert_eq!(scratch.status(&["a.wasm"]), (7, COMPILED.into()));
    code(&|bytes| *bytes.last_mut().expect("bytes") ^= 1);
    assert_eq!(scratch.status(&["a.wasm"]), (7, COMPILED.into()));
    assert_eq!(scratch.status(&["a.wasm"]), (7, CACHED.into()));
}

#[test]
fn notes_are_believed_by_what_they_say() {
    let scratch = Scratch::new("notes");
    scratch.module("a.wasm", 7);
    scratch.module("b.wasm", 8);
    std::thread::sleep(Duration::from_millis(3200));
    assert_eq!(scratch.status(&["a.wasm"]), (7, COMPILED.into()));
    let a = scratch.files("key").remove(0);
    assert_eq!(scratch.status(&["b.wasm"]), (8, COMPILED.into()));
    let b = scratch.files("key").into_iter().find(|path| *path != a).expect("another note");
    // As a guest could do that was granted the folder.
    fs::rename(&b, &a).expect("another name");
    assert_eq!(scratch.status(&["a.wasm"]), (7, CACHED.into()));
    let mut codes = scratch.files("lithe");
    let (one, other) = (codes.remove(0), codes.remove(0));
    fs::rename(&one, scratch.0.join("one")).expect("another name");
    fs::rename(&other, &one).expect("another name");
    fs::rename(scratch.0.join("one"), &other).expect("another name");
    assert_eq!(scratch.status(&["a.wasm"]).0, 7);
    assert_eq!(scratch.status(&["b.wasm"]).0, 8);
}

#[test]
fn the_oldest_code_goes_first() {
    let scratch = Scratch::new("oldest");
    let mut sizes = 0;
    for status in 0..6 {
        let name = format!("{status}.wasm");
        scratch.module(&name, status);
        assert_eq!(scratch.status(&[&name]), (status.into(), COMPILED.into()));
        let new = scratch.files("lithe").into_iter().max_by_key(|path| {
            fs::metadata(path).and_then(|metadata| metadata.modified()).expect("a time")
        });
        let new = new.expect("an artifact");
        sizes = fs::metadata(&new).expect("an artifact").len();
        let age = Duration::from_secs(10 * 3600 - 3600 * u64::from(status));
        let file = fs::File::open(&new).expect("an artifact");
        file.set_modified(std::time::SystemTime::now() - age).expect("a time");
    }
    // The first one is used again.
    assert_eq!(scratch.status(&["0.wasm"]), (0, CACHED.into()));
    scratch.module("6.wasm", 6);
    let room = (4 * sizes).to_string();
    assert_eq!(scratch.status(&["--max-cache", &room, "6.wasm"]), (6, COMPILED.into()));
    assert_eq!(scratch.files("lithe").len(), 4);
    for (status, how) in [(1, COMPILED), (2, COMPILED), (0, CACHED), (6, CACHED)] {
        let name = format!("{status}.wasm");
        assert_eq!(scratch.status(&[&name]), (status, how.into()), "{status}");
    }
    // What does not fit at all is not kept.
    assert_eq!(scratch.status(&["--max-cache", "1K", "--fuel", "9", "0.wasm"]).1, COMPILED);
    assert_eq!(scratch.status(&["--fuel", "9", "0.wasm"]).1, COMPILED);
    scratch.lithe(&["cache", "clear"]);
    assert!(fs::read_dir(scratch.cache()).expect("the cache").next().is_none());
}

#[test]
fn little_address_space_is_enough() {
    let scratch = Scratch::new("space");
    let hello = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/hello.wat");
    for kilobytes in [700_000, 8_000_000] {
        let mut command = Command::new("sh");
        command.env("XDG_CACHE_HOME", scratch.0.join("xdg")).stdin(Stdio::null());
        let script = format!("ulimit -v {kilobytes}; exec \"$0\" --engine native --stats \"$1\"");
        let output = command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_lithe")).arg(&hello);
        let output = output.output().expect("a shell");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.stdout, b"hello from WebAssembly!\n", "{text}");
        assert!(text.contains("native, "), "{text}");
    }
}

#[test]
fn many_runs_at_once_agree() {
    let scratch = Scratch::new("many");
    scratch.module("a.wasm", 7);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(scratch.status(&["a.wasm"]).0, 7));
        }
    });
    assert_eq!(scratch.files("lithe").len(), 1);
    assert!(scratch.files("tmp").is_empty());
}

#[test]
fn a_guest_cannot_write_the_code_that_runs() {
    let scratch = Scratch::new("guests");
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests");
    let guest = guests.join("selfwrite.wat").display().to_string();
    // The artifact that runs, under the name that the guest truncates.
    let done = scratch.lithe(&["compile", &guest, "-o", "self.wasm"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let size = fs::metadata(scratch.0.join("self.wasm")).expect("the artifact").len();
    let ran = scratch.lithe(&["--allow-precompiled", "--dir", ".::/", "self.wasm"]);
    assert_eq!(ran.status.code(), Some(1), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(fs::metadata(scratch.0.join("self.wasm")).expect("the artifact").len(), size);
    // Code in the cache, whose folder is granted.
    assert_eq!(scratch.status(&[&guest]).0, 1);
    let code = scratch.files("lithe").remove(0);
    let size = fs::metadata(&code).expect("the code").len();
    fs::hard_link(&code, scratch.cache().join("self.wasm")).expect("the guest's name");
    let cache = format!("{}::/", scratch.cache().display());
    let (status, how) = scratch.status(&["--dir", &cache, &guest]);
    assert_eq!((status, how.as_str()), (1, CACHED));
    // Whether or not it is the code that runs.
    let (status, how) = scratch.status(&["--engine", "interp", "--dir", &cache, &guest]);
    assert_eq!((status, how.as_str()), (1, "interpreted, as --engine asks"));
    assert_eq!(fs::metadata(&code).expect("the code").len(), size);
}

//! Treacherous paths with every function of `wasi:filesystem` 0.2, on read-write and read-only grants, resolved by the
//! kernel and by component. Whatever a function answers, nothing outside the grant may change or be told, and nothing in
//! a read-only grant may change.

mod common;
mod linked;
mod tree;

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use common::TempDir;
use linked::*;
use lithe_component::{ResourceAny, Val};
use lithe_wasi::{Access, Grants};
use tree::snapshot;

const SECRET: &str = "outside the grant";
/// How long what is outside is, which tells when attributes of it are told.
const SIZE: usize = 20 * SECRET.len();

const PATHS: &[&str] = &[
    "file",
    "dir",
    "dir/inner",
    "new",
    "..",
    "../outside/secret",
    "../outside/new",
    "dir/../../outside/secret",
    "dir/../../outside",
    "./../outside/",
    "link-dir/../../outside/secret",
    "out",
    "out/",
    "out-dir",
    "out-dir/",
    "out-dir/secret",
    "out-dir/new",
    "out-dir/.",
    "out-dir/..",
    "out-dir/../grant/file",
    "out-new",
    "out-new/",
    "up",
    "up/",
    "up/outside/secret",
    "abs",
    "abs-dir",
    "abs-dir/",
    "abs-dir/secret",
    "abs-new",
    "chain",
    "chain/secret",
    "self",
    "proc-root",
    "proc-root/etc/passwd",
    "proc-cwd/Cargo.toml",
    "proc-fd/0",
    "/",
    "//",
    "/etc/passwd",
    "//etc/passwd",
    "",
    ".",
    "./",
    "file/..",
    "file/../file",
    "a\0b",
    "../outside/secret\0",
    "file\0/../../outside/secret",
];

fn tree() -> TempDir {
    let temp = TempDir::new();
    for dir in ["outside", "outside/dir", "grant", "grant/dir", "grant/empty", "other"] {
        std::fs::create_dir(temp.join(dir)).unwrap();
    }
    temp.write("outside/secret", SECRET.repeat(20));
    temp.write("grant/file", "granted");
    temp.write("grant/dir/inner", "granted");
    temp.write("other/file", "other");
    let outside = temp.join("outside").display().to_string();
    for (name, target) in [
        ("link-dir", "dir"),
        ("out", "../outside/secret"),
        ("out-dir", "../outside"),
        ("out-new", "../outside/created"),
        ("up", ".."),
        ("abs", &format!("{outside}/secret")),
        ("abs-dir", &outside),
        ("abs-new", &format!("{outside}/created")),
        ("chain", "link-dir/../out-dir"),
        ("self", "self"),
        ("proc-root", "/proc/self/root"),
        ("proc-cwd", "/proc/self/cwd"),
        ("proc-fd", "/proc/self/fd"),
    ] {
        symlink(target, temp.join("grant").join(name)).unwrap();
    }
    temp
}

/// Every function with a path, as the name and the arguments.
fn calls(root: ResourceAny, other: ResourceAny, path: &str) -> Vec<(&'static str, Vec<Val>)> {
    let mut calls = Vec::new();
    for follow in [false, true] {
        let flags = || path_flags(follow);
        for words in [
            "read",
            "write",
            "read write",
            "create write",
            "create exclusive write",
            "create",
            "truncate",
            "truncate write",
            "create truncate read write",
            "directory read",
            "directory read mutate-directory",
        ] {
            let words = format!("{words}{}", if follow { " follow" } else { "" });
            calls.push(("open-at", open_args(root, path, &words)));
        }
        calls.push(("stat-at", vec![of(root), flags(), text(path)]));
        calls.push(("metadata-hash-at", vec![of(root), flags(), text(path)]));
        calls.push(("set-times-at", vec![of(root), flags(), text(path), at(5, 0), at(5, 0)]));
        for (from, to) in [(root, root), (root, other), (other, root)] {
            calls.push(("link-at", vec![of(from), flags(), text(path), of(to), text("made")]));
            calls.push(("link-at", vec![of(from), flags(), text("file"), of(to), text(path)]));
        }
    }
    calls.push(("create-directory-at", vec![of(root), text(path)]));
    calls.push(("readlink-at", vec![of(root), text(path)]));
    calls.push(("symlink-at", vec![of(root), text("file"), text(path)]));
    calls.push(("symlink-at", vec![of(root), text(path), text("made-link")]));
    for (from, to) in [(root, root), (root, other), (other, root)] {
        calls.push(("rename-at", vec![of(from), text("file"), of(to), text(path)]));
        calls.push(("rename-at", vec![of(from), text(path), of(to), text("moved")]));
    }
    calls.push(("unlink-file-at", vec![of(root), text(path)]));
    calls.push(("remove-directory-at", vec![of(root), text(path)]));
    calls
}

/// What can be had through an opened descriptor; nothing of it may be of the outside.
fn use_opened(guest: &mut Guest, opened: ResourceAny, what: &str) {
    let call = |guest: &mut Guest, name: &str, args: &[Val]| {
        let result = guest.call(&format!("filesystem-types-descriptor-{name}"), args);
        assert!(!result.contains(SECRET), "{what}: {name}: {result}");
        result
    };
    call(guest, "read", &[of(opened), u64(100), u64(0)]);
    let stat = call(guest, "stat", &[of(opened)]);
    assert!(!stat.contains(&format!("size: {SIZE},")), "{what}: {stat}");
    call(guest, "write", &[of(opened), bytes(b"changed"), u64(0)]);
    call(guest, "set-size", &[of(opened), u64(1)]);
    call(guest, "set-times", &[of(opened), at(6, 0), at(6, 0)]);
    let stream = guest.value("filesystem-types-descriptor-append-via-stream", &[of(opened)]);
    if let Val::Result(Ok(Some(stream))) = stream {
        let Val::Resource(stream) = *stream else { unreachable!() };
        guest.write_all(stream, b"appended");
        guest.drop(stream);
    }
    let listing = guest.value("filesystem-types-descriptor-read-directory", &[of(opened)]);
    if let Val::Result(Ok(Some(listing))) = listing {
        let Val::Resource(listing) = *listing else { unreachable!() };
        loop {
            let next = "filesystem-types-directory-entry-stream-read-directory-entry";
            let entry = guest.call(next, &[of(listing)]);
            assert!(!entry.contains("\"secret\""), "{what}: {entry}");
            if entry == "ok(none)" {
                break;
            }
        }
        guest.drop(listing);
    }
    guest.drop(opened);
}

fn attack(access: Access, by_component: bool) {
    for path in PATHS {
        let temp = tree();
        let grants = Grants::new().dir(temp.join("grant"), "/", access).dir(
            temp.join("other"),
            "/other",
            Access::ReadWrite,
        );
        let grants = if by_component { grants.resolve_by_component() } else { grants };
        let mut guest = Guest::new(grants);
        let dirs = guest.preopens();
        let (outside, inside) = (snapshot(&temp.join("outside")), snapshot(&temp.join("grant")));
        for (name, args) in calls(dirs[0].0, dirs[1].0, path) {
            let what = format!("{path:?}: {name}{args:?}");
            let value = guest.value(&format!("filesystem-types-descriptor-{name}"), &args);
            let shown = show(&value);
            assert!(!shown.contains(SECRET), "{what}: {shown}");
            assert!(!shown.contains(&format!("size: {SIZE},")), "{what}: {shown}");
            let host = temp.path().to_str().unwrap();
            assert!(!shown.contains(host), "{what} tells where on the host it is: {shown}");
            if let ("open-at", Val::Result(Ok(Some(opened)))) = (name, value) {
                let Val::Resource(opened) = *opened else { unreachable!() };
                use_opened(&mut guest, opened, &what);
            }
            assert_eq!(snapshot(&temp.join("outside")), outside, "{what}: {shown}");
            if access == Access::ReadOnly {
                assert_eq!(snapshot(&temp.join("grant")), inside, "{what}: {shown}");
            }
        }
    }
}

#[test]
fn read_write_grants_do_not_leak() {
    attack(Access::ReadWrite, false);
}

#[test]
fn read_only_grants_do_not_change() {
    attack(Access::ReadOnly, false);
}

#[test]
fn read_write_grants_do_not_leak_by_component() {
    attack(Access::ReadWrite, true);
}

#[test]
fn read_only_grants_do_not_change_by_component() {
    attack(Access::ReadOnly, true);
}

#[test]
fn read_only_grants_answer_so() {
    let temp = tree();
    let grants = Grants::new().dir(temp.join("grant"), "/", Access::ReadOnly).dir(
        temp.join("other"),
        "/other",
        Access::ReadWrite,
    );
    let mut guest = Guest::new(grants);
    let dirs = guest.preopens();
    let (root, other) = (dirs[0].0, dirs[1].0);
    for words in ["write", "truncate", "create", "create write", "read mutate-directory"] {
        let args = open_args(root, "file", words);
        let result = guest.call("filesystem-types-descriptor-open-at", &args);
        assert_eq!(result, "err(read-only)", "{words}");
    }
    let file = guest.open(root, "file", "read").unwrap();
    let time = || at(1, 0);
    for (name, args, wanted) in [
        ("set-times", vec![of(file), time(), time()], "read-only"),
        ("set-times", vec![of(root), time(), time()], "read-only"),
        (
            "set-times-at",
            vec![of(root), path_flags(false), text("file"), time(), time()],
            "read-only",
        ),
        ("create-directory-at", vec![of(root), text("new")], "read-only"),
        ("symlink-at", vec![of(root), text("file"), text("new")], "read-only"),
        ("unlink-file-at", vec![of(root), text("file")], "read-only"),
        ("remove-directory-at", vec![of(root), text("empty")], "read-only"),
        ("rename-at", vec![of(root), text("file"), of(root), text("new")], "read-only"),
        ("rename-at", vec![of(root), text("file"), of(other), text("new")], "cross-device"),
        ("rename-at", vec![of(other), text("file"), of(root), text("new")], "cross-device"),
        (
            "link-at",
            vec![of(root), path_flags(false), text("file"), of(other), text("new")],
            "cross-device",
        ),
        ("write", vec![of(file), bytes(b"x"), u64(0)], "bad-descriptor"),
    ] {
        let result = guest.call(&format!("filesystem-types-descriptor-{name}"), &args);
        assert_eq!(result, format!("err({wanted})"), "{name}");
    }
    // A directory opened beneath is no more than what it is beneath.
    let dir = guest.open(root, "dir", "read").unwrap();
    let flags = guest.call("filesystem-types-descriptor-get-flags", &[of(dir)]);
    assert_eq!(flags, "ok({read})");
    let up = guest.open(dir, "../file", "read").unwrap_err();
    assert_eq!(up, "err(not-permitted)");
    let denials = guest.store.data().ctx.denials().list();
    let shown: Vec<_> = denials.iter().map(ToString::to_string).collect();
    assert!(shown.iter().any(|denial| denial.contains("without ::ro")), "{shown:?}");
    assert!(shown.iter().any(|denial| denial.contains("../file")), "{shown:?}");
}

#[test]
fn renames_meanwhile_do_not_open_a_way_out() {
    let temp = tree();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (dir, link) = (temp.join("grant/dir"), temp.join("grant/out-dir"));
            while !stop.load(Ordering::Relaxed) {
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                let cwd = rustix::fs::CWD;
                rustix::fs::renameat_with(cwd, &dir, cwd, &link, flags).unwrap();
            }
        });
        let result = std::panic::catch_unwind(|| {
            for by_component in [false, true] {
                let grants = Grants::new().dir(temp.join("grant"), "/", Access::ReadWrite);
                let grants = if by_component { grants.resolve_by_component() } else { grants };
                let mut guest = Guest::new(grants);
                let root = guest.root();
                for path in ["dir/secret", "dir/inner", "dir/../dir/secret", "out-dir/secret"] {
                    for _ in 0..300 {
                        if let Ok(opened) = guest.open(root, path, "read write follow") {
                            use_opened(&mut guest, opened, path);
                        }
                        let args = [of(root), path_flags(true), text(path)];
                        let stat = guest.call("filesystem-types-descriptor-stat-at", &args);
                        assert!(!stat.contains(&format!("size: {SIZE},")), "{path}: {stat}");
                        let args = [of(root), text("dir/made")];
                        guest.call("filesystem-types-descriptor-create-directory-at", &args);
                        guest.call("filesystem-types-descriptor-remove-directory-at", &args);
                    }
                }
            }
        });
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
    assert_eq!(temp.read("outside/secret"), SECRET.repeat(20).as_bytes());
    assert!(!temp.join("outside/made").exists());
}

//! The hostile matrix: every kind of treacherous path, with every operation, on read-write and
//! read-only grants, resolved by the kernel and by component.
//!
//! Whatever an operation answers, nothing outside the grant may change or be read, and nothing in a
//! read-only grant may change. Both resolvers must answer alike, case by case.

mod common;
mod tree;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::*;
use lithe_wasi::{Access, Errno, Grants};
use rustix::fs::{AtFlags, CWD, RenameFlags, Timespec, Timestamps, renameat_with, utimensat};
use tree::snapshot;

const SECRET: &[u8] = b"outside the grant";

/// The modification time of everything outside, in seconds, by which a leaking `stat` is known.
const OUTSIDE_TIME: i64 = 1_000_000;

/// The granted directory, and a writable one to link and rename from and to.
const GRANT: u32 = 3;
const OTHER: u32 = 4;

/// The tree: `grant` is granted, `other` is a second grant, `outside` is not granted.
struct Tree {
    temp: TempDir,
}

impl Tree {
    fn new() -> Tree {
        let temp = TempDir::new();
        for dir in ["outside", "outside/dir", "outside/empty", "grant", "grant/dir", "other"] {
            std::fs::create_dir(temp.join(dir)).unwrap();
        }
        std::fs::create_dir(temp.join("grant/empty")).unwrap();
        temp.write("outside/secret", SECRET);
        temp.write("outside/dir/inner", SECRET);
        temp.write("grant/file", "granted");
        temp.write("grant/dir/inner", "granted");
        temp.write("other/file", "other");
        std::fs::write(temp.path().join(OsStr::from_bytes(b"grant/\xff\xfe")), "bytes").unwrap();
        let outside = temp.join("outside");
        let outside = outside.to_str().unwrap();
        for (name, target) in [
            ("link-file", "file"),
            ("link-dir", "dir"),
            ("link-slash", "dir/"),
            ("dangling", "nowhere"),
            ("self", "self"),
            ("loop-a", "loop-b"),
            ("loop-b", "loop-a"),
            ("out", "../outside/secret"),
            ("out-dir", "../outside"),
            ("out-dir-slash", "../outside/"),
            ("out-deep", "dir/../../outside/dir"),
            ("out-new", "../outside/created"),
            ("up", ".."),
            ("abs", &format!("{outside}/secret")),
            ("abs-dir", outside),
            ("abs-new", &format!("{outside}/created")),
            ("abs-inside", &format!("{}/file", temp.join("grant").display())),
            ("chain", "chain-2"),
            ("chain-2", "link-dir/../out-dir"),
            ("proc-root", "/proc/self/root"),
            ("proc-cwd", "/proc/self/cwd"),
            ("proc-fd", "/proc/self/fd"),
        ] {
            symlink(target, temp.join("grant").join(name)).unwrap();
        }
        for name in ["outside/secret", "outside/dir/inner", "outside/dir", "outside/empty"] {
            mark(&temp.join(name));
        }
        mark(&temp.join("outside"));
        mark(temp.path());
        Tree { temp }
    }

    fn guest(&self, access: Access, by_component: bool) -> Guest {
        let grants = Grants::new().dir(self.temp.join("grant"), "/", access).dir(
            self.temp.join("other"),
            "/other",
            Access::ReadWrite,
        );
        Guest::new(if by_component { grants.resolve_by_component() } else { grants })
    }
}

fn mark(path: &Path) {
    let time = Timespec { tv_sec: OUTSIDE_TIME, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::empty()).unwrap();
}

/// Paths by class of treachery; `{abs}` stands for the host path of the tree.
fn paths(tree: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let table: &[(&str, &[&[u8]])] = &[
        ("plain", &[b"file", b"dir", b"dir/inner", b"empty", b"new", b"dir/new", b"nowhere/new"]),
        ("dots", &[b".", b"./", b"dir/.", b"dir/..", b"dir/../file", b"dir/./inner", b"file/."]),
        ("symlink relative", &[b"link-file", b"link-dir", b"link-dir/inner", b"link-dir/new"]),
        ("symlink with slash", &[b"link-slash", b"link-slash/inner", b"link-slash/"]),
        ("symlink relative out", &[b"out", b"out-dir", b"out-dir/secret", b"out-dir/created"]),
        ("symlink out with slash", &[b"out-dir-slash", b"out-dir-slash/secret"]),
        ("symlink deep out", &[b"out-deep", b"out-deep/inner", b"out-deep/created"]),
        ("symlink up", &[b"up", b"up/outside/secret", b"up/grant/file", b"up/created", b"up/.."]),
        ("symlink chain", &[b"chain", b"chain/secret", b"chain/created", b"link-dir/../file"]),
        ("symlink absolute", &[b"abs", b"abs-dir", b"abs-dir/secret", b"abs-dir/created"]),
        ("symlink absolute in", &[b"abs-inside"]),
        ("dotdot", &[b"..", b"../outside/secret", b"../outside/created", b"../grant/file"]),
        ("dotdot deep", &[b"dir/../../outside/secret", b"dir/../..", b"link-dir/../../outside"]),
        ("dotdot from file", &[b"file/../dir", b"file/../../outside/secret", b"nowhere/../file"]),
        ("absolute", &[b"/", b"//", b"/etc/passwd", b"/file", b"{abs}/outside/secret"]),
        ("absolute in", &[b"{abs}/grant/file", b"{abs}/outside/created"]),
        ("trailing slash", &[b"file/", b"dir/", b"dir//", b"empty/", b"new/", b"dir/inner/"]),
        ("slash behind link", &[b"link-file/", b"link-dir/", b"link-dir///", b"dangling/"]),
        ("slash behind out", &[b"out/", b"out-dir/", b"out-new/", b"abs/", b"abs-dir/", b"up/"]),
        ("dangling", &[b"dangling", b"dangling/new", b"out-new", b"abs-new"]),
        ("loop", &[b"self", b"loop-a", b"loop-a/", b"loop-b/file", b"self/../file"]),
        ("nul", &[b"file\0", b"\0", b"dir\0/../../outside/secret", b"new\0new"]),
        ("non-utf-8", &[b"\xff\xfe", b"\xff-new", b"dir/\xfe/", b"\xff\xfe/"]),
        ("proc", &[b"proc-root/{abs}/outside/secret", b"proc-cwd", b"proc-fd/0", b"proc-fd/3"]),
        ("proc roots", &[b"proc-root", b"proc-root/", b"proc-root/etc/passwd", b"proc-cwd/"]),
        ("empty", &[b""]),
        ("slashes", &[b"dir///inner", b".//file", b"./././dir/../file"]),
    ];
    let abs = tree.to_str().unwrap();
    let mut all: Vec<(&str, Vec<u8>)> = Vec::new();
    for (class, paths) in table {
        for path in *paths {
            let mut path = path.to_vec();
            while let Some(at) = path.windows(5).position(|window| window == b"{abs}") {
                path.splice(at..at + 5, abs.bytes());
            }
            all.push((*class, path));
        }
    }
    all.push(("long name", vec![b'x'; 256]));
    all.push(("long path", b"./".repeat(2048)));
    all.push(("deep path", b"dir/../".repeat(400)));
    all
}

type Operation = fn(&mut Guest, &[u8]) -> Result<(), Errno>;

/// What is tried with each path.
const OPERATIONS: &[(&str, Operation)] = &[
    ("open", |guest, path| open(guest, FOLLOW, path, 0, READ)),
    ("open nofollow", |guest, path| open(guest, 0, path, 0, READ)),
    ("open directory", |guest, path| open(guest, FOLLOW, path, DIRECTORY, 0)),
    ("open directory nofollow", |guest, path| open(guest, 0, path, DIRECTORY, READ)),
    ("open nothing", |guest, path| open(guest, FOLLOW, path, 0, 0)),
    ("write", |guest, path| open(guest, FOLLOW, path, 0, READ | WRITE)),
    ("append", |guest, path| {
        let fd = guest.open(GRANT, FOLLOW, path, 0, WRITE, APPEND)?;
        let result = guest.write(fd, b"appended");
        guest.close(fd)?;
        result.map(drop)
    }),
    ("create", |guest, path| open(guest, FOLLOW, path, CREAT, READ | WRITE)),
    ("create nofollow", |guest, path| open(guest, 0, path, CREAT, WRITE)),
    ("create read-only", |guest, path| open(guest, FOLLOW, path, CREAT, READ)),
    ("create exclusive", |guest, path| open(guest, FOLLOW, path, CREAT | EXCL, WRITE)),
    ("create truncated", |guest, path| open(guest, FOLLOW, path, CREAT | TRUNC, WRITE)),
    ("truncate", |guest, path| open(guest, FOLLOW, path, TRUNC, WRITE)),
    ("truncate without rights", |guest, path| open(guest, FOLLOW, path, TRUNC, 0)),
    ("truncate nofollow", |guest, path| open(guest, 0, path, TRUNC, READ)),
    ("stat", |guest, path| stat(guest, FOLLOW, path)),
    ("stat nofollow", |guest, path| stat(guest, 0, path)),
    ("link from", |guest, path| guest.link((GRANT, path), 0, (OTHER, "linked"))),
    ("link from followed", |guest, path| guest.link((GRANT, path), FOLLOW, (OTHER, "linked"))),
    ("link from within", |guest, path| guest.link((GRANT, path), FOLLOW, (GRANT, "linked"))),
    ("link to", |guest, path| guest.link((OTHER, "file"), 0, (GRANT, path))),
    ("link to within", |guest, path| guest.link((GRANT, "file"), 0, (GRANT, path))),
    ("rename from", |guest, path| guest.rename((GRANT, path), (OTHER, "renamed"))),
    ("rename from within", |guest, path| guest.rename((GRANT, path), (GRANT, "renamed"))),
    ("rename to", |guest, path| guest.rename((OTHER, "file"), (GRANT, path))),
    ("rename to within", |guest, path| guest.rename((GRANT, "file"), (GRANT, path))),
    ("rename directory to", |guest, path| guest.rename((GRANT, "empty"), (GRANT, path))),
    ("unlink", |guest, path| guest.unlink(GRANT, path)),
    ("rmdir", |guest, path| guest.rmdir(GRANT, path)),
    ("mkdir", |guest, path| guest.mkdir(GRANT, path)),
    ("symlink at", |guest, path| guest.symlink("file", GRANT, path)),
    ("symlink to", |guest, path| {
        guest.symlink(path, GRANT, "planted")?;
        open(guest, FOLLOW, b"planted", CREAT, WRITE).or(Ok(()))
    }),
    ("readlink", |guest, path| {
        let target = guest.readlink(GRANT, path, 4096)?;
        assert_ne!(target.first(), Some(&b'/'), "a host path was shown");
        Ok(())
    }),
    ("times", |guest, path| guest.path_set_times(GRANT, FOLLOW, path, (7, 7), ATIM | MTIM)),
    ("times nofollow", |guest, path| guest.path_set_times(GRANT, 0, path, (7, 7), MTIM)),
];

fn stat(guest: &mut Guest, flags: u64, path: &[u8]) -> Result<(), Errno> {
    let stat = guest.path_filestat(GRANT, flags, path)?;
    assert_ne!(stat.mtim, OUTSIDE_TIME as u64 * 1_000_000_000, "an outside file was looked at");
    Ok(())
}

/// Opens, tries every way to read and change what was opened, and closes.
fn open(
    guest: &mut Guest,
    dirflags: u64,
    path: &[u8],
    oflags: u64,
    rights: u64,
) -> Result<(), Errno> {
    let fd = guest.open(GRANT, dirflags, path, oflags, rights, 0)?;
    let stat = guest.fdstat(fd)?;
    if let Ok(bytes) = guest.read(fd, 100) {
        assert_ne!(bytes, SECRET, "outside data was read");
    }
    let _ = guest.pread(fd, 100, 0);
    let _ = guest.pwrite(fd, b"overwritten", 0);
    let _ = guest.write(fd, b"written");
    let _ = guest.call("fd_filestat_set_size", &[fd.into(), 3]);
    let _ = guest.call("fd_allocate", &[fd.into(), 0, 64]);
    let _ = guest.call("fd_filestat_set_times", &[fd.into(), 9, 9, ATIM | MTIM]);
    let _ = guest.call("fd_fdstat_set_flags", &[fd.into(), APPEND]);
    let _ = guest.write(fd, b"appended");
    if stat.filetype == 3 {
        for entry in guest.list(fd, 4096)? {
            assert_ne!(entry.name, b"secret", "an outside directory was listed");
        }
        assert!(guest.open(fd, FOLLOW, "../outside/secret", 0, READ, 0).is_err());
        assert!(guest.open(fd, FOLLOW, "../../outside/secret", 0, READ, 0).is_err());
        let _ = guest.open(fd, FOLLOW, "created", CREAT, WRITE, 0);
        let _ = guest.mkdir(fd, "created-dir");
    }
    guest.close(fd)
}

/// Runs the whole matrix and returns what each case answered.
fn matrix(access: Access, by_component: bool) -> Vec<(String, Result<(), Errno>)> {
    let mut tree = Tree::new();
    let mut before = tree.state();
    let mut answers = Vec::new();
    for (operation, run) in OPERATIONS {
        for index in 0..paths(tree.temp.path()).len() {
            let (class, path) = paths(tree.temp.path()).swap_remove(index);
            let name = format!("{operation} / {class} / {}", shown(&path, tree.temp.path()));
            let mut guest = tree.guest(access, by_component);
            let answer = run(&mut guest, &path);
            let after = tree.state();
            assert_eq!(before.outside, after.outside, "{name}: {answer:?}");
            assert_eq!(before.around, after.around, "{name}: {answer:?}");
            if before != after {
                assert_eq!(access, Access::ReadWrite, "{name} changed something: {answer:?}");
                tree = Tree::new();
                before = tree.state();
            }
            answers.push((name, answer));
        }
    }
    answers
}

/// What must not change, or only through read-write grants.
#[derive(PartialEq)]
struct State {
    outside: BTreeMap<PathBuf, String>,
    around: Vec<PathBuf>,
    grant: BTreeMap<PathBuf, String>,
    other: BTreeMap<PathBuf, String>,
}

impl Tree {
    fn state(&self) -> State {
        State {
            outside: snapshot(&self.temp.join("outside")),
            around: entries(self.temp.path()),
            grant: snapshot(&self.temp.join("grant")),
            other: snapshot(&self.temp.join("other")),
        }
    }
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

fn shown(path: &[u8], tree: &Path) -> String {
    let text = path[..path.len().min(80)].escape_ascii().to_string();
    text.replace(tree.to_str().unwrap(), "{abs}")
}

fn both_resolvers(access: Access) {
    let kernel = matrix(access, false);
    let walk = matrix(access, true);
    let mut differences = String::new();
    for ((name, kernel), (_, walk)) in kernel.iter().zip(&walk) {
        if kernel != walk {
            writeln!(differences, "{name}: kernel {kernel:?}, walk {walk:?}").unwrap();
        }
    }
    assert!(differences.is_empty(), "the resolvers differ:\n{differences}");
    assert!(kernel.len() > 3000);
}

#[test]
fn read_write_grants_do_not_leak() {
    both_resolvers(Access::ReadWrite);
}

#[test]
fn read_only_grants_do_not_change() {
    both_resolvers(Access::ReadOnly);
}

/// Resolves paths for a while as another thread swaps a directory for a link to the outside, and
/// moves a directory that `..` leads through out of the grant and back.
fn race(by_component: bool) {
    let tree = Tree::new();
    let temp = &tree.temp;
    for dir in ["grant/swap", "grant/a", "grant/a/b", "grant/a/b/c", "limbo"] {
        std::fs::create_dir(temp.join(dir)).unwrap();
    }
    temp.write("secret", SECRET);
    mark(&temp.join("secret"));
    symlink("../outside", temp.join("grant/swap-link")).unwrap();
    let outside = snapshot(&temp.join("outside"));
    let above = snapshot(&temp.join("secret"));

    let stop = AtomicBool::new(false);
    let swaps = AtomicU32::new(0);
    let mut rounds = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (swap, link) = (temp.join("grant/swap"), temp.join("grant/swap-link"));
            let (home, limbo) = (temp.join("grant/a/b"), temp.join("limbo/b"));
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, &swap, CWD, &link, RenameFlags::EXCHANGE).unwrap();
                std::fs::rename(&home, &limbo).unwrap();
                std::fs::rename(&limbo, &home).unwrap();
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut guest = tree.guest(Access::ReadWrite, by_component);
        let end = Instant::now() + Duration::from_millis(500);
        while Instant::now() < end {
            rounds += 1;
            for path in [
                "swap/secret",
                "swap/dir/inner",
                "swap/../outside/secret",
                "a/b/../../../secret",
                "a/b/c/../../../secret",
                "a/b/c/../../../outside/secret",
            ] {
                for oflags in [0, CREAT, TRUNC] {
                    let _ = open(&mut guest, FOLLOW, path.as_bytes(), oflags, READ | WRITE);
                }
                let _ = stat(&mut guest, FOLLOW, path.as_bytes());
                let _ = guest.path_set_times(GRANT, FOLLOW, path, (1, 1), ATIM | MTIM);
                let _ = guest.link((GRANT, path), FOLLOW, (GRANT, "stolen"));
                let _ = guest.rename((GRANT, path), (GRANT, "stolen"));
                let _ = guest.unlink(GRANT, path);
                let _ = guest.unlink(GRANT, "stolen");
            }
            for path in ["swap/created", "swap/dir", "a/b/c/../../../created"] {
                let _ = guest.mkdir(GRANT, path);
                let _ = guest.rmdir(GRANT, path);
                let _ = guest.symlink("file", GRANT, path);
                let _ = guest.unlink(GRANT, path);
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(outside, snapshot(&temp.join("outside")));
    assert_eq!(above, snapshot(&temp.join("secret")));
    assert!(rounds > 20 && swaps.into_inner() > 20, "{rounds} rounds are not a race");
}

#[test]
fn renames_do_not_open_a_way_out() {
    race(false);
    race(true);
}

#[test]
fn magic_links_are_not_followed() {
    for by_component in [false, true] {
        let grants = Grants::new().dir("/proc/self", "/", Access::ReadWrite);
        let grants = if by_component { grants.resolve_by_component() } else { grants };
        let mut guest = Guest::new(grants);
        for path in ["exe", "root", "root/etc", "cwd", "cwd/Cargo.toml", "fd/0", "fd/3/self"] {
            for flags in [0, FOLLOW] {
                let opened = guest.open(GRANT, flags, path, 0, READ, 0);
                assert!(opened.is_err(), "{path}: {opened:?}");
            }
            assert!(guest.path_filestat(GRANT, FOLLOW, path).is_err(), "{path}");
        }
        assert_eq!(guest.readlink(GRANT, "exe", 4096), Err(Errno::Perm));
        assert!(guest.open(GRANT, 0, "status", 0, READ, 0).is_ok());
        // A process that could write here would not need a way out.
        assert_eq!(guest.open(GRANT, 0, "mem", 0, READ | WRITE, 0), Err(Errno::Perm));
    }
}

#[test]
fn special_files_do_not_make_opening_wait() {
    let temp = TempDir::new();
    rustix::fs::mkfifoat(CWD, temp.join("fifo"), 0o600.into()).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(temp.join("socket")).unwrap();
    for by_component in [false, true] {
        let grants = Grants::new().dir(temp.path(), "/", Access::ReadWrite);
        let grants = if by_component { grants.resolve_by_component() } else { grants };
        let mut guest = Guest::new(grants);
        assert!(guest.open(GRANT, 0, "fifo", 0, READ, 0).is_ok());
        assert!(guest.open(GRANT, 0, "fifo", 0, WRITE, 0).is_ok());
        assert_eq!(guest.open(GRANT, 0, "socket", 0, READ, 0), Err(Errno::Nxio));
    }
}

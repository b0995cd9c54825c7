//! `wasi:filesystem` of WASI 0.2, called through the linker.

mod common;
mod linked;

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use common::TempDir;
use linked::*;
use lithe_component::{ResourceAny, Val};
use lithe_wasi::{Access, Ctx, Grants};

/// A function of descriptors.
fn call(guest: &mut Guest, name: &str, args: &[Val]) -> String {
    guest.call(&format!("filesystem-types-descriptor-{name}"), args)
}

fn resource(guest: &mut Guest, name: &str, args: &[Val]) -> ResourceAny {
    guest.resource(&format!("filesystem-types-descriptor-{name}"), args)
}

fn value(guest: &mut Guest, name: &str, args: &[Val]) -> Val {
    guest.value(&format!("filesystem-types-descriptor-{name}"), args)
}

fn guest(temp: &TempDir, access: Access) -> (Guest, ResourceAny) {
    let mut guest = Guest::new(Grants::new().dir(temp.path(), "/", access));
    let root = guest.root();
    (guest, root)
}

fn writable(temp: &TempDir) -> (Guest, ResourceAny) {
    guest(temp, Access::ReadWrite)
}

/// The names and types in a directory, sorted.
fn entries(guest: &mut Guest, dir: ResourceAny) -> Vec<String> {
    let stream = resource(guest, "read-directory", &[of(dir)]);
    let mut entries = Vec::new();
    loop {
        let next = "filesystem-types-directory-entry-stream-read-directory-entry";
        match guest.call(next, &[of(stream)]) {
            end if end == "ok(none)" => break,
            entry => entries.push(entry),
        }
    }
    guest.drop(stream);
    entries.sort();
    entries
}

#[test]
fn preopens_have_their_names_in_order() {
    let temp = TempDir::new();
    let grants = Grants::new()
        .dir(temp.path(), "/data", Access::ReadWrite)
        .dir(temp.path(), ".", Access::ReadOnly)
        .dir(temp.path(), "", Access::ReadOnly);
    let mut guest = Guest::new(grants);
    let dirs = guest.preopens();
    let names: Vec<_> = dirs.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["/data", ".", ""]);
    assert_eq!(call(&mut guest, "get-flags", &[of(dirs[0].0)]), "ok({read, mutate-directory})");
    assert_eq!(call(&mut guest, "get-flags", &[of(dirs[1].0)]), "ok({read})");
    let same = call(&mut guest, "is-same-object", &[of(dirs[0].0), of(dirs[1].0)]);
    assert_eq!(same, "true");
    assert_eq!(Guest::new(Grants::new()).preopens().len(), 0);
}

#[test]
fn files_are_opened_as_asked() {
    let temp = TempDir::new();
    temp.write("file", "text");
    std::fs::create_dir(temp.join("dir")).unwrap();
    symlink("file", temp.join("link")).unwrap();
    let (mut guest, root) = writable(&temp);
    for (path, words, wanted) in [
        ("file", "read", "regular-file"),
        ("file", "", "regular-file"),
        ("file", "create read write", "regular-file"),
        ("file", "create exclusive write", "exist"),
        ("file", "exclusive read", "regular-file"),
        ("file", "directory read", "not-directory"),
        ("file", "read write mutate-directory", "regular-file"),
        ("file/", "read", "not-directory"),
        ("link", "read", "loop"),
        ("link", "follow read", "regular-file"),
        ("link", "follow create exclusive write", "exist"),
        ("none", "read", "no-entry"),
        ("none", "truncate write", "no-entry"),
        ("none/", "create write", "is-directory"),
        ("dir", "read", "directory"),
        ("dir", "directory read mutate-directory", "directory"),
        ("dir/", "read", "directory"),
        (".", "read", "directory"),
        ("dir/..", "read", "directory"),
        ("dir", "write", "is-directory"),
        ("dir", "truncate", "is-directory"),
        ("dir", "create directory", "invalid"),
        ("..", "read", "not-permitted"),
        ("", "read", "no-entry"),
        ("/", "read", "not-permitted"),
        ("/file", "read", "not-permitted"),
        ("a\0b", "read", "invalid"),
        ("dir/none/file", "create write", "no-entry"),
        ("file/x", "create write", "not-directory"),
        ("new", "create write file-integrity-sync", "regular-file"),
        ("new", "write data-integrity-sync requested-write-sync", "regular-file"),
    ] {
        let found = match guest.open(root, path, words) {
            Ok(opened) => call(&mut guest, "get-type", &[of(opened)]),
            Err(error) => error,
        };
        let wanted = match wanted {
            "regular-file" | "directory" => format!("ok({wanted})"),
            code => format!("err({code})"),
        };
        assert_eq!(found, wanted, "{path:?} {words}");
    }
    assert_eq!(guest.open(root, &"a".repeat(256), "read"), Err("err(name-too-long)".into()));
    assert_eq!(guest.open(root, &"a/".repeat(4000), "read"), Err("err(name-too-long)".into()));
    assert_eq!(temp.read("file"), b"text");
    guest.open(root, "file", "truncate").unwrap();
    assert_eq!(temp.read("file"), b"");
}

#[test]
fn flags_are_those_of_opening_and_are_kept() {
    let temp = TempDir::new();
    temp.write("file", "text");
    let (mut guest, root) = writable(&temp);
    let file = guest.open(root, "file", "read").unwrap();
    assert_eq!(call(&mut guest, "get-flags", &[of(file)]), "ok({read})");
    let written = call(&mut guest, "write", &[of(file), bytes(b"x"), u64(0)]);
    assert_eq!(written, "err(bad-descriptor)");
    for (name, args) in [
        ("write-via-stream", vec![of(file), u64(0)]),
        ("append-via-stream", vec![of(file)]),
        ("set-size", vec![of(file), u64(0)]),
    ] {
        assert_eq!(call(&mut guest, name, &args), "err(bad-descriptor)", "{name}");
    }
    let file = guest.open(root, "file", "write mutate-directory file-integrity-sync").unwrap();
    assert_eq!(call(&mut guest, "get-flags", &[of(file)]), "ok({write, file-integrity-sync})");
    assert_eq!(call(&mut guest, "read", &[of(file), u64(1), u64(0)]), "err(bad-descriptor)");
    assert_eq!(call(&mut guest, "read-via-stream", &[of(file), u64(0)]), "err(bad-descriptor)");
    assert_eq!(temp.read("file"), b"text");
}

#[test]
fn directories_are_no_files() {
    let temp = TempDir::new();
    temp.write("file", "text");
    let (mut guest, root) = writable(&temp);
    let file = guest.open(root, "file", "read write").unwrap();
    for (name, args, wanted) in [
        ("read", vec![of(root), u64(1), u64(0)], "is-directory"),
        ("read-via-stream", vec![of(root), u64(0)], "is-directory"),
        ("write", vec![of(root), bytes(b"x"), u64(0)], "bad-descriptor"),
        ("write-via-stream", vec![of(root), u64(0)], "bad-descriptor"),
        ("append-via-stream", vec![of(root)], "bad-descriptor"),
        ("set-size", vec![of(root), u64(0)], "bad-descriptor"),
        ("advise", vec![of(root), u64(0), u64(0), Val::Enum("normal".into())], "bad-descriptor"),
        ("read-directory", vec![of(file)], "not-directory"),
        ("stat-at", vec![of(file), path_flags(false), text("x")], "not-directory"),
        ("open-at", open_args(file, "x", "read"), "not-directory"),
        ("rename-at", vec![of(root), text("file"), of(file), text("x")], "not-directory"),
    ] {
        assert_eq!(call(&mut guest, name, &args), format!("err({wanted})"), "{name}");
    }
}

#[test]
fn files_are_read_and_written_at_positions() {
    let temp = TempDir::new();
    let (mut guest, root) = writable(&temp);
    let file = guest.open(root, "file", "create read write").unwrap();
    let write = |guest: &mut Guest, data: &[u8], at: u64| {
        call(guest, "write", &[of(file), bytes(data), u64(at)])
    };
    let read =
        |guest: &mut Guest, len: u64, at: u64| call(guest, "read", &[of(file), u64(len), u64(at)]);
    assert_eq!(write(&mut guest, b"hello", 2), "ok(5)");
    assert_eq!(temp.read("file"), b"\0\0hello");
    assert_eq!(read(&mut guest, 3, 2), "ok((b\"hel\", false))");
    assert_eq!(read(&mut guest, u64::MAX, 4), "ok((b\"llo\", false))");
    assert_eq!(read(&mut guest, 1, 7), "ok(([], true))");
    assert_eq!(read(&mut guest, 0, 7), "ok(([], false))");
    assert_eq!(write(&mut guest, b"", 100), "ok(0)");
    for at in [1 << 63, u64::MAX - 1, u64::MAX] {
        assert_eq!(read(&mut guest, 1, at), "err(invalid)");
        assert_eq!(write(&mut guest, b"x", at), "err(invalid)");
    }
    assert_eq!(call(&mut guest, "set-size", &[of(file), u64(3)]), "ok");
    assert_eq!(temp.read("file"), b"\0\0h");
    assert_eq!(call(&mut guest, "set-size", &[of(file), u64(5)]), "ok");
    assert_eq!(temp.read("file"), b"\0\0h\0\0");
    assert_eq!(call(&mut guest, "set-size", &[of(file), u64(u64::MAX)]), "err(invalid)");
}

#[test]
fn streams_have_positions_of_their_own() {
    let temp = TempDir::new();
    temp.write("file", "0123456789");
    let (mut guest, root) = writable(&temp);
    let file = guest.open(root, "file", "read write").unwrap();
    let first = resource(&mut guest, "read-via-stream", &[of(file), u64(0)]);
    let second = resource(&mut guest, "read-via-stream", &[of(file), u64(8)]);
    let write = resource(&mut guest, "write-via-stream", &[of(file), u64(4)]);
    let append = resource(&mut guest, "append-via-stream", &[of(file)]);
    // Streams outlive the descriptor that they come from.
    guest.drop(file);
    let read = "io-streams-input-stream-read";
    assert_eq!(guest.call(read, &[of(first), u64(4)]), "ok(b\"0123\")");
    guest.write_all(write, b"ab");
    guest.write_all(append, b"x");
    guest.write_all(write, b"cd");
    guest.write_all(append, b"y");
    assert_eq!(temp.read("file"), b"0123abcd89xy");
    assert_eq!(guest.read_all(first), b"abcd89xy");
    assert_eq!(guest.read_all(second), b"89xy");
    let pollable = guest.resource("io-streams-output-stream-subscribe", &[of(write)]);
    assert_eq!(guest.call("io-poll-pollable-ready", &[of(pollable)]), "true");
    // A file grows behind the end, which stays the end of a stream.
    guest.write_all(append, b"z");
    assert_eq!(guest.call(read, &[of(first), u64(4)]), "err(closed)");
    guest.write_all(write, &vec![b'-'; 3 << 20]);
    assert_eq!(temp.read("file").len(), 8 + (3 << 20));
    let skip = "io-streams-input-stream-blocking-skip";
    assert_eq!(guest.call(skip, &[of(second), u64(4)]), "err(closed)");
}

#[test]
fn streams_at_impossible_positions_fail_with_a_code() {
    let temp = TempDir::new();
    let (mut guest, root) = writable(&temp);
    let file = guest.open(root, "file", "create read write").unwrap();
    for at in [1 << 63, u64::MAX] {
        let input = resource(&mut guest, "read-via-stream", &[of(file), u64(at)]);
        let failed = guest.value("io-streams-input-stream-blocking-read", &[of(input), u64(8)]);
        let Val::Result(Err(Some(failed))) = failed else { panic!("{}", show(&failed)) };
        let Val::Variant(_, Some(error)) = *failed else { panic!() };
        let code = guest.call("filesystem-types-filesystem-error-code", &[*error]);
        assert_eq!(code, "some(invalid)");
        let again = guest.call("io-streams-input-stream-read", &[of(input), u64(8)]);
        assert_eq!(again, "err(closed)");

        let output = resource(&mut guest, "write-via-stream", &[of(file), u64(at)]);
        let write = "io-streams-output-stream-blocking-write-and-flush";
        let failed = guest.call(write, &[of(output), bytes(b"x")]);
        assert_eq!(failed, "err(last-operation-failed(#))");
        let again = guest.call("io-streams-output-stream-check-write", &[of(output)]);
        assert_eq!(again, "err(closed)");
    }
    assert_eq!(temp.read("file"), b"");
}

#[test]
fn large_pieces_are_read_where_the_guest_wants_them() {
    let temp = TempDir::new();
    let data: Vec<u8> = (0..3_000_000u32).map(|i| (i / 7) as u8).collect();
    temp.write("file", &data);
    let (mut guest, root) = writable(&temp);
    let file = guest.open(root, "file", "read").unwrap();
    let stream = resource(&mut guest, "read-via-stream", &[of(file), u64(5)]);
    assert!(guest.read_all(stream) == data[5..]);
    for (len, at, wanted) in [
        (20_000, 100, 20_000),
        (20_000, 2_999_000, 1000),
        (u64::MAX, 0, 1 << 20),
        (20_000, 2_980_000, 20_000),
        (20_000, 3_000_000, 0),
    ] {
        let read = value(&mut guest, "read", &[of(file), u64(len), u64(at)]);
        let Val::Result(Ok(Some(read))) = read else { panic!("{}", show(&read)) };
        let Val::Tuple(read) = *read else { panic!() };
        let found = if wanted == 0 { Vec::new() } else { bytes_of(&read[0]) };
        assert!(found == data[at as usize..at as usize + wanted], "{len} {at}");
        assert_eq!(show(&read[1]), (wanted == 0).to_string());
    }
    // What is shorter than it was when it was asked is short for the guest.
    std::fs::write(temp.join("file"), &data[..20_000]).unwrap();
    let stream = resource(&mut guest, "read-via-stream", &[of(file), u64(0)]);
    assert!(guest.read_all(stream) == data[..20_000]);
}

#[test]
fn attributes_are_those_of_the_host() {
    let temp = TempDir::new();
    temp.write("file", "12345");
    std::fs::hard_link(temp.join("file"), temp.join("other")).unwrap();
    symlink("file", temp.join("link")).unwrap();
    symlink("nowhere", temp.join("dangling")).unwrap();
    let (mut guest, root) = writable(&temp);
    let file = guest.open(root, "file", "read").unwrap();
    let by_descriptor = value(&mut guest, "stat", &[of(file)]);
    let meta = std::fs::metadata(temp.join("file")).unwrap();
    assert_eq!(show(&field(&by_descriptor, "type")), "regular-file");
    assert_eq!(show(&field(&by_descriptor, "size")), "5");
    assert_eq!(show(&field(&by_descriptor, "link-count")), "2");
    let time = datetime(meta.mtime() as u64, meta.mtime_nsec() as u32);
    let modified = show(&field(&by_descriptor, "data-modification-timestamp"));
    assert_eq!(modified, format!("some({})", show(&time)));
    let stat_at = |guest: &mut Guest, path: &str, follow: bool| {
        value(guest, "stat-at", &[of(root), path_flags(follow), text(path)])
    };
    assert_eq!(show(&stat_at(&mut guest, "other", false)), show(&by_descriptor));
    assert_eq!(show(&stat_at(&mut guest, "link", true)), show(&by_descriptor));
    let link = stat_at(&mut guest, "link", false);
    assert_eq!(show(&field(&link, "type")), "symbolic-link");
    assert_eq!(show(&field(&link, "size")), "4");
    assert_eq!(show(&field(&stat_at(&mut guest, ".", false), "type")), "directory");
    for (path, follow, wanted) in [
        ("dangling", true, "no-entry"),
        ("link/", false, "not-directory"),
        ("", false, "no-entry"),
        ("..", false, "not-permitted"),
    ] {
        assert_eq!(show(&stat_at(&mut guest, path, follow)), format!("err({wanted})"), "{path}");
    }
}

#[test]
fn hashes_tell_files_apart_and_stay() {
    let temp = TempDir::new();
    temp.write("file", "text");
    std::fs::hard_link(temp.join("file"), temp.join("same")).unwrap();
    temp.write("other", "text");
    symlink("file", temp.join("link")).unwrap();
    let (mut guest, root) = writable(&temp);
    let file = guest.open(root, "file", "read write").unwrap();
    let hash = call(&mut guest, "metadata-hash", &[of(file)]);
    let hash_at = |guest: &mut Guest, path: &str, follow: bool| {
        call(guest, "metadata-hash-at", &[of(root), path_flags(follow), text(path)])
    };
    assert_eq!(hash_at(&mut guest, "same", false), hash);
    assert_eq!(hash_at(&mut guest, "link", true), hash);
    assert_ne!(hash_at(&mut guest, "link", false), hash);
    assert_ne!(hash_at(&mut guest, "other", false), hash);
    assert_eq!(hash_at(&mut guest, "none", false), "err(no-entry)");
    call(&mut guest, "write", &[of(file), bytes(b"longer text"), u64(0)]);
    assert_eq!(call(&mut guest, "metadata-hash", &[of(file)]), hash);
    let same = guest.open(root, "same", "read").unwrap();
    let other = guest.open(root, "other", "read").unwrap();
    assert_eq!(call(&mut guest, "is-same-object", &[of(file), of(same)]), "true");
    assert_eq!(call(&mut guest, "is-same-object", &[of(file), of(other)]), "false");
    let mut another = Guest::new(Grants::new().dir(temp.path(), "/", Access::ReadOnly));
    let root = another.root();
    let args = [of(root), path_flags(false), text("same")];
    assert_ne!(call(&mut another, "metadata-hash-at", &args), hash);
}

#[test]
fn times_are_set_within_what_there_is() {
    let temp = TempDir::new();
    temp.write("file", "text");
    symlink("file", temp.join("link")).unwrap();
    let (mut guest, root) = writable(&temp);
    let file = guest.open(root, "file", "read write").unwrap();
    let set = |guest: &mut Guest, access: Val, modified: Val| {
        call(guest, "set-times", &[of(file), access, modified])
    };
    let times = || {
        let meta = std::fs::metadata(temp.join("file")).unwrap();
        (meta.atime(), meta.mtime(), meta.mtime_nsec())
    };
    assert_eq!(set(&mut guest, at(1, 0), at(2, 999_999_999)), "ok");
    assert_eq!(times(), (1, 2, 999_999_999));
    assert_eq!(set(&mut guest, case("no-change"), at(3, 0)), "ok");
    assert_eq!(times(), (1, 3, 0));
    assert_eq!(set(&mut guest, case("now"), case("no-change")), "ok");
    assert!(times().0 > 1_000_000_000);
    for (time, wanted) in [
        (at(0, 1_000_000_000), "err(invalid)"),
        // What the host calls "now" and "no change".
        (at(0, (1 << 30) - 1), "err(invalid)"),
        (at(0, (1 << 30) - 2), "err(invalid)"),
        (at(0, u32::MAX), "err(invalid)"),
        (at(1 << 63, 0), "err(overflow)"),
        (at(u64::MAX, 0), "err(overflow)"),
    ] {
        assert_eq!(set(&mut guest, time.clone(), case("no-change")), wanted);
        let args = [of(root), path_flags(true), text("file"), case("no-change"), time];
        assert_eq!(call(&mut guest, "set-times-at", &args), wanted);
    }
    // File systems cut what they cannot keep.
    assert_eq!(set(&mut guest, case("no-change"), at(i64::MAX as u64, 0)), "ok");
    assert!(times().1 > 1_000_000_000);
    let set_at = |guest: &mut Guest, path: &str, follow: bool, seconds: u64| {
        let args = [of(root), path_flags(follow), text(path), at(seconds, 0), at(seconds, 0)];
        call(guest, "set-times-at", &args)
    };
    assert_eq!(set_at(&mut guest, "link", true, 10), "ok");
    assert_eq!(set_at(&mut guest, "link", false, 20), "ok");
    assert_eq!(times().1, 10);
    assert_eq!(std::fs::symlink_metadata(temp.join("link")).unwrap().mtime(), 20);
    assert_eq!(set_at(&mut guest, ".", false, 30), "ok");
    assert_eq!(call(&mut guest, "set-times", &[of(root), at(40, 0), at(41, 0)]), "ok");
    assert_eq!(std::fs::metadata(temp.path()).unwrap().mtime(), 41);
}

#[test]
fn syncing_and_advice_work() {
    let temp = TempDir::new();
    temp.write("file", "text");
    let (mut guest, root) = writable(&temp);
    for words in ["read", "write", "read write"] {
        let file = guest.open(root, "file", words).unwrap();
        for name in ["sync", "sync-data"] {
            assert_eq!(call(&mut guest, name, &[of(file)]), "ok");
        }
        for advice in ["normal", "sequential", "random", "will-need", "dont-need", "no-reuse"] {
            for (offset, len) in [(0, 0), (1, 2), (1 << 61, 1 << 61)] {
                let args = [of(file), u64(offset), u64(len), Val::Enum(advice.into())];
                assert_eq!(call(&mut guest, "advise", &args), "ok");
            }
            let args = [of(file), u64(0), u64(u64::MAX), Val::Enum(advice.into())];
            assert_eq!(call(&mut guest, "advise", &args), "err(invalid)");
        }
    }
    for name in ["sync", "sync-data"] {
        assert_eq!(call(&mut guest, name, &[of(root)]), "ok");
    }
}

#[test]
fn names_are_created_linked_renamed_and_removed() {
    let temp = TempDir::new();
    temp.write("file", "text");
    let (mut guest, root) = writable(&temp);
    let one =
        |guest: &mut Guest, name: &str, path: &str| call(guest, name, &[of(root), text(path)]);
    let two = |guest: &mut Guest, path: &str, new: &str| {
        call(guest, "rename-at", &[of(root), text(path), of(root), text(new)])
    };
    let link = |guest: &mut Guest, path: &str, follow: bool, new: &str| {
        let args = [of(root), path_flags(follow), text(path), of(root), text(new)];
        call(guest, "link-at", &args)
    };
    let symlink_at = |guest: &mut Guest, target: &str, path: &str| {
        call(guest, "symlink-at", &[of(root), text(target), text(path)])
    };
    let guest = &mut guest;
    assert_eq!(one(guest, "create-directory-at", "dir"), "ok");
    assert_eq!(one(guest, "create-directory-at", "dir/sub/"), "ok");
    assert_eq!(one(guest, "create-directory-at", "dir"), "err(exist)");
    assert_eq!(one(guest, "create-directory-at", "."), "err(exist)");
    assert_eq!(one(guest, "create-directory-at", "none/sub"), "err(no-entry)");

    assert_eq!(symlink_at(guest, "file", "link"), "ok");
    assert_eq!(symlink_at(guest, "../file", "dir/up"), "ok");
    assert_eq!(symlink_at(guest, "/etc/passwd", "abs"), "err(not-permitted)");
    assert_eq!(symlink_at(guest, "", "empty"), "err(no-entry)");
    assert_eq!(symlink_at(guest, "a\0b", "nul"), "err(invalid)");
    assert_eq!(one(guest, "readlink-at", "link"), "ok(\"file\")");
    assert_eq!(one(guest, "readlink-at", "dir/up"), "ok(\"../file\")");
    assert_eq!(one(guest, "readlink-at", "file"), "err(invalid)");
    symlink("/etc/passwd", temp.join("abs")).unwrap();
    assert_eq!(one(guest, "readlink-at", "abs"), "err(not-permitted)");
    symlink(
        <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff"),
        temp.join("odd"),
    )
    .unwrap();
    assert_eq!(one(guest, "readlink-at", "odd"), "err(illegal-byte-sequence)");

    assert_eq!(link(guest, "file", false, "hard"), "ok");
    assert_eq!(link(guest, "file", false, "hard"), "err(exist)");
    assert_eq!(link(guest, "link", true, "hard-2"), "ok");
    assert_eq!(std::fs::metadata(temp.join("file")).unwrap().nlink(), 3);
    assert_eq!(link(guest, "dir", false, "hard-dir"), "err(not-permitted)");
    assert_eq!(link(guest, "none", false, "x"), "err(no-entry)");

    assert_eq!(two(guest, "hard", "dir/moved"), "ok");
    assert_eq!(two(guest, "none", "x"), "err(no-entry)");
    assert_eq!(two(guest, "dir", "dir/sub/x"), "err(invalid)");
    assert_eq!(two(guest, "dir/sub", "file"), "err(not-directory)");
    assert_eq!(two(guest, "file", "dir"), "err(is-directory)");
    assert_eq!(two(guest, ".", "x"), "err(busy)");

    assert_eq!(one(guest, "unlink-file-at", "dir"), "err(is-directory)");
    assert_eq!(one(guest, "unlink-file-at", "dir/"), "err(is-directory)");
    assert_eq!(one(guest, "unlink-file-at", "file/"), "err(not-directory)");
    assert_eq!(one(guest, "unlink-file-at", "link/"), "err(not-directory)");
    assert_eq!(one(guest, "unlink-file-at", "link"), "ok");
    assert_eq!(one(guest, "unlink-file-at", "dir/moved"), "ok");
    assert_eq!(one(guest, "remove-directory-at", "dir"), "err(not-empty)");
    assert_eq!(one(guest, "remove-directory-at", "file"), "err(not-directory)");
    assert_eq!(one(guest, "remove-directory-at", "dir/sub/"), "ok");
    assert_eq!(one(guest, "unlink-file-at", "dir/up"), "ok");
    assert_eq!(one(guest, "remove-directory-at", "dir/"), "ok");
    assert_eq!(one(guest, "remove-directory-at", "."), "err(invalid)");
    assert_eq!(temp.read("file"), b"text");
}

#[test]
fn directories_are_listed_anew_each_time() {
    let temp = TempDir::new();
    std::fs::create_dir(temp.join("dir")).unwrap();
    symlink("x", temp.join("link")).unwrap();
    let (mut guest, root) = writable(&temp);
    let few = r#"ok(some({type: directory, name: "dir"}))"#;
    assert_eq!(entries(&mut guest, root)[0], few);
    let dir = guest.open(root, "dir", "directory read").unwrap();
    assert_eq!(entries(&mut guest, dir).len(), 0);
    for i in 0..2000 {
        temp.write(&format!("dir/{i:0>100}"), "");
    }
    assert_eq!(entries(&mut guest, dir).len(), 2000);
    // Two listings do not disturb each other.
    let first = resource(&mut guest, "read-directory", &[of(dir)]);
    let next = "filesystem-types-directory-entry-stream-read-directory-entry";
    let one = guest.call(next, &[of(first)]);
    let second = resource(&mut guest, "read-directory", &[of(dir)]);
    assert_eq!(guest.call(next, &[of(second)]), one);
    // Nor does the end of the directory.
    std::fs::remove_dir_all(temp.join("dir")).unwrap();
    while guest.call(next, &[of(first)]) != "ok(none)" {}
    assert_eq!(guest.call(next, &[of(first)]), "ok(none)");
}

#[test]
fn names_that_are_not_utf8_are_errors_in_their_place() {
    use std::os::unix::ffi::OsStrExt;
    let temp = TempDir::new();
    temp.write("a", "");
    let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    std::fs::write(temp.path().join(odd), "").unwrap();
    temp.write("z", "");
    let (mut guest, root) = writable(&temp);
    let found = entries(&mut guest, root);
    assert_eq!(
        found,
        [
            "err(illegal-byte-sequence)",
            r#"ok(some({type: regular-file, name: "a"}))"#,
            r#"ok(some({type: regular-file, name: "z"}))"#
        ]
    );
}

#[test]
fn open_files_streams_and_listings_have_a_limit() {
    let temp = TempDir::new();
    temp.write("file", "text");
    let grants = Grants::new().dir(temp.path(), "/", Access::ReadOnly).max_descriptors(6);
    let mut guest = Guest::new(grants);
    let root = guest.root();
    let first = guest.open(root, "file", "read").unwrap();
    let second = guest.open(root, ".", "read").unwrap();
    let full = Err("err(insufficient-memory)".to_owned());
    assert_eq!(guest.open(root, "file", "read"), full);
    assert_eq!(call(&mut guest, "read-directory", &[of(root)]), "err(insufficient-memory)");
    guest.drop(second);
    let listing = resource(&mut guest, "read-directory", &[of(root)]);
    assert_eq!(guest.open(root, "file", "read"), full);
    guest.drop(listing);
    // A file is open as long as its last stream.
    let stream = resource(&mut guest, "read-via-stream", &[of(first), u64(0)]);
    guest.drop(first);
    guest.open(root, "file", "read").unwrap();
    assert_eq!(guest.open(root, "file", "read"), full);
    guest.drop(stream);
    guest.open(root, "file", "read").unwrap();
}

#[test]
fn sealed_files_are_not_opened_for_writing() {
    let temp = TempDir::new();
    temp.write("sealed", "code");
    temp.write("cached", "code");
    std::fs::set_permissions(temp.join("cached"), PermissionsExt::from_mode(0o500)).unwrap();
    let meta = std::fs::metadata(temp.join("sealed")).unwrap();
    let mut ctx = Ctx::new(Grants::new().dir(temp.path(), "/", Access::ReadWrite)).unwrap();
    ctx.seal([(meta.dev(), meta.ino())]);
    let mut guest = Guest::of(ctx);
    let root = guest.root();
    for words in ["write", "read write", "truncate", "create write", "truncate write"] {
        assert!(guest.open(root, "sealed", words).is_err(), "{words}");
        assert!(guest.open(root, "cached", words).is_err(), "{words}");
    }
    assert_eq!(temp.read("sealed"), b"code");
    assert_eq!(temp.read("cached"), b"code");
    guest.open(root, "sealed", "read").unwrap();
}

#[test]
fn devices_and_fifos_are_streams() {
    let temp = TempDir::new();
    let fifo = temp.join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let (mut guest, root) = writable(&temp);
    let file = guest.open(root, "fifo", "read write").unwrap();
    assert_eq!(call(&mut guest, "get-type", &[of(file)]), "ok(fifo)");
    let input = resource(&mut guest, "read-via-stream", &[of(file), u64(5)]);
    let output = resource(&mut guest, "append-via-stream", &[of(file)]);
    assert_eq!(guest.call("io-streams-input-stream-read", &[of(input), u64(9)]), "ok([])");
    let pollable = guest.resource("io-streams-input-stream-subscribe", &[of(input)]);
    assert_eq!(guest.call("io-poll-pollable-ready", &[of(pollable)]), "false");
    guest.write_all(output, b"text");
    assert_eq!(guest.call("io-poll-pollable-ready", &[of(pollable)]), "true");
    let read = guest.call("io-streams-input-stream-blocking-read", &[of(input), u64(9)]);
    assert_eq!(read, "ok(b\"text\")");
    assert_eq!(call(&mut guest, "read", &[of(file), u64(1), u64(0)]), "err(invalid-seek)");
    // A full one permits nothing, and does not make the guest wait.
    let mut written = 0;
    let full = loop {
        match guest.call("io-streams-output-stream-check-write", &[of(output)]) {
            room if room == "ok(4096)" => {
                let write = [of(output), bytes(&[0; 4096])];
                assert_eq!(guest.call("io-streams-output-stream-write", &write), "ok");
                written += 4096;
            }
            other => break other,
        }
        assert!(written <= 16 << 20);
    };
    assert_eq!(full, "ok(0)");
}

//! Directories and names: listings with cookies, creating, removing, renaming, linking.

mod common;

use std::collections::BTreeSet;

use common::*;
use lithe_wasi::{Access, Errno, Grants};

const DIR: u32 = 3;

fn guest(temp: &TempDir, by_component: bool) -> Guest {
    let grants = Grants::new().dir(temp.path(), "/", Access::ReadWrite);
    Guest::new(if by_component { grants.resolve_by_component() } else { grants })
}

/// Runs a test with both resolvers.
fn both(test: impl Fn(&TempDir, &mut Guest)) {
    for by_component in [false, true] {
        let temp = TempDir::new();
        let mut guest = guest(&temp, by_component);
        test(&temp, &mut guest);
    }
}

#[test]
fn listings_are_complete_with_any_buffer() {
    let temp = TempDir::new();
    let mut names = BTreeSet::from([b".".to_vec(), b"..".to_vec()]);
    for index in 0..300 {
        let name = format!("{index}-{}", "x".repeat(index % 200));
        temp.write(&name, "");
        names.insert(name.into_bytes());
    }
    let mut guest = guest(&temp, false);
    // 24 bytes and the longest name are the smallest buffer that makes progress.
    for len in [24 + 204, 256, 300, 1000, 4096, 65536] {
        let entries = guest.list(DIR, len).unwrap();
        assert_eq!(entries.len(), names.len(), "{len}");
        assert_eq!(entries.into_iter().map(|e| e.name).collect::<BTreeSet<_>>(), names);
    }
    let (entries, full) = guest.readdir(DIR, 0, 10).unwrap();
    assert!(entries.is_empty() && full);
    assert_eq!(guest.readdir(DIR, 0, 0), Ok((Vec::new(), true)));
    assert!(guest.readdir(DIR, u64::MAX, 100).is_err());
}

#[test]
fn cookies_survive_changes() {
    let temp = TempDir::new();
    for index in 0..100 {
        temp.write(&format!("{index}"), "");
    }
    let mut guest = guest(&temp, false);
    // Removing what was listed, as `rm -r` does, hides nothing.
    let (mut cookie, mut removed) = (0, 0);
    loop {
        let (entries, full) = guest.readdir(DIR, cookie, 200).unwrap();
        for entry in entries {
            cookie = entry.next;
            if entry.filetype == 4 {
                guest.unlink(DIR, entry.name).unwrap();
                removed += 1;
            }
        }
        if !full {
            break;
        }
    }
    assert_eq!(removed, 100);
    assert_eq!(guest.list(DIR, 200).unwrap().len(), 2);
}

#[test]
fn entries_have_types_and_inodes() {
    let temp = TempDir::new();
    std::fs::create_dir(temp.join("dir")).unwrap();
    temp.write("dir/file", "");
    std::os::unix::fs::symlink("nowhere", temp.join("dir/link")).unwrap();
    let mut guest = guest(&temp, false);
    let root = guest.fd_filestat(DIR).unwrap();
    let dir = guest.open(DIR, 0, "dir", DIRECTORY, READ, 0).unwrap();
    for (fd, parent) in [(DIR, root.ino), (dir, root.ino)] {
        let own = guest.fd_filestat(fd).unwrap().ino;
        for entry in guest.list(fd, 4096).unwrap() {
            let (filetype, ino) = match &entry.name[..] {
                b"." => (3, own),
                b".." => (3, parent),
                b"dir" => (3, guest.path_filestat(DIR, 0, "dir").unwrap().ino),
                b"file" => (4, guest.path_filestat(dir, 0, "file").unwrap().ino),
                b"link" => (7, guest.path_filestat(dir, 0, "link").unwrap().ino),
                name => panic!("unexpected {name:?}"),
            };
            assert_eq!((entry.filetype, entry.ino), (filetype, ino), "{:?}", entry.name);
        }
    }
    assert_eq!(guest.readdir(0, 0, 100), Err(Errno::Notdir));
    assert_eq!(guest.readdir(99, 0, 100), Err(Errno::Badf));
    // A removed directory is empty.
    std::fs::remove_dir_all(temp.join("dir")).unwrap();
    assert_eq!(guest.list(dir, 4096), Ok(Vec::new()));
}

#[test]
fn directories_are_not_files() {
    let temp = TempDir::new();
    std::fs::create_dir(temp.join("dir")).unwrap();
    let mut guest = guest(&temp, false);
    let dir = guest.open(DIR, 0, "dir", 0, READ, 0).unwrap();
    for fd in [DIR, dir] {
        assert_eq!(guest.read(fd, 10), Err(Errno::Isdir));
        assert_eq!(guest.pread(fd, 10, 0), Err(Errno::Isdir));
        assert_eq!(guest.write(fd, b"x"), Err(Errno::Badf));
        assert_eq!(guest.pwrite(fd, b"x", 0), Err(Errno::Badf));
        assert_eq!(guest.seek(fd, 0, 1), Err(Errno::Badf));
        assert_eq!(guest.tell(fd), Err(Errno::Badf));
        assert_eq!(guest.call("fd_allocate", &[fd.into(), 0, 1]), Err(Errno::Badf));
        assert_eq!(guest.call("fd_filestat_set_size", &[fd.into(), 0]), Err(Errno::Badf));
        assert_eq!(guest.call("fd_sync", &[fd.into()]), Ok(()));
        assert_eq!(guest.call("fd_datasync", &[fd.into()]), Ok(()));
        assert_eq!(guest.fd_filestat(fd).unwrap().filetype, 3);
    }
    assert_eq!(guest.open(DIR, 0, "dir", 0, READ | WRITE, 0), Err(Errno::Isdir));
    assert_eq!(guest.open(DIR, 0, ".", DIRECTORY, READ | WRITE, 0), Err(Errno::Isdir));
    let stat = guest.fdstat(DIR).unwrap();
    assert!(guest.open(DIR, 0, ".", 0, stat.base, 0).is_ok());
}

#[test]
fn closing_a_preopen_leaves_its_files_usable() {
    let temp = TempDir::new();
    temp.write("file", "contents");
    let mut guest = guest(&temp, false);
    let dir = guest.open(DIR, 0, ".", DIRECTORY, READ, 0).unwrap();
    guest.close(DIR).unwrap();
    assert_eq!(guest.fdstat(DIR), Err(Errno::Badf));
    assert!(guest.open(dir, 0, "file", 0, READ, 0).is_ok());
    assert_eq!(guest.list(dir, 4096).unwrap().len(), 3);
}

#[test]
fn names_are_made_and_removed() {
    both(|temp, guest| {
        guest.mkdir(DIR, "dir").unwrap();
        guest.mkdir(DIR, "dir/nested/").unwrap();
        assert_eq!(guest.mkdir(DIR, "dir"), Err(Errno::Exist));
        assert_eq!(guest.mkdir(DIR, "dir/."), Err(Errno::Exist));
        assert_eq!(guest.mkdir(DIR, "dir/.."), Err(Errno::Exist));
        assert_eq!(guest.mkdir(DIR, "no/dir"), Err(Errno::Noent));
        temp.write("file", "");
        assert_eq!(guest.mkdir(DIR, "file/dir"), Err(Errno::Notdir));
        assert_eq!(guest.rmdir(DIR, "dir"), Err(Errno::Notempty));
        assert_eq!(guest.rmdir(DIR, "dir/."), Err(Errno::Inval));
        assert_eq!(guest.rmdir(DIR, "dir/nested/.."), Err(Errno::Notempty));
        assert_eq!(guest.rmdir(DIR, "file"), Err(Errno::Notdir));
        assert_eq!(guest.rmdir(DIR, "file/"), Err(Errno::Notdir));
        assert_eq!(guest.rmdir(DIR, "dir/nested/"), Ok(()));
        std::os::unix::fs::symlink("dir", temp.join("link")).unwrap();
        assert_eq!(guest.rmdir(DIR, "link"), Err(Errno::Notdir));
        assert_eq!(guest.rmdir(DIR, "link/"), Err(Errno::Notdir));
        assert_eq!(guest.unlink(DIR, "dir"), Err(Errno::Isdir));
        assert_eq!(guest.unlink(DIR, "dir/"), Err(Errno::Isdir));
        assert_eq!(guest.unlink(DIR, "."), Err(Errno::Isdir));
        assert_eq!(guest.unlink(DIR, "file/"), Err(Errno::Notdir));
        assert_eq!(guest.unlink(DIR, "link/"), Err(Errno::Notdir));
        assert_eq!(guest.unlink(DIR, "link"), Ok(()));
        assert_eq!(guest.unlink(DIR, "file"), Ok(()));
        assert_eq!(guest.unlink(DIR, "file"), Err(Errno::Noent));
        assert_eq!(guest.rmdir(DIR, "dir//"), Ok(()));
        assert_eq!(guest.unlink(DIR, ""), Err(Errno::Noent));
        assert_eq!(guest.mkdir(DIR, "/dir"), Err(Errno::Perm));
        assert_eq!(guest.mkdir(DIR, "../dir"), Err(Errno::Perm));
        assert_eq!(guest.mkdir(DIR, "a\0b"), Err(Errno::Inval));
        assert_eq!(guest.mkdir(DIR, vec![b'a'; 256]), Err(Errno::Nametoolong));
        assert_eq!(guest.mkdir(DIR, vec![b'a'; 5000]), Err(Errno::Nametoolong));
        assert_eq!(guest.mkdir(DIR, b"\xff\xfe"), Ok(()));
        assert_eq!(guest.mkdir(0, "dir"), Err(Errno::Notdir));
        assert_eq!(guest.mkdir(99, "dir"), Err(Errno::Badf));
    });
}

#[test]
fn renaming_follows_posix() {
    both(|temp, guest| {
        temp.write("a", "a");
        temp.write("b", "b");
        for dir in ["dir", "full", "full/x"] {
            std::fs::create_dir(temp.join(dir)).unwrap();
        }
        assert_eq!(guest.rename((DIR, "a"), (DIR, "b")), Ok(()));
        assert_eq!(temp.read("b"), b"a");
        assert_eq!(guest.rename((DIR, "b"), (DIR, "dir")), Err(Errno::Isdir));
        assert_eq!(guest.rename((DIR, "dir"), (DIR, "b")), Err(Errno::Notdir));
        assert_eq!(guest.rename((DIR, "dir"), (DIR, "full")), Err(Errno::Notempty));
        assert_eq!(guest.rename((DIR, "full"), (DIR, "full/x/y")), Err(Errno::Inval));
        assert_eq!(guest.rename((DIR, "dir/"), (DIR, "dir2")), Ok(()));
        assert_eq!(guest.rename((DIR, "dir2"), (DIR, "dir/")), Ok(()));
        assert_eq!(guest.rename((DIR, "dir/"), (DIR, "dir2/")), Ok(()));
        assert_eq!(guest.rename((DIR, "b/"), (DIR, "c")), Err(Errno::Notdir));
        assert_eq!(guest.rename((DIR, "b"), (DIR, "c/")), Err(Errno::Notdir));
        assert_eq!(guest.rename((DIR, "."), (DIR, "c")), Err(Errno::Busy));
        assert_eq!(guest.rename((DIR, "b"), (DIR, "dir2/..")), Err(Errno::Busy));
        assert_eq!(guest.rename((DIR, "missing"), (DIR, "c")), Err(Errno::Noent));
        let dir = guest.open(DIR, 0, "dir2", DIRECTORY, READ, 0).unwrap();
        assert_eq!(guest.rename((DIR, "b"), (dir, "moved")), Ok(()));
        assert_eq!(guest.rename((dir, "moved"), (DIR, "full/x/b")), Ok(()));
        assert_eq!(temp.read("full/x/b"), b"a");
    });
}

#[test]
fn linking_follows_posix() {
    both(|temp, guest| {
        temp.write("file", "contents");
        std::fs::create_dir(temp.join("dir")).unwrap();
        let link = |guest: &mut Guest, old: &str, flags, new: &str| {
            guest.link((DIR, old), flags, (DIR, new))
        };
        assert_eq!(link(guest, "file", 0, "dir/link"), Ok(()));
        assert_eq!(guest.path_filestat(DIR, 0, "dir/link").unwrap().nlink, 2);
        assert_eq!(link(guest, "file", 0, "dir/link"), Err(Errno::Exist));
        assert_eq!(link(guest, "file", 0, "file"), Err(Errno::Exist));
        assert_eq!(link(guest, "file", 0, "dir"), Err(Errno::Exist));
        assert_eq!(link(guest, "file", 0, "dir/.."), Err(Errno::Exist));
        assert_eq!(link(guest, "dir", 0, "new"), Err(Errno::Perm));
        assert_eq!(link(guest, "dir/", 0, "new"), Err(Errno::Perm));
        assert_eq!(link(guest, "file/", 0, "new"), Err(Errno::Notdir));
        assert_eq!(link(guest, "file", 0, "new/"), Err(Errno::Noent));
        guest.symlink("missing", DIR, "symlink").unwrap();
        assert_eq!(link(guest, "symlink", FOLLOW, "new"), Err(Errno::Noent));
        assert_eq!(link(guest, "symlink", 0, "new"), Ok(()));
        assert_eq!(guest.readlink(DIR, "new", 100).unwrap(), b"missing");
        assert_eq!(link(guest, "file", 0, "symlink"), Err(Errno::Exist));
        guest.symlink("dir/link", DIR, "symlink2").unwrap();
        assert_eq!(link(guest, "symlink2", FOLLOW, "third"), Ok(()));
        assert_eq!(guest.path_filestat(DIR, 0, "third").unwrap().nlink, 3);
        assert_eq!(link(guest, "file", 2, "fourth"), Err(Errno::Inval));
    });
}

#[test]
fn links_are_made_read_and_followed() {
    both(|temp, guest| {
        temp.write("target", "contents");
        guest.symlink("target", DIR, "link").unwrap();
        assert_eq!(guest.readlink(DIR, "link", 100).unwrap(), b"target");
        assert_eq!(guest.readlink(DIR, "link", 4).unwrap(), b"targ");
        assert_eq!(guest.readlink(DIR, "link", 0).unwrap(), b"");
        assert_eq!(guest.readlink(DIR, "target", 100), Err(Errno::Inval));
        assert_eq!(guest.readlink(DIR, "missing", 100), Err(Errno::Noent));
        assert_eq!(guest.readlink(DIR, ".", 100), Err(Errno::Inval));
        assert_eq!(guest.symlink("/etc", DIR, "absolute"), Err(Errno::Perm));
        assert_eq!(guest.symlink("", DIR, "empty"), Err(Errno::Noent));
        assert_eq!(guest.symlink("a\0b", DIR, "nul"), Err(Errno::Inval));
        assert_eq!(guest.symlink("x", DIR, "link"), Err(Errno::Exist));
        assert_eq!(guest.symlink("x", DIR, "new/"), Err(Errno::Noent));
        assert_eq!(guest.symlink(vec![b'x'; 5000], DIR, "long"), Err(Errno::Nametoolong));
        assert_eq!(guest.open(DIR, 0, "link", 0, READ, 0), Err(Errno::Loop));
        let fd = guest.open(DIR, FOLLOW, "link", 0, READ, 0).unwrap();
        assert_eq!(guest.read(fd, 100).unwrap(), b"contents");
        assert_eq!(guest.path_filestat(DIR, 0, "link").unwrap().filetype, 7);
        assert_eq!(guest.path_filestat(DIR, FOLLOW, "link").unwrap().filetype, 4);
        // A dangling link creates what it leads to.
        guest.symlink("made", DIR, "dangling").unwrap();
        assert_eq!(guest.open(DIR, 0, "dangling", CREAT, WRITE, 0), Err(Errno::Loop));
        assert_eq!(guest.open(DIR, FOLLOW, "dangling", CREAT | EXCL, WRITE, 0), Err(Errno::Exist));
        assert!(guest.open(DIR, FOLLOW, "dangling", CREAT, WRITE, 0).is_ok());
        assert!(temp.join("made").exists());
        // Long chains work, endless ones end.
        guest.symlink("target", DIR, "chain-0").unwrap();
        for index in 1..45 {
            guest.symlink(format!("chain-{}", index - 1), DIR, format!("chain-{index}")).unwrap();
        }
        for (name, good) in [("chain-30", true), ("chain-44", false)] {
            assert_eq!(guest.open(DIR, FOLLOW, name, 0, READ, 0).is_ok(), good, "{name}");
            assert_eq!(guest.path_filestat(DIR, FOLLOW, name).is_ok(), good, "{name}");
        }
    });
}

#[test]
fn winding_paths_resolve() {
    both(|temp, guest| {
        std::fs::create_dir_all(temp.join("dir/nested")).unwrap();
        temp.write("dir/nested/file", "contents");
        let winding = "dir/.//nested/../../dir/nested/../nested///./file";
        let fd = guest.open(DIR, 0, winding, 0, READ, 0).unwrap();
        assert_eq!(guest.read(fd, 100).unwrap(), b"contents");
        assert!(guest.open(DIR, 0, "dir/nested///", 0, READ, 0).is_ok());
        let nested = guest.open(DIR, 0, "dir/nested", DIRECTORY, READ, 0).unwrap();
        // Every directory descriptor is a root of its own.
        assert_eq!(guest.open(nested, 0, "../nested/file", 0, READ, 0), Err(Errno::Perm));
        assert_eq!(guest.open(nested, 0, "..", 0, READ, 0), Err(Errno::Perm));
        std::fs::create_dir_all(temp.join(&"d/".repeat(100))).unwrap();
        assert!(guest.open(DIR, 0, "d/".repeat(100), DIRECTORY, READ, 0).is_ok());
    });
}

//! Files as wasi-libc, Rust and Go use them: opening, rights, positions, sizes, times, vectors.

mod common;

use std::os::unix::fs::MetadataExt;

use common::*;
use lithe_wasi::{Access, Errno, Grants, Input, Output, OutputPipe};

const DIR: u32 = 3;
const SECOND: u64 = 1_000_000_000;

fn guest(temp: &TempDir) -> Guest {
    Guest::new(Grants::new().dir(temp.path(), "/", Access::ReadWrite))
}

#[test]
fn files_are_created_written_and_read() {
    let temp = TempDir::new();
    let mut guest = guest(&temp);
    let fd = guest.open(DIR, 0, "file", CREAT, READ | WRITE, 0).unwrap();
    assert_eq!(fd, 4);
    assert_eq!(guest.write(fd, b"hello world"), Ok(11));
    assert_eq!(guest.tell(fd), Ok(11));
    assert_eq!(guest.seek(fd, -5, 2), Ok(6));
    assert_eq!(guest.read(fd, 100).unwrap(), b"world");
    assert_eq!(guest.read(fd, 100).unwrap(), b"");
    assert_eq!(guest.seek(fd, -1, 0), Err(Errno::Inval));
    assert_eq!(guest.seek(fd, -100, 1), Err(Errno::Inval));
    assert_eq!(guest.seek(fd, 0, 3), Err(Errno::Inval));
    assert_eq!(guest.pread(fd, 3, 2).unwrap(), b"llo");
    assert_eq!(guest.pwrite(fd, b"J", 0), Ok(1));
    assert_eq!(guest.tell(fd), Ok(11));
    assert_eq!(guest.pread(fd, 3, u64::MAX), Err(Errno::Inval));
    assert_eq!(guest.pwrite(fd, b"J", u64::MAX), Err(Errno::Inval));
    assert_eq!(guest.open(DIR, 0, "file", CREAT | EXCL, WRITE, 0), Err(Errno::Exist));
    assert_eq!(temp.read("file"), b"Jello world");
    guest.close(fd).unwrap();
    assert_eq!(guest.close(fd), Err(Errno::Badf));
    assert_eq!(guest.open(DIR, 0, "file", CREAT | DIRECTORY, READ, 0), Err(Errno::Inval));
    assert_eq!(guest.open(DIR, 0, "file", DIRECTORY, READ, 0), Err(Errno::Notdir));
    assert_eq!(guest.open(DIR, 0, "missing", 0, READ, 0), Err(Errno::Noent));
    assert_eq!(guest.open(DIR, 0, "new/", CREAT, WRITE, 0), Err(Errno::Isdir));
    assert_eq!(guest.open(99, 0, "file", 0, READ, 0), Err(Errno::Badf));
    assert_eq!(guest.open(0, 0, "file", 0, READ, 0), Err(Errno::Notdir));
    for (dirflags, oflags, fdflags) in [(2, 0, 0), (0, 16, 0), (0, 0, 32), (0, 1 << 16, 0)] {
        let opened = guest.open(DIR, dirflags, "file", oflags, READ, fdflags);
        assert_eq!(opened, Err(Errno::Inval));
    }
}

#[test]
fn access_follows_the_rights_asked_for() {
    let temp = TempDir::new();
    temp.write("file", "contents");
    let mut guest = guest(&temp);
    let reader = guest.open(DIR, 0, "file", 0, READ, 0).unwrap();
    let writer = guest.open(DIR, 0, "file", 0, WRITE, 0).unwrap();
    let nothing = guest.open(DIR, 0, "file", 0, 0, 0).unwrap();
    assert_eq!(guest.fdstat(reader).unwrap().base & (READ | WRITE), READ);
    assert_eq!(guest.fdstat(writer).unwrap().base & (READ | WRITE), WRITE);
    assert_eq!(guest.fdstat(nothing).unwrap().base & (READ | WRITE), 0);
    assert_eq!(guest.write(reader, b"x"), Err(Errno::Badf));
    assert_eq!(guest.read(writer, 1), Err(Errno::Badf));
    assert_eq!(guest.read(nothing, 1), Err(Errno::Badf));
    assert_eq!(guest.call("fd_filestat_set_size", &[reader.into(), 1]), Err(Errno::Badf));
    assert_eq!(guest.call("fd_allocate", &[reader.into(), 0, 1]), Err(Errno::Badf));
    assert_eq!(guest.fd_filestat(nothing).unwrap().size, 8);
    assert_eq!(temp.read("file"), b"contents");
}

#[test]
fn rights_only_shrink() {
    let temp = TempDir::new();
    temp.write("file", "contents");
    let mut guest = guest(&temp);
    let fd = guest.open(DIR, 0, "file", 0, READ | WRITE, 0).unwrap();
    let all = guest.fdstat(fd).unwrap();
    let set = |guest: &mut Guest, fd: u32, base, inheriting| {
        guest.call("fd_fdstat_set_rights", &[fd.into(), base, inheriting])
    };
    assert_eq!(set(&mut guest, fd, all.base, all.inheriting), Ok(()));
    assert_eq!(set(&mut guest, fd, all.base & !READ & !WRITE, all.inheriting), Ok(()));
    assert_eq!(guest.read(fd, 1), Err(Errno::Badf));
    assert_eq!(guest.write(fd, b"x"), Err(Errno::Badf));
    assert_eq!(set(&mut guest, fd, all.base, all.inheriting), Err(Errno::Notcapable));
    assert_eq!(guest.seek(fd, 1, 0), Ok(1));
    assert_eq!(set(&mut guest, fd, 1 << 5, 0), Ok(()));
    assert_eq!(guest.seek(fd, 1, 0), Err(Errno::Notcapable));
    assert_eq!(guest.tell(fd), Ok(1));
    assert_eq!(set(&mut guest, fd, 0, 0), Ok(()));
    assert_eq!(guest.fd_filestat(fd), Err(Errno::Notcapable));
    assert_eq!(set(&mut guest, fd, u64::MAX, 0), Err(Errno::Notcapable));

    // What a directory has given up, nothing opened beneath it has.
    let dir = guest.fdstat(DIR).unwrap();
    assert_eq!(set(&mut guest, DIR, dir.base & !(1 << 19), dir.inheriting & !WRITE), Ok(()));
    assert_eq!(guest.open(DIR, 0, "file", TRUNC, 0, 0), Err(Errno::Notcapable));
    assert_eq!(guest.open(DIR, 0, "file", 0, WRITE, 0), Err(Errno::Notcapable));
    let sub = guest.open(DIR, 0, ".", DIRECTORY, READ, 0).unwrap();
    assert_eq!(guest.open(sub, 0, "file", 0, WRITE, 0), Err(Errno::Notcapable));
    assert_eq!(temp.read("file"), b"contents");
}

#[test]
fn preopens_have_the_rights_that_libraries_expect() {
    let temp = TempDir::new();
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let mut guest = Guest::new(Grants::new().dir(temp.path(), "/data", access));
        let stat = guest.fdstat(DIR).unwrap();
        // Bits 9 to 18, 20, 21, 23 to 26 on the directory; those of files in addition beneath it.
        let directory = 0x7b7_fe00;
        assert_eq!((stat.filetype, stat.flags), (3, 0));
        assert_eq!(stat.base & directory, directory);
        assert_eq!(stat.base & (1 << 22 | 1 << 2 | READ | WRITE), 0);
        assert_eq!(stat.inheriting & 0xfff_ffff, 0xfff_ffff);
        guest.call("fd_prestat_get", &[DIR.into(), RESULT]).unwrap();
        assert_eq!((guest.u32(RESULT), guest.u32(RESULT + 4)), (0, 5));
        let name =
            |guest: &mut Guest, len| guest.call("fd_prestat_dir_name", &[DIR.into(), DATA, len]);
        assert_eq!(name(&mut guest, 4), Err(Errno::Nametoolong));
        assert_eq!(name(&mut guest, 9), Ok(()));
        assert_eq!(guest.bytes(DATA, 5), b"/data");
        assert_eq!(guest.call("fd_prestat_get", &[4, RESULT]), Err(Errno::Badf));
        assert_eq!(guest.call("fd_prestat_get", &[0, RESULT]), Err(Errno::Badf));
    }
}

#[test]
fn append_mode_and_offsets_do_not_mix() {
    let temp = TempDir::new();
    let mut guest = guest(&temp);
    let fd = guest.open(DIR, 0, "file", CREAT, READ | WRITE, APPEND).unwrap();
    assert_eq!(guest.fdstat(fd).unwrap().flags, 1);
    guest.write(fd, b"one").unwrap();
    guest.seek(fd, 0, 0).unwrap();
    guest.write(fd, b"two").unwrap();
    assert_eq!(temp.read("file"), b"onetwo");
    assert_eq!(guest.pwrite(fd, b"ONE", 0), Ok(3));
    assert_eq!(temp.read("file"), b"ONEtwo");
    guest.write(fd, b"three").unwrap();
    assert_eq!(temp.read("file"), b"ONEtwothree");
    guest.call("fd_fdstat_set_flags", &[fd.into(), NONBLOCK]).unwrap();
    assert_eq!(guest.fdstat(fd).unwrap().flags, 4);
    guest.seek(fd, 0, 0).unwrap();
    guest.write(fd, b"XXX").unwrap();
    assert_eq!(temp.read("file"), b"XXXtwothree");
    guest.call("fd_fdstat_set_flags", &[fd.into(), APPEND]).unwrap();
    guest.write(fd, b"!").unwrap();
    assert_eq!(temp.read("file"), b"XXXtwothree!");
    // Synchronous writing can be asked for when opening only.
    assert_eq!(guest.call("fd_fdstat_set_flags", &[fd.into(), 16]), Err(Errno::Inval));
    let synced = guest.open(DIR, 0, "file", 0, WRITE, 16 | APPEND).unwrap();
    assert_eq!(guest.call("fd_fdstat_set_flags", &[synced.into(), 16]), Ok(()));
    assert_eq!(guest.fdstat(synced).unwrap().flags, 16);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[99, 0]), Err(Errno::Badf));
}

#[test]
fn sizes_change() {
    let temp = TempDir::new();
    temp.write("file", "contents");
    let mut guest = guest(&temp);
    let fd = guest.open(DIR, 0, "file", 0, WRITE, 0).unwrap();
    let size = |guest: &mut Guest| guest.fd_filestat(fd).unwrap().size;
    guest.call("fd_filestat_set_size", &[fd.into(), 3]).unwrap();
    assert_eq!(temp.read("file"), b"con");
    guest.call("fd_allocate", &[fd.into(), 0, 100]).unwrap();
    assert_eq!(size(&mut guest), 100);
    guest.call("fd_allocate", &[fd.into(), 10, 10]).unwrap();
    assert_eq!(size(&mut guest), 100);
    guest.call("fd_allocate", &[fd.into(), 90, 20]).unwrap();
    assert_eq!(size(&mut guest), 110);
    assert_eq!(guest.call("fd_allocate", &[fd.into(), 0, 0]), Err(Errno::Inval));
    for name in ["fd_filestat_set_size", "fd_allocate"] {
        let args = [u64::from(fd), u64::MAX, u64::MAX];
        let args = if name == "fd_allocate" { &args[..] } else { &args[..2] };
        assert!(guest.call(name, args).is_err(), "{name}");
    }
    assert_eq!(guest.call("fd_advise", &[fd.into(), 0, 0, 3]), Ok(()));
    assert_eq!(guest.call("fd_advise", &[fd.into(), 0, 0, 6]), Err(Errno::Inval));
    assert_eq!(guest.call("fd_sync", &[fd.into()]), Ok(()));
    assert_eq!(guest.call("fd_datasync", &[fd.into()]), Ok(()));
    let truncated = guest.open(DIR, 0, "file", TRUNC, 0, 0).unwrap();
    assert_eq!(guest.fd_filestat(truncated).unwrap().size, 0);
}

#[test]
fn times_are_set_and_survive_extremes() {
    let temp = TempDir::new();
    temp.write("file", "");
    std::os::unix::fs::symlink("file", temp.join("link")).unwrap();
    let mut guest = guest(&temp);
    guest.path_set_times(DIR, 0, "file", (3 * SECOND + 5, 7 * SECOND), ATIM | MTIM).unwrap();
    let stat = guest.path_filestat(DIR, 0, "file").unwrap();
    assert_eq!((stat.atim, stat.mtim), (3 * SECOND + 5, 7 * SECOND));
    guest.path_set_times(DIR, 0, "file", (9 * SECOND, 9 * SECOND), MTIM).unwrap();
    let stat = guest.path_filestat(DIR, 0, "file").unwrap();
    assert_eq!((stat.atim, stat.mtim), (3 * SECOND + 5, 9 * SECOND));
    guest.path_set_times(DIR, 0, "file", (1, 1), MTIM_NOW).unwrap();
    assert!(guest.path_filestat(DIR, 0, "file").unwrap().mtim > 1_500_000_000 * SECOND);
    for flags in [ATIM | ATIM_NOW, MTIM | MTIM_NOW, 16, 1 << 16] {
        let set = guest.path_set_times(DIR, 0, "file", (1, 1), flags);
        assert_eq!(set, Err(Errno::Inval), "{flags}");
        let args = [DIR.into(), 1, 1, flags];
        assert_eq!(guest.call("fd_filestat_set_times", &args), Err(Errno::Inval));
    }
    // The link itself, then what it leads to.
    guest.path_set_times(DIR, 0, "link", (SECOND, SECOND), MTIM).unwrap();
    assert_eq!(guest.path_filestat(DIR, 0, "link").unwrap().mtim, SECOND);
    guest.path_set_times(DIR, FOLLOW, "link", (2 * SECOND, 2 * SECOND), MTIM).unwrap();
    assert_eq!(guest.path_filestat(DIR, FOLLOW, "link").unwrap().mtim, 2 * SECOND);
    assert_eq!(guest.path_filestat(DIR, 0, "file").unwrap().mtim, 2 * SECOND);

    let fd = guest.open(DIR, 0, "file", 0, READ, 0).unwrap();
    for time in [0, 1, u64::MAX - 1, u64::MAX, i64::MAX as u64] {
        let _ = guest.call("fd_filestat_set_times", &[fd.into(), time, time, ATIM | MTIM]);
        let stat = guest.fd_filestat(fd).unwrap();
        // File systems cut what they cannot store; nothing wraps around.
        assert!(stat.mtim <= time && time - stat.mtim < u64::MAX / 2, "{time}: {stat:?}");
    }
    assert_eq!(guest.call("fd_filestat_set_times", &[DIR.into(), 1, SECOND, MTIM]), Ok(()));
    assert_eq!(std::fs::metadata(temp.path()).unwrap().mtime(), 1);
    // Times before 1970 are shown as 1970.
    let early = std::time::UNIX_EPOCH - std::time::Duration::from_secs(5);
    std::fs::File::open(temp.join("file")).unwrap().set_modified(early).unwrap();
    assert_eq!(guest.fd_filestat(fd).unwrap().mtim, 0);
}

#[test]
fn read_only_grants_answer_like_read_only_file_systems() {
    let temp = TempDir::new();
    temp.write("file", "contents");
    std::fs::create_dir(temp.join("dir")).unwrap();
    let mut guest = Guest::new(Grants::new().dir(temp.path(), "/", Access::ReadOnly));
    assert_eq!(guest.open(DIR, 0, "file", 0, READ | WRITE, 0), Err(Errno::Rofs));
    assert_eq!(guest.open(DIR, 0, "file", TRUNC, READ, 0), Err(Errno::Rofs));
    assert_eq!(guest.open(DIR, 0, "new", CREAT, READ, 0), Err(Errno::Rofs));
    assert_eq!(guest.open(DIR, 0, "new", CREAT | EXCL, READ, 0), Err(Errno::Rofs));
    assert_eq!(guest.open(DIR, 0, "file", CREAT | EXCL, READ, 0), Err(Errno::Exist));
    let fd = guest.open(DIR, 0, "file", CREAT, READ, 0).unwrap();
    assert_eq!(guest.read(fd, 100).unwrap(), b"contents");
    let args = [fd.into(), 1, 1, ATIM | MTIM];
    assert_eq!(guest.call("fd_filestat_set_times", &args), Err(Errno::Rofs));
    let dir = guest.open(DIR, 0, "dir", DIRECTORY, READ, 0).unwrap();
    let args = [dir.into(), 1, 1, ATIM | MTIM];
    assert_eq!(guest.call("fd_filestat_set_times", &args), Err(Errno::Rofs));
    assert_eq!(guest.open(dir, 0, "new", CREAT, WRITE, 0), Err(Errno::Rofs));
    assert_eq!(guest.mkdir(dir, "new"), Err(Errno::Rofs));
    assert_eq!(guest.symlink("a", dir, "new"), Err(Errno::Rofs));
    assert_eq!(guest.unlink(DIR, "file"), Err(Errno::Rofs));
    assert_eq!(guest.rmdir(DIR, "dir"), Err(Errno::Rofs));
    assert_eq!(guest.rename((DIR, "file"), (DIR, "new")), Err(Errno::Rofs));
    assert_eq!(guest.link((DIR, "file"), 0, (DIR, "new")), Err(Errno::Rofs));
}

#[test]
fn vectors_are_read_and_written_in_order() {
    let temp = TempDir::new();
    let mut guest = guest(&temp);
    let fd = guest.open(DIR, 0, "file", CREAT, READ | WRITE, 0).unwrap();
    guest.put(DATA, b"world, hello ");
    let (iovs, count) = guest.iovecs(&[(DATA + 7, 6), (0xffff_ffff, 0), (DATA, 5)]);
    guest.call("fd_write", &[fd.into(), iovs, count, RESULT]).unwrap();
    assert_eq!(temp.read("file"), b"hello world");
    let (iovs, count) = guest.iovecs(&[(DATA + 100, 6), (DATA, 3), (DATA + 3, 100)]);
    guest.call("fd_pread", &[fd.into(), iovs, count, 0, RESULT]).unwrap();
    let moved = if guest.copies() { 11 } else { 6 };
    assert_eq!(guest.u32(RESULT), moved, "the first and third buffer overlap");
    let (iovs, count) = guest.iovecs(&[(DATA + 100, 6), (DATA, 3), (DATA + 3, 90)]);
    guest.call("fd_pread", &[fd.into(), iovs, count, 0, RESULT]).unwrap();
    assert_eq!(guest.u32(RESULT), 11);
    assert_eq!((guest.bytes(DATA + 100, 6), guest.bytes(DATA, 5)), (&b"hello "[..], &b"world"[..]));
    // A bad buffer is a fault, but not before the good ones in front of it were used.
    let (iovs, count) = guest.iovecs(&[(0xffff_fff0, 8)]);
    assert_eq!(guest.call("fd_write", &[fd.into(), iovs, count, RESULT]), Err(Errno::Fault));
    let args = [fd.into(), MEMORY as u64 - 4, 1, RESULT];
    assert_eq!(guest.call("fd_read", &args), Err(Errno::Fault));
    let args = [fd.into(), 0, 0xffff_ffff, RESULT];
    assert_eq!(guest.call("fd_read", &args), Err(Errno::Fault));
}

#[test]
fn a_million_buffers_are_batched() {
    let temp = TempDir::new();
    let mut guest = guest(&temp);
    let fd = guest.open(DIR, 0, "file", CREAT, READ | WRITE, 0).unwrap();
    let iovs = 1 << 20;
    for index in 0..1_000_000u64 {
        let entry = [(DATA as u32).to_le_bytes(), 1u32.to_le_bytes()].concat();
        guest.put(iovs + index * 8, &entry);
    }
    guest.put(DATA, b"x");
    guest.call("fd_write", &[fd.into(), iovs, 1_000_000, RESULT]).unwrap();
    assert_eq!(guest.u32(RESULT), 1_000_000);
    assert_eq!(guest.fd_filestat(fd).unwrap().size, 1_000_000);
    // All read into the same byte: overlapping buffers make short reads, unless bytes are copied.
    guest.call("fd_pread", &[fd.into(), iovs, 1_000_000, 0, RESULT]).unwrap();
    assert_eq!(guest.u32(RESULT), if guest.copies() { 1_000_000 } else { 1 });
    for index in 0..1_000_000u64 {
        guest.put(iovs + index * 8, &((DATA + index % 5000) as u32).to_le_bytes());
    }
    guest.call("fd_pread", &[fd.into(), iovs, 1_000_000, 0, RESULT]).unwrap();
    assert_eq!(guest.u32(RESULT), 1_000_000);
    // A fault behind a million good buffers does not undo what they moved.
    guest.put(iovs + 999_999 * 8, &u32::MAX.to_le_bytes());
    guest.call("fd_pread", &[fd.into(), iovs, 1_000_000, 0, RESULT]).unwrap();
    assert_eq!(guest.u32(RESULT), 999_999 / 1024 * 1024);
}

#[test]
fn descriptors_are_moved_and_closed() {
    let temp = TempDir::new();
    temp.write("a", "a");
    temp.write("b", "b");
    let mut guest = guest(&temp);
    let a = guest.open(DIR, 0, "a", 0, READ, 0).unwrap();
    let b = guest.open(DIR, 0, "b", 0, READ, 0).unwrap();
    let renumber = |guest: &mut Guest, from: u32, to: u32| {
        guest.call("fd_renumber", &[from.into(), to.into()])
    };
    let open_files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    assert_eq!(renumber(&mut guest, a, a), Ok(()));
    assert_eq!(renumber(&mut guest, a, b), Ok(()));
    assert_eq!(guest.close(a), Err(Errno::Badf));
    assert_eq!(guest.read(b, 9).unwrap(), b"a");
    for (from, to) in [(b, a), (a, b), (b, 1000), (1000, b), (b, u32::MAX), (u32::MAX, b)] {
        assert_eq!(renumber(&mut guest, from, to), Err(Errno::Badf));
    }
    assert_eq!(guest.open(DIR, 0, "b", 0, READ, 0), Ok(a), "the lowest number is free again");
    // Over the preopen: then it is none any more.
    let sub = guest.open(DIR, 0, ".", DIRECTORY, READ, 0).unwrap();
    assert_eq!(renumber(&mut guest, sub, DIR), Ok(()));
    assert_eq!(guest.call("fd_prestat_get", &[DIR.into(), RESULT]), Err(Errno::Badf));
    assert!(guest.open(DIR, 0, "a", 0, READ, 0).is_ok());
    // Over and from the standard streams.
    assert_eq!(renumber(&mut guest, 1, b), Ok(()));
    assert_eq!(guest.write(b, b"x"), Ok(1));
    assert_eq!(guest.close(1), Err(Errno::Badf));
    let before = open_files();
    for _ in 0..100 {
        let one = guest.open(DIR, 0, "a", 0, READ, 0).unwrap();
        let two = guest.open(DIR, 0, "b", 0, READ, 0).unwrap();
        renumber(&mut guest, one, two).unwrap();
        guest.close(two).unwrap();
    }
    // Other tests of this process open files too, but not this many.
    assert!(open_files() < before + 50);
}

#[test]
fn open_files_have_a_limit() {
    let temp = TempDir::new();
    temp.write("file", "");
    let grants = Grants::new().dir(temp.path(), "/", Access::ReadWrite).max_descriptors(20);
    let mut guest = Guest::new(grants);
    let mut opened = 0;
    let error = loop {
        match guest.open(DIR, 0, "file", 0, READ, 0) {
            Ok(_) => opened += 1,
            Err(error) => break error,
        }
        assert!(opened < 100);
    };
    assert_eq!((opened, error), (16, Errno::Mfile));
    // The failing call has no effect.
    assert_eq!(guest.open(DIR, 0, "new", CREAT, WRITE, 0), Err(Errno::Mfile));
    assert!(!temp.join("new").exists());
    guest.close(10).unwrap();
    assert_eq!(guest.open(DIR, 0, "new", CREAT, WRITE, 0), Ok(10));
}

#[test]
fn streams_in_memory_behave_like_pipes() {
    let (stdout, stderr) = (OutputPipe::with_limit(8), OutputPipe::new());
    let grants = Grants::new()
        .stdin(Input::bytes(*b"line one\nline two\n"))
        .stdout(Output::Pipe(stdout.clone()))
        .stderr(Output::Pipe(stderr.clone()));
    let mut guest = Guest::new(grants);
    assert_eq!(guest.read(0, 5).unwrap(), b"line ");
    let (iovs, count) = guest.iovecs(&[(DATA, 3), (DATA + 10, 100)]);
    guest.call("fd_read", &[0, iovs, count, RESULT]).unwrap();
    assert_eq!(guest.u32(RESULT), 13);
    assert_eq!((guest.bytes(DATA, 3), guest.bytes(DATA + 10, 3)), (&b"one"[..], &b"\nli"[..]));
    assert_eq!(guest.read(0, 5).unwrap(), b"");
    assert_eq!(guest.write(1, b"12345"), Ok(5));
    assert_eq!(guest.write(1, b"67890"), Ok(3));
    assert_eq!(guest.write(1, b"x"), Err(Errno::Nospc));
    assert_eq!(stdout.take(), b"12345678");
    assert_eq!(guest.write(1, b"x"), Ok(1));
    assert_eq!(guest.write(2, b"error"), Ok(5));
    assert_eq!(stderr.contents(), b"error");
    assert_eq!(guest.write(0, b"x"), Err(Errno::Badf));
    assert_eq!(guest.read(1, 1), Err(Errno::Badf));
    assert_eq!(guest.seek(0, 0, 0), Err(Errno::Spipe));
    assert_eq!(guest.pread(0, 1, 0), Err(Errno::Spipe));
    assert_eq!(guest.pwrite(1, b"x", 0), Err(Errno::Spipe));
    assert_eq!(guest.fd_filestat(0).unwrap().filetype, 0);
    let stat = guest.fdstat(0).unwrap();
    assert_eq!((stat.filetype, stat.base & 0x24), (0, 0));
    let mut silent = Guest::new(Grants::new());
    assert_eq!(silent.read(0, 10).unwrap(), b"");
    assert_eq!(silent.write(1, b"gone"), Ok(4));
}

#[test]
fn sealed_files_stay_as_they_are() {
    use std::os::unix::fs::PermissionsExt;
    let temp = TempDir::new();
    for name in ["mapped", "program", "read-only", "free"] {
        temp.write(name, "contents");
    }
    std::fs::hard_link(temp.join("mapped"), temp.join("link")).unwrap();
    std::os::unix::fs::symlink("mapped", temp.join("symlink")).unwrap();
    let mode = |name: &str, mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(temp.join(name), permissions).unwrap();
    };
    mode("program", 0o500);
    let mut guest = guest(&temp);
    let stat = std::fs::metadata(temp.join("mapped")).unwrap();
    guest.ctx.seal([(stat.dev(), stat.ino())]);
    let ways =
        [(0, WRITE), (0, READ | WRITE), (TRUNC, WRITE), (TRUNC, 0), (CREAT | TRUNC, READ | WRITE)];
    for (oflags, rights) in ways {
        let mut thread = guest.thread();
        for guest in [&mut guest, &mut thread] {
            let mut open = |name| guest.open(DIR, FOLLOW, name, oflags, rights, 0);
            for name in ["mapped", "link", "symlink"] {
                assert_eq!(open(name), Err(Errno::Perm), "{name} {oflags}");
            }
            assert_eq!(open("program"), Err(Errno::Acces), "{oflags}");
            assert!(open("free").is_ok());
        }
        for name in ["mapped", "program"] {
            assert_eq!(temp.read(name), b"contents", "{name} {oflags}");
        }
    }
    for name in ["mapped", "program"] {
        let fd = guest.open(DIR, 0, name, 0, READ, 0).unwrap();
        assert_eq!(guest.read(fd, 100).unwrap(), b"contents");
    }
    // Their names are only names.
    assert_eq!(guest.rename((DIR, "free"), (DIR, "mapped")), Ok(()));
    assert_eq!(temp.read("link"), b"contents");
}

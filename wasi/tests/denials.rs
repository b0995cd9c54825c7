//! The list of denials: what is in it, with which flag, and that guests do not decide how long it gets.

mod common;

use common::*;
use lithe_wasi::{Access, Errno, Grants, NetPolicy};

const DIR: u32 = 3;

fn open(guest: &mut Guest, path: impl AsRef<[u8]>, oflags: u64, rights: u64) -> Result<u32, Errno> {
    guest.open(DIR, FOLLOW, path, oflags, rights, 0)
}

/// The denials of a guest, in words.
fn said(guest: &Guest) -> Vec<String> {
    guest.ctx.denials().list().iter().map(ToString::to_string).collect()
}

#[test]
fn writing_beneath_a_read_only_grant_is_one_entry() {
    for by_component in [false, true] {
        let temp = TempDir::new();
        temp.write("file", "text");
        let grants = Grants::new().dir(temp.path(), "/data", Access::ReadOnly);
        let grants = if by_component { grants.resolve_by_component() } else { grants };
        let mut guest = Guest::new(grants);
        assert_eq!(open(&mut guest, "new", CREAT, WRITE), Err(Errno::Rofs));
        assert_eq!(open(&mut guest, "file", TRUNC, READ), Err(Errno::Rofs));
        assert!(open(&mut guest, "file", 0, READ).is_ok());
        assert!(open(&mut guest, "absent", 0, READ).is_err());
        let (path, len) = (PATH[0], 3);
        guest.put(path, b"sub");
        assert_eq!(guest.call("path_create_directory", &[DIR.into(), path, len]), Err(Errno::Rofs));
        assert_eq!(
            guest.call("fd_filestat_set_times", &[DIR.into(), 0, 0, MTIM_NOW]),
            Err(Errno::Rofs)
        );
        let host = temp.path().display();
        let expected = format!(
            "change beneath \"/data\", first of \"new\", denied 4 times; grant it with --dir {host}::/data \
             without ::ro"
        );
        assert_eq!(said(&guest), [expected]);
    }
}

#[test]
fn links_between_grants_need_both_to_be_writable() {
    let (own, read_only) = (TempDir::new(), TempDir::new());
    read_only.write("file", "text");
    let grants = Grants::new().dir(own.path(), "/own", Access::ReadWrite);
    let mut guest = Guest::new(grants.dir(read_only.path(), "/ro", Access::ReadOnly));
    guest.put(PATH[0], b"file");
    guest.put(PATH[1], b"link");
    let args = [4, 0, PATH[0], 4, 3, PATH[1], 4];
    assert_eq!(guest.call("path_link", &args), Err(Errno::Xdev));
    let said = said(&guest);
    assert!(
        said.len() == 1 && said[0].starts_with("change beneath \"/ro\", first of \"file\""),
        "{said:?}"
    );
}

#[test]
fn paths_that_lead_outside_are_named() {
    for by_component in [false, true] {
        let temp = TempDir::new();
        std::os::unix::fs::symlink("/etc", temp.join("absolute")).unwrap();
        std::os::unix::fs::symlink("../..", temp.join("up")).unwrap();
        let grants = Grants::new().dir(temp.path(), "/", Access::ReadWrite);
        let grants = if by_component { grants.resolve_by_component() } else { grants };
        let mut guest = Guest::new(grants);
        for path in ["/etc/passwd", "../x", "a/../../x", "absolute/passwd", "up/x", "../x"] {
            let _ = open(&mut guest, path, 0, READ);
        }
        // Nobody was kept from looking at the link itself.
        guest.put(PATH[0], b"absolute");
        let args = [DIR.into(), PATH[0], 8, DATA, 100, RESULT];
        assert_eq!(guest.call("path_readlink", &args), Err(Errno::Perm));
        let outside = |path: &str, times| {
            format!(
                "{path:?} outside of \"/\", denied {times}; grant it with --dir HOST::GUEST for the directory \
                 it is in"
            )
        };
        let mut expected = vec![
            outside("/etc/passwd", "once"),
            outside("../x", "2 times"),
            outside("absolute/passwd", "once"),
            outside("up/x", "once"),
        ];
        let mut said = said(&guest);
        // Whether `a` must exist is up to who resolves.
        said.retain(|line| !line.starts_with("\"a/"));
        expected.sort();
        said.sort();
        assert_eq!(said, expected);
    }
}

#[test]
fn refusals_of_the_host_are_not_denials() {
    let temp = TempDir::new();
    temp.write("file", "text");
    let mut guest = Guest::new(Grants::new().dir(temp.path(), "/", Access::ReadWrite));
    guest.put(PATH[0], b"sub");
    assert_eq!(guest.call("path_unlink_file", &[DIR.into(), PATH[0], 3]), Err(Errno::Noent));
    assert!(open(&mut guest, "file", CREAT | EXCL, WRITE).is_err());
    assert!(said(&guest).is_empty());
}

#[test]
fn the_list_is_bounded() {
    let policy = NetPolicy::new();
    let grants = Grants::new().network(policy);
    let temp = TempDir::new();
    let denials = grants.denials();
    let mut guest = Guest::new(grants.dir(temp.path(), "/", Access::ReadWrite));
    let other = Guest::new(Grants::new());
    for port in 1..=1000 {
        let address = std::net::SocketAddr::from(([10, 0, 0, 1], port));
        assert!(guest.ctx.net().tcp_connect(address).is_err());
    }
    assert_eq!(denials.list().len(), 100);
    assert_eq!(denials.others(), 900);
    for _ in 0..3 {
        let _ = guest.thread().ctx.net().tcp_connect(([10, 0, 0, 1], 1).into());
    }
    assert_eq!(
        denials.list()[0].to_string(),
        "tcp connection to 10.0.0.1:1, denied 4 times; grant it with --net tcp:10.0.0.1:1"
    );
    assert!(open(&mut guest, "/".repeat(4000), 0, READ).is_err());
    assert_eq!(denials.others(), 901);
    assert!(other.ctx.denials().list().is_empty());
}

#[test]
fn control_characters_and_length_are_harmless() {
    let temp = TempDir::new();
    let mut guest = Guest::new(Grants::new().dir(temp.path(), "/", Access::ReadWrite));
    let path = [b"/\x1b[2J\n\xff".to_vec(), vec![b'x'; 4000]].concat();
    assert_eq!(open(&mut guest, path, 0, READ), Err(Errno::Perm));
    let said = said(&guest);
    assert!(said[0].starts_with("\"/\\u{1b}[2J\\n\u{fffd}xxx") && said[0].len() < 400, "{said:?}");
}

//! Sockets: granted listeners, connections, and what the service manager passes on.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use lithe_wasi::{Access, Errno, Grants};

const LISTENER: u32 = 3;
const PEEK: u64 = 1;
const WAITALL: u64 = 2;

fn guest() -> (Guest, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (Guest::new(Grants::new().tcp_listener(listener)), address)
}

fn accept(guest: &mut Guest, flags: u64) -> Result<u32, Errno> {
    guest.call("sock_accept", &[LISTENER.into(), flags, RESULT])?;
    Ok(guest.u32(RESULT))
}

fn recv(guest: &mut Guest, fd: u32, len: u64, flags: u64) -> Result<Vec<u8>, Errno> {
    let (iovs, count) = guest.iovecs(&[(DATA, len / 2), (DATA + len / 2, len - len / 2)]);
    guest.call("sock_recv", &[fd.into(), iovs, count, flags, RESULT, RESULT2])?;
    assert_eq!(guest.u16(RESULT2), 0);
    Ok(guest.bytes(DATA, guest.u32(RESULT).into()).to_vec())
}

fn send(guest: &mut Guest, fd: u32, bytes: &[u8]) -> Result<u32, Errno> {
    guest.put(DATA, bytes);
    let (iovs, count) = guest.iovecs(&[(DATA, bytes.len() as u64)]);
    guest.call("sock_send", &[fd.into(), iovs, count, 0, RESULT])?;
    Ok(guest.u32(RESULT))
}

#[test]
fn connections_are_accepted_and_used() {
    let (mut guest, address) = guest();
    let mut client = TcpStream::connect(address).unwrap();
    let fd = accept(&mut guest, 0).unwrap();
    assert_eq!(fd, 4);
    client.write_all(b"hello").unwrap();
    assert_eq!(recv(&mut guest, fd, 2, PEEK).unwrap(), b"he");
    assert_eq!(recv(&mut guest, fd, 3, 0).unwrap(), b"hel");
    assert_eq!(guest.read(fd, 10).unwrap(), b"lo");
    let writer = std::thread::spawn(move || {
        for part in ["one ", "two ", "three"] {
            std::thread::sleep(Duration::from_millis(5));
            client.write_all(part.as_bytes()).unwrap();
        }
        client
    });
    assert_eq!(recv(&mut guest, fd, 13, WAITALL).unwrap(), b"one two three");
    let mut client = writer.join().unwrap();
    assert_eq!(send(&mut guest, fd, b"reply"), Ok(5));
    assert_eq!(guest.write(fd, b"!"), Ok(1));
    let mut buffer = [0; 6];
    client.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"reply!");

    let stat = guest.fdstat(fd).unwrap();
    assert_eq!((stat.filetype, stat.base & (READ | WRITE)), (6, READ | WRITE));
    assert_eq!(guest.seek(fd, 0, 0), Err(Errno::Spipe));
    assert_eq!(guest.pread(fd, 1, 0), Err(Errno::Spipe));
    for (how, expected) in [(0, Err(Errno::Inval)), (4, Err(Errno::Inval)), (2, Ok(()))] {
        assert_eq!(guest.call("sock_shutdown", &[fd.into(), how]), expected);
    }
    assert_eq!(client.read(&mut buffer).unwrap(), 0);
    assert_eq!(send(&mut guest, fd, b"x"), Err(Errno::Pipe));
    drop(client);
    assert_eq!(recv(&mut guest, fd, 10, WAITALL).unwrap(), b"");
}

#[test]
fn a_waiting_guest_gets_a_late_connection() {
    let (mut guest, address) = guest();
    guest.ctx.set_deadline(Some(Instant::now() + Duration::from_secs(20)));
    let client = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        let mut client = TcpStream::connect(address).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        client.write_all(b"late").unwrap();
        client
    });
    let fd = accept(&mut guest, NONBLOCK).unwrap();
    assert_eq!(guest.fdstat(fd).unwrap().flags, 4);
    assert_eq!(recv(&mut guest, fd, 10, 0), Err(Errno::Again));
    guest.call("fd_fdstat_set_flags", &[fd.into(), 0]).unwrap();
    assert_eq!(recv(&mut guest, fd, 10, 0).unwrap(), b"late");
    drop(client.join().unwrap());
    guest.call("fd_fdstat_set_flags", &[LISTENER.into(), NONBLOCK]).unwrap();
    assert_eq!(accept(&mut guest, 0), Err(Errno::Again));
}

#[test]
fn large_transfers_are_partial_not_endless() {
    let (mut guest, address) = guest();
    let mut client = TcpStream::connect(address).unwrap();
    let fd = accept(&mut guest, NONBLOCK).unwrap();
    let len = MEMORY as u64 - DATA;
    let (iovs, count) = guest.iovecs(&[(DATA, len)]);
    let mut sent = 0;
    while guest.call("sock_send", &[fd.into(), iovs, count, 0, RESULT]).is_ok() {
        sent += u64::from(guest.u32(RESULT));
    }
    assert!(sent > 0);
    guest.close(fd).unwrap();
    assert_eq!(std::io::copy(&mut client, &mut std::io::sink()).unwrap(), sent);
}

#[test]
fn only_sockets_are_sockets() {
    let temp = TempDir::new();
    temp.write("file", "");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let grants = Grants::new().dir(temp.path(), "/", Access::ReadWrite).tcp_listener(listener);
    let mut guest = Guest::new(grants);
    // Listeners come first, and tell libraries that look for directories to go on.
    guest.call("fd_prestat_get", &[3, RESULT]).unwrap();
    assert_eq!(guest.u32(RESULT), 1);
    assert_eq!(guest.call("fd_prestat_dir_name", &[3, DATA, 10]), Err(Errno::Notdir));
    guest.call("fd_prestat_get", &[4, RESULT]).unwrap();
    assert_eq!(guest.u32(RESULT), 0);
    let file = guest.open(4, 0, "file", 0, READ | WRITE, 0).unwrap();
    for fd in [0, 1, 4, file] {
        assert_eq!(guest.call("sock_accept", &[fd.into(), 0, RESULT]), Err(Errno::Notsock));
        assert_eq!(recv(&mut guest, fd, 1, 0), Err(Errno::Notsock));
        assert_eq!(send(&mut guest, fd, b"x"), Err(Errno::Notsock));
        assert_eq!(guest.call("sock_shutdown", &[fd.into(), 1]), Err(Errno::Notsock));
    }
    assert_eq!(guest.call("sock_accept", &[99, 0, RESULT]), Err(Errno::Badf));
    assert_eq!(guest.call("sock_accept", &[3, 1, RESULT]), Err(Errno::Inval));
    assert_eq!(recv(&mut guest, 3, 1, 0), Err(Errno::Notconn));
    assert_eq!(recv(&mut guest, 3, 1, 4), Err(Errno::Inval));
    assert_eq!(guest.read(3, 1), Err(Errno::Notconn));
    assert_eq!(guest.write(3, b"x"), Err(Errno::Badf));
    assert_eq!(guest.fdstat(3).unwrap().filetype, 6);
}

#[test]
fn addresses_are_bound() {
    let mut guest = Guest::new(Grants::new().tcp_listen("127.0.0.1:0".parse().unwrap()));
    guest.call("fd_fdstat_set_flags", &[LISTENER.into(), NONBLOCK]).unwrap();
    assert_eq!(accept(&mut guest, 0), Err(Errno::Again));
}

#[test]
fn sockets_of_a_service_manager_are_taken_over() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // The shell makes the socket, its standard input here, descriptor 3 and says so.
    let script = "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web \
                  exec \"$0\" --exact child --ignored --nocapture 3<&0";
    let child = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .stdin(Stdio::from(listener.as_fd().try_clone_to_owned().unwrap()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text, "passed");
}

/// The other half of `sockets_of_a_service_manager_are_taken_over`.
#[test]
#[ignore = "runs as a child of another test"]
fn child() {
    let mut guest = Guest::new(Grants::new().listen_fds());
    guest.call("environ_get", &[DATA, DATA + 0x100]).unwrap();
    assert_eq!(guest.bytes(DATA + 0x100, 34), b"LISTEN_FDS=1\0LISTEN_FDNAMES=web\0\0\0");
    let fd = accept(&mut guest, 0).unwrap();
    assert_eq!(send(&mut guest, fd, b"passed"), Ok(6));
    guest.close(fd).unwrap();
}

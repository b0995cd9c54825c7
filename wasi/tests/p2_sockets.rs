//! `wasi:sockets` against real sockets on the loopback interface, through the functions that the interfaces call.

mod p2;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use lithe_wasi::p2::io::{InputStream, OutputStream, StreamFailure};
use lithe_wasi::p2::sockets::{
    Answer, ErrorCode, IpAddressFamily, ShutdownType, Sockets, TcpInput, TcpOutput, TcpSocket,
    network_error_code,
};
use p2::{LOOPBACK, LOOPBACK6, address, policy, ready, wait_input, wait_output};

fn tcp(sockets: &Sockets) -> TcpSocket {
    TcpSocket::new(sockets, IpAddressFamily::Ipv4).unwrap()
}

fn tcp6(sockets: &Sockets) -> TcpSocket {
    TcpSocket::new(sockets, IpAddressFamily::Ipv6).unwrap()
}

fn all() -> lithe_wasi::NetPolicy {
    policy(&["tcp:*:*", "udp:*:*", "listen:*:*"])
}

fn bound(sockets: &Sockets, local: &str) -> TcpSocket {
    let local = address(local);
    let family = if local.is_ipv4() { IpAddressFamily::Ipv4 } else { IpAddressFamily::Ipv6 };
    let mut socket = TcpSocket::new(sockets, family).unwrap();
    socket.start_bind(&all(), local).unwrap();
    socket.finish_bind().unwrap();
    socket
}

fn listening(sockets: &Sockets, local: &str) -> TcpSocket {
    let mut socket = bound(sockets, local);
    socket.start_listen(&all()).unwrap();
    socket.finish_listen().unwrap();
    socket
}

fn connect(socket: &mut TcpSocket, remote: SocketAddr) -> Answer<(TcpInput, TcpOutput)> {
    socket.start_connect(&all(), remote)?;
    ready(socket);
    socket.finish_connect()
}

/// A socket of a guest connected to one of the host.
fn connected(sockets: &Sockets) -> (TcpSocket, TcpInput, TcpOutput, TcpStream) {
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let mut socket = tcp(sockets);
    let (input, output) = connect(&mut socket, listener.local_addr().unwrap()).unwrap();
    (socket, input, output, listener.accept().unwrap().0)
}

/// Everything until the end.
fn read_all(input: &mut TcpInput) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match input.read(1 << 20) {
            Ok(bytes) if bytes.is_empty() => wait_input(input),
            Ok(bytes) => all.extend(bytes),
            Err(StreamFailure::Closed) => return all,
            Err(failure) => panic!("{failure:?}"),
        }
    }
}

fn write_all(output: &mut TcpOutput, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let permitted = output.check_write().unwrap().min(bytes.len());
        if permitted == 0 {
            wait_output(output);
            continue;
        }
        output.write(&bytes[..permitted]).unwrap();
        bytes = &bytes[permitted..];
    }
}

fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn tcp_server_in_both_families() {
    for local in [LOOPBACK, LOOPBACK6] {
        let sockets = Sockets::default();
        let mut server = listening(&sockets, local);
        assert!(server.is_listening());
        assert_eq!(server.accept(&sockets).err(), Some(ErrorCode::WouldBlock));
        let to = server.local_address().unwrap();
        assert_ne!(to.port(), 0);
        let mut client = TcpStream::connect(to).unwrap();
        ready(&mut server);
        let (socket, mut input, mut output) = server.accept(&sockets).unwrap();
        assert_eq!(socket.remote_address(), Ok(client.local_addr().unwrap()));
        assert_eq!(socket.local_address(), Ok(to));
        assert_eq!(socket.address_family(), server.address_family());
        assert!(input.read(10).unwrap().is_empty());
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&mut input), b"question");
        // The other direction is still there.
        write_all(&mut output, b"answer");
        drop((socket, input, output));
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
        assert_eq!(sockets.open(), 1);
    }
}

#[test]
fn tcp_client_in_both_families() {
    for local in [LOOPBACK, LOOPBACK6] {
        let sockets = Sockets::default();
        let listener = TcpListener::bind(local).unwrap();
        let to = listener.local_addr().unwrap();
        let mut socket = if to.is_ipv4() { tcp(&sockets) } else { tcp6(&sockets) };
        let (mut input, mut output) = connect(&mut socket, to).unwrap();
        let (mut peer, from) = listener.accept().unwrap();
        assert_eq!(socket.remote_address(), Ok(to));
        assert_eq!(socket.local_address(), Ok(from));
        write_all(&mut output, b"question");
        output.flush().unwrap();
        socket.shutdown(ShutdownType::Send).unwrap();
        assert!(matches!(output.check_write(), Err(StreamFailure::Closed)));
        assert!(matches!(output.write(b"x"), Err(StreamFailure::Closed)));
        wait_output(&mut output);
        let mut question = String::new();
        peer.read_to_string(&mut question).unwrap();
        assert_eq!(question, "question");
        peer.write_all(b"answer").unwrap();
        drop(peer);
        assert_eq!(read_all(&mut input), b"answer");
        assert!(matches!(input.read(1), Err(StreamFailure::Closed)));
        wait_input(&mut input);
    }
}

#[test]
fn tcp_states() {
    use ErrorCode::{ConcurrencyConflict as Conflict, InvalidState as Invalid, NotInProgress};
    let sockets = Sockets::default();
    let policy = all();
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let remote = listener.local_addr().unwrap();
    let refused = TcpListener::bind(LOOPBACK).unwrap().local_addr().unwrap();
    let bind_started = || {
        let mut socket = tcp(&sockets);
        socket.start_bind(&policy, address(LOOPBACK)).unwrap();
        socket
    };
    let listen_started = || {
        let mut socket = bound(&sockets, LOOPBACK);
        socket.start_listen(&policy).unwrap();
        socket
    };
    let connect_started = || {
        let mut socket = tcp(&sockets);
        socket.start_connect(&policy, remote).unwrap();
        socket
    };
    let mut connected = tcp(&sockets);
    let _streams = connect(&mut connected, remote).unwrap();
    let mut closed = tcp(&sockets);
    assert_eq!(connect(&mut closed, refused).err(), Some(ErrorCode::ConnectionRefused));

    // What starting something, the addresses, shutdown and the backlog give; `None` is no error.
    struct Row(&'static str, TcpSocket, ErrorCode, [bool; 2], Option<ErrorCode>);
    let rows = [
        Row("unbound", tcp(&sockets), Invalid, [false, false], None),
        Row("bind started", bind_started(), Conflict, [false, false], None),
        Row("bound", bound(&sockets, LOOPBACK), Invalid, [true, false], None),
        Row("listen started", listen_started(), Conflict, [true, false], None),
        Row("listening", listening(&sockets, LOOPBACK), Invalid, [true, false], None),
        Row("connect started", connect_started(), Conflict, [true, false], Some(Invalid)),
        Row("connected", connected, Invalid, [true, true], Some(Invalid)),
        Row("closed", closed, Invalid, [false, false], Some(Invalid)),
    ];
    for Row(name, mut socket, misplaced, [local, peer], backlog) in rows {
        if name != "unbound" {
            let result = socket.start_bind(&policy, address(LOOPBACK));
            assert_eq!(result, Err(misplaced), "{name}");
        }
        if !["unbound", "bound"].contains(&name) {
            let result = socket.start_connect(&policy, remote);
            assert_eq!(result, Err(misplaced), "{name}");
        }
        if name != "bound" {
            assert_eq!(socket.start_listen(&policy), Err(misplaced), "{name}");
        }
        if name != "listening" {
            assert_eq!(socket.accept(&sockets).err(), Some(misplaced), "{name}");
        }
        if name != "connected" {
            assert_eq!(socket.shutdown(ShutdownType::Both), Err(misplaced), "{name}");
        }
        assert_eq!(socket.local_address().is_ok(), local, "{name}");
        assert_eq!(socket.remote_address().is_ok(), peer, "{name}");
        assert_eq!(socket.is_listening(), name == "listening", "{name}");
        assert_eq!(socket.set_listen_backlog_size(5).err(), backlog, "{name}");
        assert_eq!(socket.set_listen_backlog_size(0), Err(ErrorCode::InvalidArgument));
        assert_eq!(socket.hop_limit().is_ok(), name != "closed", "{name}");
        if name != "connect started" {
            assert_eq!(socket.finish_connect().err(), Some(NotInProgress), "{name}");
        }
        let listen = if name == "listen started" { Ok(()) } else { Err(NotInProgress) };
        assert_eq!(socket.finish_listen(), listen, "{name}");
        let bind = if name == "bind started" { Ok(()) } else { Err(NotInProgress) };
        assert_eq!(socket.finish_bind(), bind, "{name}");
    }
}

#[test]
fn tcp_bound_then_connected() {
    let sockets = Sockets::default();
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let mut socket = bound(&sockets, LOOPBACK);
    let local = socket.local_address().unwrap();
    let _streams = connect(&mut socket, listener.local_addr().unwrap()).unwrap();
    assert_eq!(listener.accept().unwrap().1, local);
}

#[test]
fn tcp_addresses_that_cannot_be() {
    let sockets = Sockets::default();
    let everything = all();
    let connects: &[(bool, &str)] = &[
        (false, "[::1]:80"),
        (true, "127.0.0.1:80"),
        (false, "0.0.0.0:80"),
        (true, "[::]:80"),
        (false, "127.0.0.1:0"),
        (true, "[::1]:0"),
        (false, "255.255.255.255:80"),
        (false, "224.0.0.1:80"),
        (true, "[ff02::1]:80"),
        (true, "[::ffff:127.0.0.1]:80"),
        (true, "[::ffff:0.0.0.0]:80"),
    ];
    for (v6, remote) in connects {
        let mut socket = if *v6 { tcp6(&sockets) } else { tcp(&sockets) };
        let result = socket.start_connect(&everything, address(remote));
        assert_eq!(result, Err(ErrorCode::InvalidArgument), "{remote}");
        // It was not an attempt, so the socket is as before.
        assert_eq!(socket.finish_connect().err(), Some(ErrorCode::NotInProgress));
        assert!(socket.hop_limit().is_ok());
    }
    let binds: &[(bool, &str)] = &[
        (false, "[::1]:0"),
        (true, "127.0.0.1:0"),
        (false, "255.255.255.255:0"),
        (false, "224.0.0.1:0"),
        (true, "[ff02::1]:0"),
        (true, "[::ffff:127.0.0.1]:0"),
    ];
    for (v6, local) in binds {
        let mut socket = if *v6 { tcp6(&sockets) } else { tcp(&sockets) };
        let result = socket.start_bind(&everything, address(local));
        assert_eq!(result, Err(ErrorCode::InvalidArgument), "{local}");
    }
    let mut socket = tcp(&sockets);
    let elsewhere = socket.start_bind(&everything, address("192.0.2.1:0"));
    assert_eq!(elsewhere, Err(ErrorCode::AddressNotBindable));
    // Binding can be tried again.
    assert_eq!(socket.start_bind(&everything, address(LOOPBACK)), Ok(()));
    assert_eq!(socket.finish_bind(), Ok(()));
}

#[test]
fn tcp_without_grants() {
    use ErrorCode::AccessDenied;
    let sockets = Sockets::default();
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let remote = listener.local_addr().unwrap();
    let nothing = policy(&[]);
    let mut socket = tcp(&sockets);
    assert_eq!(socket.start_connect(&nothing, remote), Err(AccessDenied));
    assert_eq!(socket.start_bind(&nothing, address(LOOPBACK)), Err(AccessDenied));
    assert_eq!(socket.local_address(), Err(ErrorCode::InvalidState));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err());
    let denials: Vec<String> = nothing.denials().list().iter().map(ToString::to_string).collect();
    assert_eq!(
        denials[0],
        format!("tcp connection to {remote}, denied once; grant it with --net tcp:{remote}")
    );

    // A neighbor of what is granted is not granted.
    let other = policy(&[&format!("tcp:127.0.0.1:{}", remote.port() ^ 1), "tcp:127.0.0.2:*"]);
    assert_eq!(socket.start_connect(&other, remote), Err(AccessDenied));
    // Connecting is not listening: the port that the system chooses may be bound, but not listened on.
    let out = policy(&["tcp:127.0.0.1:*"]);
    let mut unspecified = tcp(&sockets);
    assert_eq!(unspecified.start_bind(&out, address(LOOPBACK)), Err(AccessDenied));
    assert_eq!(unspecified.start_bind(&out, address("0.0.0.0:0")), Ok(()));
    assert_eq!(unspecified.finish_bind(), Ok(()));
    assert_eq!(unspecified.start_listen(&out), Err(AccessDenied));
    assert_eq!(unspecified.start_connect(&out, remote), Ok(()));
    // Listening is not connecting.
    let listen = policy(&["listen:127.0.0.1:*"]);
    assert_eq!(socket.start_connect(&listen, remote), Err(AccessDenied));
    assert_eq!(socket.start_bind(&listen, address("0.0.0.0:0")), Err(AccessDenied));
    assert_eq!(socket.start_bind(&listen, address(LOOPBACK)), Ok(()));
    assert_eq!(socket.finish_bind(), Ok(()));
    assert_eq!(socket.start_listen(&listen), Ok(()));
}

#[test]
fn tcp_address_in_use_and_use_again() {
    let sockets = Sockets::default();
    let free = TcpListener::bind(LOOPBACK).unwrap().local_addr().unwrap();
    let mut server = listening(&sockets, &free.to_string());
    let local = server.local_address().unwrap();
    assert_eq!(local, free);
    let mut second = tcp(&sockets);
    assert_eq!(second.start_bind(&all(), local), Err(ErrorCode::AddressInUse));

    // The side that closes first keeps the port busy for a while.
    let mut client = TcpStream::connect(local).unwrap();
    ready(&mut server);
    drop(server.accept(&sockets).unwrap());
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    drop((client, server));
    let mut again = tcp(&sockets);
    assert_eq!(again.start_bind(&all(), local), Ok(()));
    assert_eq!(again.finish_bind(), Ok(()));
    assert_eq!(again.start_listen(&all()), Ok(()));
}

#[test]
fn tcp6_leaves_the_port_of_ipv4_alone() {
    let sockets = Sockets::default();
    let six = listening(&sockets, "[::]:0");
    let port = six.local_address().unwrap().port();
    assert!(TcpStream::connect(("::1", port)).is_ok());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(TcpListener::bind(("0.0.0.0", port)).is_ok());
}

#[test]
fn tcp_options() {
    use ErrorCode::InvalidArgument;
    const SECOND: u64 = 1_000_000_000;
    let sockets = Sockets::default();
    for mut socket in [tcp(&sockets), tcp6(&sockets)] {
        assert_eq!(socket.keep_alive_enabled(), Ok(false));
        assert_eq!(socket.set_keep_alive_enabled(true), Ok(()));
        assert_eq!(socket.keep_alive_enabled(), Ok(true));

        assert_eq!(socket.set_keep_alive_idle_time(0), Err(InvalidArgument));
        assert_eq!(socket.set_keep_alive_interval(0), Err(InvalidArgument));
        for (value, kept) in
            [(1, SECOND), (SECOND, SECOND), (SECOND + 1, 2 * SECOND), (u64::MAX, 32_767 * SECOND)]
        {
            assert_eq!(socket.set_keep_alive_idle_time(value), Ok(()));
            assert_eq!(socket.keep_alive_idle_time(), Ok(kept));
            assert_eq!(socket.set_keep_alive_interval(value), Ok(()));
            assert_eq!(socket.keep_alive_interval(), Ok(kept));
        }
        assert_eq!(socket.set_keep_alive_count(0), Err(InvalidArgument));
        for (value, kept) in [(1, 1), (127, 127), (u32::MAX, 127)] {
            assert_eq!(socket.set_keep_alive_count(value), Ok(()));
            assert_eq!(socket.keep_alive_count(), Ok(kept));
        }
        assert_eq!(socket.set_hop_limit(0), Err(InvalidArgument));
        for value in [1, 42, 255] {
            assert_eq!(socket.set_hop_limit(value), Ok(()));
            assert_eq!(socket.hop_limit(), Ok(value));
        }
        assert_eq!(socket.set_receive_buffer_size(0), Err(InvalidArgument));
        assert_eq!(socket.set_send_buffer_size(0), Err(InvalidArgument));
        assert_eq!(socket.set_receive_buffer_size(0x10000), Ok(()));
        assert_eq!(socket.receive_buffer_size(), Ok(0x10000));
        assert_eq!(socket.set_send_buffer_size(0x10000), Ok(()));
        assert_eq!(socket.send_buffer_size(), Ok(0x10000));
        for value in [1, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(socket.set_receive_buffer_size(value), Ok(()));
            assert!(socket.receive_buffer_size().unwrap() > 0);
            assert_eq!(socket.set_send_buffer_size(value), Ok(()));
            assert!(socket.send_buffer_size().unwrap() > 0);
        }
        for value in [1, 5, u64::MAX] {
            assert_eq!(socket.set_listen_backlog_size(value), Ok(()));
        }
    }
}

#[test]
fn tcp_accepted_sockets_inherit_options() {
    for local in [LOOPBACK, LOOPBACK6] {
        let sockets = Sockets::default();
        let mut server = listening(&sockets, local);
        server.set_keep_alive_enabled(true).unwrap();
        server.set_keep_alive_idle_time(30_000_000_000).unwrap();
        server.set_keep_alive_interval(7_000_000_000).unwrap();
        server.set_keep_alive_count(3).unwrap();
        server.set_hop_limit(42).unwrap();
        server.set_receive_buffer_size(0x8000).unwrap();
        server.set_send_buffer_size(0x8000).unwrap();
        let _client = TcpStream::connect(server.local_address().unwrap()).unwrap();
        ready(&mut server);
        let (socket, ..) = server.accept(&sockets).unwrap();
        assert_eq!(socket.keep_alive_enabled(), Ok(true));
        assert_eq!(socket.keep_alive_idle_time(), Ok(30_000_000_000));
        assert_eq!(socket.keep_alive_interval(), Ok(7_000_000_000));
        assert_eq!(socket.keep_alive_count(), Ok(3));
        assert_eq!(socket.hop_limit(), Ok(42));
        assert_eq!(socket.receive_buffer_size(), server.receive_buffer_size());
        assert_eq!(socket.send_buffer_size(), server.send_buffer_size());
    }
}

#[test]
fn tcp_reading_ends_when_the_guest_says_so() {
    let sockets = Sockets::default();
    let (mut socket, mut input, mut output, mut peer) = connected(&sockets);
    peer.write_all(b"never read").unwrap();
    wait_input(&mut input);
    for _ in 0..2 {
        assert_eq!(socket.shutdown(ShutdownType::Receive), Ok(()));
        assert!(matches!(input.read(100), Err(StreamFailure::Closed)));
    }
    wait_input(&mut input);
    write_all(&mut output, b"still there");
    for _ in 0..2 {
        assert_eq!(socket.shutdown(ShutdownType::Both), Ok(()));
    }
    let mut text = String::new();
    peer.read_to_string(&mut text).unwrap();
    assert_eq!(text, "still there");
}

#[test]
fn tcp_nothing_written_is_lost() {
    let sockets = Sockets::default();
    let bytes = noise(4 << 20);
    // Buffers as small as the system has them, so that it often takes less than was permitted.
    for small in [false, true] {
        let listener = TcpListener::bind(LOOPBACK).unwrap();
        let mut socket = tcp(&sockets);
        if small {
            socket.set_send_buffer_size(1).unwrap();
        }
        let (mut input, mut output) = connect(&mut socket, listener.local_addr().unwrap()).unwrap();
        let mut peer = listener.accept().unwrap().0;
        let count = bytes.len() / if small { 16 } else { 1 };
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            std::thread::sleep(Duration::from_millis(50));
            peer.read_to_end(&mut all).unwrap();
            peer.write_all(b"ok").unwrap();
            all
        });
        write_all(&mut output, &bytes[..count]);
        // Closing comes after all that was written; waiting for the answer keeps it going.
        socket.shutdown(ShutdownType::Send).unwrap();
        assert_eq!(read_all(&mut input), b"ok");
        assert!(reader.join().unwrap() == bytes[..count]);
    }
}

/// What the host does not take is kept, and goes out whenever the guest waits for either stream.
#[test]
fn tcp_bytes_that_the_host_did_not_take() {
    let sockets = Sockets::default();
    let bytes = noise(32 << 20);
    for shutdown in [false, true] {
        let (mut socket, mut input, mut output, mut peer) = connected(&sockets);
        // Far more than was permitted; guests cannot do that.
        output.write(&bytes).unwrap();
        assert_eq!(output.check_write().unwrap(), 0);
        output.flush().unwrap();
        assert!(matches!(output.readiness(), lithe_wasi::p2::Readiness::Wait(_)));
        let reader = std::thread::spawn(move || {
            let mut all = vec![0; 32 << 20];
            peer.read_exact(&mut all).unwrap();
            if shutdown {
                assert_eq!(peer.read(&mut [0]).unwrap(), 0);
            }
            peer.write_all(b"ok").unwrap();
            all
        });
        if shutdown {
            socket.shutdown(ShutdownType::Send).unwrap();
        } else {
            while output.check_write().unwrap() == 0 {
                wait_output(&mut output);
            }
        }
        assert_eq!(read_all(&mut input), b"ok");
        assert!(reader.join().unwrap() == bytes);
    }
}

#[test]
fn tcp_reset_while_bytes_are_kept() {
    let sockets = Sockets::default();
    let (_socket, _input, mut output, peer) = connected(&sockets);
    output.write(&noise(32 << 20)).unwrap();
    rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
    drop(peer);
    wait_output(&mut output);
    match output.check_write() {
        Err(StreamFailure::Failed(error)) => {
            assert_eq!(network_error_code(&error), Some(ErrorCode::ConnectionReset));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(output.check_write(), Err(StreamFailure::Closed)));
    assert!(matches!(output.flush(), Err(StreamFailure::Closed)));
}

#[test]
fn tcp_input_in_pieces() {
    let sockets = Sockets::default();
    let (_socket, mut input, _output, mut peer) = connected(&sockets);
    let bytes = noise(3 << 20);
    let sent = bytes.clone();
    let writer = std::thread::spawn(move || peer.write_all(&sent).unwrap());
    wait_input(&mut input);
    assert!(input.read(0).unwrap().is_empty());
    let first = input.read(3).unwrap();
    assert_eq!(first, bytes[..3]);
    assert_eq!(input.skip(2).unwrap(), 2);
    // However much is asked for, one call reads little.
    assert!(input.read(usize::MAX).unwrap().len() <= 64 << 10);
    assert!(!read_all(&mut input).is_empty());
    writer.join().unwrap();
}

#[test]
fn tcp_connection_reset() {
    let sockets = Sockets::default();
    let (socket, mut input, mut output, peer) = connected(&sockets);
    rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
    drop(peer);
    wait_input(&mut input);
    match input.read(1) {
        Err(StreamFailure::Failed(error)) => {
            assert_eq!(network_error_code(&error), Some(ErrorCode::ConnectionReset));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(input.read(1), Err(StreamFailure::Closed)));
    output.check_write().unwrap();
    assert!(matches!(output.write(b"x"), Err(StreamFailure::Closed)));
    assert!(matches!(output.check_write(), Err(StreamFailure::Closed)));
    assert_eq!(socket.remote_address(), Err(ErrorCode::InvalidState));
}

#[test]
fn tcp_refused() {
    let sockets = Sockets::default();
    let nobody = TcpListener::bind(LOOPBACK).unwrap().local_addr().unwrap();
    let mut socket = tcp(&sockets);
    assert_eq!(connect(&mut socket, nobody).err(), Some(ErrorCode::ConnectionRefused));
    assert_eq!(socket.set_hop_limit(1), Err(ErrorCode::InvalidState));
    assert_eq!(socket.set_receive_buffer_size(0x1000), Err(ErrorCode::InvalidState));
    // Nobody waits for a socket that is closed.
    ready(&mut socket);
}

#[test]
fn sockets_are_limited() {
    let sockets = Sockets::default();
    sockets.set_limit(3);
    let mut server = listening(&sockets, LOOPBACK);
    let to = server.local_address().unwrap();
    let _first = TcpStream::connect(to).unwrap();
    let _second = TcpStream::connect(to).unwrap();
    ready(&mut server);
    let accepted = server.accept(&sockets).unwrap();
    let other = lithe_wasi::p2::sockets::UdpSocket::new(&sockets, IpAddressFamily::Ipv4).unwrap();
    let new = TcpSocket::new(&sockets, IpAddressFamily::Ipv4);
    assert_eq!(new.err(), Some(ErrorCode::NewSocketLimit));
    ready(&mut server);
    assert_eq!(server.accept(&sockets).err(), Some(ErrorCode::NewSocketLimit));
    // The connection is still there when there is a place for it.
    drop(other);
    assert!(server.accept(&sockets).is_ok());
    // A stream alone keeps its connection, and with it the place.
    let (socket, input, output) = accepted;
    drop((socket, output));
    assert_eq!(sockets.open(), 2);
    drop(input);
    assert_eq!(sockets.open(), 1);
}

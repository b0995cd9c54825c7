//! `wasi:sockets/udp` against real sockets on the loopback interface, through the functions that the interface calls.

mod p2;

use std::net::{SocketAddr, UdpSocket as HostSocket};
use std::time::Duration;

use lithe_wasi::NetPolicy;
use lithe_wasi::p2::sockets::{
    ErrorCode, IncomingDatagram, IncomingDatagramStream, IpAddressFamily, MAX_DATAGRAMS,
    OutgoingDatagram, OutgoingDatagramStream, Sockets, UdpSocket,
};
use p2::{LOOPBACK, LOOPBACK6, address, policy, ready};

fn all() -> NetPolicy {
    policy(&["udp:*:*", "listen:*:*"])
}

fn udp(sockets: &Sockets, local: &str) -> UdpSocket {
    let local = address(local);
    let family = if local.is_ipv4() { IpAddressFamily::Ipv4 } else { IpAddressFamily::Ipv6 };
    let mut socket = UdpSocket::new(sockets, family).unwrap();
    socket.start_bind(&all(), local).unwrap();
    socket.finish_bind().unwrap();
    socket
}

fn host(local: &str) -> (HostSocket, SocketAddr) {
    let socket = HostSocket::bind(local).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let at = socket.local_addr().unwrap();
    (socket, at)
}

fn datagram(data: &[u8], to: Option<SocketAddr>) -> OutgoingDatagram {
    OutgoingDatagram { data: data.to_vec(), remote_address: to.map(Into::into) }
}

fn send(
    stream: &mut OutgoingDatagramStream,
    datagrams: &[OutgoingDatagram],
) -> Result<u64, ErrorCode> {
    ready(stream);
    assert_eq!(stream.check_send(), Ok(MAX_DATAGRAMS));
    stream.send(&all(), datagrams).unwrap()
}

fn receive(stream: &mut IncomingDatagramStream) -> Vec<IncomingDatagram> {
    ready(stream);
    stream.receive(u64::MAX).unwrap()
}

#[test]
fn udp_with_everybody() {
    for local in [LOOPBACK, LOOPBACK6] {
        let sockets = Sockets::default();
        let mut socket = udp(&sockets, local);
        let at = socket.local_address().unwrap();
        assert_ne!(at.port(), 0);
        assert_eq!(socket.remote_address(), Err(ErrorCode::InvalidState));
        let (mut incoming, mut outgoing) = socket.stream(&all(), None).unwrap().unwrap();
        assert_eq!(incoming.receive(10), Ok(vec![]));
        let (one, one_at) = host(local);
        let (other, other_at) = host(local);
        one.send_to(b"from one", at).unwrap();
        assert_eq!(incoming.receive(0), Ok(vec![]));
        let got = receive(&mut incoming);
        assert_eq!(
            got,
            [IncomingDatagram { data: b"from one".to_vec(), remote_address: one_at.into() }]
        );
        let both = [datagram(b"to one", Some(one_at)), datagram(b"", Some(other_at))];
        assert_eq!(send(&mut outgoing, &both), Ok(2));
        let mut buffer = [0; 100];
        assert_eq!(one.recv_from(&mut buffer).unwrap(), (6, at));
        assert_eq!(&buffer[..6], b"to one");
        assert_eq!(other.recv_from(&mut buffer).unwrap(), (0, at));
        // Without an address there is nobody to send to.
        let nobody = send(&mut outgoing, &[datagram(b"x", None)]);
        assert_eq!(nobody, Err(ErrorCode::InvalidArgument));
    }
}

#[test]
fn udp_with_one_peer_then_another_then_everybody() {
    let sockets = Sockets::default();
    let mut socket = udp(&sockets, "0.0.0.0:0");
    let port = socket.local_address().unwrap().port();
    let at = address(&format!("127.0.0.1:{port}"));
    let (one, one_at) = host(LOOPBACK);
    let (other, other_at) = host(LOOPBACK);
    // What arrived before the socket had a peer is not for the stream of that peer.
    other.send_to(b"early", at).unwrap();
    let (mut incoming, mut outgoing) = socket.stream(&all(), Some(one_at)).unwrap().unwrap();
    assert_eq!(socket.remote_address(), Ok(one_at));
    other.send_to(b"late", at).unwrap();
    one.send_to(b"from the peer", at).unwrap();
    let mut got = Vec::new();
    while got.is_empty() {
        got = receive(&mut incoming);
    }
    assert_eq!(
        got,
        [IncomingDatagram { data: b"from the peer".to_vec(), remote_address: one_at.into() }]
    );
    let named = [datagram(b"a", None), datagram(b"b", Some(one_at))];
    assert_eq!(send(&mut outgoing, &named), Ok(2));
    let elsewhere = send(&mut outgoing, &[datagram(b"c", Some(other_at))]);
    assert_eq!(elsewhere, Err(ErrorCode::InvalidArgument));
    let mut buffer = [0; 100];
    assert_eq!(one.recv_from(&mut buffer).unwrap(), (1, at));

    // Streams that are still there must go first.
    assert!(socket.stream(&all(), None).is_err());
    drop(incoming);
    assert!(socket.stream(&all(), None).is_err());
    drop(outgoing);

    let (incoming, mut outgoing) = socket.stream(&all(), Some(other_at)).unwrap().unwrap();
    assert_eq!(socket.remote_address(), Ok(other_at));
    assert_eq!(socket.local_address().unwrap().port(), port);
    assert_eq!(send(&mut outgoing, &[datagram(b"hello", None)]), Ok(1));
    assert_eq!(other.recv_from(&mut buffer).unwrap(), (5, at));
    drop((incoming, outgoing));

    let (mut incoming, _outgoing) = socket.stream(&all(), None).unwrap().unwrap();
    assert_eq!(socket.remote_address(), Err(ErrorCode::InvalidState));
    assert_eq!(socket.local_address().unwrap(), address(&format!("0.0.0.0:{port}")));
    one.send_to(b"everybody again", at).unwrap();
    assert_eq!(receive(&mut incoming)[0].data, b"everybody again");
}

#[test]
fn udp_states_and_options() {
    use ErrorCode::{ConcurrencyConflict, InvalidArgument, InvalidState, NotInProgress};
    let sockets = Sockets::default();
    for (family, local) in [(IpAddressFamily::Ipv4, LOOPBACK), (IpAddressFamily::Ipv6, LOOPBACK6)] {
        let mut socket = UdpSocket::new(&sockets, family).unwrap();
        assert_eq!(socket.address_family(), family);
        assert_eq!(socket.finish_bind(), Err(NotInProgress));
        assert_eq!(socket.local_address(), Err(InvalidState));
        assert_eq!(socket.stream(&all(), None).unwrap().err(), Some(InvalidState));
        ready(&mut socket);
        assert_eq!(socket.start_bind(&all(), address(local)), Ok(()));
        assert_eq!(socket.start_bind(&all(), address(local)), Err(ConcurrencyConflict));
        assert_eq!(socket.local_address(), Err(ConcurrencyConflict));
        assert_eq!(socket.stream(&all(), None).unwrap().err(), Some(InvalidState));
        assert_eq!(socket.finish_bind(), Ok(()));
        assert_eq!(socket.finish_bind(), Err(NotInProgress));
        assert_eq!(socket.start_bind(&all(), address(local)), Err(InvalidState));

        assert_eq!(socket.set_unicast_hop_limit(0), Err(InvalidArgument));
        assert_eq!(socket.set_unicast_hop_limit(7), Ok(()));
        assert_eq!(socket.unicast_hop_limit(), Ok(7));
        assert_eq!(socket.set_receive_buffer_size(0), Err(InvalidArgument));
        assert_eq!(socket.set_send_buffer_size(0), Err(InvalidArgument));
        assert_eq!(socket.set_receive_buffer_size(0x8000), Ok(()));
        assert_eq!(socket.receive_buffer_size(), Ok(0x8000));
        assert_eq!(socket.set_send_buffer_size(0x8000), Ok(()));
        assert_eq!(socket.send_buffer_size(), Ok(0x8000));
        assert_eq!(socket.set_receive_buffer_size(u64::MAX), Ok(()));
        assert_eq!(socket.set_send_buffer_size(u64::MAX), Ok(()));
        let taken = socket.local_address().unwrap();
        let mut second = UdpSocket::new(&sockets, family).unwrap();
        assert_eq!(second.start_bind(&all(), taken), Err(ErrorCode::AddressInUse));
    }
}

#[test]
fn udp_addresses_that_cannot_be() {
    use ErrorCode::InvalidArgument;
    let sockets = Sockets::default();
    let remotes: &[(&str, &str)] = &[
        (LOOPBACK, "[::1]:80"),
        (LOOPBACK6, "127.0.0.1:80"),
        (LOOPBACK, "0.0.0.0:80"),
        (LOOPBACK6, "[::]:80"),
        (LOOPBACK, "127.0.0.1:0"),
        (LOOPBACK6, "[::1]:0"),
        (LOOPBACK6, "[::ffff:127.0.0.1]:80"),
    ];
    for (local, remote) in remotes {
        let mut socket = udp(&sockets, local);
        let to = Some(address(remote));
        assert_eq!(socket.stream(&all(), to).unwrap().err(), Some(InvalidArgument), "{remote}");
        let (_incoming, mut outgoing) = socket.stream(&all(), None).unwrap().unwrap();
        assert_eq!(send(&mut outgoing, &[datagram(b"x", to)]), Err(InvalidArgument), "{remote}");
    }
    for (family, local) in [
        (IpAddressFamily::Ipv4, "[::1]:0"),
        (IpAddressFamily::Ipv6, "127.0.0.1:0"),
        (IpAddressFamily::Ipv6, "[::ffff:127.0.0.1]:0"),
    ] {
        let mut socket = UdpSocket::new(&sockets, family).unwrap();
        assert_eq!(socket.start_bind(&all(), address(local)), Err(InvalidArgument), "{local}");
    }
    let mut socket = UdpSocket::new(&sockets, IpAddressFamily::Ipv4).unwrap();
    let elsewhere = socket.start_bind(&all(), address("192.0.2.1:0"));
    assert_eq!(elsewhere, Err(ErrorCode::AddressNotBindable));
}

#[test]
fn udp_every_datagram_is_checked() {
    use ErrorCode::AccessDenied;
    let sockets = Sockets::default();
    let (granted, granted_at) = host(LOOPBACK);
    let (denied, denied_at) = host(LOOPBACK);
    denied.set_nonblocking(true).unwrap();
    let some = policy(&[&format!("udp:{granted_at}")]);
    let mut socket = UdpSocket::new(&sockets, IpAddressFamily::Ipv4).unwrap();
    assert_eq!(socket.start_bind(&some, address(LOOPBACK)), Err(AccessDenied));
    assert_eq!(socket.start_bind(&some, address("0.0.0.0:0")), Ok(()));
    assert_eq!(socket.finish_bind(), Ok(()));
    assert_eq!(socket.stream(&some, Some(denied_at)).unwrap().err(), Some(AccessDenied));
    let (_incoming, mut outgoing) = socket.stream(&some, None).unwrap().unwrap();
    let mixed =
        [datagram(b"1", Some(granted_at)), datagram(b"2", Some(denied_at)), datagram(b"3", None)];
    outgoing.check_send().unwrap();
    assert_eq!(outgoing.send(&some, &mixed).unwrap(), Ok(1));
    outgoing.check_send().unwrap();
    assert_eq!(outgoing.send(&some, &mixed[1..]).unwrap(), Err(AccessDenied));
    let mut buffer = [0; 10];
    assert_eq!(granted.recv(&mut buffer).unwrap(), 1);
    assert!(denied.recv(&mut buffer).is_err());
    let grant = format!("--net udp:{denied_at}");
    assert!(some.denials().list().iter().any(|denial| denial.grant.as_ref() == Some(&grant)));

    // A broadcast needs an option that guests cannot set, whatever is granted.
    outgoing.check_send().unwrap();
    let broadcast = [datagram(b"x", Some(address("255.255.255.255:9")))];
    assert!(outgoing.send(&all(), &broadcast).unwrap().is_err());
}

#[test]
fn udp_no_more_than_permitted() {
    let sockets = Sockets::default();
    let (_peer, at) = host(LOOPBACK);
    let mut socket = udp(&sockets, LOOPBACK);
    let (_incoming, mut outgoing) = socket.stream(&all(), Some(at)).unwrap().unwrap();
    let one = [datagram(b"x", None)];
    assert_eq!(outgoing.send(&all(), &[]).unwrap(), Ok(0));
    assert!(outgoing.send(&all(), &one).is_err());
    assert_eq!(send(&mut outgoing, &one), Ok(1));
    // Each call needs a permission of its own.
    assert!(outgoing.send(&all(), &one).is_err());
    let many = vec![datagram(b"x", None); MAX_DATAGRAMS as usize + 1];
    assert_eq!(outgoing.check_send(), Ok(MAX_DATAGRAMS));
    assert!(outgoing.send(&all(), &many).is_err());
}

#[test]
fn udp_sizes() {
    let sockets = Sockets::default();
    let (peer, at) = host(LOOPBACK);
    let mut socket = udp(&sockets, LOOPBACK);
    let (mut incoming, mut outgoing) = socket.stream(&all(), Some(at)).unwrap().unwrap();
    // The longest that IPv4 carries, and what is longer.
    let longest = vec![7; 65_507];
    assert_eq!(send(&mut outgoing, &[datagram(&longest, None)]), Ok(1));
    let mut buffer = vec![0; 70_000];
    assert_eq!(peer.recv(&mut buffer).unwrap(), 65_507);
    for len in [65_508, 65_535, 65_536, 1 << 20] {
        let result = send(&mut outgoing, &[datagram(&vec![7; len], None)]);
        assert_eq!(result, Err(ErrorCode::DatagramTooLarge), "{len}");
    }
    let two = [datagram(b"x", None), datagram(&vec![7; 65_536], None)];
    assert_eq!(send(&mut outgoing, &two), Ok(1));
    assert_eq!(peer.recv(&mut buffer).unwrap(), 1);

    let back = socket.local_address().unwrap();
    peer.send_to(&longest, back).unwrap();
    assert!(receive(&mut incoming)[0].data == longest);
    for i in 0..40 {
        peer.send_to(&[i], back).unwrap();
    }
    ready(&mut incoming);
    assert_eq!(incoming.receive(2).unwrap().len(), 2);
    let mut got = 2;
    while got < 40 {
        let some = receive(&mut incoming);
        assert!(some.len() as u64 <= MAX_DATAGRAMS);
        got += some.len();
    }
    assert_eq!(incoming.receive(1), Ok(vec![]));
}

#[test]
fn udp_refused() {
    let sockets = Sockets::default();
    let (peer, nobody) = host(LOOPBACK);
    drop(peer);
    let mut socket = udp(&sockets, LOOPBACK);
    let (mut incoming, mut outgoing) = socket.stream(&all(), Some(nobody)).unwrap().unwrap();
    assert_eq!(send(&mut outgoing, &[datagram(b"x", None)]), Ok(1));
    ready(&mut incoming);
    assert_eq!(incoming.receive(10), Err(ErrorCode::ConnectionRefused));
    assert_eq!(incoming.receive(10), Ok(vec![]));
}

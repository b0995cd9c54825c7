//! `wasi:sockets/tcp`: what guests call on a [`TcpSocket`]. Invariant: the streams of a connection are children of its
//! socket, which can be dropped after them only.

use std::time::{Duration, Instant};

use lithe::Result;
use lithe_component::{Linker, Resource, ResourceTable};

use super::{IpSocketAddress, Network, TcpInput, TcpOutput, TcpSocket, getter, setter};
use crate::p2::io::{Input, Output, subscribe};
use crate::p2::{P2, View, Wait, interface};

/// The longest time for which the drop of a socket waits for the host to take what the guest wrote.
const LINGER: Duration = Duration::from_secs(2);

type Tcp = Resource<TcpSocket>;
type Net = Resource<Network>;
type Streams = (Resource<Input>, Resource<Output>);

fn push_streams(
    table: &mut ResourceTable,
    this: &Tcp,
    (input, output): (TcpInput, TcpOutput),
) -> Result<Streams> {
    let input = table.push_child(Input::new(input), this)?;
    Ok((input, table.push_child(Output::new(output), this)?))
}

/// Has the host take what the guest wrote before its socket is closed.
fn hand_on(p2: &mut P2, this: &Tcp) -> Result<()> {
    let until = Instant::now() + LINGER;
    while let Some(wait) = p2.table.at(this)?.hand_on() {
        if Instant::now() >= until {
            break;
        }
        p2.wait(&[wait, Wait::Until(until)])?;
    }
    Ok(())
}

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    let mut tcp = linker.instance(&interface("sockets/tcp"));
    tcp.resource::<TcpSocket>("tcp-socket", |mut cx, rep| {
        let (p2, this) = (cx.data_mut().p2(), Tcp::new(rep));
        hand_on(p2, &this)?;
        p2.table.remove(this).map(drop)
    })?;

    tcp.func(
        "[method]tcp-socket.start-bind",
        |mut cx, (this, network, local): (Tcp, Net, IpSocketAddress)| {
            let P2 { ctx, table, .. } = cx.data_mut().p2();
            table.at(&network)?;
            Ok(table.at_mut(&this)?.start_bind(ctx.net(), local.into()))
        },
    )?;
    tcp.func("[method]tcp-socket.finish-bind", |mut cx, (this,): (Tcp,)| {
        Ok(cx.data_mut().p2().table.at_mut(&this)?.finish_bind())
    })?;
    tcp.func(
        "[method]tcp-socket.start-connect",
        |mut cx, (this, network, remote): (Tcp, Net, IpSocketAddress)| {
            let P2 { ctx, table, .. } = cx.data_mut().p2();
            table.at(&network)?;
            Ok(table.at_mut(&this)?.start_connect(ctx.net(), remote.into()))
        },
    )?;
    tcp.func("[method]tcp-socket.finish-connect", |mut cx, (this,): (Tcp,)| {
        let table = &mut cx.data_mut().p2().table;
        match table.at_mut(&this)?.finish_connect() {
            Ok(streams) => push_streams(table, &this, streams).map(Ok),
            Err(code) => Ok(Err(code)),
        }
    })?;
    tcp.func("[method]tcp-socket.start-listen", |mut cx, (this,): (Tcp,)| {
        let P2 { ctx, table, .. } = cx.data_mut().p2();
        Ok(table.at_mut(&this)?.start_listen(ctx.net()))
    })?;
    tcp.func("[method]tcp-socket.finish-listen", |mut cx, (this,): (Tcp,)| {
        Ok(cx.data_mut().p2().table.at_mut(&this)?.finish_listen())
    })?;
    tcp.func("[method]tcp-socket.accept", |mut cx, (this,): (Tcp,)| {
        let P2 { table, sockets, .. } = cx.data_mut().p2();
        let (socket, input, output) = match table.at_mut(&this)?.accept(sockets) {
            Ok(accepted) => accepted,
            Err(code) => return Ok(Err(code)),
        };
        let socket = table.push(socket)?;
        let (input, output) = push_streams(table, &socket, (input, output))?;
        Ok(Ok((socket, input, output)))
    })?;
    tcp.func("[method]tcp-socket.subscribe", |mut cx, (this,): (Tcp,)| {
        subscribe(&mut cx.data_mut().p2().table, &this)
    })?;

    let tcp = &mut tcp;
    getter(tcp, "[method]tcp-socket.local-address", |socket: &TcpSocket| {
        socket.local_address().map(IpSocketAddress::from)
    })?;
    getter(tcp, "[method]tcp-socket.remote-address", |socket: &TcpSocket| {
        socket.remote_address().map(IpSocketAddress::from)
    })?;
    getter(tcp, "[method]tcp-socket.is-listening", TcpSocket::is_listening)?;
    getter(tcp, "[method]tcp-socket.address-family", TcpSocket::address_family)?;
    setter(tcp, "[method]tcp-socket.set-listen-backlog-size", TcpSocket::set_listen_backlog_size)?;
    getter(tcp, "[method]tcp-socket.keep-alive-enabled", TcpSocket::keep_alive_enabled)?;
    setter(tcp, "[method]tcp-socket.set-keep-alive-enabled", TcpSocket::set_keep_alive_enabled)?;
    getter(tcp, "[method]tcp-socket.keep-alive-idle-time", TcpSocket::keep_alive_idle_time)?;
    setter(
        tcp,
        "[method]tcp-socket.set-keep-alive-idle-time",
        TcpSocket::set_keep_alive_idle_time,
    )?;
    getter(tcp, "[method]tcp-socket.keep-alive-interval", TcpSocket::keep_alive_interval)?;
    setter(tcp, "[method]tcp-socket.set-keep-alive-interval", TcpSocket::set_keep_alive_interval)?;
    getter(tcp, "[method]tcp-socket.keep-alive-count", TcpSocket::keep_alive_count)?;
    setter(tcp, "[method]tcp-socket.set-keep-alive-count", TcpSocket::set_keep_alive_count)?;
    getter(tcp, "[method]tcp-socket.hop-limit", TcpSocket::hop_limit)?;
    setter(tcp, "[method]tcp-socket.set-hop-limit", TcpSocket::set_hop_limit)?;
    getter(tcp, "[method]tcp-socket.receive-buffer-size", TcpSocket::receive_buffer_size)?;
    setter(tcp, "[method]tcp-socket.set-receive-buffer-size", TcpSocket::set_receive_buffer_size)?;
    getter(tcp, "[method]tcp-socket.send-buffer-size", TcpSocket::send_buffer_size)?;
    setter(tcp, "[method]tcp-socket.set-send-buffer-size", TcpSocket::set_send_buffer_size)?;
    setter(tcp, "[method]tcp-socket.shutdown", TcpSocket::shutdown)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;
    use crate::p2::io::OutputStream;
    use crate::p2::sockets::IpAddressFamily;
    use crate::{Ctx, Grants};

    /// A socket with more written than the host takes, and its peer.
    fn written(p2: &mut P2) -> (Tcp, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut socket = TcpSocket::new(&p2.sockets, IpAddressFamily::Ipv4).unwrap();
        socket.start_connect(p2.ctx.net(), listener.local_addr().unwrap()).unwrap();
        let peer = listener.accept().unwrap().0;
        let (_, mut output) = socket.finish_connect().unwrap();
        output.write(&vec![7; 16 << 20]).unwrap();
        assert!(socket.hand_on().is_some());
        (p2.table.push(socket).unwrap(), peer)
    }

    fn p2() -> P2 {
        let grants = Grants::new().net("tcp:127.0.0.1:*".parse().unwrap());
        P2::new(Ctx::new(grants).unwrap())
    }

    #[test]
    fn dropping_waits_for_what_was_written() {
        let mut p2 = p2();
        let (this, mut peer) = written(&mut p2);
        let reader = std::thread::spawn(move || peer.read_to_end(&mut Vec::new()).unwrap());
        hand_on(&mut p2, &this).unwrap();
        drop(p2);
        assert_eq!(reader.join().unwrap(), 16 << 20);
    }

    #[test]
    fn dropping_does_not_wait_for_a_peer_that_reads_nothing() {
        let mut p2 = p2();
        let (this, _peer) = written(&mut p2);
        let start = Instant::now();
        hand_on(&mut p2, &this).unwrap();
        assert!(start.elapsed() >= LINGER && start.elapsed() < 10 * LINGER);
    }
}

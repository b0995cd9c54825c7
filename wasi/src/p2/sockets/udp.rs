//! `wasi:sockets/udp`: what guests call on a [`UdpSocket`] and its streams. Invariant: the streams are children of the
//! socket, which can be dropped after them only.

use lithe::Result;
use lithe_component::{Linker, Resource};

use super::{
    IncomingDatagramStream, IpSocketAddress, Network, OutgoingDatagram, OutgoingDatagramStream,
    UdpSocket, getter, setter,
};
use crate::p2::io::subscribe;
use crate::p2::{P2, View, interface};

type Udp = Resource<UdpSocket>;
type Incoming = Resource<IncomingDatagramStream>;
type Outgoing = Resource<OutgoingDatagramStream>;

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    let mut udp = linker.instance(&interface("sockets/udp"));
    udp.resource::<UdpSocket>("udp-socket", |mut cx, rep| {
        cx.data_mut().p2().table.remove(Udp::new(rep)).map(drop)
    })?;
    udp.resource::<IncomingDatagramStream>("incoming-datagram-stream", |mut cx, rep| {
        cx.data_mut().p2().table.remove(Incoming::new(rep)).map(drop)
    })?;
    udp.resource::<OutgoingDatagramStream>("outgoing-datagram-stream", |mut cx, rep| {
        cx.data_mut().p2().table.remove(Outgoing::new(rep)).map(drop)
    })?;

    udp.func(
        "[method]udp-socket.start-bind",
        |mut cx, (this, network, local): (Udp, Resource<Network>, IpSocketAddress)| {
            let P2 { ctx, table, .. } = cx.data_mut().p2();
            table.at(&network)?;
            Ok(table.at_mut(&this)?.start_bind(ctx.net(), local.into()))
        },
    )?;
    udp.func("[method]udp-socket.finish-bind", |mut cx, (this,): (Udp,)| {
        Ok(cx.data_mut().p2().table.at_mut(&this)?.finish_bind())
    })?;
    udp.func(
        "[method]udp-socket.stream",
        |mut cx, (this, remote): (Udp, Option<IpSocketAddress>)| {
            let P2 { ctx, table, .. } = cx.data_mut().p2();
            match table.at_mut(&this)?.stream(ctx.net(), remote.map(Into::into))? {
                Ok((incoming, outgoing)) => {
                    let incoming = table.push_child(incoming, &this)?;
                    Ok(Ok((incoming, table.push_child(outgoing, &this)?)))
                }
                Err(code) => Ok(Err(code)),
            }
        },
    )?;
    udp.func("[method]udp-socket.subscribe", |mut cx, (this,): (Udp,)| {
        subscribe(&mut cx.data_mut().p2().table, &this)
    })?;

    udp.func(
        "[method]incoming-datagram-stream.receive",
        |mut cx, (this, max_results): (Incoming, u64)| {
            Ok(cx.data_mut().p2().table.at_mut(&this)?.receive(max_results))
        },
    )?;
    udp.func("[method]incoming-datagram-stream.subscribe", |mut cx, (this,): (Incoming,)| {
        subscribe(&mut cx.data_mut().p2().table, &this)
    })?;
    udp.func("[method]outgoing-datagram-stream.check-send", |mut cx, (this,): (Outgoing,)| {
        Ok(cx.data_mut().p2().table.at_mut(&this)?.check_send())
    })?;
    udp.func(
        "[method]outgoing-datagram-stream.send",
        |mut cx, (this, datagrams): (Outgoing, Vec<OutgoingDatagram>)| {
            let P2 { ctx, table, .. } = cx.data_mut().p2();
            table.at_mut(&this)?.send(ctx.net(), &datagrams)
        },
    )?;
    udp.func("[method]outgoing-datagram-stream.subscribe", |mut cx, (this,): (Outgoing,)| {
        subscribe(&mut cx.data_mut().p2().table, &this)
    })?;

    let udp = &mut udp;
    getter(udp, "[method]udp-socket.local-address", |socket: &UdpSocket| {
        socket.local_address().map(IpSocketAddress::from)
    })?;
    getter(udp, "[method]udp-socket.remote-address", |socket: &UdpSocket| {
        socket.remote_address().map(IpSocketAddress::from)
    })?;
    getter(udp, "[method]udp-socket.address-family", UdpSocket::address_family)?;
    getter(udp, "[method]udp-socket.unicast-hop-limit", UdpSocket::unicast_hop_limit)?;
    setter(udp, "[method]udp-socket.set-unicast-hop-limit", UdpSocket::set_unicast_hop_limit)?;
    getter(udp, "[method]udp-socket.receive-buffer-size", UdpSocket::receive_buffer_size)?;
    setter(udp, "[method]udp-socket.set-receive-buffer-size", UdpSocket::set_receive_buffer_size)?;
    getter(udp, "[method]udp-socket.send-buffer-size", UdpSocket::send_buffer_size)?;
    setter(udp, "[method]udp-socket.set-send-buffer-size", UdpSocket::set_send_buffer_size)
}

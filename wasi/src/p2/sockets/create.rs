//! `wasi:sockets/tcp-create-socket` and `wasi:sockets/udp-create-socket`. Invariant: a new socket reaches nobody, so
//! creating one needs a free place among the guest's sockets and no grant.

use lithe::Result;
use lithe_component::Linker;

use super::{IpAddressFamily, TcpSocket, UdpSocket};
use crate::p2::{View, interface};

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    let mut tcp = linker.instance(&interface("sockets/tcp-create-socket"));
    tcp.func("create-tcp-socket", |mut cx, (family,): (IpAddressFamily,)| {
        let p2 = cx.data_mut().p2();
        match TcpSocket::new(&p2.sockets, family) {
            Ok(socket) => p2.table.push(socket).map(Ok),
            Err(code) => Ok(Err(code)),
        }
    })?;
    let mut udp = linker.instance(&interface("sockets/udp-create-socket"));
    udp.func("create-udp-socket", |mut cx, (family,): (IpAddressFamily,)| {
        let p2 = cx.data_mut().p2();
        match UdpSocket::new(&p2.sockets, family) {
            Ok(socket) => p2.table.push(socket).map(Ok),
            Err(code) => Ok(Err(code)),
        }
    })?;
    Ok(())
}

//! `wasi:sockets/ip-name-lookup`. Invariant: no call waits, whatever the resolver does.

use lithe::Result;
use lithe_component::{Linker, Resource};

use super::{IpAddress, Network, ResolveAddressStream};
use crate::p2::io::subscribe;
use crate::p2::{P2, View, interface};

type Stream = Resource<ResolveAddressStream>;

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    let mut lookup = linker.instance(&interface("sockets/ip-name-lookup"));
    lookup.resource::<ResolveAddressStream>("resolve-address-stream", |mut cx, rep| {
        cx.data_mut().p2().table.remove(Stream::new(rep)).map(drop)
    })?;
    lookup.func("resolve-addresses", |mut cx, (network, name): (Resource<Network>, String)| {
        let P2 { ctx, table, sockets, .. } = cx.data_mut().p2();
        table.at(&network)?;
        match ResolveAddressStream::new(sockets, ctx.net(), name) {
            Ok(stream) => table.push(stream).map(Ok),
            Err(code) => Ok(Err(code)),
        }
    })?;
    lookup.func(
        "[method]resolve-address-stream.resolve-next-address",
        |mut cx, (this,): (Stream,)| {
            let P2 { ctx, table, .. } = cx.data_mut().p2();
            let next = table.at_mut(&this)?.resolve_next_address(ctx.net());
            Ok(next.map(|address| address.map(IpAddress::from)))
        },
    )?;
    lookup.func("[method]resolve-address-stream.subscribe", |mut cx, (this,): (Stream,)| {
        subscribe(&mut cx.data_mut().p2().table, &this)
    })?;
    Ok(())
}

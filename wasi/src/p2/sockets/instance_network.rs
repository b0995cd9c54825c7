//! `wasi:sockets/instance-network`. Invariant: having a network grants nothing; the policy is asked for each address.

use lithe::Result;
use lithe_component::Linker;

use super::Network;
use crate::p2::{View, interface};

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    let mut instance = linker.instance(&interface("sockets/instance-network"));
    instance.func("instance-network", |mut cx, (): ()| cx.data_mut().p2().table.push(Network))?;
    Ok(())
}

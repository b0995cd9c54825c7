//! Finding a server and connecting to it. Invariant: a name is looked up once, each address is checked by the policy of
//! the guest right before it is connected to, and the connection is made to that very address, whatever a name leads to
//! later.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use lithe_wasi::NetPolicy;
use lithe_wasi::p2::sockets::Resolve;
use tokio::net::{TcpStream, lookup_host};

use crate::outgoing::Target;
use crate::types::{DnsErrorPayload, ErrorCode};

/// Addresses of a name that are tried.
const MAX_ADDRESSES: usize = 16;

/// A connection to one of the target's addresses that the policy grants.
pub(super) async fn dial(
    target: &Target,
    policy: &NetPolicy,
    resolver: Option<&Arc<dyn Resolve>>,
) -> Result<(TcpStream, SocketAddr), ErrorCode> {
    let mut last = ErrorCode::DestinationNotFound;
    for address in resolve(target, resolver).await? {
        if policy.http_address(&target.host, address).is_err() {
            last = ErrorCode::DestinationIpProhibited;
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Small writes are whole messages here; without this they only wait longer.
                let _ = stream.set_nodelay(true);
                return Ok((stream, address));
            }
            Err(error) => last = ErrorCode::of_io(&error),
        }
    }
    Err(last)
}

async fn resolve(
    target: &Target,
    resolver: Option<&Arc<dyn Resolve>>,
) -> Result<Vec<SocketAddr>, ErrorCode> {
    if let Ok(ip) = target.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, target.port)]);
    }
    let Some(resolver) = resolver.cloned() else {
        let found = lookup_host((target.host.as_str(), target.port)).await;
        let found = found.map_err(|error| unresolved(error.to_string()))?;
        return Ok(found.take(MAX_ADDRESSES).collect());
    };
    let name = target.host.clone();
    let found = tokio::task::spawn_blocking(move || resolver.resolve(&name)).await;
    // A resolver that panics finds nothing.
    let found = found.map_err(|_| unresolved("the resolver failed".into()))?;
    let found = found.map_err(|code| unresolved(format!("{code:?}")))?;
    let address = |ip| SocketAddr::new(ip, target.port);
    Ok(found.into_iter().take(MAX_ADDRESSES).map(address).collect())
}

fn unresolved(reason: String) -> ErrorCode {
    ErrorCode::DnsError(DnsErrorPayload { rcode: Some(reason), info_code: None })
}

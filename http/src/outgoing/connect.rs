//! Finding a server and connecting to it. Invariant: a name is looked up once, each address is checked by the policy of
//! the guest right before it is connected to, and the connection is made to that very address, whatever a name leads to
//! later. An address that does not answer does not keep the others waiting (RFC 8305, section 5).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lithe_wasi::NetPolicy;
use lithe_wasi::p2::sockets::Resolve;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::outgoing::Target;
use crate::types::{DnsErrorPayload, ErrorCode};

/// Addresses of a name that are tried.
const MAX_ADDRESSES: usize = 16;
/// How long an address has before the next one is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);

/// A connection to one of the target's addresses that the policy grants.
pub(super) async fn dial(
    target: &Target,
    policy: &NetPolicy,
    resolver: Option<&Arc<dyn Resolve>>,
) -> Result<(TcpStream, SocketAddr), ErrorCode> {
    let mut last = ErrorCode::DestinationNotFound;
    let mut addresses = resolve(target, resolver).await?.into_iter();
    // Those that are still under way when there is a connection end with the set.
    let mut attempts = JoinSet::new();
    loop {
        let next = addresses.next();
        if let Some(address) = next {
            if policy.http_address(&target.host, address).is_err() {
                last = ErrorCode::DestinationIpProhibited;
                continue;
            }
            attempts.spawn_local(async move { (TcpStream::connect(address).await, address) });
        }
        let ended = match next {
            Some(_) => timeout(HEAD_START, attempts.join_next()).await.ok(),
            None => Some(attempts.join_next().await),
        };
        match ended {
            Some(Some(Ok((Ok(stream), address)))) => {
                // Small writes are whole messages here; without this they only wait longer.
                let _ = stream.set_nodelay(true);
                return Ok((stream, address));
            }
            Some(Some(Ok((Err(error), _)))) => last = ErrorCode::of_io(&error),
            Some(None) => return Err(last),
            // The next address; an attempt that was aborted or panicked is none.
            Some(Some(Err(_))) | None => {}
        }
    }
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

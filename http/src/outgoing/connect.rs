//! Finding a server and connecting to it. Invariant: each address is checked by the policy of the guest right before it
//! is connected to, and the connection is made to that very address, whatever a name leads to later.

use std::net::{IpAddr, SocketAddr};

use lithe_wasi::NetPolicy;
use tokio::net::{TcpStream, lookup_host};

use crate::outgoing::Target;
use crate::types::{DnsErrorPayload, ErrorCode};

/// Addresses of a name that are tried.
const MAX_ADDRESSES: usize = 16;

/// A connection to one of the target's addresses that the policy grants.
pub(super) async fn dial(
    target: &Target,
    policy: &NetPolicy,
) -> Result<(TcpStream, SocketAddr), ErrorCode> {
    let mut last = ErrorCode::DestinationNotFound;
    for address in resolve(target).await? {
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

async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, ErrorCode> {
    if let Ok(ip) = target.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, target.port)]);
    }
    match lookup_host((target.host.as_str(), target.port)).await {
        Ok(addresses) => Ok(addresses.take(MAX_ADDRESSES).collect()),
        Err(error) => {
            let rcode = Some(error.to_string());
            Err(ErrorCode::DnsError(DnsErrorPayload { rcode, info_code: None }))
        }
    }
}

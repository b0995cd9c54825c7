//! From options to the grants that WASI understands. Called by `run`. Invariant: nothing is granted that no
//! flag or key names, but the standard streams and the guest's arguments.

use std::ffi::OsString;
use std::path::Path;

use lithe_wasi::{Grants, NetPolicy, NetRule};

use crate::options::Options;

/// What the guest may do.
pub fn grants(options: &Options, file: &Path, args: &[OsString]) -> Grants {
    // Like Wasmtime: the name without the folder, which is not the guest's business.
    let name = file.file_name().unwrap_or(file.as_os_str());
    let name = options.argv0.clone().unwrap_or_else(|| name.into());
    let mut grants = Grants::new().inherit_stdio().arg(name).args(args.iter().cloned());
    if options.inherit_env {
        for (key, value) in std::env::vars_os() {
            grants = grants.env(key, value);
        }
    }
    for (key, value) in &options.env {
        // A variable to pass on that does not exist stays unset.
        if let Some(value) = value.clone().or_else(|| std::env::var_os(key)) {
            grants = grants.env(key, value);
        }
    }
    if options.listen_fds {
        grants = grants.listen_fds();
    }
    for address in &options.tcp_listen {
        grants = grants.tcp_listen(*address);
    }
    grants = grants.network(network(options));
    for (name, value) in &options.vars {
        grants = grants.config_var(name, value);
    }
    if options.threads {
        grants = grants.threads(options.max_threads);
    }
    for dir in &options.dirs {
        grants = grants.dir(&dir.host, &dir.guest, dir.access);
    }
    if let Some(seed) = options.seed {
        grants = grants.seed(seed);
    }
    grants
}

/// What the guest may do on the network.
fn network(options: &Options) -> NetPolicy {
    let mut policy = options.net.iter().cloned().fold(NetPolicy::new(), NetPolicy::allow);
    if options.inherit_network {
        policy = NetRule::everything().into_iter().fold(policy, NetPolicy::allow);
    }
    if options.name_lookup {
        policy = policy.allow(NetRule::every_lookup());
    }
    policy = options.http.iter().cloned().fold(policy, NetPolicy::allow_http);
    if options.http_everywhere {
        policy = policy.allow_http_everywhere();
    }
    if !options.tcp {
        policy = policy.without_tcp();
    }
    if !options.udp {
        policy = policy.without_udp();
    }
    policy
}

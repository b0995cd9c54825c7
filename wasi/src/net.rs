//! [`NetPolicy`]: who may be reached over the network, and which names may be looked up. It opens nothing; the layers of
//! sockets and of HTTP ask it before they do, and whatever it denies is recorded.
//!
//! Invariant: what is checked is the address that is used, in its canonical form, never a name alone. A rule that names
//! a host stands for the addresses that a lookup by this guest gave for the name ([`NetPolicy::resolved`]), because WASI
//! guests look names up first and then use addresses. The host does not look them up again to check: names have several
//! addresses and answers change, so it would deny addresses that the guest was just given, wait in the middle of a
//! check, and trust a second answer no more than the first. Such a rule also grants looking up that one name. A wildcard
//! leaves the choice of the name to the guest, and with it the choice of the addresses, so what a wildcard grants ends
//! at the public Internet, but for `*` in rules of sockets, which is not about names: it is every address there is.

mod host;
mod rule;

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use crate::Denials;
use crate::denials::shown;
use crate::descriptor::lock;

use host::{Host, Target, is_public, outgoing};
use rule::{HTTP_PORTS, Kind, suggestion};
pub use rule::{HttpRule, NetRule};

/// Addresses of names that one guest looked up and that are remembered; the oldest are forgotten first.
const MAX_RESOLVED: usize = 1024;

/// What one guest may do on the network. Nothing by default.
///
/// A clone has the same rules and records to the same list of denials, and knows no addresses of names yet.
///
/// ```
/// use lithe_wasi::NetPolicy;
///
/// let policy = NetPolicy::new().allow("tcp:10.0.0.0/8:5432".parse()?);
/// assert!(policy.tcp_connect("10.1.2.3:5432".parse().unwrap()).is_ok());
/// let denied = policy.tcp_connect("[::ffff:192.0.2.1]:5432".parse().unwrap()).unwrap_err();
/// assert_eq!(denied.grant(), Some("--net tcp:192.0.2.1:5432"));
/// assert_eq!(policy.denials().list().len(), 1);
/// # Ok::<(), lithe_wasi::Error>(())
/// ```
#[derive(Debug)]
pub struct NetPolicy {
    rules: Arc<Vec<NetRule>>,
    http: Arc<Vec<HttpRule>>,
    http_everywhere: bool,
    tcp: bool,
    udp: bool,
    resolved: Mutex<Resolved>,
    denials: Denials,
}

impl Default for NetPolicy {
    fn default() -> NetPolicy {
        NetPolicy {
            rules: Arc::default(),
            http: Arc::default(),
            http_everywhere: false,
            tcp: true,
            udp: true,
            resolved: Mutex::default(),
            denials: Denials::default(),
        }
    }
}

impl Clone for NetPolicy {
    fn clone(&self) -> NetPolicy {
        NetPolicy {
            rules: self.rules.clone(),
            http: self.http.clone(),
            http_everywhere: self.http_everywhere,
            tcp: self.tcp,
            udp: self.udp,
            resolved: Mutex::default(),
            denials: self.denials.clone(),
        }
    }
}

impl NetPolicy {
    /// A policy that allows nothing.
    pub fn new() -> NetPolicy {
        NetPolicy::default()
    }

    /// Grants what a rule says.
    pub fn allow(mut self, rule: NetRule) -> NetPolicy {
        Arc::make_mut(&mut self.rules).push(rule);
        self
    }

    /// Grants outgoing HTTP requests to a host.
    pub fn allow_http(mut self, rule: HttpRule) -> NetPolicy {
        Arc::make_mut(&mut self.http).push(rule);
        self
    }

    /// Grants outgoing HTTP requests to every host and port, those of private networks and of this machine included.
    pub fn allow_http_everywhere(mut self) -> NetPolicy {
        self.http_everywhere = true;
        self
    }

    /// Takes TCP away, whatever rules say. HTTP is not meant.
    pub fn without_tcp(mut self) -> NetPolicy {
        self.tcp = false;
        self
    }

    /// Takes UDP away, whatever rules say.
    pub fn without_udp(mut self) -> NetPolicy {
        self.udp = false;
        self
    }

    pub(crate) fn note_denials_in(mut self, denials: &Denials) -> NetPolicy {
        self.denials = denials.clone();
        self
    }

    /// What was denied to every guest with a clone of this policy.
    pub fn denials(&self) -> &Denials {
        &self.denials
    }

    /// Whether TCP connections may be made to an address. Ask with the address that is given to the system.
    pub fn tcp_connect(&self, address: SocketAddr) -> Result<(), Denied> {
        self.sends(Kind::Tcp, self.tcp, "tcp connection to", address)
    }

    /// Whether datagrams may be sent to an address; for every datagram, or once for a socket that is connected to it.
    pub fn udp_send(&self, address: SocketAddr) -> Result<(), Denied> {
        self.sends(Kind::Udp, self.udp, "udp datagram to", address)
    }

    /// Whether a TCP socket may be bound to an address. Port 0 of the unspecified address is what the system binds
    /// sockets to that connect, so every rule for connections grants it too; listening there is another question.
    pub fn tcp_bind(&self, address: SocketAddr) -> Result<(), Denied> {
        self.binds(Kind::Tcp, self.tcp, "tcp socket bound to", address)
    }

    /// Whether a TCP socket may listen on an address. Ask with the address that the guest bound it to, where port 0
    /// stands for one that the system chose; the unspecified one with port 0 if it never did.
    pub fn tcp_listen(&self, address: SocketAddr) -> Result<(), Denied> {
        let address = canonical(address);
        if self.tcp && self.listens(address) {
            return Ok(());
        }
        let grant = suggestion(Kind::Listen, None, address);
        Err(self.deny_use(self.tcp, Kind::Tcp, format!("tcp listener on {address}"), grant))
    }

    /// Whether a UDP socket may be bound to an address. As for [`tcp_bind`](NetPolicy::tcp_bind), rules for sending
    /// grant port 0 of the unspecified address; answers arrive there, and from anybody who knows the port.
    pub fn udp_bind(&self, address: SocketAddr) -> Result<(), Denied> {
        self.binds(Kind::Udp, self.udp, "udp socket bound to", address)
    }

    /// Whether the addresses of a name may be looked up. A text that is an address needs no lookup, and none may be
    /// made for it; one that is neither, as `0x7f.1`, is always denied. Names are in ASCII.
    pub fn lookup(&self, name: &str) -> Result<(), Denied> {
        let target = match Target::parse(name) {
            Some(Target::Address(_)) => return Ok(()),
            Some(Target::Name(target)) => target,
            None => return Err(self.deny_text("lookup of", name)),
        };
        let granted = |rule: &NetRule| {
            rule.host.covers_name(&target) || (rule.kind, &rule.host) == (Kind::Lookup, &Host::Any)
        };
        match self.rules.iter().any(granted) {
            true => Ok(()),
            false => {
                let grant = format!("--net lookup:{target}");
                Err(self.deny(format!("lookup of {target}"), Some(grant)))
            }
        }
    }

    /// Notes the addresses that a granted lookup of `name` by the guest gave.
    pub fn resolved(&self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        if let Some(Target::Name(name)) = Target::parse(name) {
            lock(&self.resolved).add(&name, addresses);
        }
    }

    /// Whether an HTTP request may name a host, before anything is looked up or connected: `host` without port, and an
    /// IPv6 address with or without brackets. [`http_address`](NetPolicy::http_address) follows. Every request is
    /// asked for, also one that a guest makes because an answer redirected it.
    pub fn http(&self, host: &str, port: u16) -> Result<(), Denied> {
        self.http_target(host, port).map(drop)
    }

    /// Whether an HTTP request to `host` may connect to this address, for every address that is about to be connected
    /// to. [`may_share`](NetPolicy::may_share) is for connections that are there already.
    pub fn http_address(&self, host: &str, address: SocketAddr) -> Result<(), Denied> {
        let target = self.http_target(host, address.port())?;
        if self.leads_to(&target, address) {
            return Ok(());
        }
        let reason = if matches!(target, Target::Name(_)) { ", which is not public" } else { "" };
        let attempt = format!("http request to {target} at {}{reason}", canonical(address));
        Err(self.deny(attempt, Some(http_flag(&target, address.port()))))
    }

    /// Whether [`http_address`](NetPolicy::http_address) would allow it, for a connection that somebody else made and
    /// that this guest could do without: nothing is recorded.
    pub fn may_share(&self, host: &str, address: SocketAddr) -> bool {
        let Some(target) = Target::parse(host) else { return false };
        self.names(&target, address.port()) && self.leads_to(&target, address)
    }

    /// Whether a request that names this target may connect to the address.
    fn leads_to(&self, target: &Target, address: SocketAddr) -> bool {
        let (ip, port) = (outgoing(address.ip()), address.port());
        match target {
            Target::Address(named) => *named == ip,
            Target::Name(_) if self.http_everywhere => true,
            Target::Name(name) => {
                self.http.iter().filter(|rule| rule.covers_port(port)).any(|rule| {
                    let wildcard = rule.host == Host::Any || matches!(rule.host, Host::Suffix(_));
                    let named = rule.host.covers_name(name) || rule.host == Host::Any;
                    rule.host.states(ip) || named && (!wildcard || is_public(ip))
                })
            }
        }
    }

    /// Whom a request names, if it may.
    fn http_target(&self, host: &str, port: u16) -> Result<Target, Denied> {
        let Some(target) = Target::parse(host) else {
            return Err(self.deny_text("http request to", host));
        };
        if self.names(&target, port) {
            return Ok(target);
        }
        let grant = http_flag(&target, port);
        Err(self.deny(format!("http request to {target}:{port}"), Some(grant)))
    }

    /// Whether a request may name the target.
    fn names(&self, target: &Target, port: u16) -> bool {
        let granted = |rule: &HttpRule| match target {
            Target::Address(ip) => {
                rule.host.states(*ip) || rule.host == Host::Any && is_public(*ip)
            }
            Target::Name(name) => rule.host == Host::Any || rule.host.covers_name(name),
        };
        let mut rules = self.http.iter().filter(|rule| rule.covers_port(port));
        self.http_everywhere || rules.any(granted)
    }

    fn sends(
        &self,
        kind: Kind,
        enabled: bool,
        what: &str,
        address: SocketAddr,
    ) -> Result<(), Denied> {
        let address = SocketAddr::new(outgoing(address.ip()), address.port());
        let (ip, port) = (address.ip(), address.port());
        let resolved = lock(&self.resolved);
        let granted = |rule: &NetRule| {
            rule.kind == kind && rule.ports.contains(port) && resolved.covers(&rule.host, ip)
        };
        if enabled && self.rules.iter().any(granted) {
            return Ok(());
        }
        let name = resolved.name(ip).map(|name| (format!("{what} {address} ({name})"), Some(name)));
        let (attempt, name) = name.unwrap_or_else(|| (format!("{what} {address}"), None));
        let grant = suggestion(kind, name, address);
        Err(self.deny_use(enabled, kind, attempt, grant))
    }

    fn binds(
        &self,
        kind: Kind,
        enabled: bool,
        what: &str,
        address: SocketAddr,
    ) -> Result<(), Denied> {
        let address = canonical(address);
        let chosen = address.ip().is_unspecified() && address.port() == 0;
        let sends = chosen && self.rules.iter().any(|rule| rule.kind == kind);
        if enabled && (sends || self.listens(address)) {
            return Ok(());
        }
        let grant = suggestion(Kind::Listen, None, address);
        Err(self.deny_use(enabled, kind, format!("{what} {address}"), grant))
    }

    /// Whether a rule grants sockets at an address. A rule with the unspecified address means all of its family, as
    /// such a socket does.
    fn listens(&self, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip(), address.port());
        let resolved = lock(&self.resolved);
        let family = |host: &Host| match host {
            Host::Address(host) => host.is_unspecified() && host.is_ipv4() == ip.is_ipv4(),
            _ => false,
        };
        self.rules.iter().any(|rule| {
            rule.kind == Kind::Listen
                && rule.ports.contains(port)
                && (family(&rule.host) || resolved.covers(&rule.host, ip))
        })
    }

    /// Denies a use of sockets; `enabled` is the switch of the protocol, without which no rule helps.
    fn deny_use(&self, enabled: bool, protocol: Kind, attempt: String, grant: String) -> Denied {
        match enabled {
            true => self.deny(attempt, Some(grant)),
            false => self.deny(attempt, Some(format!("-S {}=y", protocol.word()))),
        }
    }

    /// Denies a text that names nothing.
    fn deny_text(&self, what: &str, text: &str) -> Denied {
        self.deny(format!("{what} {}, which is no name of a host", shown(text.as_bytes())), None)
    }

    fn deny(&self, attempt: String, grant: Option<String>) -> Denied {
        self.denials.record(&attempt, grant.as_deref());
        Denied(Box::new((attempt, grant)))
    }
}

impl NetPolicy {
    /// The rules as the flags take them, each with the flag's word before it.
    pub(crate) fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows: Vec<(&str, String)> =
            self.rules.iter().map(|rule| ("net", rule.to_string())).collect();
        if rows.is_empty() {
            rows.push(("net", "none".into()));
        }
        let off = [("tcp", self.tcp), ("udp", self.udp)].into_iter().filter(|(_, on)| !on);
        rows.extend(
            off.map(|(protocol, _)| ("net", format!("no {protocol}, whatever is granted"))),
        );
        rows.extend(self.http.iter().map(|rule| ("http", rule.to_string())));
        match (self.http_everywhere, self.http.is_empty()) {
            (true, _) => rows.push(("http", "everywhere, private networks included".into())),
            (false, true) => rows.push(("http", "none".into())),
            (false, false) => {}
        }
        rows
    }
}

/// Something that the policy does not allow: what was tried, and the flag that grants it.
#[derive(Debug)]
pub struct Denied(Box<(String, Option<String>)>);

impl Denied {
    /// The flag that grants it, when there is one.
    pub fn grant(&self) -> Option<&str> {
        self.0.1.as_deref()
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.grant() {
            Some(grant) => write!(f, "{} is not granted; grant it with {grant}", self.0.0),
            None => write!(f, "{} is not granted, and no flag grants it", self.0.0),
        }
    }
}

impl std::error::Error for Denied {}

/// An address without scope and flow, and an IPv4 address as such.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn http_flag(target: &Target, port: u16) -> String {
    match HTTP_PORTS.contains(&port) {
        true => format!("--http {target}"),
        false => format!("--http {target}:{port}"),
    }
}

/// The addresses of names that a guest looked up.
#[derive(Debug, Default)]
struct Resolved(VecDeque<(Arc<str>, IpAddr)>);

impl Resolved {
    fn add(&mut self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        let name: Arc<str> = name.into();
        for address in addresses {
            let address = outgoing(address);
            self.0.retain(|(known, ip)| *ip != address || *known != name);
            if self.0.len() == MAX_RESOLVED {
                self.0.pop_front();
            }
            self.0.push_back((name.clone(), address));
        }
    }

    /// Whether the host of a rule for sockets has an address.
    fn covers(&self, host: &Host, ip: IpAddr) -> bool {
        let gave = |name: &dyn Fn(&str) -> bool| {
            self.0.iter().any(|(known, address)| *address == ip && name(known))
        };
        host.states(ip)
            || match host {
                Host::Any => true,
                Host::Name(_) => gave(&|name| host.covers_name(name)),
                Host::Suffix(_) => is_public(ip) && gave(&|name| host.covers_name(name)),
                Host::Address(_) | Host::Network(_) => false,
            }
    }

    /// The name that an address was given for most recently.
    fn name(&self, ip: IpAddr) -> Option<&str> {
        self.0.iter().rev().find(|(_, address)| *address == ip).map(|(name, _)| &**name)
    }
}

//! The rules of a network policy, from their text and back: `tcp:db.example.com:5432` and `api.example.com:8443`.
//!
//! Parsed by the command from its flags and by embedders with `parse()`. Invariant: a rule that exists is one that can
//! apply, and its text is what the flag takes.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::net::host::Host;
use crate::{Error, ErrorKind};

/// A grant of connections, sockets or name lookups, as `--net` takes it.
///
/// `tcp:HOST:PORT` grants connections, `udp:HOST:PORT` datagrams to the host, `listen:HOST:PORT` sockets of either kind
/// that are bound to the address, `lookup:NAME` asking for the addresses of a name. A host is an address (`10.0.0.1`,
/// `[2001:db8::1]`), a network (`10.0.0.0/8`, `[fd00::/8]`), `localhost`, a name, all names beneath one
/// (`*.example.com`), or `*`; a port is a number, a range (`8000-8010`), or `*`.
///
/// ```
/// use lithe_wasi::NetRule;
///
/// let rule: NetRule = "tcp:DB.example.com.:5432".parse()?;
/// assert_eq!(rule.to_string(), "tcp:db.example.com:5432");
/// assert!("tcp:0x7f.1:80".parse::<NetRule>().is_err());
/// # Ok::<(), lithe_wasi::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetRule {
    pub(crate) kind: Kind,
    pub(crate) host: Host,
    pub(crate) ports: Ports,
}

/// What a rule grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp,
    Udp,
    Listen,
    Lookup,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Tcp, Kind::Udp, Kind::Listen, Kind::Lookup];

    /// The word before the first colon.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Tcp => "tcp",
            Kind::Udp => "udp",
            Kind::Listen => "listen",
            Kind::Lookup => "lookup",
        }
    }
}

impl NetRule {
    /// The three rules that grant every connection, datagram and socket, but no lookup of names.
    pub fn everything() -> [NetRule; 3] {
        [Kind::Tcp, Kind::Udp, Kind::Listen].map(|kind| NetRule {
            kind,
            host: Host::Any,
            ports: Ports::ALL,
        })
    }

    /// The rule that grants looking up every name.
    pub fn every_lookup() -> NetRule {
        NetRule { kind: Kind::Lookup, host: Host::Any, ports: Ports::ALL }
    }

    fn read(text: &str) -> Result<NetRule, String> {
        let (word, rest) = text.split_once(':').unwrap_or((text, ""));
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.word() == word) else {
            return Err(
                "expected tcp:HOST:PORT, udp:HOST:PORT, listen:HOST:PORT or lookup:NAME, such as \
                        tcp:db.example.com:5432"
                    .into(),
            );
        };
        if kind == Kind::Lookup {
            let host = match Host::parse(rest)? {
                Host::Address(_) | Host::Network(_) => {
                    return Err("expected a name to look up; addresses need no lookup".into());
                }
                host => host,
            };
            return Ok(NetRule { kind, host, ports: Ports::ALL });
        }
        let (host, ports) = split(rest).ok_or_else(|| {
            format!("expected a host and a port, as in {word}:db.example.com:5432, or `*` for every port")
        })?;
        let (host, ports) = (Host::parse(host)?, Ports::parse(ports)?);
        if kind != Kind::Listen {
            reachable(&host, ports)?;
        }
        Ok(NetRule { kind, host, ports })
    }
}

impl FromStr for NetRule {
    type Err = Error;

    fn from_str(text: &str) -> Result<NetRule, Error> {
        NetRule::read(text).map_err(|sentence| Error::new(ErrorKind::Rule, sentence))
    }
}

impl fmt::Display for NetRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Lookup => write!(f, "lookup:{}", self.host),
            kind => write!(f, "{}:{}:{}", kind.word(), self.host, self.ports),
        }
    }
}

/// A grant of outgoing HTTP requests, as `--http` takes it: a host as in [`NetRule`] and perhaps a port. Without a port
/// it grants 80 and 443.
///
/// ```
/// use lithe_wasi::HttpRule;
///
/// let rule: HttpRule = "api.example.com".parse()?;
/// assert_eq!(rule.to_string(), "api.example.com");
/// assert!("https://api.example.com/".parse::<HttpRule>().is_err());
/// # Ok::<(), lithe_wasi::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRule {
    pub(crate) host: Host,
    /// Nothing for those of `http` and `https`.
    ports: Option<Ports>,
}

/// The ports of `http` and `https`.
pub(crate) const HTTP_PORTS: [u16; 2] = [80, 443];

impl HttpRule {
    pub(crate) fn covers_port(&self, port: u16) -> bool {
        match self.ports {
            Some(ports) => ports.contains(port),
            None => HTTP_PORTS.contains(&port),
        }
    }

    fn read(text: &str) -> Result<HttpRule, String> {
        let expected = "expected a host without scheme, user or path, such as api.example.com or \
                        api.example.com:8443";
        if text.contains("://") || text.contains('@') || text.ends_with('/') {
            return Err(expected.into());
        }
        let (host, ports) = match split(text) {
            Some((host, ports)) => (host, Some(Ports::parse(ports)?)),
            None => (text, None),
        };
        let host = Host::parse(host)?;
        reachable(&host, ports.unwrap_or(Ports::ALL))?;
        Ok(HttpRule { host, ports })
    }
}

impl FromStr for HttpRule {
    type Err = Error;

    fn from_str(text: &str) -> Result<HttpRule, Error> {
        HttpRule::read(text).map_err(|sentence| Error::new(ErrorKind::Rule, sentence))
    }
}

impl fmt::Display for HttpRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ports {
            Some(ports) => write!(f, "{}:{ports}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

/// The host and the port; nothing when there is no port.
fn split(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('[').and_then(|_| text.find(']')) {
        Some(end) => {
            let (host, rest) = text.split_at(end + 1);
            Some((host, rest.strip_prefix(':')?))
        }
        None => text.rsplit_once(':'),
    }
}

/// Refuses what nobody can connect to.
fn reachable(host: &Host, ports: Ports) -> Result<(), String> {
    match host {
        Host::Address(address) if address.is_unspecified() => {
            Err("expected an address that can be reached; `*` stands for all of them".into())
        }
        _ if ports.first == 0 && ports != Ports::ALL => {
            Err("expected a port from 1; nobody can be reached on port 0".into())
        }
        _ => Ok(()),
    }
}

/// Ports from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    first: u16,
    last: u16,
}

impl Ports {
    const ALL: Ports = Ports { first: 0, last: u16::MAX };

    fn parse(text: &str) -> Result<Ports, String> {
        if text == "*" {
            return Ok(Ports::ALL);
        }
        let expected =
            || String::from("expected a port such as 8080, a range such as 8000-8010, or `*`");
        let number = |text: &str| {
            let plain = text == "0" || !text.starts_with(['0', '+']);
            text.parse::<u16>().ok().filter(|_| plain).ok_or_else(expected)
        };
        let Some((first, last)) = text.split_once('-') else {
            let port = number(text)?;
            return Ok(Ports { first: port, last: port });
        };
        let (first, last) = (number(first)?, number(last)?);
        match first {
            0 => Err("expected a range of ports from 1".into()),
            _ if first > last => Err(format!("expected the smaller port first: {last}-{first}")),
            _ => Ok(Ports { first, last }),
        }
    }

    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Ports::ALL => f.write_str("*"),
            Ports { first, last } if first == last => write!(f, "{first}"),
            Ports { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

/// The flag that would grant an address, by its name when it has one.
pub(crate) fn suggestion(kind: Kind, host: Option<&str>, address: SocketAddr) -> String {
    let host = host.map_or_else(|| Host::Address(address.ip()).to_string(), str::to_owned);
    let ports = match address.port() {
        0 if kind != Kind::Listen => Ports::ALL,
        port => Ports { first: port, last: port },
    };
    format!("--net {}:{host}:{ports}", kind.word())
}

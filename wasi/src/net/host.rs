//! Hosts: how rules describe them, and how requests name them. Used by the rules and by the policy.
//!
//! Invariant: what is compared is canonical. Names are in lower case, without the dot at the end and in ASCII; an IPv4
//! address inside of an IPv6 one is the IPv4 address; and a text that some resolver would take for a number that
//! stands for an address, as `0x7f.1`, is neither a name nor an address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a host name, as in the protocol that looks it up.
pub(crate) const MAX_NAME: usize = 253;

/// Bytes of one part of a host name.
const MAX_LABEL: usize = 63;

/// The name that stands for the two loopback addresses.
const LOCALHOST: &str = "localhost";

/// Which hosts a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// `*`
    Any,
    Address(IpAddr),
    Network(Network),
    Name(Box<str>),
    /// `*.example.com`, kept as `.example.com`.
    Suffix(Box<str>),
}

impl Host {
    /// Reads the host of a rule; a refusal is a phrase that says what is expected.
    pub fn parse(text: &str) -> Result<Host, String> {
        if text == "*" {
            return Ok(Host::Any);
        }
        if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            return Host::ipv6(inner);
        }
        if text.contains(':') {
            return Err("expected an IPv6 address in brackets, such as [2001:db8::1]".into());
        }
        if text.contains('/') {
            let network = Network::parse(text)?;
            return Ok(Host::Network(network));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Host::Address(address.into()));
        }
        if is_number(text) {
            return Err(
                "expected an IPv4 address as four decimal numbers without leading zeros, such as \
                        10.0.0.1"
                    .into(),
            );
        }
        let (name, suffix) = match text.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        match (name_of(name), suffix) {
            (Some(name), false) => Ok(Host::Name(name.into())),
            (Some(name), true) => Ok(Host::Suffix(format!(".{name}").into())),
            (None, _) if !name.is_ascii() => {
                Err("expected a name in ASCII; names in other letters begin with xn-- there".into())
            }
            (None, _) => Err("expected a name, an address, a network such as 10.0.0.0/8, or `*`, \
                              and nothing around it"
                .into()),
        }
    }

    fn ipv6(text: &str) -> Result<Host, String> {
        if text.contains('%') {
            return Err("expected an address without a zone".into());
        }
        if text.contains('/') {
            return Ok(Host::Network(Network::parse(text)?));
        }
        match text.parse::<Ipv6Addr>() {
            Ok(address) => Ok(Host::Address(address.to_canonical())),
            Err(_) => Err("expected an IPv6 address between the brackets".into()),
        }
    }

    /// Whether the name is this host, or is beneath it.
    pub fn covers_name(&self, name: &str) -> bool {
        match self {
            Host::Name(host) => **host == *name,
            // The suffix alone is not beneath itself, and begins with a dot that no name begins with.
            Host::Suffix(suffix) => name.ends_with(&**suffix),
            Host::Any | Host::Address(_) | Host::Network(_) => false,
        }
    }

    /// Whether this host says so itself that the address belongs to it, without any name being looked up.
    pub fn states(&self, address: IpAddr) -> bool {
        match self {
            Host::Address(host) => *host == address,
            Host::Network(network) => network.contains(address),
            Host::Name(name) => {
                **name == *LOCALHOST
                    && (address == Ipv4Addr::LOCALHOST || address == Ipv6Addr::LOCALHOST)
            }
            Host::Any | Host::Suffix(_) => false,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Any => f.write_str("*"),
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Host::Network(Network { base: IpAddr::V4(base), bits }) => write!(f, "{base}/{bits}"),
            Host::Network(Network { base: IpAddr::V6(base), bits }) => write!(f, "[{base}/{bits}]"),
            Host::Name(name) => f.write_str(name),
            Host::Suffix(suffix) => write!(f, "*{suffix}"),
        }
    }
}

/// All addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    base: IpAddr,
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Result<Network, String> {
        let expected = || String::from("expected a network such as 10.0.0.0/8 or [fd00::/8]");
        let (base, bits) = text.split_once('/').ok_or_else(expected)?;
        let base: IpAddr = base.parse().map_err(|_| expected())?;
        if base.to_canonical() != base {
            return Err("expected an IPv4 network in the form of IPv4".into());
        }
        let digits = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits: u32 = bits.parse().ok().filter(|_| digits).ok_or_else(expected)?;
        let width = width(base);
        if bits > width {
            return Err(format!("expected at most /{width}"));
        }
        let shift = 128 - bits;
        let kept = number(base).checked_shr(shift).and_then(|kept| kept.checked_shl(shift));
        if kept.unwrap_or(0) != number(base) {
            return Err(format!("expected zeros after the first {bits} bits of the address"));
        }
        Ok(Network { base, bits })
    }

    /// Whether an address that is canonical is one of these.
    pub fn contains(self, address: IpAddr) -> bool {
        let differ = number(self.base) ^ number(address);
        width(self.base) == width(address) && differ.checked_shr(128 - self.bits).unwrap_or(0) == 0
    }
}

/// The bits of an address, the first one on top.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Whom a guest names in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// An address that stands for itself.
    Address(IpAddr),
    /// A name to look up.
    Name(String),
}

impl Target {
    /// Reads what a guest names; nothing when it can be neither.
    pub fn parse(text: &str) -> Option<Target> {
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        if let Some(inner) = inner {
            return inner.parse::<Ipv6Addr>().ok().map(|address| Target::outgoing(address.into()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Target::outgoing(address));
        }
        if is_number(text) { None } else { name_of(text).map(Target::Name) }
    }

    fn outgoing(address: IpAddr) -> Target {
        Target::Address(outgoing(address))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Target::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Target::Name(name) => f.write_str(name),
        }
    }
}

/// The address that packets to `address` really go to, in its canonical form: kernels take the unspecified address for
/// the loopback one.
pub(crate) fn outgoing(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

/// The canonical form of a name; nothing if it is none.
fn name_of(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(allowed)
    };
    let is_name = name.len() <= MAX_NAME && name.split('.').all(label);
    is_name.then(|| name.to_ascii_lowercase())
}

/// Whether resolvers may take a text for an IPv4 address in one of its old spellings: octal, hexadecimal, fewer parts.
fn is_number(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let last = text.rsplit('.').next().unwrap_or(text);
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match hex {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// Networks that are not the public Internet: the special-purpose registries of IANA, multicast, and what was set aside.
const SPECIAL: &[Network] = &[
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 3),
    // Unspecified, loopback, and IPv4 addresses in a form that is out of use.
    v6(0, 0, 0, 96),
    v6(0x64, 0xff9b, 1, 48),
    v6(0x100, 0, 0, 64),
    // With Teredo, which carries other addresses.
    v6(0x2001, 0, 0, 23),
    v6(0x2001, 0xdb8, 0, 32),
    v6(0x3fff, 0, 0, 20),
    v6(0x5f00, 0, 0, 16),
    v6(0xfc00, 0, 0, 7),
    v6(0xfe80, 0, 0, 9),
    v6(0xff00, 0, 0, 8),
];

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u32) -> Network {
    Network { base: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
}

const fn v6(a: u16, b: u16, c: u16, bits: u32) -> Network {
    Network { base: IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), bits }
}

/// Whether an address that is canonical belongs to the public Internet.
pub(crate) fn is_public(address: IpAddr) -> bool {
    let carried = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => carried(address),
    };
    let special = |address: IpAddr| SPECIAL.iter().any(|network| network.contains(address));
    !special(address) && carried.is_none_or(|address| !special(address.into()))
}

/// The IPv4 address that a translator or a tunnel takes packets to: NAT64 with its well-known prefix, and 6to4.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = address.to_bits();
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(Ipv4Addr::from_bits(bits as u32)),
        [0x2002, ..] => Some(Ipv4Addr::from_bits((bits >> 80) as u32)),
        _ => None,
    }
}

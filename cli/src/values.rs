//! The values of flags: sizes, durations, grants. Called by `options`. Invariant: a refusal is a phrase that
//! says what is expected, with an example, so that callers only put the flag's name before it.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use lithe_wasi::Access;

/// What a value should have been.
pub type Expected = String;

/// A directory to grant.
#[derive(Clone, Debug)]
pub struct Dir {
    pub host: PathBuf,
    pub guest: OsString,
    pub access: Access,
}

/// A value as text.
pub fn text(value: &OsStr) -> Result<&str, Expected> {
    value.to_str().ok_or_else(|| "expected text in UTF-8".into())
}

/// A number, decimal or `0x` hexadecimal.
pub fn number(value: &OsStr) -> Result<u64, Expected> {
    let digits = text(value)?.replace('_', "");
    let number = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    number.map_err(|_| "expected a number such as 1000000".into())
}

/// A number of things that the engine counts.
pub fn count(value: &OsStr) -> Result<usize, Expected> {
    usize::try_from(number(value)?).map_err(|_| "expected a smaller number".into())
}

/// On or off; nothing means on.
pub fn switch(value: &OsStr) -> Result<bool, Expected> {
    match text(value)? {
        "" | "y" | "yes" | "true" => Ok(true),
        "n" | "no" | "false" => Ok(false),
        _ => Err("expected `y` or `n`".into()),
    }
}

/// A number of bytes, perhaps with K, M or G for powers of 1024.
pub fn size(value: &OsStr) -> Result<usize, Expected> {
    let expected = || Expected::from("expected a size such as 65536, 512K, 64M or 2G");
    let text = text(value)?;
    let unit = text.trim_start_matches(|c: char| c.is_ascii_hexdigit() || matches!(c, 'x' | '_'));
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        _ => return Err(expected()),
    };
    let digits = &text[..text.len() - unit.len()];
    let number = number(OsStr::new(digits)).map_err(|_| expected())?;
    let bytes = number.checked_mul(1 << shift).and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or_else(expected)
}

/// A duration with its unit; seconds when it has none.
pub fn duration(value: &OsStr) -> Result<Duration, Expected> {
    let expected = || Expected::from("expected a duration such as 200ms, 1.5s or 2m");
    let text = text(value)?;
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(expected()),
    };
    let number: f64 = text[..text.len() - unit.len()].parse().map_err(|_| expected())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| expected())
}

/// What another function gives, unless that is zero.
pub fn some<T: Default + PartialEq>(value: Result<T, Expected>) -> Result<Option<T>, Expected> {
    let value = value?;
    match value == T::default() {
        true => Err("expected more than nothing".into()),
        false => Ok(Some(value)),
    }
}

/// `NAME=VALUE`, or `NAME` alone.
pub fn pair(value: &OsStr) -> (OsString, Option<OsString>) {
    let bytes = value.as_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) => (owned(&bytes[..at]), Some(owned(&bytes[at + 1..]))),
        None => (value.into(), None),
    }
}

/// `NAME=FILE`.
pub fn preload(value: &OsStr) -> Result<(String, PathBuf), Expected> {
    match pair(value) {
        (name, Some(file)) if !file.is_empty() => Ok((text(&name)?.into(), file.into())),
        _ => Err("expected NAME=FILE, such as env=lib.wasm".into()),
    }
}

/// `NAME=VALUE` of the guest's configuration.
pub fn var(value: &OsStr) -> Result<(String, String), Expected> {
    match text(value)?.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("expected NAME=VALUE, such as greeting=hello".into()),
    }
}

/// A rule about the network.
pub fn rule<R: FromStr<Err = lithe_wasi::Error>>(value: &OsStr) -> Result<R, Expected> {
    text(value)?.parse().map_err(|error: lithe_wasi::Error| error.to_string())
}

/// A socket address.
pub fn address(value: &OsStr) -> Result<SocketAddr, Expected> {
    let address = text(value)?.parse();
    address.map_err(|_| "expected an address and a port such as 127.0.0.1:8080".into())
}

/// `HOST[::GUEST][::ro]`.
pub fn dir(value: &OsStr) -> Result<Dir, Expected> {
    let parts = split(value.as_bytes());
    let (host, guest, access) = match parts.as_slice() {
        [host] => (host, host, Access::ReadWrite),
        [host, b"ro"] => {
            let host = OsStr::from_bytes(host).display();
            return Err(format!(
                "`::ro` needs the guest's name of the directory before it: write {host}::{host}::ro \
                 to grant it read-only, or {host}::/ro to call it `ro`"
            ));
        }
        [host, guest] => (host, guest, Access::ReadWrite),
        [host, guest, b"ro"] => (host, guest, Access::ReadOnly),
        _ => return Err("expected HOST, HOST::GUEST or HOST::GUEST::ro".into()),
    };
    if host.is_empty() || guest.is_empty() {
        return Err("expected a directory, such as `.` or data::/data".into());
    }
    Ok(Dir { host: owned(host).into(), guest: owned(guest), access })
}

/// The parts between `::`.
fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some(at) = bytes.windows(2).position(|pair| pair == b"::") {
        parts.push(&bytes[..at]);
        bytes = &bytes[at + 2..];
    }
    parts.push(bytes);
    parts
}

fn owned(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let size = |text: &str| size(OsStr::new(text)).ok();
        assert_eq!(size("65536"), Some(65536));
        assert_eq!(size("0x10k"), Some(16 << 10));
        assert_eq!(size("64M"), Some(64 << 20));
        assert_eq!(size("2GiB"), Some(2 << 30));
        for wrong in ["", "M", "-1", "1.5M", "64T", "99999999999G", "1 M", "é"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations() {
        let duration = |text: &str| duration(OsStr::new(text)).ok();
        assert_eq!(duration("200ms"), Some(Duration::from_millis(200)));
        assert_eq!(duration("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("3"), Some(Duration::from_secs(3)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        for wrong in ["", "ms", "-1s", "1e9s", "1.2.3s", "5 s", "1d"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn directories() {
        let dir = |text: &str| dir(OsStr::new(text)).map(|dir| (dir.host, dir.guest, dir.access));
        let granted = |host: &str, guest: &str, access| Ok((host.into(), guest.into(), access));
        assert_eq!(dir("a"), granted("a", "a", Access::ReadWrite));
        assert_eq!(dir("a::/b"), granted("a", "/b", Access::ReadWrite));
        assert_eq!(dir("a::/b::ro"), granted("a", "/b", Access::ReadOnly));
        assert!(dir("a::ro").is_err_and(|hint| hint.contains("a::a::ro")));
        for wrong in ["", "::", "a::", "a::b::rw", "a::b::c::ro"] {
            assert!(dir(wrong).is_err(), "{wrong}");
        }
    }
}

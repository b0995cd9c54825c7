//! The part of a request's target after the question mark.

use alloc::string::String;
use alloc::vec::Vec;

pub struct Query<'a>(pub &'a str);

impl Query<'_> {
    fn raw(&self, name: &str) -> Option<&str> {
        let pairs = self.0.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()
    }

    pub fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.raw(name)?.parse().ok()
    }

    /// The value with its percent signs decoded.
    pub fn text(&self, name: &str) -> Option<String> {
        let raw = self.raw(name)?.as_bytes();
        let mut bytes = Vec::with_capacity(raw.len());
        let mut i = 0;
        while i < raw.len() {
            let escape = raw.get(i + 1..i + 3).filter(|_| raw[i] == b'%');
            let decoded =
                escape.and_then(|two| u8::from_str_radix(core::str::from_utf8(two).ok()?, 16).ok());
            bytes.push(decoded.unwrap_or(raw[i]));
            i += if decoded.is_some() { 3 } else { 1 };
        }
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

//! `fields`: header fields and trailers. Invariant: a set holds valid names and values, none that belong to the
//! connection, and no more than its limits; one that a guest only looks at never changes.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use lithe::{Error, ErrorKind, Result};
use lithe_component::{Linker, Resource, variant};

use crate::{HttpView, interface};

/// Bytes of names and values that a set of fields holds at most, unless it is told otherwise.
pub const DEFAULT_MAX_FIELD_BYTES: usize = 128 << 10;
/// Fields that a set holds at most, unless it is told otherwise.
pub const DEFAULT_MAX_FIELDS: usize = 1024;

/// Bytes of names and values that all sets of fields of a guest hold at most.
pub const MAX_FIELD_BYTES: usize = 16 << 20;

/// How much a set of fields may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FieldLimits {
    /// Bytes of all names and values.
    pub bytes: usize,
    /// Fields; never more than 32,768.
    pub count: usize,
}

impl Default for FieldLimits {
    fn default() -> FieldLimits {
        FieldLimits { bytes: DEFAULT_MAX_FIELD_BYTES, count: DEFAULT_MAX_FIELDS }
    }
}

impl FieldLimits {
    /// Whether a set is within the limits.
    pub fn hold(&self, map: &HeaderMap) -> bool {
        map.len() <= self.count && bytes(map) <= self.bytes
    }
}

/// What a set may still take.
#[derive(Clone)]
pub(crate) struct Room {
    pub limits: FieldLimits,
    /// What all sets of the guest hold.
    pub all: Arc<AtomicUsize>,
}

/// Fields that sets and messages share.
#[derive(Debug, Default)]
pub(crate) struct Block {
    map: HeaderMap,
    bytes: usize,
    /// Where its bytes count, unless they came in.
    all: Option<Arc<AtomicUsize>>,
}

impl Block {
    /// The fields of a message that came in.
    pub fn received(map: HeaderMap) -> Arc<Block> {
        Arc::new(Block { bytes: bytes(&map), map, all: None })
    }

    /// The fields, to be sent.
    pub fn into_map(block: Arc<Block>) -> HeaderMap {
        match Arc::try_unwrap(block) {
            Ok(mut block) => std::mem::take(&mut block.map),
            Err(block) => block.map.clone(),
        }
    }

    fn count(&mut self, all: &Arc<AtomicUsize>) {
        if self.all.is_none() {
            all.fetch_add(self.bytes, Ordering::Relaxed);
            self.all = Some(all.clone());
        }
    }
}

impl Deref for Block {
    type Target = HeaderMap;
    fn deref(&self) -> &HeaderMap {
        &self.map
    }
}

impl Clone for Block {
    fn clone(&self) -> Block {
        let mut block = Block { map: self.map.clone(), bytes: self.bytes, all: None };
        if let Some(all) = &self.all {
            block.count(all);
        }
        block
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(all) = &self.all {
            all.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

/// `wasi:http/types.fields`
#[derive(Clone, Debug, Default)]
pub struct Fields {
    block: Arc<Block>,
    immutable: bool,
}

variant! {
    /// `header-error`
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum HeaderError {
        "invalid-syntax" InvalidSyntax,
        "forbidden" Forbidden,
        "immutable" Immutable,
    }
}

type Changed = std::result::Result<(), HeaderError>;

/// Fields that say how a connection is used, which is not the guest's business. Sorted.
const FORBIDDEN: [&str; 9] = [
    "connection",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

fn is_forbidden(name: &HeaderName) -> bool {
    FORBIDDEN.binary_search(&name.as_str()).is_ok()
}

fn size(name: &HeaderName, value: &HeaderValue) -> usize {
    name.as_str().len() + value.len()
}

fn bytes(map: &HeaderMap) -> usize {
    map.iter().map(|(name, value)| size(name, value)).sum()
}

/// Takes the fields of the connection away from a message that came in.
pub(crate) fn strip(map: &mut HeaderMap) {
    for name in FORBIDDEN {
        map.remove(name);
    }
}

/// What a message announces as the length of its body. Several lengths that differ are none.
pub(crate) fn content_length(map: &HeaderMap) -> std::result::Result<Option<u64>, HeaderError> {
    let mut found = None;
    for value in map.get_all(header::CONTENT_LENGTH) {
        let digits = value.as_bytes();
        let number = match digits.iter().all(u8::is_ascii_digit) {
            true => value.to_str().ok().and_then(|text| text.parse().ok()),
            false => None,
        };
        match (number, found) {
            (None, _) => return Err(HeaderError::InvalidSyntax),
            (Some(number), Some(other)) if number != other => {
                return Err(HeaderError::InvalidSyntax);
            }
            (Some(number), _) => found = Some(number),
        }
    }
    Ok(found)
}

/// Has a message announce the length of its body once, and only one that it can have: recipients read on until they have
/// as much, be it into the next message.
pub(crate) fn settle_length(
    map: &mut HeaderMap,
    has_body: bool,
) -> std::result::Result<(), HeaderError> {
    match content_length(map)? {
        None => {}
        Some(length) if length > 0 && !has_body => return Err(HeaderError::InvalidSyntax),
        Some(length) => drop(map.insert(header::CONTENT_LENGTH, length.into())),
    }
    Ok(())
}

fn valid(
    name: &str,
    value: Vec<u8>,
) -> std::result::Result<(HeaderName, HeaderValue), HeaderError> {
    let value = HeaderValue::try_from(value).map_err(|_| HeaderError::InvalidSyntax)?;
    Ok((permitted(name)?, value))
}

fn permitted(name: &str) -> std::result::Result<HeaderName, HeaderError> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderError::InvalidSyntax)?;
    match is_forbidden(&name) {
        true => Err(HeaderError::Forbidden),
        false => Ok(name),
    }
}

fn full(what: String) -> Error {
    Error::new(ErrorKind::Limit, format!("a set of header fields has more than {what}"))
}

impl Room {
    /// Fails when all sets together would hold too much.
    fn for_more(&self, bytes: usize) -> Result<()> {
        if self.all.load(Ordering::Relaxed) + bytes <= MAX_FIELD_BYTES {
            return Ok(());
        }
        let words = format!(
            "the sets of header fields of the guest have more than {MAX_FIELD_BYTES} bytes"
        );
        Err(Error::new(ErrorKind::Limit, words))
    }
}

impl Fields {
    /// The fields of a message that came in, or of one that was handed on.
    pub(crate) fn immutable(block: Arc<Block>) -> Fields {
        Fields { block, immutable: true }
    }

    /// What a message that is made of them holds.
    pub(crate) fn into_block(self) -> Arc<Block> {
        self.block
    }

    /// The fields, of their own when they were shared.
    fn change(&mut self, room: &Room) -> Result<std::result::Result<&mut Block, HeaderError>> {
        if self.immutable {
            return Ok(Err(HeaderError::Immutable));
        }
        let shared = Arc::strong_count(&self.block) > 1;
        room.for_more(if shared { self.block.bytes } else { 0 })?;
        let block = Arc::make_mut(&mut self.block);
        block.count(&room.all);
        Ok(Ok(block))
    }

    fn append(&mut self, room: &Room, name: HeaderName, value: HeaderValue) -> Result<Changed> {
        let block = match self.change(room)? {
            Ok(block) => block,
            Err(error) => return Ok(Err(error)),
        };
        let (size, limits) = (size(&name, &value), room.limits);
        if block.map.len() >= limits.count {
            return Err(full(format!("{} fields", limits.count)));
        }
        if block.bytes + size > limits.bytes {
            return Err(full(format!("{} bytes", limits.bytes)));
        }
        room.for_more(size)?;
        block.map.try_append(name, value).map_err(|_| full("the host can hold".into()))?;
        block.bytes += size;
        room.all.fetch_add(size, Ordering::Relaxed);
        Ok(Ok(()))
    }

    fn delete(&mut self, room: &Room, name: &HeaderName) -> Result<Changed> {
        let block = match self.change(room)? {
            Ok(block) => block,
            Err(error) => return Ok(Err(error)),
        };
        let gone = block.map.get_all(name).iter().map(|value| size(name, value)).sum();
        block.map.remove(name);
        block.bytes -= gone;
        room.all.fetch_sub(gone, Ordering::Relaxed);
        Ok(Ok(()))
    }

    fn set(&mut self, room: &Room, name: &str, values: Vec<Vec<u8>>) -> Result<Changed> {
        let values: std::result::Result<Vec<_>, _> =
            values.into_iter().map(|value| valid(name, value)).collect();
        let (name, values) = match permitted(name).and_then(|name| Ok((name, values?))) {
            Ok(valid) => valid,
            Err(error) => return Ok(Err(error)),
        };
        let mut changed = self.delete(room, &name)?;
        for (name, value) in values {
            if changed.is_ok() {
                changed = self.append(room, name, value)?;
            }
        }
        Ok(changed)
    }
}

type This = Resource<Fields>;

pub(super) fn add_to_linker<T: HttpView>(linker: &mut Linker<T>) -> Result<()> {
    let mut types = linker.instance(&interface("types"));
    types.resource::<Fields>("fields", |mut cx, rep| {
        cx.data_mut().p2().table.remove(This::new(rep)).map(drop)
    })?;
    types.func("[constructor]fields", |mut cx, (): ()| {
        cx.data_mut().p2().table.push(Fields::default())
    })?;
    types.func("[static]fields.from-list", |mut cx, (list,): (Vec<(String, Vec<u8>)>,)| {
        let room = cx.data_mut().http().room();
        let mut fields = Fields::default();
        for (name, value) in list {
            let (name, value) = match valid(&name, value) {
                Ok(field) => field,
                Err(error) => return Ok(Err(error)),
            };
            if let Err(error) = fields.append(&room, name, value)? {
                return Ok(Err(error));
            }
        }
        cx.data_mut().p2().table.push(fields).map(Ok)
    })?;
    types.func("[method]fields.get", |mut cx, (this, name): (This, String)| {
        let fields = cx.data_mut().p2().table.at(&this)?;
        let values = fields.block.get_all(name).iter();
        Ok(values.map(|value| value.as_bytes().to_vec()).collect::<Vec<_>>())
    })?;
    types.func("[method]fields.has", |mut cx, (this, name): (This, String)| {
        Ok(cx.data_mut().p2().table.at(&this)?.block.contains_key(name))
    })?;
    types.func(
        "[method]fields.set",
        |mut cx, (this, name, values): (This, String, Vec<Vec<u8>>)| {
            let room = cx.data_mut().http().room();
            cx.data_mut().p2().table.at_mut(&this)?.set(&room, &name, values)
        },
    )?;
    types.func("[method]fields.delete", |mut cx, (this, name): (This, String)| {
        let room = cx.data_mut().http().room();
        let fields = cx.data_mut().p2().table.at_mut(&this)?;
        match permitted(&name) {
            Ok(name) => fields.delete(&room, &name),
            Err(error) => Ok(Err(error)),
        }
    })?;
    types.func(
        "[method]fields.append",
        |mut cx, (this, name, value): (This, String, Vec<u8>)| {
            let room = cx.data_mut().http().room();
            let fields = cx.data_mut().p2().table.at_mut(&this)?;
            match valid(&name, value) {
                Ok((name, value)) => fields.append(&room, name, value),
                Err(error) => Ok(Err(error)),
            }
        },
    )?;
    types.func("[method]fields.entries", |mut cx, (this,): (This,)| {
        let fields = cx.data_mut().p2().table.at(&this)?;
        let entries = fields.block.iter();
        let entries = entries.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
        Ok(entries.collect::<Vec<_>>())
    })?;
    types.func("[method]fields.clone", |mut cx, (this,): (This,)| {
        let table = &mut cx.data_mut().p2().table;
        let mut copy = table.at(&this)?.clone();
        copy.immutable = false;
        table.push(copy)
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: FieldLimits = FieldLimits { bytes: 40, count: 3 };

    fn field(name: &str, value: &str) -> (HeaderName, HeaderValue) {
        valid(name, value.into()).unwrap()
    }

    #[test]
    fn names_and_values_are_checked() {
        for (name, value, error) in [
            ("", "v", HeaderError::InvalidSyntax),
            ("a b", "v", HeaderError::InvalidSyntax),
            ("a\r\nx", "v", HeaderError::InvalidSyntax),
            ("ä", "v", HeaderError::InvalidSyntax),
            (":path", "v", HeaderError::InvalidSyntax),
            ("a", "v\r\nx: y", HeaderError::InvalidSyntax),
            ("a", "v\0", HeaderError::InvalidSyntax),
            ("Host", "v", HeaderError::Forbidden),
            ("Transfer-Encoding", "chunked", HeaderError::Forbidden),
            ("HTTP2-Settings", "v", HeaderError::Forbidden),
        ] {
            assert_eq!(valid(name, value.into()), Err(error), "{name:?}: {value:?}");
        }
        assert!(valid("a", vec![0xff, b'\t', b' ']).is_ok());
        assert!(FORBIDDEN.is_sorted());
    }

    #[test]
    fn sets_have_limits_and_know_their_size() {
        let room = Room { limits: LIMITS, all: Arc::default() };
        let mut fields = Fields::default();
        let (name, value) = field("name", "value");
        for _ in 0..3 {
            assert_eq!(fields.append(&room, name.clone(), value.clone()).unwrap(), Ok(()));
        }
        assert!(fields.append(&room, name.clone(), value.clone()).is_err());
        assert_eq!(fields.block.bytes, 27);
        fields.delete(&room, &name).unwrap().unwrap();
        assert_eq!((fields.block.bytes, fields.block.len()), (0, 0));
        let (name, value) = field("name", &"v".repeat(37));
        assert!(fields.append(&room, name, value).is_err());
        assert_eq!(fields.set(&room, "n", vec![b"1".into(), b"2".into()]).unwrap(), Ok(()));
        assert_eq!(fields.set(&room, "N", vec![b"3".into()]).unwrap(), Ok(()));
        assert_eq!((fields.block.bytes, fields.block.len()), (2, 1));
        assert_eq!(
            fields.set(&room, "n", vec![b"\n".into()]).unwrap(),
            Err(HeaderError::InvalidSyntax)
        );
        assert_eq!(fields.block.len(), 1);
        let mut seen = Fields::immutable(fields.into_block());
        assert_eq!(seen.set(&room, "n", vec![]).unwrap(), Err(HeaderError::Immutable));
        let deleted = seen.delete(&room, &HeaderName::from_static("n")).unwrap();
        assert_eq!(deleted, Err(HeaderError::Immutable));
    }

    #[test]
    fn all_sets_of_a_guest_have_a_limit() {
        let room = Room { limits: FieldLimits::default(), all: Arc::default() };
        let large = "v".repeat(DEFAULT_MAX_FIELD_BYTES - 1);
        let mut came = HeaderMap::new();
        came.insert("n", HeaderValue::from_str(&large).unwrap());
        let first = Fields { block: Block::received(came), immutable: false };
        let other = HeaderName::from_static("other");
        // As long as they are the same, they are kept once.
        let mut copies = vec![first; 1000];
        assert_eq!(room.all.load(Ordering::Relaxed), 0);
        let failed = copies.iter_mut().position(|copy| copy.delete(&room, &other).is_err());
        assert_eq!(failed, Some(MAX_FIELD_BYTES / DEFAULT_MAX_FIELD_BYTES));
        assert_eq!(room.all.load(Ordering::Relaxed), MAX_FIELD_BYTES);
        let (name, value) = field("a", "b");
        assert!(Fields::default().append(&room, name, value).is_err());
        assert_eq!(copies[0].delete(&room, &HeaderName::from_static("n")).unwrap(), Ok(()));
        assert_eq!(copies[999].delete(&room, &other).unwrap(), Ok(()));
        drop(copies);
        assert_eq!(room.all.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn lengths_are_numbers_and_agree() {
        let length = |values: &[&str]| {
            let mut map = HeaderMap::new();
            for value in values {
                map.append("content-length", HeaderValue::from_str(value).unwrap());
            }
            content_length(&map)
        };
        assert_eq!(length(&[]), Ok(None));
        assert_eq!(length(&["12", "12"]), Ok(Some(12)));
        for bad in [&["1", "2"][..], &["-1"], &["+1"], &["1,1"], &[""], &["99999999999999999999"]] {
            assert_eq!(length(bad), Err(HeaderError::InvalidSyntax), "{bad:?}");
        }
    }

    #[test]
    fn lengths_are_said_once_and_fit_the_body() {
        let settled = |values: &[&str], has_body| {
            let mut map = HeaderMap::new();
            for value in values {
                map.append("content-length", HeaderValue::from_str(value).unwrap());
            }
            settle_length(&mut map, has_body).map(|()| {
                let values = map.get_all("content-length").iter();
                values.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
            })
        };
        assert_eq!(settled(&[], false), Ok(vec![]));
        assert_eq!(settled(&["012", "12"], true), Ok(vec!["12".into()]));
        assert_eq!(settled(&["0"], false), Ok(vec!["0".into()]));
        assert_eq!(settled(&["1"], false), Err(HeaderError::InvalidSyntax));
        assert_eq!(settled(&["1", "2"], true), Err(HeaderError::InvalidSyntax));
    }
}

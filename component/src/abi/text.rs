//! Strings in the three encodings (CanonicalABI.md, `load_string` and `store_string`). Invariant: only well-formed text
//! gets to the host, and sizes are checked before anything is read.

use lithe::{Error, Result};

use super::{Encoding, LiftCx, LowerCx, MAX_STRING_BYTES};
use crate::error::violation;

/// The bit of a length that tells UTF-16 from Latin-1.
const UTF16: u32 = 1 << 31;

fn beyond() -> Error {
    violation("string content out-of-bounds")
}

pub(super) fn load(cx: &mut LiftCx<'_>, at: u32, len: u32) -> Result<String> {
    let (align, bytes, wide) = match cx.encoding {
        Encoding::Utf8 => (1, Some(len), false),
        Encoding::Utf16 => (2, len.checked_mul(2), true),
        Encoding::Latin1OrUtf16 if len & UTF16 != 0 => (2, (len ^ UTF16).checked_mul(2), true),
        Encoding::Latin1OrUtf16 => (2, Some(len), false),
    };
    if !at.is_multiple_of(align) {
        return Err(violation("unaligned pointer"));
    }
    let bytes = bytes.filter(|bytes| *bytes <= MAX_STRING_BYTES).ok_or_else(beyond)?;
    cx.bytes(at, bytes).map_err(|_| beyond())?;
    // UTF-8 has at most two bytes for a byte of Latin-1, and three for two of UTF-16; strings grow by doubling.
    let most = match cx.encoding {
        Encoding::Utf8 => bytes as usize,
        _ => (bytes as usize).saturating_mul(4),
    };
    cx.charge(most)?;
    let text = cx.bytes(at, bytes).map_err(|_| beyond())?;
    let text = match (cx.encoding, wide) {
        (Encoding::Utf8, _) => {
            let text = std::str::from_utf8(text);
            text.map_err(|_| violation("invalid utf-8 sequence"))?.to_owned()
        }
        (_, true) => {
            let units = text.as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit));
            let text: Result<String, _> = char::decode_utf16(units).collect();
            text.map_err(|_| violation("unpaired surrogate found"))?
        }
        (_, false) => text.iter().map(|byte| char::from(*byte)).collect(),
    };
    cx.refund(most.saturating_sub(text.capacity()));
    Ok(text)
}

pub(super) fn store(cx: &mut LowerCx<'_>, text: &str) -> Result<(u32, u32)> {
    let too_long = || violation("a string is too long for the guest");
    let size = |units: usize, bytes: usize| {
        let bytes = units.checked_mul(bytes).and_then(|bytes| u32::try_from(bytes).ok());
        bytes.filter(|bytes| *bytes <= MAX_STRING_BYTES).ok_or_else(too_long)
    };
    match cx.encoding {
        Encoding::Utf8 => {
            let bytes = size(text.len(), 1)?;
            let at = cx.allocate(1, bytes)?;
            cx.write(at, text.as_bytes())?;
            Ok((at, bytes))
        }
        Encoding::Latin1OrUtf16 if text.chars().all(|c| u32::from(c) < 0x100) => {
            let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
            let bytes = size(latin.len(), 1)?;
            let at = cx.allocate(2, bytes)?;
            cx.write(at, &latin)?;
            Ok((at, bytes))
        }
        encoding => {
            let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let bytes = size(units.len(), 1)?;
            let at = cx.allocate(2, bytes)?;
            cx.write(at, &units)?;
            let tag = if encoding == Encoding::Utf16 { 0 } else { UTF16 };
            Ok((at, (bytes / 2) | tag))
        }
    }
}

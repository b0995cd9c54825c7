//! Artifacts as they are written. The compiler calls it. Invariant: what is written is what [`super::Artifact`] reads,
//! and no more than a part of it is in memory at once.

use alloc::{vec, vec::Vec};

use super::{
    CHECKSUM, CONTENT_HASH, ELSEWHERE, HEADER, IDENTITY, MAGIC, MODULE_HASH, PARTS, Part, Parts,
    RANGES, Site, Target, checksum,
};
use crate::{
    abi,
    hash::{Hasher, hash},
};

/// What takes bytes one after the other.
pub type Sink<'a> = &'a mut dyn FnMut(&[u8]);

/// The text of an artifact that is written.
pub enum Text<'a> {
    /// So many bytes, which the function hands to the sink that it is called with.
    Here(usize, &'a mut dyn FnMut(Sink<'_>)),
    /// So many bytes, which are not written with the rest.
    Elsewhere(usize),
}

impl Parts {
    /// The artifact as bytes, with the module that it was compiled from.
    pub fn write(&self, module: &[u8]) -> Vec<u8> {
        let mut out = vec![0; HEADER];
        let text = &mut |sink: Sink<'_>| sink(&self.text);
        let mut sink = |bytes: &[u8]| out.extend_from_slice(bytes);
        let header = self.stream(module, Text::Here(self.text.len(), text), &mut sink);
        out[..HEADER].copy_from_slice(&header);
        out
    }

    /// How many bytes the artifact has with a text and a module of these sizes.
    pub fn size(&self, text: usize, module: usize) -> usize {
        self.ends(Some(text), module)[PARTS.len() - 1].1
    }

    /// Hands everything that follows the header to `out`, in order, and gives the header.
    pub fn stream(&self, module: &[u8], mut text: Text<'_>, out: Sink<'_>) -> [u8; HEADER] {
        let mut hasher = Hasher::default();
        let mut sink = |bytes: &[u8]| {
            hasher.update(bytes);
            out(bytes);
        };
        let mut header = self.header(module);
        let (here, elsewhere) = match text {
            Text::Here(len, _) => (Some(len), None),
            Text::Elsewhere(len) => (None, Some([ELSEWHERE, len as u64])),
        };
        let ends = self.ends(here, module.len());
        let mut end = HEADER;
        for (i, part) in PARTS.into_iter().enumerate() {
            let (start, next) = ends[i];
            let own = [start as u64, (next - start) as u64];
            let range = elsewhere.filter(|_| part == Part::Text).unwrap_or(own);
            for (field, value) in range.into_iter().enumerate() {
                header[RANGES + 16 * i + 8 * field..][..8].copy_from_slice(&value.to_le_bytes());
            }
            sink(&ZEROS[..start - end]);
            end = next;
            match part {
                Part::Functions => {
                    self.functions.iter().for_each(|f| words(&mut sink, [f.start, f.end, f.sites]));
                }
                Part::Enters => self.enters.iter().for_each(|enter| words(&mut sink, [*enter])),
                Part::Imports => self.imports.iter().for_each(|import| words(&mut sink, [*import])),
                Part::Tables => self.tables.iter().for_each(|table| words(&mut sink, [*table])),
                Part::Handlers => self.handlers.iter().for_each(|h| {
                    words(&mut sink, [h.call, h.tag, h.target, h.frame, h.context]);
                }),
                Part::Sites => sink(&self.sites),
                Part::Text => {
                    if let Text::Here(_, text) = &mut text {
                        text(&mut sink);
                    }
                }
                Part::Module => sink(module),
                Part::Label => sink(self.label.as_bytes()),
            }
        }
        header[CONTENT_HASH..][..32].copy_from_slice(&hasher.finish());
        let checksum = checksum(&header);
        header[CHECKSUM..][..8].copy_from_slice(&checksum);
        header
    }

    /// Where parts begin and end. A text that is elsewhere takes no place.
    fn ends(&self, text: Option<usize>, module: usize) -> [(usize, usize); PARTS.len()] {
        let mut end = HEADER;
        PARTS.map(|part| {
            if part == Part::Text && text.is_none() {
                return (end, end);
            }
            let count = match part {
                Part::Functions => self.functions.len(),
                Part::Enters => self.enters.len(),
                Part::Imports => self.imports.len(),
                Part::Tables => self.tables.len(),
                Part::Handlers => self.handlers.len(),
                Part::Sites => self.sites.len(),
                Part::Text => text.unwrap_or(0),
                Part::Module => module,
                Part::Label => self.label.len(),
            };
            let start = end.next_multiple_of(part.align());
            end = start + count * part.record();
            (start, end)
        })
    }

    /// The header without ranges and hashes of what follows it.
    fn header(&self, module: &[u8]) -> [u8; HEADER] {
        let Target { arch, cpu, traps, fuel, deterministic, below_memory } = self.target;
        let mut header = [0; HEADER];
        let mut put = |at: usize, bytes: &[u8]| header[at..][..bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(8, &abi::VERSION.to_le_bytes());
        put(12, &[arch as u8, traps as u8, u8::from(fuel), u8::from(deterministic)]);
        put(16, &cpu.to_le_bytes());
        put(24, &[u8::from(below_memory)]);
        put(IDENTITY, &abi::IDENTITY.to_le_bytes());
        put(MODULE_HASH, &hash(module));
        header
    }
}

/// What lies between parts.
static ZEROS: [u8; super::PAGE] = [0; super::PAGE];

fn words<const N: usize>(sink: Sink<'_>, words: [u32; N]) {
    words.iter().for_each(|word| sink(&word.to_le_bytes()));
}

/// Appends a site to those of its function; `last` is the one before it in the function, at first one of zeros.
pub fn write_site(sites: &mut Vec<u8>, last: &mut Site, site: Site) {
    leb(sites, u64::from(site.text - last.text));
    let delta = i64::from(site.module) - i64::from(last.module);
    leb(sites, (delta << 1 ^ delta >> 63) as u64);
    sites.push(site.trap.map_or(0, |trap| trap as u8));
    *last = site;
}

fn leb(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

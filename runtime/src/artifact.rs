//! The form that native code has in memory and in files: one sequence of bytes without relocations, whose parts
//! are found by offsets. The compiler writes it, [`crate::native`] maps and runs it. Invariant: reading a part
//! never looks outside the bytes, whatever they hold.
//!
//! ```text
//! [ header ][ functions ][ enters ][ imports ][ tables ][ handlers ][ sites ] .. page .. [ text ] .. page .. [ module ][ label ]
//!
//! header   0 magic                      8 version of the format     12 machine   13 traps   14 fuel   15 deterministic
//!         16 processor's features      24 context below memory     32 identity of this version of Lithe
//!         40 checksum of the header    48 hash of the module       80 hash of all that follows the header
//!        112 offset and length of each part
//! ```
//!
//! Parts follow each other without gaps but for alignment, and the last one ends the file. Loading looks at the header
//! only, so its cost does not depend on the size; [`Artifact::verify`] reads everything. The text of an artifact that
//! is linked into a program stands elsewhere, and its offset is `ELSEWHERE`.
//!
//! A *function* is a stretch of text: a defined function of the module (first, in order) or a stub. An *enter* is
//! the stub that calls functions of a type from the host. A *site* is a place in text that a backtrace, a trap or
//! an exception asks about.

mod write;

use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::ops::Range;

use lithe_types::TrapKind;

use crate::{
    abi::{self, Arch, Traps},
    hash::hash,
    sync::Shared,
};

pub use write::{Sink, Text, write_site};

/// The first bytes of an artifact.
pub const MAGIC: [u8; 8] = *b"\0lithe\r\n";
/// Text and the module begin at multiples of this, the largest page of the supported machines.
pub const PAGE: usize = 1 << 16;
/// No function.
pub const NONE: u32 = u32::MAX;
/// The offset of a text that is not among the bytes of the artifact.
const ELSEWHERE: u64 = u64::MAX;

/// The parts, in the order of their ranges in the header and in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Part {
    Functions,
    Enters,
    Imports,
    Tables,
    Handlers,
    Sites,
    Text,
    Module,
    Label,
}

impl Part {
    /// What its offset is a multiple of.
    const fn align(self) -> usize {
        match self {
            Part::Text | Part::Module => PAGE,
            _ => 16,
        }
    }

    /// Bytes of one of its records.
    const fn record(self) -> usize {
        match self {
            Part::Functions => 12,
            Part::Enters | Part::Imports | Part::Tables => 4,
            Part::Handlers => 20,
            Part::Sites | Part::Text | Part::Module | Part::Label => 1,
        }
    }
}

const PARTS: [Part; 9] = [
    Part::Functions,
    Part::Enters,
    Part::Imports,
    Part::Tables,
    Part::Handlers,
    Part::Sites,
    Part::Text,
    Part::Module,
    Part::Label,
];
const IDENTITY: usize = 32;
const CHECKSUM: usize = 40;
const MODULE_HASH: usize = 48;
const CONTENT_HASH: usize = 80;
const RANGES: usize = 112;
/// Bytes of the header.
pub const HEADER: usize = RANGES + 16 * PARTS.len();

/// The checksum of a header, whatever its own eight bytes hold.
fn checksum(header: &[u8]) -> [u8; 8] {
    let mut header = header.to_vec();
    header[CHECKSUM..][..8].fill(0);
    let [checksum, ..] = *hash(&header).as_chunks().0 else { return [0; 8] };
    checksum
}

/// What code was compiled for and how; an artifact runs only where all of it holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// The machine.
    pub arch: Arch,
    /// Features of the processor, a bit each; see [`abi::cpu`].
    pub cpu: u64,
    /// How code traps.
    pub traps: Traps,
    /// Whether code counts fuel.
    pub fuel: bool,
    /// Whether NaN results are canonical.
    pub deterministic: bool,
    /// Whether contexts end where memory 0 begins.
    pub below_memory: bool,
}

/// A stretch of text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Function {
    /// Offset of its first byte, which is its entry.
    pub start: u32,
    /// Offset of the byte after its last one.
    pub end: u32,
    /// Where its sites begin.
    pub sites: u32,
}

/// A place in text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Site {
    /// Offset in the text: of an instruction that may trap, or of the one after a call.
    pub text: u32,
    /// The operator's byte offset in the module.
    pub module: u32,
    /// What a fault here means; `None` at calls.
    pub trap: Option<TrapKind>,
}

/// A place where an exception of a call goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handler {
    /// Offset in the text of the instruction after the call. Handlers are sorted by it; those of one call stand in
    /// the order in which they are tried.
    pub call: u32,
    /// The tag's index in the module, or [`NONE`] for any exception.
    pub tag: u32,
    /// Offset in the text where execution goes on.
    pub target: u32,
    /// Bytes from the stack pointer to the frame pointer there.
    pub frame: u32,
    /// Bytes from the stack pointer to the word that holds the function's context.
    pub context: u32,
}

/// What an artifact is made of.
pub struct Parts {
    /// What the code is for.
    pub target: Target,
    /// Position-independent code.
    pub text: Vec<u8>,
    /// Stretches of text, by offset.
    pub functions: Vec<Function>,
    /// By type index: the function that calls functions of this type from the host, or [`NONE`].
    pub enters: Vec<u32>,
    /// By imported function: the function that calls it when it has no native code.
    pub imports: Vec<u32>,
    /// Tables whose elements are in the text, sorted: nothing reads those of an instance.
    pub tables: Vec<u32>,
    /// Handlers of exceptions, sorted by call.
    pub handlers: Vec<Handler>,
    /// Encoded sites, see [`write_site`].
    pub sites: Vec<u8>,
    /// The module's name in backtraces when it has none of its own.
    pub label: String,
}

/// Bytes that hold an artifact.
pub struct Artifact {
    bytes: Shared<dyn AsRef<[u8]> + Send + Sync>,
    target: Target,
    parts: [Range<usize>; PARTS.len()],
    /// The text, when it is not among the bytes.
    linked: Option<&'static [u8]>,
}

impl Artifact {
    /// The artifact in `bytes`, or a sentence about what is wrong. Reads the header only.
    pub fn new(bytes: Box<dyn AsRef<[u8]> + Send + Sync>) -> Result<Artifact, String> {
        Artifact::read(bytes, None)
    }

    /// The artifact whose text stands elsewhere, as in a program that it was linked into.
    pub fn linked(bytes: &'static [u8], text: &'static [u8]) -> Result<Artifact, String> {
        Artifact::read(Box::new(bytes), Some(text))
    }

    fn read(
        bytes: Box<dyn AsRef<[u8]> + Send + Sync>,
        linked: Option<&'static [u8]>,
    ) -> Result<Artifact, String> {
        let all: &[u8] = (*bytes).as_ref();
        let header = all.get(..HEADER).filter(|header| header.starts_with(&MAGIC));
        let header = header.ok_or("it is no artifact of Lithe")?;
        let word = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        if word(8) != abi::VERSION || long(IDENTITY) != abi::IDENTITY {
            return Err("it was made by another version of Lithe; compile the module again".into());
        }
        if header[CHECKSUM..][..8] != checksum(header) {
            return Err("it is damaged: its header is not what was written".into());
        }
        let arch = match header[12] {
            1 => Arch::X86_64,
            2 => Arch::Aarch64,
            3 => Arch::Riscv64,
            _ => return Err("it is for a machine that this version of Lithe does not know".into()),
        };
        let traps = match header[13] {
            0 => Traps::Checks,
            1 => Traps::Signals,
            _ => return Err("it traps in a way that this version of Lithe does not know".into()),
        };
        let target = Target {
            arch,
            cpu: long(16),
            traps,
            fuel: header[14] != 0,
            deterministic: header[15] != 0,
            below_memory: header[24] != 0,
        };
        let mut parts = [const { 0..0 }; PARTS.len()];
        let mut end = HEADER;
        for (i, part) in PARTS.into_iter().enumerate() {
            if part == Part::Text && (linked.is_some() || long(RANGES + 16 * i) == ELSEWHERE) {
                match linked {
                    _ if long(RANGES + 16 * i) != ELSEWHERE => {
                        return Err("it has its code with it and takes no other".into());
                    }
                    None => return Err("its code is in the program that it was made for".into()),
                    Some(text) if text.len() as u64 != long(RANGES + 16 * i + 8) => {
                        return Err("it belongs to other code".into());
                    }
                    Some(_) => continue,
                }
            }
            let start = end.checked_next_multiple_of(part.align());
            let declared = usize::try_from(long(RANGES + 16 * i)).ok();
            let start = start.filter(|start| declared == Some(*start));
            let len = usize::try_from(long(RANGES + 16 * i + 8)).ok();
            let len = len.filter(|len| len.is_multiple_of(part.record()));
            let range =
                start.zip(len).and_then(|(start, len)| Some(start..start.checked_add(len)?));
            let range = range.ok_or("it is damaged: its parts do not follow each other")?;
            end = range.end;
            parts[i] = range;
        }
        if end != all.len() {
            let len = all.len();
            return Err(format!("it is damaged: it has {len} bytes and was written with {end}"));
        }
        let artifact = Artifact { bytes: bytes.into(), target, parts, linked };
        if i32::try_from(artifact.text_len()).is_err() {
            return Err("it is damaged: its code is too large".into());
        }
        Ok(artifact)
    }

    /// Reads everything, and says what is wrong when it is not what was written.
    pub fn verify(&self) -> Result<(), String> {
        let all = (*self.bytes).as_ref();
        let written = all.get(CONTENT_HASH..CONTENT_HASH + 32);
        let found = all.get(HEADER..).map(hash);
        match written.zip(found).is_some_and(|(written, found)| *written == found) {
            true => Ok(()),
            false => Err("it is damaged: its contents are not what was written".into()),
        }
    }

    fn part(&self, part: Part) -> &[u8] {
        (*self.bytes).as_ref().get(self.parts[part as usize].clone()).unwrap_or(&[])
    }

    fn words<const N: usize>(&self, part: Part, index: usize) -> Option<[u32; N]> {
        let bytes = self.part(part).get(index.checked_mul(4 * N)?..)?.get(..4 * N)?;
        let (words, _) = bytes.as_chunks::<4>();
        Some(core::array::from_fn(|i| u32::from_le_bytes(words[i])))
    }

    /// What the code is for.
    pub fn target(&self) -> Target {
        self.target
    }

    /// Position-independent code.
    pub fn text(&self) -> &[u8] {
        self.linked.unwrap_or_else(|| self.part(Part::Text))
    }

    /// The text of a program that the artifact was linked into.
    pub fn linked_text(&self) -> Option<&'static [u8]> {
        self.linked
    }

    fn text_len(&self) -> usize {
        self.linked.map_or(self.parts[Part::Text as usize].len(), |text| text.len())
    }

    /// Where the text lies in the bytes; an empty range when it stands elsewhere.
    pub fn text_range(&self) -> Range<usize> {
        self.parts[Part::Text as usize].clone()
    }

    /// The module that the code was compiled from.
    pub fn module(&self) -> &[u8] {
        self.part(Part::Module)
    }

    /// The module, for a parser that keeps it as long as it likes.
    #[cfg(feature = "std")]
    pub(crate) fn shared_module(&self) -> lithe_parser::Bytes {
        let range = self.parts[Part::Module as usize].clone();
        lithe_parser::Bytes::Shared(self.bytes.clone(), range)
    }

    /// The [hash] of the module that the code was compiled from.
    pub fn module_hash(&self) -> [u8; 32] {
        let written = (*self.bytes).as_ref().get(MODULE_HASH..).and_then(|hash| hash.first_chunk());
        written.copied().unwrap_or_default()
    }

    /// The module's name in backtraces when it has none of its own.
    pub fn label(&self) -> &str {
        core::str::from_utf8(self.part(Part::Label)).unwrap_or("")
    }

    /// How many functions there are, stubs included.
    pub fn functions(&self) -> usize {
        self.part(Part::Functions).len() / Part::Functions.record()
    }

    /// A function, when it lies within the text.
    pub fn function(&self, index: usize) -> Option<Function> {
        let [start, end, sites] = self.words(Part::Functions, index)?;
        let inside = start <= end && end as usize <= self.text_len();
        inside.then_some(Function { start, end, sites })
    }

    /// The function that calls functions of this type from the host.
    pub fn enter(&self, ty: u32) -> Option<Function> {
        let [index] = self.words(Part::Enters, ty as usize)?;
        self.function(index as usize)
    }

    /// The function that calls an imported function without native code.
    pub fn import(&self, func: u32) -> Option<Function> {
        let [index] = self.words(Part::Imports, func as usize)?;
        self.function(index as usize)
    }

    /// Whether the elements of a table are in the text, and nothing reads those of an instance.
    pub fn has_elements(&self, table: u32) -> bool {
        let (tables, _) = self.part(Part::Tables).as_chunks::<4>();
        tables.iter().any(|known| u32::from_le_bytes(*known) == table)
    }

    /// The number of the function that has this offset in the text.
    pub fn function_at(&self, text: u32) -> Option<usize> {
        let (mut low, mut high) = (0, self.functions());
        while low < high {
            let middle = (low + high) / 2;
            match self.function(middle)?.start <= text {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let index = low.checked_sub(1)?;
        (text < self.function(index)?.end).then_some(index)
    }

    /// The sites of the function with this number, by offset in the text. Those of calls stand before others at the
    /// same offset.
    pub fn sites(&self, function: usize) -> impl Iterator<Item = Site> + '_ {
        let range = || {
            let Function { start, sites: from, .. } = self.function(function)?;
            let sites = self.part(Part::Sites);
            let next = self.function(function.checked_add(1)?);
            let to = next.map_or(sites.len(), |next| next.sites as usize);
            Some((start, sites.get(from as usize..to)?))
        };
        let (start, mut bytes) = range().unwrap_or((0, &[]));
        let mut site = Site { text: start, module: 0, trap: None };
        core::iter::from_fn(move || {
            site.text = site.text.wrapping_add(unleb(&mut bytes)? as u32);
            let delta = unleb(&mut bytes)?;
            let delta = (delta >> 1) as i64 ^ -((delta & 1) as i64);
            site.module = site.module.wrapping_add(delta as u32);
            site.trap = TrapKind::from_code(*bytes.split_off_first()?);
            Some(site)
        })
    }

    /// The last site of the function with this number that is at or before an offset in the text.
    pub fn site(&self, function: usize, text: u32) -> Option<Site> {
        self.sites(function).take_while(|site| site.text <= text).last()
    }

    /// The site of the call that returns to an offset in the text.
    pub fn call_site(&self, function: usize, text: u32) -> Option<Site> {
        let mut sites = self.sites(function).skip_while(|site| site.text < text);
        sites.next().filter(|site| site.text == text && site.trap.is_none())
    }

    /// The handlers of the call that returns to this offset, in the order in which they are tried.
    pub fn handlers(&self, call: u32) -> impl Iterator<Item = Handler> + '_ {
        let handler = |index: usize| {
            let [call, tag, target, frame, context] = self.words(Part::Handlers, index)?;
            Some(Handler { call, tag, target, frame, context })
        };
        let (mut low, mut high) = (0, self.part(Part::Handlers).len() / Part::Handlers.record());
        while low < high {
            let middle = (low + high) / 2;
            match handler(middle).is_some_and(|handler| handler.call < call) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        (low..).map_while(handler).take_while(move |handler| handler.call == call)
    }
}

fn unleb(bytes: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        shift += 7;
    }
}

//! The form that native code has in memory and in files: one sequence of bytes without relocations, whose parts
//! are found by offsets. The compiler writes it, [`crate::native`] maps and runs it. Invariant: reading a part
//! never looks outside the bytes, whatever they hold.
//!
//! ```text
//! [ header | ranges of the parts ][ functions ][ enters ][ imports ][ handlers ][ sites ] .. page .. [ text ] .. page .. [ module ]
//! ```
//!
//! A *function* is a stretch of text: a defined function of the module (first, in order) or a stub. An *enter* is
//! the stub that calls functions of a type from the host. A *site* is a place in text that a backtrace, a trap or
//! an exception asks about.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::ops::Range;

use lithe_types::TrapKind;

use crate::abi::{self, Arch, Traps};

/// The first bytes of an artifact.
pub const MAGIC: [u8; 8] = *b"\0lithe\r\n";
/// Text and the module begin at multiples of this, the largest page of the supported machines.
pub const PAGE: usize = 1 << 16;
/// No function.
pub const NONE: u32 = u32::MAX;

/// The parts, in the order of their ranges in the header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Part {
    Functions,
    Enters,
    Imports,
    Handlers,
    Sites,
    Text,
    Module,
    Label,
}

const PARTS: usize = 8;
const HEADER: usize = 64 + 16 * PARTS;

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
    /// Handlers of exceptions, sorted by call.
    pub handlers: Vec<Handler>,
    /// Encoded sites, see [`write_site`].
    pub sites: Vec<u8>,
    /// The module's name in backtraces when it has none of its own.
    pub label: String,
}

impl Parts {
    /// The artifact as bytes, with the module that it was compiled from.
    pub fn write(&self, module: &[u8]) -> Vec<u8> {
        let functions = self.functions.iter().flat_map(|f| [f.start, f.end, f.sites]);
        let handlers =
            self.handlers.iter().flat_map(|h| [h.call, h.tag, h.target, h.frame, h.context]);
        let words = |words: &mut dyn Iterator<Item = u32>| -> Vec<u8> {
            words.flat_map(u32::to_le_bytes).collect()
        };
        let parts: [&[u8]; PARTS] = [
            &words(&mut functions.into_iter()),
            &words(&mut self.enters.iter().copied()),
            &words(&mut self.imports.iter().copied()),
            &words(&mut handlers.into_iter()),
            &self.sites,
            &self.text,
            module,
            self.label.as_bytes(),
        ];
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(abi::VERSION.to_le_bytes());
        let Target { arch, cpu, traps, fuel, deterministic, below_memory } = self.target;
        out.extend([arch as u8, traps as u8, u8::from(fuel), u8::from(deterministic)]);
        out.extend(cpu.to_le_bytes());
        out.push(u8::from(below_memory));
        out.resize(HEADER, 0);
        for (i, part) in parts.iter().enumerate() {
            let align =
                if i == Part::Text as usize || i == Part::Module as usize { PAGE } else { 16 };
            out.resize(out.len().next_multiple_of(align), 0);
            let (start, len) = (out.len() as u64, part.len() as u64);
            out[64 + 16 * i..][..8].copy_from_slice(&start.to_le_bytes());
            out[72 + 16 * i..][..8].copy_from_slice(&len.to_le_bytes());
            out.extend_from_slice(part);
        }
        out
    }
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

/// Bytes that hold an artifact.
pub struct Artifact {
    bytes: Box<dyn AsRef<[u8]> + Send + Sync>,
    target: Target,
    parts: [Range<usize>; PARTS],
}

impl Artifact {
    /// The artifact in `bytes`, or a sentence about what is wrong. Reads the header only.
    pub fn new(bytes: Box<dyn AsRef<[u8]> + Send + Sync>) -> Result<Artifact, String> {
        let all: &[u8] = (*bytes).as_ref();
        let header = all.get(..HEADER).filter(|header| header.starts_with(&MAGIC));
        let header = header.ok_or("it is no artifact of Lithe")?;
        let word = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        if word(8) != abi::VERSION {
            return Err("it was made by another version of Lithe; compile the module again".into());
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
        let mut parts = [const { 0..0 }; PARTS];
        for (i, part) in parts.iter_mut().enumerate() {
            let start = usize::try_from(long(64 + 16 * i)).ok();
            let len = usize::try_from(long(72 + 16 * i)).ok();
            let range =
                start.zip(len).and_then(|(start, len)| Some(start..start.checked_add(len)?));
            let range = range.filter(|range| range.end <= all.len());
            *part = range.ok_or("it is damaged: a part lies outside the file")?;
        }
        Ok(Artifact { bytes, target, parts })
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
        self.part(Part::Text)
    }

    /// Where the text lies in the bytes.
    pub fn text_range(&self) -> Range<usize> {
        self.parts[Part::Text as usize].clone()
    }

    /// The module that the code was compiled from.
    pub fn module(&self) -> &[u8] {
        self.part(Part::Module)
    }

    /// The module's name in backtraces when it has none of its own.
    pub fn label(&self) -> &str {
        core::str::from_utf8(self.part(Part::Label)).unwrap_or("")
    }

    /// How many functions there are, stubs included.
    pub fn functions(&self) -> usize {
        self.part(Part::Functions).len() / 12
    }

    /// A function, when it lies within the text.
    pub fn function(&self, index: usize) -> Option<Function> {
        let [start, end, sites] = self.words(Part::Functions, index)?;
        let inside = start <= end && end as usize <= self.parts[Part::Text as usize].len();
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

    /// The last site of the function with this number that is at or before an offset in the text.
    pub fn site(&self, function: usize, text: u32) -> Option<Site> {
        self.sites(function)?.take_while(|site| site.text <= text).last()
    }

    /// The site of the call in the function with this number that returns to an offset in the text.
    pub fn call_site(&self, function: usize, text: u32) -> Option<Site> {
        self.sites(function)?.find(|site| site.text == text && site.trap.is_none())
    }

    /// The sites of the function with this number, in order.
    fn sites(&self, function: usize) -> Option<impl Iterator<Item = Site> + '_> {
        let sites = self.part(Part::Sites);
        let from = self.function(function)?.sites as usize;
        let to = self.function(function + 1).map_or(sites.len(), |next| next.sites as usize);
        let mut bytes = sites.get(from..to)?;
        let mut site = Site { text: self.function(function)?.start, module: 0, trap: None };
        Some(core::iter::from_fn(move || {
            site.text = site.text.wrapping_add(unleb(&mut bytes)? as u32);
            let delta = unleb(&mut bytes)?;
            let delta = (delta >> 1) as i64 ^ -((delta & 1) as i64);
            site.module = site.module.wrapping_add(delta as u32);
            let (trap, rest) = bytes.split_first()?;
            site.trap = TrapKind::from_code(*trap);
            bytes = rest;
            Some(site)
        }))
    }

    /// The handlers of the call that returns to this offset, in the order in which they are tried.
    pub fn handlers(&self, call: u32) -> impl Iterator<Item = Handler> + '_ {
        let handler = |index: usize| {
            let [call, tag, target, frame, context] = self.words(Part::Handlers, index)?;
            Some(Handler { call, tag, target, frame, context })
        };
        let (mut low, mut high) = (0, self.part(Part::Handlers).len() / 20);
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

//! Artifacts of components: a component with the native code of its core modules, in one file. `compile` writes them,
//! `engines` and `inspect` read them. Invariant: every range that a layout gives lies within the file, and no two of
//! them overlap, whatever the file holds.
//!
//! ```text
//! [ header ][ entries ][ component ] .. page .. [ artifact 0 ] .. page .. [ artifact n ]
//!
//! header   0 magic                      8 version of the format     12 number of entries
//!         16 version of Lithe          24 checksum of header and entries
//!         32 length of the component   40 hash of the component
//! entry    0 hash of the module        32 offset of its artifact    40 length
//! ```
//!
//! Parts follow each other without gaps but for alignment, and the last one ends the file. An artifact is that of a
//! module, which says itself for what machine and way to run it is. What the component holds is checked when it is
//! decoded, and a module is taken for the one with its hash, so loading looks at the header and the entries only;
//! [`Layout::verify`] reads the component too.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use lithe::{Artifact, Error, ErrorKind, Module};
use lithe_component::Component;

use crate::load::MAX_MODULE_BYTES;

/// The first bytes.
const MAGIC: [u8; 8] = *b"\0lithec\n";
/// Raised with every change of the format.
const VERSION: u32 = 1;
/// Artifacts begin at multiples of this, as their own parts do.
const PAGE: u64 = 1 << 16;
/// Bytes of the header.
const HEADER: usize = 72;
/// Bytes of an entry.
const ENTRY: usize = 48;
const CHECKSUM: usize = 24;
/// The core modules that an artifact may have code of.
const MAX_ENTRIES: u32 = 1 << 12;

/// Where everything lies in an artifact of a component.
#[derive(Debug)]
pub struct Layout {
    /// The component's binary form.
    pub component: Range<u64>,
    /// The artifacts.
    pub entries: Vec<Entry>,
    component_hash: [u8; 32],
}

/// The native code of a core module.
#[derive(Debug)]
pub struct Entry {
    /// [`Module::hash`].
    pub hash: [u8; 32],
    /// Where the artifact lies.
    pub part: Range<u64>,
}

/// Whether bytes begin like an artifact of a component.
pub fn is(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Bytes of a source, which may have fewer than it said.
pub trait Source {
    /// How many bytes there are.
    fn len(&self) -> io::Result<u64>;
    /// Fills `out` from an offset.
    fn read(&self, out: &mut [u8], at: u64) -> io::Result<()>;
}

impl Source for &File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read(&self, out: &mut [u8], at: u64) -> io::Result<()> {
        self.read_exact_at(out, at)
    }
}

impl Source for &[u8] {
    fn len(&self) -> io::Result<u64> {
        Ok(<[u8]>::len(self) as u64)
    }

    fn read(&self, out: &mut [u8], at: u64) -> io::Result<()> {
        let from = usize::try_from(at).ok().and_then(|at| self.get(at..)?.get(..out.len()));
        let from = from.ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(from);
        Ok(())
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_le_bytes(*word))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |long| u64::from_le_bytes(*long))
}

fn hash_at(bytes: &[u8], at: usize) -> [u8; 32] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default()
}

/// The checksum of a header with its entries, whatever its own eight bytes hold.
fn checksum(head: &[u8]) -> [u8; 8] {
    let mut head = head.to_vec();
    head[CHECKSUM..][..8].fill(0);
    Artifact::hash(&head).first_chunk().copied().unwrap_or_default()
}

impl Layout {
    /// The layout of an artifact, or a sentence about what is wrong with it.
    pub fn read(source: &impl Source) -> Result<Layout, String> {
        let len = source.len().map_err(unread)?;
        let mut head = vec![0; HEADER];
        if len < HEADER as u64 {
            return Err(format!("it is damaged: it has only {len} bytes"));
        }
        source.read(&mut head, 0).map_err(unread)?;
        if !is(&head) {
            return Err("it is no artifact of a component".into());
        }
        if word(&head, 8) != VERSION || long(&head, 16) != Artifact::version() {
            return Err(
                "it was made by another version of Lithe; compile the component again".into()
            );
        }
        let count = word(&head, 12);
        let end = HEADER as u64 + u64::from(count) * ENTRY as u64;
        if count > MAX_ENTRIES || end > len {
            return Err(damaged_header());
        }
        head.resize(end as usize, 0);
        source.read(&mut head[HEADER..], HEADER as u64).map_err(unread)?;
        if head[CHECKSUM..][..8] != checksum(&head) {
            return Err(damaged_header());
        }
        let disordered = || String::from("it is damaged: its parts do not follow each other");
        let mut end = end;
        let mut part = |start: u64, len: u64, align: u64| {
            let expected = end.checked_next_multiple_of(align).filter(|next| *next == start);
            end = expected.and_then(|start| start.checked_add(len)).ok_or_else(disordered)?;
            Ok::<_, String>(start..end)
        };
        let component = part(head.len() as u64, long(&head, 32), 1)?;
        let bytes = component.end - component.start;
        if bytes > MAX_MODULE_BYTES as u64 {
            return Err(format!(
                "its component has {bytes} bytes; {MAX_MODULE_BYTES} are the most that is read"
            ));
        }
        let entry = |entry: &[u8]| {
            let part = part(long(entry, 32), long(entry, 40), PAGE)?;
            Ok(Entry { hash: hash_at(entry, 0), part })
        };
        let entries =
            head[HEADER..].chunks_exact(ENTRY).map(entry).collect::<Result<_, String>>()?;
        if end != len {
            return Err(format!("it is damaged: it has {len} bytes and was written with {end}"));
        }
        Ok(Layout { component, entries, component_hash: hash_at(&head, 40) })
    }

    /// The component's binary form.
    pub fn component(&self, source: &impl Source) -> Result<Vec<u8>, String> {
        let component = read(source, &self.component)?;
        match component.starts_with(b"\0asm") && Component::is(&component) {
            true => Ok(component),
            false => Err("it is damaged: it has no component".into()),
        }
    }

    /// Where the artifact of the module with this hash lies, or the sentence that there is none.
    pub fn artifact(&self, hash: &[u8; 32]) -> Result<&Range<u64>, String> {
        let found = self.entries.iter().find(|entry| entry.hash == *hash);
        let found = found.ok_or("it has no code of a module that its component has")?;
        Ok(&found.part)
    }

    /// Whether the component is what was written.
    pub fn verify(&self, component: &[u8]) -> Result<(), String> {
        match Artifact::hash(component) == self.component_hash {
            true => Ok(()),
            false => Err("it is damaged: its component is not what was written".into()),
        }
    }
}

/// A part of a source.
pub fn read(source: &impl Source, part: &Range<u64>) -> Result<Vec<u8>, String> {
    let len = (part.end - part.start) as usize;
    let mut bytes = vec![0; len];
    source.read(&mut bytes, part.start).map_err(unread)?;
    Ok(bytes)
}

fn unread(error: io::Error) -> String {
    format!("it cannot be read: {error}")
}

fn damaged_header() -> String {
    "it is damaged: its header is not what was written".into()
}

/// The error of an artifact that cannot be used, for a reason that is a sentence about "it".
pub fn unusable(reason: impl Display) -> Error {
    Error::new(ErrorKind::Artifact, format!("the native code cannot be used: {reason}"))
}

/// Writes an artifact into an empty file. `compile` writes that of a module to where the file stands, and leaves it at its end.
pub fn write<W: Write + Seek>(
    out: &mut W,
    component: &[u8],
    modules: &[Module],
    mut compile: impl FnMut(&Module, &mut W) -> Result<(), Error>,
) -> Result<(), Error> {
    let unwritten = |error: io::Error| {
        Error::new(ErrorKind::Artifact, format!("the artifact cannot be written: {error}"))
    };
    let mut distinct: Vec<([u8; 32], &Module)> = Vec::new();
    for module in modules {
        let hash = module.hash();
        if distinct.iter().all(|(known, _)| *known != hash) {
            distinct.push((hash, module));
        }
    }
    let count = u32::try_from(distinct.len()).ok().filter(|count| *count <= MAX_ENTRIES);
    let count = count.ok_or_else(|| {
        let words =
            format!("a component with more than {MAX_ENTRIES} core modules has no artifact");
        Error::new(ErrorKind::Limit, words)
    })?;
    let mut head = vec![0; HEADER + distinct.len() * ENTRY];
    out.write_all(&head).and_then(|()| out.write_all(component)).map_err(unwritten)?;
    let mut end = (head.len() + component.len()) as u64;
    for ((hash, module), entry) in distinct.iter().zip(head[HEADER..].chunks_exact_mut(ENTRY)) {
        let start = end.next_multiple_of(PAGE);
        out.seek(SeekFrom::Start(start)).map_err(unwritten)?;
        compile(module, out)?;
        end = out.stream_position().map_err(unwritten)?;
        entry[..32].copy_from_slice(hash);
        entry[32..40].copy_from_slice(&start.to_le_bytes());
        entry[40..].copy_from_slice(&(end - start).to_le_bytes());
    }
    head[..8].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[12..16].copy_from_slice(&count.to_le_bytes());
    head[16..24].copy_from_slice(&Artifact::version().to_le_bytes());
    head[32..40].copy_from_slice(&(component.len() as u64).to_le_bytes());
    head[40..72].copy_from_slice(&Artifact::hash(component));
    let checksum = checksum(&head);
    head[CHECKSUM..][..8].copy_from_slice(&checksum);
    let done = out.rewind().and_then(|()| out.write_all(&head));
    done.and_then(|()| out.seek(SeekFrom::End(0))).map_err(unwritten).map(drop)
}

//! What the first memory of a module begins with, in a file that instances map privately: a page that an instance does not
//! write is never copied. `instantiate` makes it for the second instance of a module and maps it from then on; a program
//! that runs once copies its data, which is quicker then. With it are kept the mappings of memories whose stores have
//! ended, where the store's limits say so. Invariant: the file is sealed and has no name, so its contents never change,
//! and a mapping of it, or one that is used again, differs in nothing from zeros with the data copied onto them.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use lithe_parser::{ConstOp, Module, SegmentMode};
use memmap2::{Mmap, MmapOptions};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io::pwrite;
use rustix::mm::{MapFlags, ProtFlags, mmap};

use crate::{
    Memory, Shared,
    mapping::{Home, Mapping},
    memory::Backing,
};

/// Bytes of data from which a mapping costs less than copying.
const WORTH: usize = 64 << 10;
/// Parts of images are whole pages of every supported machine.
const PAGE: usize = 64 << 10;

/// The image of a module, when it has one.
#[derive(Default)]
pub(crate) struct Slot {
    instances: AtomicU32,
    image: OnceLock<Option<Image>>,
    spares: Mutex<Vec<Spare>>,
}

/// A mapping that nobody uses, as it was when its instance began.
struct Spare {
    mapping: Mapping,
    imaged: bool,
}

pub(crate) struct Image {
    file: OwnedFd,
    /// The same, to be copied from.
    source: Mmap,
    /// Where it begins in the memory.
    start: usize,
    bytes: usize,
    /// The segments that it consists of, the first ones of the module.
    segments: usize,
}

impl Slot {
    /// Gives a new memory, the first one of an instance and its own, the contents that it begins with, as far as the
    /// image has them. Tells how many of the first segments that were.
    pub fn apply(&self, module: &Module, memory: &mut Memory) -> usize {
        if module.imported_memories > 0 || module.data.is_empty() {
            return 0;
        }
        let Backing::Reserved(mapping) = &mut memory.backing else { return 0 };
        if mapping.home.as_ref().is_some_and(|home| home.imaged) {
            return self.image().map_or(0, |image| image.segments);
        }
        if self.image.get().is_none() && self.instances.fetch_add(1, Ordering::Relaxed) == 0 {
            return 0;
        }
        match self.image.get_or_init(|| Image::new(module)) {
            Some(image) if image.map(mapping) => image.segments,
            _ => 0,
        }
    }

    /// The image, when it was made.
    pub fn image(&self) -> Option<&Image> {
        self.image.get()?.as_ref()
    }

    /// A mapping for a memory, which may be a spare one of its module.
    pub fn mapping(home: Option<&Shared<Slot>>, reserved: usize, below: usize) -> Option<Mapping> {
        let Some(slot) = home else { return Mapping::new(reserved, below) };
        let mut spares = slot.spares.lock().unwrap_or_else(PoisonError::into_inner);
        let fits =
            |spare: &Spare| (spare.mapping.reserved, spare.mapping.below) == (reserved, below);
        let found = spares.iter().rposition(fits).map(|at| spares.swap_remove(at));
        drop(spares);
        let (mut mapping, imaged) = match found {
            Some(spare) => (spare.mapping, spare.imaged),
            None => (Mapping::new(reserved, below)?, false),
        };
        mapping.home = Some(Home { slot: slot.clone(), first: 0, imaged });
        Some(mapping)
    }

    /// Keeps a mapping that nobody uses any more for the next instance of its module, which has at most `limit`.
    pub fn keep(mapping: Mapping, limit: usize) {
        let Some(Home { slot, imaged, .. }) = &mapping.home else { return };
        let (slot, imaged) = (slot.clone(), *imaged);
        let full = || slot.spares.lock().unwrap_or_else(PoisonError::into_inner).len() >= limit;
        if full() {
            return;
        }
        if let Some(mut mapping) = mapping.renew() {
            mapping.home = None;
            let mut spares = slot.spares.lock().unwrap_or_else(PoisonError::into_inner);
            if spares.len() < limit {
                spares.push(Spare { mapping, imaged });
            }
        }
    }
}

/// Where an active segment of the first memory goes, when that is a constant.
fn place(mode: &SegmentMode) -> Option<usize> {
    let SegmentMode::Active { index: 0, offset } = mode else { return None };
    match offset.ops() {
        [ConstOp::I32Const(offset)] => Some(*offset as u32 as usize),
        [ConstOp::I64Const(offset)] => usize::try_from(*offset as u64).ok(),
        _ => None,
    }
}

impl Image {
    fn new(module: &Module) -> Option<Image> {
        let ty = module.memories.first()?;
        if ty.shared {
            return None;
        }
        let size = usize::try_from(ty.limits.min.checked_mul(1 << ty.page_log2)?).ok()?;
        let mut parts = Vec::new();
        for segment in &module.data {
            let Some(at) = place(&segment.mode) else { break };
            let bytes = &module.bytes[segment.range.start as usize..segment.range.end as usize];
            // What does not fit traps when it is copied.
            if at.checked_add(bytes.len()).is_none_or(|end| end > size) {
                break;
            }
            parts.push((at, bytes));
        }
        if parts.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() < WORTH {
            return None;
        }
        let start = parts.iter().map(|(at, _)| *at).min()? / PAGE * PAGE;
        let end = parts.iter().map(|(at, bytes)| at + bytes.len()).max()?;
        let bytes = end.checked_next_multiple_of(PAGE)? - start;
        let file = memfd_create("lithe", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).ok()?;
        ftruncate(&file, bytes as u64).ok()?;
        for (at, mut part) in parts.iter().copied() {
            let mut to = (at - start) as u64;
            while !part.is_empty() {
                let written = pwrite(&file, part, to).ok().filter(|written| *written > 0)?;
                part = &part[written..];
                to += written as u64;
            }
        }
        let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
        fcntl_add_seals(&file, seals).ok()?;
        // SAFETY: the file is sealed, so nobody changes what is mapped.
        let source = unsafe { MmapOptions::new().len(bytes).map(&file) }.ok()?;
        Some(Image { file, source, start, bytes, segments: parts.len() })
    }

    /// Writes what the image, and zeros around it, have `at` bytes from a memory's base on, which may be less than none.
    pub fn restore(&self, target: &mut [u8], at: isize) {
        let len = target.len() as isize;
        let (start, end) = (self.start as isize, (self.start + self.bytes) as isize);
        let (from, to) = (at.clamp(start, end), (at + len).clamp(start, end));
        let inner = (from - at).clamp(0, len) as usize..(to - at).clamp(0, len) as usize;
        target[..inner.start].fill(0);
        target[inner.end..].fill(0);
        let part = (from - start) as usize..(to - start) as usize;
        target[inner].copy_from_slice(&self.source[part]);
    }

    /// Whether the mapping could be given the contents; otherwise nothing has changed.
    fn map(&self, mapping: &mut Mapping) -> bool {
        if self.start + self.bytes > mapping.committed {
            return false;
        }
        let access = ProtFlags::READ.union(ProtFlags::WRITE);
        let flags = MapFlags::PRIVATE.union(MapFlags::FIXED);
        let at = mapping.base().wrapping_add(self.start);
        // SAFETY: the range lies within the committed part of the memory's own reservation, which is borrowed mutably, so
        // nothing else is replaced and nobody has a reference into it. The new pages are accessible as the old ones were.
        let map = unsafe { mmap(at.cast(), self.bytes, access, flags, &self.file, 0) };
        if let (Ok(_), Some(home)) = (&map, &mut mapping.home) {
            home.imaged = true;
        }
        map.is_ok()
    }
}

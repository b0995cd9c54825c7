//! What the first memory of a module begins with, in a file that instances map privately: a page that an instance does not
//! write is never copied. `instantiate` makes it for the second instance of a module and maps it from then on; a program
//! that runs once copies its data, which is quicker then. Invariant: the file is sealed and has no name, so its
//! contents never change, and a mapping of it differs in nothing from zeros with the data copied onto them.

use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use lithe_parser::{ConstOp, Module, SegmentMode};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io::pwrite;
use rustix::mm::{MapFlags, ProtFlags, mmap};

use crate::{Memory, memory::Backing};

/// Bytes of data from which a mapping costs less than copying.
const WORTH: usize = 64 << 10;
/// Parts of images are whole pages of every supported machine.
const PAGE: usize = 64 << 10;

/// The image of a module, when it has one.
#[derive(Default)]
pub(crate) struct Slot {
    instances: AtomicU32,
    image: OnceLock<Option<Image>>,
}

struct Image {
    file: OwnedFd,
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
        if self.image.get().is_none() && self.instances.fetch_add(1, Ordering::Relaxed) == 0 {
            return 0;
        }
        match self.image.get_or_init(|| Image::new(module)) {
            Some(image) if image.map(memory) => image.segments,
            _ => 0,
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
        Some(Image { file, start, bytes, segments: parts.len() })
    }

    /// Whether the memory could be given the contents; otherwise nothing has changed.
    fn map(&self, memory: &mut Memory) -> bool {
        let Backing::Reserved { committed, .. } = memory.backing else { return false };
        if self.start + self.bytes > committed {
            return false;
        }
        let access = ProtFlags::READ.union(ProtFlags::WRITE);
        let flags = MapFlags::PRIVATE.union(MapFlags::FIXED);
        let at = memory.base.wrapping_add(self.start);
        // SAFETY: the range lies within the committed part of the memory's own reservation, which is borrowed mutably, so
        // nothing else is replaced and nobody has a reference into it. The new pages are accessible as the old ones were.
        let map = unsafe { mmap(at.cast(), self.bytes, access, flags, &self.file, 0) };
        map.is_ok()
    }
}

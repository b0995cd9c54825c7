//! Loaded code: the text of an artifact in executable memory, and the list of all such texts, in which addresses of
//! code are looked up. Invariant: a text is in the list for as long as it is mapped, and whoever looks up an address
//! that runs finds a text that stays until it has returned.

use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::{
    ptr,
    sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence},
};

use core::ops::Range;
use std::fs::File;

use memmap2::MmapOptions;

use super::{pages::Pages, signals};
use crate::{
    abi::{Arch, Traps, cpu},
    artifact::{Artifact, Target},
    sync::Lock,
};

/// Executable code with the tables that belong to it.
pub struct NativeCode(Box<Text>);

/// A mapped text.
pub(super) struct Text {
    pub artifact: Artifact,
    base: *const u8,
    entry: &'static Slot,
    pages: Pages,
}

// SAFETY: the mapping is written before it is shared, never afterwards.
unsafe impl Send for Text {}
// SAFETY: as for Send.
unsafe impl Sync for Text {}

impl NativeCode {
    /// Makes the code of an artifact executable, or says why this machine does not.
    ///
    /// # Safety
    /// The artifact was written by the compiler of this version of Lithe. Nothing can be proven of its code.
    pub unsafe fn load(artifact: Artifact) -> Result<NativeCode, String> {
        usable(artifact.target())?;
        let pages = Pages::copy(artifact.text())?;
        Ok(NativeCode::of(artifact, pages))
    }

    /// Makes the code of an artifact that [`map`] found at this offset of this file executable, or says why this machine
    /// does not. The file is mapped, so what this costs does not depend on its size.
    ///
    /// # Safety
    /// The artifact was written by the compiler of this version of Lithe, and nobody changes the file while the code
    /// exists. Nothing can be proven of its code.
    pub unsafe fn open(artifact: Artifact, file: &File, offset: u64) -> Result<NativeCode, String> {
        usable(artifact.target())?;
        let offset = offset.saturating_add(artifact.text_range().start as u64);
        // SAFETY: as above.
        let pages = match unsafe { Pages::map(file, offset, artifact.text().len()) } {
            Some(pages) => pages,
            // Where files are not executable, their bytes in memory may be.
            None => Pages::copy(artifact.text())?,
        };
        Ok(NativeCode::of(artifact, pages))
    }

    /// The code of an artifact that was linked into this program, or the reason why this machine does not run it.
    ///
    /// # Safety
    /// The artifact was written by the compiler of this version of Lithe. Its text is executable. Nothing can be proven
    /// of its code.
    pub unsafe fn link(artifact: Artifact) -> Result<NativeCode, String> {
        usable(artifact.target())?;
        let text = artifact.linked_text().ok_or("its code is not a part of this program")?;
        Ok(NativeCode::of(artifact, Pages::Linked(text)))
    }

    fn of(artifact: Artifact, pages: Pages) -> NativeCode {
        let (base, len) = (pages.base(), pages.len());
        let mut text = Box::new(Text { artifact, base, pages, entry: Slot::free() });
        let pointer = &raw mut *text;
        text.entry.fill(base as usize, base as usize + len, pointer);
        NativeCode(text)
    }

    /// The artifact.
    pub fn artifact(&self) -> &Artifact {
        &self.0.artifact
    }

    /// The address of the first byte of the text.
    pub fn base(&self) -> *const u8 {
        self.0.base
    }

    /// The address of a function by its number in the artifact; null when it has none such.
    pub(crate) fn function(&self, number: usize) -> *const u8 {
        match self.artifact().function(number) {
            Some(function) => self.address(function.start),
            None => ptr::null(),
        }
    }

    /// The address of the code that calls functions of this type from the host; null when there is none.
    pub(crate) fn enter(&self, ty: u32) -> *const u8 {
        self.artifact().enter(ty).map_or(ptr::null(), |enter| self.address(enter.start))
    }

    /// The address of an offset that the artifact holds.
    pub(crate) fn address(&self, offset: u32) -> *const u8 {
        self.0.address(offset)
    }

    pub(super) fn is(&self, text: *const Text) -> bool {
        ptr::eq(&raw const *self.0, text)
    }
}

impl Text {
    /// The offset of an address of this text.
    pub fn offset(&self, address: usize) -> u32 {
        address.wrapping_sub(self.base as usize) as u32
    }

    /// The address of an offset that the artifact holds.
    pub fn address(&self, offset: u32) -> *const u8 {
        self.base.wrapping_add(offset as usize)
    }

    /// Whether an address lies in this text.
    pub fn has(&self, address: usize) -> bool {
        address.wrapping_sub(self.base as usize) < self.pages.len()
    }

    /// The text that an address lies in. Takes no lock and allocates nothing, so a signal handler may call it.
    pub fn find(address: usize) -> Option<*const Text> {
        let mut block: *const Block = &raw const FIRST;
        while !block.is_null() {
            // SAFETY: blocks are never freed.
            let this = unsafe { &*block };
            let found = this.slots.iter().find_map(|slot| slot.lookup(address));
            if found.is_some() {
                return found;
            }
            block = this.next.load(Ordering::Acquire);
        }
        None
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        // The pages go afterwards. No code of them runs any more: whoever runs it holds the module.
        self.entry.clear();
    }
}

/// The artifact in a part of a file, which is mapped.
///
/// # Safety
/// Nobody changes the file while the artifact exists.
pub unsafe fn map(file: &File, part: Range<u64>) -> Result<Artifact, String> {
    let unmapped = |error| format!("it cannot be mapped: {error}");
    let len = usize::try_from(part.end.saturating_sub(part.start));
    // What is beyond the end of a file can be mapped, but not read.
    if part.end > file.metadata().map_err(unmapped)?.len() {
        return Err("it is damaged: it is longer than its file".into());
    }
    let len = len.map_err(|_| "it is larger than the address space")?;
    // SAFETY: as the caller promises.
    let bytes = unsafe { MmapOptions::new().offset(part.start).len(len).map(file) };
    Artifact::new(Box::new(bytes.map_err(unmapped)?))
}

/// Says why code for this target does not run here, and makes ready what it needs.
fn usable(target: Target) -> Result<(), String> {
    let Target { arch, cpu: wanted, traps, .. } = target;
    if Arch::HOST != Some(arch) {
        return Err(match Arch::HOST {
            Some(host) => {
                format!("its code is for {}, and this machine is {}", arch.name(), host.name())
            }
            None => "this version of Lithe runs no native code on this machine".into(),
        });
    }
    let missing = wanted & !cpu::host();
    if missing != 0 {
        let known: Vec<&str> = cpu::names(arch, missing).collect();
        return Err(match known.is_empty() {
            true => "its code needs processor features that this version does not know".into(),
            false => {
                let known = known.join(", ");
                format!("its code needs processor features that are missing here: {known}")
            }
        });
    }
    if traps == Traps::Signals {
        let installed = signals::install();
        installed.map_err(|error| format!("the machine refused handlers of signals: {error}"))?;
    }
    Ok(())
}

/// An entry of the list. Readers that see its version change take it for empty, which a text that runs is not.
struct Slot {
    /// Odd while the entry changes.
    version: AtomicU32,
    taken: AtomicU32,
    start: AtomicUsize,
    end: AtomicUsize,
    text: AtomicPtr<Text>,
}

/// A part of the list.
struct Block {
    slots: [Slot; 64],
    next: AtomicPtr<Block>,
}

static FIRST: Block = Block::new();
/// Held by whoever changes the list.
static CHANGE: Lock<()> = Lock::new(());

impl Block {
    const fn new() -> Block {
        Block { slots: [const { Slot::new() }; 64], next: AtomicPtr::new(ptr::null_mut()) }
    }
}

impl Slot {
    const fn new() -> Slot {
        Slot {
            version: AtomicU32::new(0),
            taken: AtomicU32::new(0),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            text: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// An entry that nobody else uses.
    fn free() -> &'static Slot {
        CHANGE.with(|()| {
            let mut block: &'static Block = &FIRST;
            loop {
                let free = |slot: &&Slot| slot.taken.load(Ordering::Relaxed) == 0;
                if let Some(slot) = block.slots.iter().find(free) {
                    slot.taken.store(1, Ordering::Relaxed);
                    return slot;
                }
                let next = block.next.load(Ordering::Acquire);
                // SAFETY: blocks are never freed.
                block = match unsafe { next.as_ref() } {
                    Some(next) => next,
                    None => {
                        let fresh: &'static mut Block = Box::leak(Box::new(Block::new()));
                        block.next.store(fresh, Ordering::Release);
                        fresh
                    }
                };
            }
        })
    }

    fn fill(&self, start: usize, end: usize, text: *mut Text) {
        CHANGE.with(|()| {
            self.version.fetch_add(1, Ordering::Relaxed);
            fence(Ordering::Release);
            self.start.store(start, Ordering::Relaxed);
            self.end.store(end, Ordering::Relaxed);
            self.text.store(text, Ordering::Relaxed);
            self.version.fetch_add(1, Ordering::Release);
        });
    }

    fn clear(&self) {
        self.fill(0, 0, ptr::null_mut());
        CHANGE.with(|()| self.taken.store(0, Ordering::Relaxed));
    }

    fn lookup(&self, address: usize) -> Option<*const Text> {
        let version = self.version.load(Ordering::Acquire);
        let (start, end) = (self.start.load(Ordering::Relaxed), self.end.load(Ordering::Relaxed));
        let text = self.text.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let stable = version & 1 == 0 && version == self.version.load(Ordering::Relaxed);
        (stable && start <= address && address < end).then_some(text.cast_const())
    }
}

//! Loaded code: the text of an artifact in executable memory, and the list of all such texts, in which addresses of
//! code are looked up. Invariant: a text is in the list for as long as it is mapped, and whoever looks up an address
//! that runs finds a text that stays until it has returned.

use alloc::{boxed::Box, format, string::String};
use core::{
    ptr,
    sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence},
};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use super::{arch, signals};
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
    base: *mut u8,
    len: usize,
    entry: &'static Slot,
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
        let Target { arch, cpu: wanted, traps, .. } = artifact.target();
        if Arch::HOST != Some(arch) {
            return Err(match Arch::HOST {
                Some(host) => format!("its code is for {arch:?}, and this machine is {host:?}"),
                None => "this version of Lithe runs no native code on this machine".into(),
            });
        }
        let missing = wanted & !cpu::host();
        if missing != 0 {
            let known = cpu::names(arch, missing).next().unwrap_or("of a kind it does not know");
            return Err(format!("its code needs the processor feature {known}"));
        }
        if traps == Traps::Signals
            && let Err(error) = signals::install()
        {
            return Err(format!("the machine refused handlers of signals: {error}"));
        }
        let refused = || String::from("the machine refused executable memory");
        let text = artifact.text();
        let len = text.len().checked_next_multiple_of(crate::artifact::PAGE).ok_or_else(refused)?;
        let len = len.max(crate::artifact::PAGE);
        let access = ProtFlags::READ.union(ProtFlags::WRITE);
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing.
        let map = unsafe { mmap_anonymous(ptr::null_mut(), len, access, MapFlags::PRIVATE) };
        let base = map.map_err(|_| refused())?.cast::<u8>();
        // SAFETY: the text fits the mapping, which nothing else refers to yet.
        let done = unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), base, text.len());
            arch::publish(base, len);
            mprotect(base.cast(), len, MprotectFlags::READ.union(MprotectFlags::EXEC))
        };
        let mut text = Box::new(Text { artifact, base, len, entry: Slot::free() });
        if done.is_err() {
            return Err(refused());
        }
        let pointer = &raw mut *text;
        text.entry.fill(base as usize, base as usize + len, pointer);
        Ok(NativeCode(text))
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
        self.entry.clear();
        // SAFETY: the mapping belongs to this text, and no code of it runs any more: whoever runs it holds the
        // module. A failure leaks it.
        let _ = unsafe { munmap(self.base.cast(), self.len) };
    }
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

//! Executable memory: a copy of a text, a part of a file that is mapped, or a part of this program. `text` makes it and keeps it. Invariant:
//! what can be executed cannot be written.

use alloc::string::String;
use core::ptr;
use std::fs::File;

use memmap2::{Mmap, MmapOptions};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use super::arch;
use crate::artifact::PAGE;

/// Pages that hold code.
pub(super) enum Pages {
    Copied { base: *mut u8, len: usize },
    Mapped(Mmap),
    Linked(&'static [u8]),
}

impl Pages {
    /// A copy of code.
    pub fn copy(text: &[u8]) -> Result<Pages, String> {
        let refused = || String::from("the machine refused executable memory");
        let len = text.len().max(1).checked_next_multiple_of(PAGE).ok_or_else(refused)?;
        let access = ProtFlags::READ.union(ProtFlags::WRITE);
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing.
        let map = unsafe { mmap_anonymous(ptr::null_mut(), len, access, MapFlags::PRIVATE) };
        let base = map.map_err(|_| refused())?.cast::<u8>();
        let pages = Pages::Copied { base, len };
        // SAFETY: the text fits the mapping, which nothing else refers to yet.
        let done = unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), base, text.len());
            arch::publish(base, len);
            mprotect(base.cast(), len, MprotectFlags::READ.union(MprotectFlags::EXEC))
        };
        done.map_err(|_| refused())?;
        Ok(pages)
    }

    /// A part of a file; `None` when the machine refuses.
    ///
    /// # Safety
    /// Nobody changes the file while it is mapped.
    pub unsafe fn map(file: &File, offset: u64, len: usize) -> Option<Pages> {
        // Nothing at all is not mapped.
        let len = len.max(1);
        // SAFETY: as the caller promises.
        let map = unsafe { MmapOptions::new().offset(offset).len(len).map_exec(file) };
        map.ok().map(Pages::Mapped)
    }

    /// The first byte.
    pub fn base(&self) -> *const u8 {
        match self {
            Pages::Copied { base, .. } => *base,
            Pages::Mapped(map) => map.as_ptr(),
            Pages::Linked(text) => text.as_ptr(),
        }
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        match self {
            Pages::Copied { len, .. } => *len,
            Pages::Mapped(map) => map.len(),
            Pages::Linked(text) => text.len(),
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if let Pages::Copied { base, len } = *self {
            // SAFETY: the mapping belongs to this value, which nobody uses any more. A failure leaks it.
            let _ = unsafe { munmap(base.cast(), len) };
        }
    }
}

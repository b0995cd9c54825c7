//! Which pages of private mappings were written, as Linux 6.7 and later tell. Spare memories ask before they are used
//! again. Invariant: a page that was written is told, or the answer is that nothing can be told.

use core::ops::Range;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::OnceLock;

/// A stretch of pages that were written.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Stretch {
    pub start: u64,
    pub end: u64,
    categories: u64,
}

impl Stretch {
    /// Whether all of it is in memory.
    pub fn is_present(&self) -> bool {
        self.categories & SWAPPED == 0
    }
}

// <linux/fs.h>: a page of a file, one in memory, one in the swap, and the page of zeros.
const FILE: u64 = 1 << 2;
const PRESENT: u64 = 1 << 3;
const SWAPPED: u64 = 1 << 4;
const ZERO: u64 = 1 << 5;

/// `struct pm_scan_arg` of <linux/fs.h>.
#[derive(Default)]
#[repr(C)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `_IOWR('f', 16, struct pm_scan_arg)`
const PAGEMAP_SCAN: u64 = 3 << 30 | (size_of::<Scan>() as u64) << 16 | (b'f' as u64) << 8 | 16;

/// Calls a function for each stretch of pages in a range that were written. `false` when the kernel does not tell; then
/// any page may have been.
///
/// What was written in a private mapping belongs to no file and is not the page of zeros; it is in memory or in the swap.
pub(crate) fn written(range: Range<usize>, each: &mut dyn FnMut(Stretch)) -> bool {
    static PAGEMAP: OnceLock<Option<File>> = OnceLock::new();
    let Some(pagemap) = PAGEMAP.get_or_init(|| File::open("/proc/self/pagemap").ok()) else {
        return false;
    };
    let mut found = [Stretch::default(); 64];
    let mut start = range.start as u64;
    while start < range.end as u64 {
        let mut scan = Scan {
            size: size_of::<Scan>() as u64,
            start,
            end: range.end as u64,
            vec: found.as_mut_ptr() as u64,
            vec_len: found.len() as u64,
            category_inverted: FILE | ZERO,
            category_mask: FILE | ZERO,
            category_anyof_mask: PRESENT | SWAPPED,
            return_mask: PRESENT | SWAPPED,
            ..Scan::default()
        };
        // SAFETY: the kernel reads and writes one record of the size that it is told, and writes at most as many
        // stretches as there is room for.
        let count = unsafe { libc::ioctl(pagemap.as_raw_fd(), PAGEMAP_SCAN as _, &raw mut scan) };
        let Ok(count) = usize::try_from(count) else { return false };
        found.iter().take(count).for_each(|stretch| each(*stretch));
        if scan.walk_end <= start {
            return false;
        }
        start = scan.walk_end;
    }
    true
}

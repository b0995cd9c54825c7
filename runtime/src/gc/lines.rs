//! Where a heap is free: a bitmap of lines, in which short runs are found by walking once through it, and lists
//! of the long runs by their size. [`super::Heap`] takes runs from here and rebuilds everything after a
//! collection. Invariant: a line's bit is set when objects live in it or it was handed out, and a run of free
//! lines is in a list exactly when it is at least [`LONG`] bytes long.

use alloc::vec::Vec;

/// Bytes of a line.
pub(super) const LINE: u32 = 128;
/// Free runs of at least this many bytes are kept by size.
pub(super) const LONG: u32 = 8 << 10;
/// List `n` holds runs of `LONG << n` bytes up to twice that.
const LISTS: usize = (32 - LONG.ilog2()) as usize;
/// How many runs of the first list in question are tried: others there may be large enough, those of the next
/// list surely are.
const TRIES: usize = 8;

/// A range of bytes of the heap, in whole lines unless objects were already placed in it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Run {
    pub start: u32,
    pub end: u32,
}

impl Run {
    pub(super) fn len(self) -> u32 {
        self.end - self.start
    }

    fn lines(self) -> core::ops::Range<u32> {
        self.start / LINE..self.end / LINE
    }
}

/// The free runs below the used part's end.
pub(super) struct FreeRuns {
    lists: [Vec<Run>; LISTS],
    /// Where the walks for short runs have arrived: one for objects of at most a line, one for others, which skip
    /// runs that the first can still use.
    walks: [u32; 2],
}

impl FreeRuns {
    pub(super) const fn new() -> FreeRuns {
        FreeRuns { lists: [const { Vec::new() }; LISTS], walks: [0; 2] }
    }

    /// Starts anew from the bitmap of lines, of which the first `used` bytes count. Gives the free bytes and
    /// where the used part ends now.
    pub(super) fn rebuild(&mut self, lines: &[u64], used: u32) -> (u64, u32) {
        self.walks = [0; 2];
        for list in &mut self.lists {
            list.clear();
        }
        let (mut free, mut at, mut end) = (0, 0, used);
        while let Some(run) = next_run(lines, at, used) {
            if run.end == used {
                end = run.start;
                break;
            }
            free += u64::from(run.len());
            self.keep(run);
            at = run.end;
        }
        // Low addresses are handed out first.
        for list in &mut self.lists {
            list.reverse();
        }
        (free, end)
    }

    /// Takes at least `bytes` from the long runs, and `wanted` when the run has that much. `thorough` looks at
    /// all of them.
    pub(super) fn take(
        &mut self,
        lines: &mut [u64],
        bytes: u32,
        wanted: u32,
        thorough: bool,
    ) -> Option<Run> {
        let bytes = bytes.next_multiple_of(LINE);
        let (first, tries) = (list_of(bytes), if thorough { usize::MAX } else { TRIES });
        let near = self.lists[first].iter().rev().take(tries);
        let mut run = match near.clone().position(|run| run.len() >= bytes) {
            Some(back) => {
                let at = self.lists[first].len() - 1 - back;
                self.lists[first].swap_remove(at)
            }
            None => self.lists[first + 1..].iter_mut().find_map(Vec::pop)?,
        };
        let len = run.len().min(wanted.next_multiple_of(LINE).max(bytes));
        let rest = Run { start: run.start + len, end: run.end };
        run.end = rest.start;
        self.keep(rest);
        occupy(lines, run);
        Some(run)
    }

    /// Takes the next short run of at least `bytes`. What is skipped is not looked at again.
    pub(super) fn next_short(&mut self, lines: &mut [u64], used: u32, bytes: u32) -> Option<Run> {
        if bytes >= LONG {
            return None;
        }
        let walk = &mut self.walks[usize::from(bytes > LINE)];
        while let Some(run) = next_run(lines, *walk, used) {
            *walk = run.end;
            if run.len() < LONG && run.len() >= bytes {
                occupy(lines, run);
                return Some(run);
            }
        }
        *walk = used;
        None
    }

    /// The runs of at least `bytes`, a power of two.
    pub(super) fn longest(&self, bytes: u32) -> impl Iterator<Item = Run> {
        self.lists[list_of(bytes)..].iter().rev().flatten().copied()
    }

    fn keep(&mut self, run: Run) {
        if run.len() >= LONG {
            self.lists[list_of(run.len())].push(run);
        }
    }
}

fn list_of(bytes: u32) -> usize {
    (bytes.max(LONG) / LONG).ilog2() as usize
}

/// Sets the bits of a run of lines.
pub(super) fn occupy(lines: &mut [u64], run: Run) {
    let run = run.lines();
    set(lines, run.start, run.end - 1);
}

/// Sets the bits `first` to `last`.
#[inline(always)]
pub(super) fn set(bits: &mut [u64], first: u32, last: u32) {
    let (from, to) = (u64::MAX << (first % 64), u64::MAX >> (63 - last % 64));
    let (first, last) = (first as usize / 64, last as usize / 64);
    if first == last {
        bits[first] |= from & to;
    } else {
        set_words(&mut bits[first..=last], from, to);
    }
}

#[inline(never)]
fn set_words(words: &mut [u64], from: u64, to: u64) {
    if let [first, between @ .., last] = words {
        *first |= from;
        between.fill(u64::MAX);
        *last |= to;
    }
}

/// The first run of free lines that begins at byte `from` or later, ending at byte `end` at the latest.
fn next_run(lines: &[u64], from: u32, end: u32) -> Option<Run> {
    let limit = end / LINE;
    let start = next(lines, from / LINE, limit, u64::MAX);
    if start >= limit {
        return None;
    }
    let end = next(lines, start, limit, 0);
    Some(Run { start: start * LINE, end: end * LINE })
}

/// The first bit at `from` or later, but before `limit`, that is set once the bits are flipped by `flip`;
/// `limit` when there is none.
fn next(bits: &[u64], from: u32, limit: u32, flip: u64) -> u32 {
    if from >= limit {
        return limit;
    }
    let mut at = from / 64;
    let mut word = (bits[at as usize] ^ flip) & (u64::MAX << (from % 64));
    while word == 0 {
        at += 1;
        if at * 64 >= limit {
            return limit;
        }
        word = bits[at as usize] ^ flip;
    }
    (at * 64 + word.trailing_zeros()).min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_and_kept_by_size() {
        let used = 1 << 20;
        let mut lines = vec![0; (used / LINE / 64) as usize];
        let mut free = FreeRuns::new();
        for line in [0, 3, 4, 70, 200, 4000] {
            set(&mut lines, line, line);
        }
        let (bytes, end) = free.rebuild(&lines, used);
        assert_eq!(end, 4001 * LINE);
        assert_eq!(bytes, u64::from((4000 - 5) * LINE));
        assert_eq!(free.longest(LONG).count(), 3);
        let short = free.next_short(&mut lines, end, 8).unwrap();
        assert_eq!(short, Run { start: LINE, end: 3 * LINE });
        assert_eq!(free.next_short(&mut lines, end, 8), None);
        let run = free.take(&mut lines, 65 * LINE, 0, false).unwrap();
        assert_eq!(run, Run { start: 5 * LINE, end: 70 * LINE });
        let run = free.take(&mut lines, 8, 100 * LINE, false).unwrap();
        assert_eq!(run, Run { start: 71 * LINE, end: 171 * LINE });
        // The rest of that run is short now, and behind the walk for small objects only.
        let short = free.next_short(&mut lines, end, 200).unwrap();
        assert_eq!(short, Run { start: 171 * LINE, end: 200 * LINE });
        let run = free.take(&mut lines, 3799 * LINE, 0, true).unwrap();
        assert_eq!(run, Run { start: 201 * LINE, end: 4000 * LINE });
        assert_eq!(free.take(&mut lines, 8, 8, true), None);
        assert_eq!(free.next_short(&mut lines, end, 200), None);
        assert!(lines[..62].iter().filter(|&&word| word != u64::MAX).count() <= 1);
    }

    #[test]
    fn a_free_heap_shrinks_to_nothing() {
        let mut lines = vec![0; 16];
        set(&mut lines, 0, 0);
        let mut free = FreeRuns::new();
        assert_eq!(free.rebuild(&lines, 1024 * LINE), (0, LINE));
        assert_eq!(free.take(&mut lines, 8, 8, true), None);
        set(&mut lines, 0, 1023);
        assert_eq!(free.rebuild(&lines, 1024 * LINE), (0, 1024 * LINE));
    }
}

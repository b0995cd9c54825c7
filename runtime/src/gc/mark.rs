//! Marking: finds every object that the roots lead to. [`super::Heap`] makes a [`Marker`], the store shows it the
//! roots. Invariant: an object with a mark is on the stack, in the queue, or visited; or the stack was too small
//! for its fields, then it is at `dropped` or further, and all marked objects from there on are looked at again.
//!
//! Objects wait for their memory: what comes off the stack is prefetched and goes through a short queue.

use alloc::vec::Vec;

use super::{
    EXN, EXTERN,
    externals::mark,
    lines::{LINE, set},
    plan::{self, EXN_PAYLOAD, Plan},
};
use crate::{HEADER_BYTES, Shape};

/// Objects between being prefetched and being visited.
const QUEUE: usize = 32;
/// Elements of an array that are looked at before the objects they refer to are.
const CHUNK: usize = 128;
/// Entries that must be free before an object is visited: a chunk with its array and index.
const MARGIN: usize = CHUNK + 2;
/// Entries of the stack at least.
pub(super) const MIN_STACK: usize = 1024;
/// An entry of [`Scratch::nearest`] stands for so many words of the bitmap of starts.
const REACH: usize = 128;

/// What a marker needs only while it marks, kept to be used again.
pub(super) struct Scratch {
    /// Offsets of objects to visit, up to the marker's `top`. An odd number `2 * n + 1` means: the array below it,
    /// from element `n` on. Has [`MIN_STACK`] elements at least while marking.
    pub stack: Vec<u32>,
    /// For each [`REACH`] words of the bitmap of starts the last object that begins in them or before. Empty
    /// until an address into the heap turns up.
    pub nearest: Vec<u32>,
}

/// Follows references while a collection marks.
pub(crate) struct Marker<'a> {
    pub(super) heap: &'a [u32],
    pub(super) starts: &'a [u64],
    pub(super) marks: &'a mut [u64],
    pub(super) lines: &'a mut [u64],
    pub(super) plans: &'a [Plan],
    pub(super) shapes: &'a [*const Shape],
    pub(super) externals: &'a mut [u64],
    pub(super) scratch: &'a mut Scratch,
    /// Address of the heap.
    pub(super) base: usize,
    /// End of its used part.
    pub(super) used: u32,
    /// Entries in use of the stack, and how many it may have.
    pub(super) top: usize,
    pub(super) bound: usize,
    /// The lowest object whose fields did not fit on the stack.
    pub(super) dropped: u32,
    /// Bytes of the objects visited.
    pub(super) live: u64,
    /// Slots that the roots showed.
    pub(super) roots: u64,
}

impl Marker<'_> {
    /// A slot that holds a reference: null, an `i31` or an object.
    #[inline]
    pub(crate) fn reference(&mut self, slot: u64) {
        debug_assert!(slot <= u64::from(u32::MAX), "a slot that holds no reference");
        self.root(slot as u32);
    }

    /// A slot that may hold anything.
    #[inline]
    pub(crate) fn maybe(&mut self, slot: u64) {
        let object = self.candidate(slot);
        self.root(object);
    }

    /// Visits everything that is marked but was not visited.
    pub(super) fn finish(&mut self) {
        self.drain();
        while self.dropped != u32::MAX {
            let from = core::mem::replace(&mut self.dropped, u32::MAX);
            for word in from / 512..self.used.div_ceil(512) {
                // Objects that this very word gains meanwhile are visited like all others.
                let mut bits = self.marks[word as usize];
                while bits != 0 {
                    let object = word * 512 + bits.trailing_zeros() * 8;
                    bits &= bits - 1;
                    let (id, second) = self.header(object);
                    self.fields(object, id, second);
                    self.drain();
                }
            }
        }
    }

    fn root(&mut self, object: u32) {
        self.roots += 1;
        self.object(object);
        if self.top + MARGIN > MIN_STACK {
            self.drain();
        }
    }

    /// Marks what a reference refers to. The stack has a free entry.
    #[inline(always)]
    fn object(&mut self, reference: u32) {
        if reference == 0 || reference & 1 != 0 {
            return;
        }
        debug_assert!(self.starts_at(reference), "a reference to no object");
        let (word, bit) = (reference as usize / 512, 1 << (reference / 8 % 64));
        if self.marks[word] & bit == 0 {
            self.marks[word] |= bit;
            self.scratch.stack[self.top] = reference;
            self.top += 1;
        }
    }

    /// Whether the stack has room for the fields of another object.
    #[inline(always)]
    fn has_room(&mut self) -> bool {
        self.top + MARGIN <= self.scratch.stack.len() || self.enlarge_stack()
    }

    #[inline(never)]
    fn enlarge_stack(&mut self) -> bool {
        let stack = &mut self.scratch.stack;
        let more = stack.len().min(self.bound.saturating_sub(stack.len()));
        if more < MARGIN || stack.try_reserve_exact(more).is_err() {
            return false;
        }
        stack.resize(stack.len() + more, 0);
        true
    }

    fn drain(&mut self) {
        let mut queue = [0; QUEUE];
        let (mut first, mut queued) = (0, 0);
        loop {
            if queued < QUEUE && self.top > 0 {
                self.top -= 1;
                let entry = self.scratch.stack[self.top];
                if entry & 1 == 0 {
                    prefetch(self.heap, entry);
                    queue[(first + queued) % QUEUE] = entry;
                    queued += 1;
                } else {
                    self.top -= 1;
                    let array = self.scratch.stack[self.top];
                    self.elements(array, entry as usize / 2);
                }
                continue;
            }
            if queued == 0 {
                return;
            }
            let object = queue[first];
            first = (first + 1) % QUEUE;
            queued -= 1;
            self.visit(object);
        }
    }

    /// Counts a marked object, marks its lines and what its fields refer to.
    #[inline(always)]
    fn visit(&mut self, object: u32) {
        let (id, second) = self.header(object);
        let size = plan::size(self.plans, id, second);
        self.live += size;
        let end = u64::from(object) + size - 1;
        debug_assert!(end < u64::from(self.used), "an object beyond the heap");
        set(self.lines, object / LINE, end as u32 / LINE);
        self.fields(object, id, second);
    }

    #[inline(always)]
    fn fields(&mut self, object: u32, id: u32, second: u32) {
        let at = object as usize / 4;
        match self.plans.get(id as usize) {
            Some(&Plan::Struct { mut refs, .. }) => {
                if refs != 0 && !self.has_room() {
                    self.dropped = self.dropped.min(object);
                    return;
                }
                while refs != 0 {
                    self.object(self.heap[at + refs.trailing_zeros() as usize]);
                    refs &= refs - 1;
                }
            }
            Some(Plan::Plain { .. }) => {}
            Some(Plan::Refs) => self.elements(object, 0),
            Some(Plan::Wide { .. }) => self.wide(object, id),
            None if id == EXTERN => mark(self.externals, second),
            None => self.payload(object, id, second),
        }
    }

    /// Looks at the next elements of an array of references.
    #[inline(never)]
    fn elements(&mut self, array: u32, first: usize) {
        if !self.has_room() {
            self.dropped = self.dropped.min(array);
            return;
        }
        let heap = self.heap;
        let at = array as usize / 4;
        let len = heap[at + 1] as usize;
        let last = len.min(first + CHUNK);
        if last < len {
            self.scratch.stack[self.top] = array;
            self.scratch.stack[self.top + 1] = 2 * last as u32 + 1;
            self.top += 2;
        }
        let start = at + HEADER_BYTES as usize / 4;
        for element in &heap[start + first..start + last] {
            self.object(*element);
        }
    }

    #[inline(never)]
    fn wide(&mut self, object: u32, id: u32) {
        let Some(shape) = self.shapes.get(id as usize) else { return };
        // SAFETY: shapes keep their address for as long as the registry, which the store holds on to.
        let shape = unsafe { &**shape };
        for offset in &shape.refs {
            if !self.has_room() {
                self.dropped = self.dropped.min(object);
                return;
            }
            self.object(self.heap[(object + offset) as usize / 4]);
        }
    }

    #[inline(never)]
    fn payload(&mut self, object: u32, id: u32, slots: u32) {
        debug_assert_eq!(id, EXN, "a header that no allocation wrote");
        let start = (object + EXN_PAYLOAD) as usize / 4;
        for slot in 0..slots as usize {
            if !self.has_room() {
                self.dropped = self.dropped.min(object);
                return;
            }
            let (a, b) = (self.heap[start + 2 * slot], self.heap[start + 2 * slot + 1]);
            let (low, high) = if cfg!(target_endian = "little") { (a, b) } else { (b, a) };
            let found = self.candidate(u64::from(low) | u64::from(high) << 32);
            self.object(found);
        }
    }

    /// The object that a value might refer to: by its offset, or by an address inside of it.
    #[inline(always)]
    fn candidate(&mut self, value: u64) -> u32 {
        match u32::try_from(value) {
            Ok(offset) => match offset & 7 == 0 && self.starts_at(offset) {
                true => offset,
                false => 0,
            },
            Err(_) => match value.wrapping_sub(self.base as u64) {
                offset if offset < u64::from(self.used) => self.around(offset as u32),
                _ => 0,
            },
        }
    }

    #[inline(always)]
    fn starts_at(&self, offset: u32) -> bool {
        offset < self.used && self.starts[offset as usize / 512] >> (offset / 8 % 64) & 1 != 0
    }

    /// The object that byte `offset` lies in, or 0.
    #[inline(never)]
    fn around(&mut self, offset: u32) -> u32 {
        if self.scratch.nearest.is_empty() {
            self.find_nearest();
        }
        let word = offset as usize / 512;
        let bits = self.starts[word] & (u64::MAX >> (63 - offset / 8 % 64));
        let part = word / REACH;
        let start = last_start(self.starts, word, bits, part * REACH).or_else(|| {
            part.checked_sub(1).and_then(|part| self.scratch.nearest.get(part).copied())
        });
        let Some(start) = start.filter(|start| *start != 0) else { return 0 };
        let (id, second) = self.header(start);
        let end = u64::from(start) + plan::size(self.plans, id, second);
        if u64::from(offset) < end { start } else { 0 }
    }

    #[inline(never)]
    fn find_nearest(&mut self) {
        let words = self.used.div_ceil(512) as usize;
        if self.scratch.nearest.try_reserve(words.div_ceil(REACH)).is_err() {
            return;
        }
        let mut nearest = 0;
        for part in (0..words).step_by(REACH) {
            let last = (part + REACH).min(words) - 1;
            nearest = last_start(self.starts, last, self.starts[last], part).unwrap_or(nearest);
            self.scratch.nearest.push(nearest);
        }
    }

    #[inline(always)]
    fn header(&self, object: u32) -> (u32, u32) {
        let at = object as usize / 4;
        (self.heap[at], self.heap[at + 1])
    }
}

/// The last object that starts in the words `first` to `word`, of the latter in `bits`.
fn last_start(starts: &[u64], mut word: usize, mut bits: u64, first: usize) -> Option<u32> {
    while bits == 0 {
        if word == first {
            return None;
        }
        word -= 1;
        bits = starts[word];
    }
    Some(word as u32 * 512 + (63 - bits.leading_zeros()) * 8)
}

/// Fetches the first bytes of an object, which may lie in two cache lines.
#[inline(always)]
fn prefetch(heap: &[u32], object: u32) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let at: *const i8 = heap.as_ptr().wrapping_add(object as usize / 4).cast();
        // SAFETY: prefetching an address never faults.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(at);
            _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(24));
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (heap, object);
}

//! Space for objects, and when to collect. The store calls [`Heap::make_room`] when the free run of its view is
//! too short. Invariant: between calls no mark is set, the run of the view and the parked run are free of objects
//! and their lines are set as used, and no start bit is set but those of objects.

use alloc::{boxed::Box, vec::Vec};
use core::any::Any;

use super::{
    HeapError, HeapStats, HeapView,
    externals::{Externals, Value},
    lines::{FreeRuns, LINE, LONG, Run, occupy, set},
    mark::{MIN_STACK, Marker, Scratch},
    plan::{self, Plan},
    space::{MAX_BYTES, Space},
};
use crate::Shape;

/// Bytes of a run at most, unless one object needs more.
const RUN: u32 = 32 << 10;
/// At least this much is handed out before the heap is collected, unless the limit is reached.
const MIN_CYCLE: u64 = 4 << 20;
/// For each root slot that a collection looked at, so many bytes are handed out before the next one.
const CYCLE_PER_ROOT: u64 = 16;
/// And at least this part of the used heap, since a collection goes through bitmaps of all of it.
const CYCLE_PART: u64 = 16;
/// What a host value counts for beside its object: its memory is not part of the heap, but has to come back too.
const EXTERNAL_BYTES: u64 = 64;
/// A collection that the limit forces is tight when less than this part of the limit was handed out before it.
const TIGHT_PART: u64 = 16;
/// How many tight collections may follow each other.
const MAX_TIGHT: u32 = 3;
/// Part of the used heap that the mark stack may take.
const STACK_PART: usize = 16;
/// Less than this is never given back to the machine.
const KEEP: u64 = 16 << 20;
/// Bytes given back by one collection at most.
const RELEASE_STEP: u64 = 16 << 20;
/// Free runs shorter than this are not given back.
const RELEASE_RUN: u32 = 1 << 20;

/// The heap of a store.
pub(crate) struct Heap {
    space: Space,
    free: FreeRuns,
    externals: Externals,
    /// A run that was too short for one request and serves later ones.
    parked: Run,
    /// Everything from here on is free.
    used: u32,
    /// Bytes handed out since the last collection, and how many start the next one.
    taken: u64,
    due: u64,
    /// Tight collections in a row.
    tight: u32,
    stress: bool,
    plans: Vec<Plan>,
    scratch: Scratch,
    /// Part of the used heap that the mark stack may take; tests have it smaller.
    pub(super) stack_part: usize,
    stats: HeapStats,
}

/// What the store knows when it asks for room.
struct Request<'a, 'r> {
    view: &'a mut HeapView,
    bytes: u32,
    /// Where the heap must end.
    cap: u32,
    shapes: &'a [*const Shape],
    roots: &'a mut (dyn FnMut(&mut Marker<'_>) + 'r),
}

impl Heap {
    /// An empty heap. Makes no system call.
    pub(crate) const fn new() -> Heap {
        Heap {
            space: Space::new(),
            free: FreeRuns::new(),
            externals: Externals::new(),
            parked: Run { start: 0, end: 0 },
            used: 0,
            taken: 0,
            due: MIN_CYCLE,
            tight: 0,
            stress: false,
            plans: Vec::new(),
            scratch: Scratch { stack: Vec::new(), nearest: Vec::new() },
            stack_part: STACK_PART,
            stats: HeapStats::ZERO,
        }
    }

    /// Makes the free run of `view` at least `bytes` long (a multiple of 8): finds one, grows the heap up to
    /// `limit` bytes, or collects what `roots` and everything it leads to does not refer to.
    pub(crate) fn make_room(
        &mut self,
        view: &mut HeapView,
        bytes: u64,
        limit: usize,
        shapes: &[*const Shape],
        roots: &mut dyn FnMut(&mut Marker<'_>),
    ) -> Result<(), HeapError> {
        // The first line holds no object.
        let most = (limit.min(MAX_BYTES) as u32 / LINE * LINE).saturating_sub(LINE);
        if bytes > u64::from(most) {
            return Err(HeapError::TooLarge);
        }
        self.open(view, limit)?;
        let cap = limit.min(self.space.size()) as u32 / LINE * LINE;
        if bytes > u64::from(cap.saturating_sub(LINE)) {
            return Err(HeapError::Exhausted);
        }
        let mut dead = Vec::new();
        let request = Request { view, bytes: bytes as u32, cap, shapes, roots };
        let done = self.room(request, &mut dead);
        // Dropping a host value may run any code of the host, so it comes last.
        drop(dead);
        if done { Ok(()) } else { Err(HeapError::Exhausted) }
    }

    /// Collects what `roots` and everything it leads to does not refer to.
    pub(crate) fn collect(
        &mut self,
        view: &mut HeapView,
        shapes: &[*const Shape],
        roots: &mut dyn FnMut(&mut Marker<'_>),
    ) {
        if self.used == 0 {
            return;
        }
        let mut request = Request { view, bytes: 0, cap: 0, shapes, roots };
        let dead = self.mark_and_sweep(&mut request);
        drop(dead);
    }

    /// Keeps a host value and gives its number, which goes into the header of the object that refers to it. `None`
    /// when there are too many; a collection may help. The value added last outlives a collection by
    /// [`Heap::make_room`] without an object, so the object may be allocated afterwards.
    pub(crate) fn add_external(&mut self, value: Box<dyn Any + Send + Sync>) -> Option<u32> {
        self.taken += EXTERNAL_BYTES;
        self.externals.add(value)
    }

    /// Whether no further host value can be kept; a collection may help.
    pub(crate) fn externals_are_full(&self) -> bool {
        self.externals.is_full()
    }

    /// The host value with this number.
    pub(crate) fn external(&self, number: u32) -> Option<&(dyn Any + Send + Sync)> {
        self.externals.value(number)
    }

    /// Whether every [`Heap::make_room`] collects, gives just what it was asked for, and overwrites what is dead,
    /// so that a root that was not shown does harm at once.
    pub(crate) fn set_stress(&mut self, stress: bool) {
        self.stress = stress;
    }

    /// Figures about the heap.
    pub(crate) fn stats(&self, view: &HeapView) -> HeapStats {
        HeapStats {
            allocated: self.stats.allocated
                - u64::from(view.limit - view.cursor + self.parked.len()),
            committed: self.space.committed(),
            used: u64::from(self.used),
            ..self.stats
        }
    }

    /// Gives the heap its place, once; it has at least one line. The view knows it from then on.
    pub(crate) fn open(&mut self, view: &mut HeapView, limit: usize) -> Result<(), HeapError> {
        if self.space.size() != 0 {
            return Ok(());
        }
        if !self.space.reserve(limit.max(1)) {
            return Err(HeapError::Exhausted);
        }
        self.used = LINE;
        set(self.space.parts().lines, 0, 0);
        self.scratch.stack.resize(MIN_STACK, 0);
        *view =
            HeapView { base: self.space.base(), cursor: 0, limit: 0, starts: self.space.starts() };
        Ok(())
    }

    fn room(&mut self, mut request: Request<'_, '_>, dead: &mut Vec<Value>) -> bool {
        if self.stress {
            self.externals.spare_newest();
            *dead = self.mark_and_sweep(&mut request);
            return self.find(&mut request, true);
        }
        if self.parked.len() >= request.bytes {
            let parked = core::mem::take(&mut self.parked);
            self.switch(request.view, parked);
            return true;
        }
        let mut collected = false;
        if self.taken >= self.due {
            self.externals.spare_newest();
            *dead = self.mark_and_sweep(&mut request);
            collected = true;
        }
        if self.find(&mut request, collected) {
            return true;
        }
        if collected || !self.may_collect(request.cap) {
            return false;
        }
        self.externals.spare_newest();
        *dead = self.mark_and_sweep(&mut request);
        self.find(&mut request, true)
    }

    /// Whether the limit may force a collection now. A heap that stays nearly full would be collected again and
    /// again; it is exhausted instead.
    fn may_collect(&mut self, cap: u32) -> bool {
        self.tight = match self.taken < u64::from(cap) / TIGHT_PART {
            true => self.tight + 1,
            false => 0,
        };
        if self.tight > MAX_TIGHT {
            // The guest is told; what it drops because of that is worth a look.
            self.tight = 0;
            return false;
        }
        true
    }

    /// Finds a run without collecting. `thorough` looks at every free run that may be long enough.
    fn find(&mut self, request: &mut Request<'_, '_>, thorough: bool) -> bool {
        let Request { bytes, cap, .. } = *request;
        let run = RUN.min(cap / 64).max(LINE);
        let wanted = if bytes > LONG || self.stress { bytes } else { run };
        let lines = self.space.parts().lines;
        let free = &mut self.free;
        // Small objects fill short runs first, larger ones leave them to those.
        let found = if bytes <= LINE {
            free.next_short(lines, self.used, bytes)
                .or_else(|| free.take(lines, bytes, wanted, thorough))
        } else {
            free.take(lines, bytes, wanted, thorough)
                .or_else(|| free.next_short(lines, self.used, bytes))
        };
        let Some(run) = found.or_else(|| self.extend(bytes, wanted, cap)) else { return false };
        self.space.touch(run);
        self.taken += u64::from(run.len());
        self.stats.allocated += u64::from(run.len());
        self.give(request.view, run);
        if self.stress {
            let end = request.view.cursor + bytes;
            self.stats.allocated -= u64::from(request.view.limit - end);
            request.view.limit = end;
        }
        true
    }

    /// Makes the used part longer by at least `bytes`.
    fn extend(&mut self, bytes: u32, wanted: u32, cap: u32) -> Option<Run> {
        let left = cap.saturating_sub(self.used);
        let len = wanted.max(bytes).next_multiple_of(LINE).min(left);
        let run = Run { start: self.used, end: self.used + len };
        if len < bytes || len == 0 {
            return None;
        }
        self.used = run.end;
        occupy(self.space.parts().lines, run);
        Some(run)
    }

    /// Makes `run` the view's, and keeps the longer one of what the view had and what was parked.
    fn give(&mut self, view: &mut HeapView, run: Run) {
        if run.start == view.limit {
            view.limit = run.end;
            return;
        }
        self.switch(view, run);
    }

    fn switch(&mut self, view: &mut HeapView, run: Run) {
        let rest = Run { start: view.cursor, end: view.limit };
        let (kept, lost) = match rest.len() > self.parked.len() {
            true => (rest, self.parked),
            false => (self.parked, rest),
        };
        self.parked = kept;
        self.stats.allocated -= u64::from(lost.len());
        (view.cursor, view.limit) = (run.start, run.end);
    }

    fn mark_and_sweep(&mut self, request: &mut Request<'_, '_>) -> Vec<Value> {
        let clock = Clock::start();
        plan::extend(&mut self.plans, request.shapes);
        self.stats.allocated -= u64::from(self.parked.len());
        self.stats.allocated -= u64::from(request.view.limit - request.view.cursor);
        self.parked = Run::default();
        (request.view.cursor, request.view.limit) = (0, 0);

        let roots = self.mark(request);
        let dead = self.externals.sweep();
        self.sweep();
        self.taken = 0;
        self.due = MIN_CYCLE
            .max(self.stats.live)
            .max(roots * CYCLE_PER_ROOT)
            .max(u64::from(self.used) / CYCLE_PART);
        self.release();
        let pause = clock.nanoseconds();
        self.stats.collections += 1;
        self.stats.pause += pause;
        self.stats.longest_pause = self.stats.longest_pause.max(pause);
        dead
    }

    /// Marks what lives, in the bitmaps of marks and of lines. Gives the number of root slots.
    fn mark(&mut self, request: &mut Request<'_, '_>) -> u64 {
        let base = self.space.base() as usize;
        let parts = self.space.parts();
        let lines = (self.used / LINE).div_ceil(64) as usize;
        parts.lines[..lines].fill(0);
        // The first line holds no object.
        set(parts.lines, 0, 0);
        self.scratch.nearest.clear();
        let bound = (self.used as usize / self.stack_part / size_of::<u32>()).max(MIN_STACK);
        let mut marker = Marker {
            heap: parts.heap,
            starts: parts.starts,
            marks: parts.marks,
            lines: parts.lines,
            plans: &self.plans,
            shapes: request.shapes,
            externals: &mut self.externals.marks,
            scratch: &mut self.scratch,
            base,
            used: self.used,
            top: 0,
            bound,
            dropped: u32::MAX,
            live: 0,
            roots: 0,
        };
        (request.roots)(&mut marker);
        marker.finish();
        let roots = marker.roots;
        self.stats.live = marker.live;
        let kept = self.scratch.stack.len().min(bound / 4).max(MIN_STACK);
        self.scratch.stack.truncate(kept);
        self.scratch.stack.shrink_to(kept);
        roots
    }

    /// Takes back what has no mark.
    fn sweep(&mut self) {
        let words = self.used.div_ceil(512) as usize;
        let parts = self.space.parts();
        for (start, mark) in parts.starts[..words].iter_mut().zip(&mut parts.marks[..words]) {
            *start = core::mem::take(mark);
        }
        let end = self.used;
        (_, self.used) = self.free.rebuild(parts.lines, self.used);
        if self.stress {
            self.poison(end);
        }
    }

    /// Overwrites everything between the objects, up to `end`.
    fn poison(&mut self, end: u32) {
        let mut dead = LINE;
        for word in 0..end.div_ceil(512) {
            let mut bits = self.space.parts().starts[word as usize];
            while bits != 0 {
                let object = word * 512 + bits.trailing_zeros() * 8;
                bits &= bits - 1;
                self.space.poison(Run { start: dead, end: object });
                let heap = self.space.parts().heap;
                let (id, second) = (heap[object as usize / 4], heap[object as usize / 4 + 1]);
                dead = object + plan::size(&self.plans, id, second) as u32;
            }
        }
        self.space.poison(Run { start: dead, end });
    }

    /// Gives memory back to the machine when there is much more than the next cycle needs.
    fn release(&mut self) {
        let keep = KEEP.max(2 * (self.stats.live + self.due));
        let excess = self.space.committed().saturating_sub(keep);
        let mut budget = excess.min(RELEASE_STEP);
        self.space.release(Run { start: self.used, end: self.space.high() }, &mut budget);
        for run in self.free.longest(RELEASE_RUN) {
            self.space.release(run, &mut budget);
        }
    }
}

/// Measures pauses where there is a clock.
struct Clock {
    #[cfg(feature = "std")]
    start: std::time::Instant,
}

impl Clock {
    fn start() -> Clock {
        Clock {
            #[cfg(feature = "std")]
            start: std::time::Instant::now(),
        }
    }

    #[cfg(feature = "std")]
    fn nanoseconds(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    #[cfg(not(feature = "std"))]
    fn nanoseconds(&self) -> u64 {
        0
    }
}

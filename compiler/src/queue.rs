//! Which function a thread compiles next: the largest that is left for it. The driver's threads share one. Invariant:
//! every function is given out once.
//!
//! Compiling a function takes some hundred times the memory of its body, and what a thread has freed seldom serves
//! another. So the largest functions are left to one thread, as many as are half of its share of the work.

use std::{
    cmp::Reverse,
    collections::BTreeSet,
    sync::{Mutex, MutexGuard},
};

/// Functions that wait.
pub(crate) struct Queue {
    /// Sizes and numbers; of equal ones the first comes first.
    waiting: Mutex<BTreeSet<(usize, Reverse<usize>)>>,
    /// Larger ones are the first thread's.
    shared: usize,
}

impl Queue {
    /// A queue of functions with these sizes, by number, for so many threads.
    pub(crate) fn new(sizes: impl Iterator<Item = usize>, threads: usize) -> Queue {
        let waiting: BTreeSet<_> =
            sizes.enumerate().map(|(number, size)| (size, Reverse(number))).collect();
        let total: usize = waiting.iter().map(|(size, _)| size).sum();
        let mut share = total / threads.max(1) / 2;
        let mut sizes = waiting.iter().rev().map(|(size, _)| *size);
        let shared = sizes.find(|size| match share.checked_sub(*size) {
            Some(rest) => {
                share = rest;
                false
            }
            None => true,
        });
        Queue { shared: shared.unwrap_or(0), waiting: Mutex::new(waiting) }
    }

    /// The number of the next function for a thread; `None` when no more are left for it.
    pub(crate) fn take(&self, first: bool) -> Option<usize> {
        let mut waiting = self.lock();
        let most = if first { usize::MAX } else { self.shared };
        let next = waiting.range(..=(most, Reverse(0))).next_back().copied()?;
        waiting.remove(&next);
        Some(next.1.0)
    }

    /// No more functions are wanted.
    pub(crate) fn stop(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<(usize, Reverse<usize>)>> {
        self.waiting.lock().unwrap_or_else(|poison| poison.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_are_for_the_first() {
        let queue = Queue::new([10, 50, 40, 10, 150, 0, 200].into_iter(), 1);
        assert_eq!([queue.take(true), queue.take(false)], [Some(6), Some(4)]);
        let queue = Queue::new([10, 50, 40, 10, 150, 0, 400].into_iter(), 2);
        assert_eq!([queue.take(false), queue.take(true)], [Some(6), Some(4)]);
        let queue = Queue::new([10, 50, 40, 10, 150, 0, 100].into_iter(), 1);
        assert_eq!([queue.take(false), queue.take(true)], [Some(6), Some(4)]);
        assert_eq!([queue.take(false), queue.take(true)], [Some(1), Some(2)]);
        assert_eq!([queue.take(false), queue.take(false)], [Some(0), Some(3)]);
        assert_eq!([queue.take(true), queue.take(true)], [Some(5), None]);
    }

    #[test]
    fn a_stopped_queue_is_empty() {
        let queue = Queue::new([1, 2].into_iter(), 2);
        queue.stop();
        assert_eq!([queue.take(true), queue.take(false)], [None, None]);
    }
}

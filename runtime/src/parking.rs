//! Threads that wait at an address of a shared memory, and the signal of a store, on which they sleep.
//! Shared memories hold one list each; `memory.atomic.wait` and `notify` end here, and so does the
//! interruption of a store. Invariant: a waiter is removed from the list either by whoever notifies it, which
//! also sets `WAKE` in its signal, or by itself.
//!
//! ```text
//! wait:    compare under the lock -> into the list -> sleep while the signal is 0 -> under the lock: still in
//!          the list? then interrupted, or too late, or sleep again; else notified
//! notify:  under the lock: out of the list, WAKE -> wake
//! ```

use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::time::Instant;

use rustix::thread::futex;

use crate::{Shared, Signal, sync::Lock};

/// Bit of a store's signal: its guest shall stop.
pub(crate) const INTERRUPT: u32 = 1;

/// Bit of a store's signal: its guest, which waits, was notified. Never set while a guest runs.
const WAKE: u32 = 2;

/// Asks the guest of a store to stop, whether it runs or waits.
pub fn interrupt(signal: &Signal) {
    signal.word.fetch_or(INTERRUPT, Ordering::SeqCst);
    wake(signal);
    // Whoever enters native code writes this before looking at the word.
    match signal.thread.load(Ordering::SeqCst) {
        0 => {}
        thread => crate::native::interrupt(thread),
    }
}

fn wake(signal: &Signal) {
    // Waking a thread that does not sleep is no error, and there are no others for a word of this process.
    let _ = futex::wake(&signal.word, futex::Flags::PRIVATE, 1);
}

/// How a wait ended. The numbers of the first three are those of the specification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Waited {
    /// By a notification.
    Notified = 0,
    /// At once: the memory holds another value.
    NotEqual = 1,
    /// After the time given.
    TimedOut = 2,
    /// By an interruption of the store.
    Interrupted = 3,
}

struct Waiter {
    offset: usize,
    signal: Shared<Signal>,
}

/// The threads that wait at addresses of one memory, those that came first in front.
#[derive(Default)]
pub(crate) struct Parking(Lock<Vec<Waiter>>);

impl Parking {
    /// Waits at `offset` if `equal` says so, at most `nanoseconds` unless they are negative. `signal` is that
    /// of the store whose guest waits.
    pub(crate) fn wait(
        &self,
        offset: usize,
        nanoseconds: i64,
        signal: &Shared<Signal>,
        equal: impl FnOnce() -> bool,
    ) -> Waited {
        let limit = u64::try_from(nanoseconds).ok().map(Duration::from_nanos);
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let listed = self.0.with(|waiters| {
            let listed = equal();
            if listed {
                waiters.push(Waiter { offset, signal: signal.clone() });
            }
            listed
        });
        if !listed {
            return Waited::NotEqual;
        }
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left != Some(Duration::ZERO) {
                let left = left.and_then(|left| futex::Timespec::try_from(left).ok());
                // Whatever ends the sleep, what follows looks at the reasons.
                let _ = futex::wait(&signal.word, futex::Flags::PRIVATE, 0, left.as_ref());
            }
            let end = self.0.with(|waiters| {
                let own = |waiter: &Waiter| Shared::ptr_eq(&waiter.signal, signal);
                let Some(index) = waiters.iter().position(own) else {
                    signal.word.fetch_and(!WAKE, Ordering::Relaxed);
                    return Some(Waited::Notified);
                };
                let late = deadline.is_some_and(|at| at <= Instant::now());
                let end = match signal.word.load(Ordering::Relaxed) & INTERRUPT {
                    0 if late => Waited::TimedOut,
                    0 => return None,
                    _ => Waited::Interrupted,
                };
                waiters.remove(index);
                Some(end)
            });
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// Notifies at most `count` of the threads that wait at `offset`, and gives their number.
    pub(crate) fn notify(&self, offset: usize, count: u32) -> u32 {
        let mut woken = Vec::new();
        self.0.with(|waiters| {
            let mut left = count;
            waiters.retain(|waiter| {
                let found = waiter.offset == offset && left > 0;
                if found {
                    left -= 1;
                    waiter.signal.word.fetch_or(WAKE, Ordering::Relaxed);
                    woken.push(waiter.signal.clone());
                }
                !found
            });
        });
        woken.iter().for_each(|signal| wake(signal));
        woken.len() as u32
    }
}

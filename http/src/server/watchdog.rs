//! The watchdog: a thread that interrupts guests which compute past their deadline. Guests that wait are ended by their
//! own event loop. Invariant: a guest is interrupted only while it is the one that runs on its loop.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lithe::InterruptHandle;

/// How often it looks while requests are under way. A guest that computes may have so much more time.
const TICK: Duration = Duration::from_millis(10);
/// How often it looks again before it sleeps until the next request.
const PATIENCE: u32 = 100;

/// A guest, and until when it may run.
type Guest = (Option<Instant>, InterruptHandle);

/// The guest that runs on an event loop now, and since when.
#[derive(Default)]
pub(super) struct Running(Mutex<Option<(Instant, Guest)>>);

impl Running {
    /// A guest runs from now on, or none.
    pub fn set(&self, guest: Option<Guest>) {
        let guest = guest.map(|guest| (Instant::now(), guest));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = guest;
    }

    /// Since when a guest runs without waiting, if one does.
    pub fn since(&self) -> Option<Instant> {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map(|(since, _)| *since)
    }

    fn look(&self, now: Instant, all: bool) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, (until, guest))) = &*running
            && (all || until.is_some_and(|until| until <= now))
        {
            guest.interrupt();
            *running = None;
        }
    }
}

#[derive(Default)]
struct State {
    /// Requests that are under way.
    requests: AtomicUsize,
    asleep: AtomicBool,
    /// Whether every guest that runs is interrupted.
    hurry: AtomicBool,
    ended: Mutex<bool>,
    bell: Condvar,
}

/// Looks after the guests of all event loops.
#[derive(Default)]
pub(super) struct Watchdog(Arc<State>);

impl Watchdog {
    /// Starts the thread.
    pub fn start(&self, loops: Vec<Arc<Running>>) -> std::io::Result<JoinHandle<()>> {
        let state = self.0.clone();
        std::thread::Builder::new().name("watchdog".into()).spawn(move || state.watch(&loops))
    }

    /// From now on no guest may run.
    pub fn hurry(&self) {
        self.0.hurry.store(true, Ordering::SeqCst);
    }

    /// Ends the thread.
    pub fn stop(&self) {
        *self.0.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.bell.notify_one();
    }

    /// A request begins.
    pub fn enter(&self) {
        if self.0.requests.fetch_add(1, Ordering::SeqCst) == 0
            && self.0.asleep.load(Ordering::SeqCst)
        {
            let _ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
            self.0.bell.notify_one();
        }
    }

    /// A request has ended.
    pub fn leave(&self) {
        self.0.requests.fetch_sub(1, Ordering::SeqCst);
    }
}

impl State {
    fn watch(&self, loops: &[Arc<Running>]) {
        let mut quiet = 0;
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        while !*ended {
            quiet = if self.requests.load(Ordering::SeqCst) == 0 { quiet + 1 } else { 0 };
            if quiet > PATIENCE {
                self.asleep.store(true, Ordering::SeqCst);
                while !*ended && self.requests.load(Ordering::SeqCst) == 0 {
                    ended = self.bell.wait(ended).unwrap_or_else(PoisonError::into_inner);
                }
                self.asleep.store(false, Ordering::SeqCst);
                quiet = 0;
                continue;
            }
            let waited = self.bell.wait_timeout(ended, TICK);
            ended = waited.unwrap_or_else(PoisonError::into_inner).0;
            let now = Instant::now();
            let all = self.hurry.load(Ordering::SeqCst);
            loops.iter().for_each(|running| running.look(now, all));
        }
    }
}

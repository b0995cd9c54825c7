//! The time limit of `--timeout`. A thread, started only for it, interrupts the guest at the deadline; when a
//! host call does not come back soon after, it reports the trap itself and ends the process. Invariant:
//! exactly one of the watchdog and the guest's threads reports how the run ended.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lithe::InterruptHandle;
use lithe_wasi::{Denials, p1};

use crate::denied;
use crate::options::Options;
use crate::trap::{self, Facts};

/// How long after the deadline a host call may still take.
const GRACE: Duration = Duration::from_millis(50);

/// Stack of the watchdog's thread; it only draws a report.
const STACK: usize = 256 << 10;

/// The guest runs.
const RUNNING: u8 = 0;
/// The guest came back; the main thread reports.
const OVER: u8 = 1;
/// The watchdog reports and ends the process.
const TAKEN: u8 = 2;

/// No host call.
const OUTSIDE: usize = usize::MAX;

/// What the two threads share.
pub struct Watch {
    state: AtomicU8,
    call: AtomicUsize,
    stage: Mutex<String>,
    /// The threads that the guest started, with what stops them.
    threads: Mutex<Vec<(u32, InterruptHandle)>>,
}

impl Watch {
    /// Notes that a WASI function begins.
    pub fn enter(&self, index: usize) {
        self.call.store(index, Ordering::Relaxed);
    }

    /// Notes that it came back.
    pub fn leave(&self) {
        self.call.store(OUTSIDE, Ordering::Relaxed);
    }

    /// Notes what is being done.
    pub fn stage(&self, stage: &str) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage.into();
    }

    /// Watches another thread of the guest.
    pub fn add(&self, tid: u32, handle: InterruptHandle) {
        self.threads().push((tid, handle));
    }

    /// Stops watching a thread.
    pub fn remove(&self, tid: u32) {
        self.threads().retain(|(known, _)| *known != tid);
    }

    fn threads(&self) -> MutexGuard<'_, Vec<(u32, InterruptHandle)>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the watch. Does not return when the watchdog already ends the process.
    pub fn finish(&self) {
        if !self.change(OVER) {
            loop {
                std::thread::park();
            }
        }
    }

    fn change(&self, to: u8) -> bool {
        self.state.compare_exchange(RUNNING, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// Starts to watch. The deadline is for the host calls.
pub fn start(
    options: &Arc<Options>,
    file: PathBuf,
    limit: Duration,
    handle: InterruptHandle,
    denials: Denials,
) -> Result<(Arc<Watch>, Option<Instant>)> {
    let watch = Arc::new(Watch {
        state: AtomicU8::new(RUNNING),
        call: AtomicUsize::new(OUTSIDE),
        stage: Mutex::default(),
        threads: Mutex::default(),
    });
    // A limit beyond the clock's range is none.
    let Some(deadline) = Instant::now().checked_add(limit) else { return Ok((watch, None)) };
    let (options, shared) = (options.clone(), watch.clone());
    let body = move || {
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        handle.interrupt();
        shared.threads().iter().for_each(|(_, handle)| handle.interrupt());
        std::thread::sleep(GRACE);
        if !shared.change(TAKEN) {
            return;
        }
        let stage = shared.stage.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let facts = Facts { file: &file, stage: &stage, options: &options, refused_grows: 0 };
        let mut report = trap::interrupted(&facts);
        if let Some(function) = p1::FUNCTIONS.get(shared.call.load(Ordering::Relaxed)) {
            report =
                report.note(format!("the host function {} did not return in time", function.name));
        }
        report.show(options.format);
        denied::show(&options, &denials, report.code().into());
        std::process::exit(i32::from(report.code()));
    };
    std::thread::Builder::new()
        .name("watchdog".into())
        .stack_size(STACK)
        .spawn(body)
        .context("cannot start the thread that --timeout needs")?;
    Ok((watch, Some(deadline)))
}

//! Waiting: what can be waited for, and who does it. Every blocking function of WASI 0.2 ends here. Invariant: a wait may
//! end early, so whoever waits asks again; it never ends late.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use lithe::{Error, Result};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;

use crate::wait::timespec;

/// Whether something can be done at once.
#[derive(Debug)]
pub enum Readiness {
    /// It can.
    Ready,
    /// Not before this.
    Wait(Wait),
}

/// Something that can be waited for.
#[derive(Clone, Debug)]
pub enum Wait {
    /// One of these flags holds for a descriptor of the host.
    Fd(WaitFd, PollFlags),
    /// A time comes.
    Until(Instant),
    /// An event is set.
    Event(Event),
    /// Never.
    Never,
}

/// A descriptor of the host that is waited for.
#[derive(Clone, Debug)]
pub enum WaitFd {
    /// One that somebody else may close meanwhile.
    Shared(Arc<OwnedFd>),
    /// One of the process's own streams.
    Inherited(BorrowedFd<'static>),
}

impl AsFd for WaitFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            WaitFd::Shared(fd) => fd.as_fd(),
            WaitFd::Inherited(fd) => *fd,
        }
    }
}

/// Something that happens elsewhere: it is set there and waited for here. Whoever asks whether there is something to do
/// clears it first, looks, and only then waits.
#[derive(Clone, Debug, Default)]
pub struct Event(Arc<EventState>);

#[derive(Debug, Default)]
struct EventState {
    set: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Event {
    /// An event that is not set.
    pub fn new() -> Event {
        Event::default()
    }

    /// Sets it and wakes who waits.
    pub fn set(&self) {
        self.0.set.store(true, Ordering::SeqCst);
        let waker = self.0.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Clears it.
    pub fn clear(&self) {
        self.0.set.store(false, Ordering::SeqCst);
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.0.set.load(Ordering::SeqCst)
    }

    /// Has `waker` woken when it is set; whether it is set already.
    pub fn register(&self, waker: &Waker) -> bool {
        *self.0.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
        self.is_set()
    }
}

/// How calls of a guest wait.
pub trait Waiter: Send {
    /// Waits until one of these may have happened, at most so long.
    fn wait(&mut self, waits: &[Wait], limit: Option<Duration>) -> Result<()>;
}

/// Waits in the thread of the guest.
#[derive(Default)]
pub struct Blocking {
    /// What events of other threads are told by; made when it is first needed.
    bell: Option<Arc<Bell>>,
}

struct Bell(OwnedFd);

impl Wake for Bell {
    fn wake(self: Arc<Bell>) {
        // A counter at its maximum is as good as rung.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }
}

impl Blocking {
    fn bell(&mut self) -> Result<Arc<Bell>> {
        if let Some(bell) = &self.bell {
            return Ok(bell.clone());
        }
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let bell = Arc::new(Bell(fd.map_err(|error| failure("waiting", error))?));
        self.bell = Some(bell.clone());
        Ok(bell)
    }
}

fn failure(what: &str, error: Errno) -> Error {
    Error::host(format!("{what} failed: {error}"))
}

impl Waiter for Blocking {
    fn wait(&mut self, waits: &[Wait], limit: Option<Duration>) -> Result<()> {
        let has_event = waits.iter().any(|wait| matches!(wait, Wait::Event(_)));
        let bell = if has_event { Some(self.bell()?) } else { None };
        if let Some(bell) = &bell {
            let mut count = [0; 8];
            let _ = rustix::io::read(&bell.0, &mut count);
            let waker = Waker::from(bell.clone());
            for wait in waits {
                if let Wait::Event(event) = wait
                    && event.register(&waker)
                {
                    return Ok(());
                }
            }
        }
        let now = Instant::now();
        let mut timeout = limit;
        let mut fds = Vec::with_capacity(waits.len() + 1);
        for wait in waits {
            match wait {
                Wait::Fd(fd, flags) => fds.push(PollFd::new(fd, *flags)),
                Wait::Until(at) => {
                    let left = at.saturating_duration_since(now);
                    timeout = Some(timeout.map_or(left, |timeout| timeout.min(left)));
                }
                Wait::Event(_) | Wait::Never => {}
            }
        }
        if let Some(bell) = &bell {
            fds.push(PollFd::new(&bell.0, PollFlags::IN));
        }
        match poll(&mut fds, timeout.map(timespec).as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(failure("waiting", error)),
        }
    }
}

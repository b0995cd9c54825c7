//! How guests wait on an event loop: what they wait for is registered with the loop, then their fiber is suspended.
//! Invariant: a guest that goes on without having waited gives way to others now and then.

use std::cell::RefCell;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use lithe::{Error, Result, fiber};
use lithe_wasi::p2::{Wait, Waiter};
use rustix::event::PollFlags;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Sleep, sleep_until};

thread_local! {
    /// The task that resumed the fiber which runs on this thread.
    static TASK: RefCell<Option<Waker>> = const { RefCell::new(None) };
}

/// Waits without cause after which a guest gives way.
const EAGERNESS: u32 = 64;

/// Runs `resume`, which resumes a fiber, on behalf of a task.
pub(super) fn on_behalf<R>(waker: &Waker, resume: impl FnOnce() -> R) -> R {
    struct Restore(Option<Waker>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let outer = self.0.take();
            TASK.with(|task| task.replace(outer));
        }
    }
    let _restore = Restore(TASK.with(|task| task.replace(Some(waker.clone()))));
    resume()
}

fn task() -> Result<Waker> {
    let task = TASK.with(|task| task.borrow().clone());
    task.ok_or_else(|| Error::host("a guest of a server waits outside of its event loop"))
}

/// Waits on the event loop of the thread.
#[derive(Default)]
pub(super) struct FiberWaiter {
    /// Waits that were over at once, one after the other.
    eager: u32,
}

struct Watched {
    fd: AsyncFd<OwnedFd>,
    reads: bool,
    writes: bool,
}

impl Watched {
    fn is_ready(&self, cx: &mut Context<'_>) -> bool {
        // An error is for whoever uses the descriptor to see.
        self.reads && self.fd.poll_read_ready(cx).is_ready()
            || self.writes && self.fd.poll_write_ready(cx).is_ready()
    }
}

/// What a guest waits for, registered with the loop.
struct Registered {
    fds: Vec<Watched>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Registered {
    /// Nothing when one of them is always ready.
    fn new(waits: &[Wait], limit: Option<Duration>) -> Result<Option<Registered>> {
        let limit = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut until = limit;
        let mut wanted: Vec<(i32, bool, bool, usize)> = Vec::new();
        for (wait, number) in waits.iter().zip(0..) {
            match wait {
                Wait::Until(at) => until = Some(until.map_or(*at, |until| until.min(*at))),
                Wait::Fd(fd, flags) => {
                    let writes = flags.contains(PollFlags::OUT);
                    let reads = flags.contains(PollFlags::IN) || !writes;
                    wanted.push((fd.as_fd().as_raw_fd(), reads, writes, number));
                }
                Wait::Event(_) | Wait::Never => {}
            }
        }
        wanted.sort_unstable();
        wanted.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                (kept.1, kept.2) = (kept.1 || next.1, kept.2 || next.2);
            }
            same
        });
        let mut fds = Vec::with_capacity(wanted.len());
        for (_, reads, writes, number) in wanted {
            let Some(Wait::Fd(fd, _)) = waits.get(number) else { continue };
            // A descriptor may be watched once only, and others may watch this one too.
            let copy = fd.as_fd().try_clone_to_owned().map_err(failed)?;
            let interest = match (reads, writes) {
                (true, true) => Interest::READABLE | Interest::WRITABLE,
                (false, true) => Interest::WRITABLE,
                _ => Interest::READABLE,
            };
            #[expect(
                deprecated,
                reason = "what replaces it is unsafe for sources that do not own what they name"
            )]
            match AsyncFd::with_interest(copy, interest) {
                Ok(fd) => fds.push(Watched { fd, reads, writes }),
                // Files cannot be watched: they are always ready.
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                    return Ok(None);
                }
                Err(error) => return Err(failed(error)),
            }
        }
        let timer = until.map(|until| Box::pin(sleep_until(until.into())));
        Ok(Some(Registered { fds, timer }))
    }

    fn is_ready(&mut self, waits: &[Wait], waker: &Waker) -> bool {
        let mut cx = Context::from_waker(waker);
        let mut ready =
            self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(&mut cx).is_ready());
        for fd in &self.fds {
            ready |= fd.is_ready(&mut cx);
        }
        for wait in waits {
            if let Wait::Event(event) = wait {
                ready |= event.register(waker);
            }
        }
        ready
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::host(format!("waiting failed: {error}"))
}

impl Waiter for FiberWaiter {
    fn wait(&mut self, waits: &[Wait], limit: Option<Duration>) -> Result<()> {
        let registered = Registered::new(waits, limit)?;
        let ready = match registered {
            None => true,
            Some(mut registered) => {
                let mut slept = false;
                while !registered.is_ready(waits, &task()?) {
                    fiber::suspend().map_err(Error::host)?;
                    slept = true;
                }
                !slept
            }
        };
        self.eager = if ready { self.eager + 1 } else { 0 };
        if self.eager > EAGERNESS {
            self.eager = 0;
            task()?.wake_by_ref();
            fiber::suspend().map_err(Error::host)?;
        }
        Ok(())
    }
}

//! Small tools for tasks that stay on one thread: their runtime, hyper's executor, a race of two futures, wakers that set
//! events. Used by the server and the client. Invariant: nothing here is sent to another thread but the wakers.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

use lithe_wasi::p2::Event;

/// Names that one event loop looks up at a time; each takes a thread.
const MAX_LOOKUPS: usize = 16;

/// The runtime of an event loop.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().max_blocking_threads(MAX_LOOKUPS).build()
}

/// Runs the tasks of hyper on the event loop of this thread.
#[derive(Clone, Copy)]
pub(crate) struct LocalExec;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for LocalExec {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// Which of two futures was ready first.
pub(crate) enum First<A, B> {
    A(A),
    B(B),
}

/// Runs two futures until one is ready. The first one is preferred.
pub(crate) async fn first<A, B>(
    a: impl Future<Output = A>,
    b: impl Future<Output = B>,
) -> First<A, B> {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|cx| {
        if let Poll::Ready(a) = a.as_mut().poll(cx) {
            return Poll::Ready(First::A(a));
        }
        b.as_mut().poll(cx).map(First::B)
    })
    .await
}

struct Set(Event);

impl Wake for Set {
    fn wake(self: Arc<Set>) {
        self.0.set();
    }
    fn wake_by_ref(self: &Arc<Set>) {
        self.0.set();
    }
}

/// A waker that sets an event.
pub(crate) fn waker(event: &Event) -> Waker {
    Waker::from(Arc::new(Set(event.clone())))
}

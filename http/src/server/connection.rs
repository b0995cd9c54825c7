//! One connection: hyper serves it, and it is looked after. Invariant: a client that sends or reads slower than the
//! limits, or nothing at all, loses its connection.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpStream};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::sleep_until;

use super::event_loop::Place;
use super::{Config, Stage, request};
use crate::local::{First, LocalExec, first};

/// Bytes of a body that a client of HTTP/2 may send before the guest takes them.
const STREAM_WINDOW: u32 = 256 << 10;
/// The same for all bodies of one connection.
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Bytes of an answer that are kept for a client of HTTP/2 besides those in its pipe.
const SEND_BUFFER: usize = 64 << 10;
/// How often a connection is looked after at most.
const MIN_STEP: Duration = Duration::from_millis(10);

/// How a client takes an answer: the bytes that wait for it, and since when it took none of them.
pub(super) struct Taking {
    began: Instant,
    waiting: Cell<usize>,
    since: Cell<Instant>,
}

impl Taking {
    fn new() -> Taking {
        let now = Instant::now();
        Taking { began: now, waiting: Cell::new(0), since: Cell::new(now) }
    }

    /// More bytes wait.
    pub fn wait(&self, count: usize) {
        if self.waiting.replace(self.waiting.get() + count) == 0 {
            self.since.set(Instant::now());
        }
    }

    /// So many bytes wait no more.
    pub fn take(&self, count: usize) {
        self.waiting.set(self.waiting.get() - count);
        self.since.set(Instant::now());
    }

    fn is_late(&self, config: &Config, now: Instant) -> bool {
        let over = |since, limit| now.saturating_duration_since(since) >= limit;
        // The guest has ended by its deadline, and what it wrote last may take as long as a pause.
        let most = config.deadline.and_then(|limit| limit.checked_add(config.body_timeout));
        self.waiting.get() > 0
            && (over(self.since.get(), config.body_timeout)
                || most.is_some_and(|most| over(self.began, most)))
    }
}

/// What happens on a connection.
pub(super) struct Activity {
    /// The answers under way: one, or those of HTTP/2.
    answers: RefCell<Vec<Rc<Taking>>>,
    /// Requests under way.
    requests: Cell<usize>,
    /// Since when there are none.
    idle_since: Cell<Instant>,
    /// Since when a head arrives.
    head_since: Cell<Option<Instant>>,
    /// Since when the client takes nothing of what is sent.
    stuck_since: Cell<Option<Instant>>,
    /// Whether it speaks HTTP/2, where bytes arrive between requests.
    http2: Cell<bool>,
    ended: Cell<bool>,
    bell: Notify,
}

impl Activity {
    pub fn new() -> Activity {
        Activity {
            answers: RefCell::default(),
            requests: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
            head_since: Cell::new(None),
            stuck_since: Cell::new(None),
            http2: Cell::new(false),
            ended: Cell::new(false),
            bell: Notify::new(),
        }
    }

    /// A request begins.
    pub fn enter(&self) -> Rc<Taking> {
        self.requests.set(self.requests.get() + 1);
        self.head_since.set(None);
        let taking = Rc::new(Taking::new());
        self.answers.borrow_mut().push(taking.clone());
        taking
    }

    /// A request has ended.
    pub fn leave(&self, taking: &Rc<Taking>) {
        self.answers.borrow_mut().retain(|other| !Rc::ptr_eq(other, taking));
        self.requests.set(self.requests.get() - 1);
        self.idle_since.set(Instant::now());
    }

    /// Whether no request is under way, and it was not told to end.
    pub fn is_idle(&self) -> bool {
        self.requests.get() == 0 && !self.ended.get()
    }

    /// Since when it is idle.
    pub fn since(&self) -> Instant {
        self.idle_since.get()
    }

    /// Tells it to end.
    pub fn end(&self) {
        self.ended.set(true);
        self.bell.notify_one();
    }

    fn is_late(&self, config: &Config, now: Instant) -> bool {
        let over = |since: Instant, limit| now.saturating_duration_since(since) >= limit;
        let stuck = self.stuck_since.get().is_some_and(|since| over(since, config.body_timeout));
        let idle = self.requests.get() == 0;
        let head = self.head_since.get().is_some_and(|since| over(since, config.head_timeout));
        stuck
            || self.answers.borrow().iter().any(|answer| answer.is_late(config, now))
            || idle && (head || over(self.idle_since.get(), config.idle_timeout))
    }
}

/// The stream of a connection, which notes what happens on it.
struct Observed {
    stream: tokio::net::TcpStream,
    activity: Rc<Activity>,
    fresh: bool,
}

impl Observed {
    fn wrote(&self, result: &Poll<io::Result<usize>>) {
        let stuck = &self.activity.stuck_since;
        match result {
            Poll::Pending if stuck.get().is_none() => stuck.set(Some(Instant::now())),
            Poll::Pending => {}
            Poll::Ready(_) => stuck.set(None),
        }
    }
}

impl AsyncRead for Observed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        let came = buf.filled().get(before..).unwrap_or_default();
        if !came.is_empty() {
            if std::mem::replace(&mut self.fresh, false) {
                // No method of HTTP/1 begins like the preface of HTTP/2.
                self.activity.http2.set(came.starts_with(b"PRI"));
            }
            let activity = &self.activity;
            let head = activity.requests.get() == 0 && activity.head_since.get().is_none();
            if head && !activity.http2.get() {
                activity.head_since.set(Some(Instant::now()));
            }
        }
        result
    }
}

impl AsyncWrite for Observed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// How hyper serves the connections of a loop.
pub(super) fn builder(config: &Config) -> auto::Builder<LocalExec> {
    let mut builder = auto::Builder::new(LocalExec);
    builder
        .http1()
        .timer(TokioTimer::new())
        // Heads that are late, and connections that are idle, are this file's matter.
        .header_read_timeout(None)
        .max_buf_size(config.max_head.max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(config.max_head.try_into().unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_concurrent_streams(config.max_streams);
    builder
}

/// Serves a connection to its end.
pub(super) async fn serve(
    place: Place,
    builder: Rc<auto::Builder<LocalExec>>,
    stream: TcpStream,
    peer: SocketAddr,
) {
    let env = place.env.clone();
    let activity = place.activity.clone();
    // Answers are written as a whole; without this the last piece waits for the client.
    let _ = stream.set_nodelay(true);
    let Ok(stream) = tokio::net::TcpStream::from_std(stream) else { return };
    let io = TokioIo::new(Observed { stream, activity: activity.clone(), fresh: true });
    let service = service_fn(|request| {
        let response = request::respond(env.clone(), activity.clone(), peer, request);
        async move { Ok::<_, Infallible>(response.await) }
    });
    let config = &env.shared.config;
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut stage = env.shared.stage.subscribe();
    let mut ends = false;
    // What the limits say is at most this much late.
    let step = config.head_timeout.min(config.body_timeout).min(config.idle_timeout) / 2;
    let step = step.max(MIN_STEP);
    let mut timer = pin!(sleep_until((Instant::now() + step).into()));
    loop {
        let told = async {
            match ends {
                true => drop(stage.wait_for(|stage| *stage == Stage::Ended).await),
                false => drop(stage.wait_for(|stage| *stage != Stage::Serves).await),
            }
        };
        let told = first(told, activity.bell.notified());
        // The connection comes last: one that is flooded uses up all that a task may do at a time, and then no timer
        // would ever end.
        match first(first(told, timer.as_mut()), connection.as_mut()).await {
            // A client that went away, or sent what is no HTTP, was told what can be told.
            First::B(_) => return,
            First::A(First::A(First::A(()))) if ends => return,
            First::A(First::A(First::A(()))) => {
                connection.as_mut().graceful_shutdown();
                ends = true;
            }
            First::A(First::A(First::B(()))) => return,
            First::A(First::B(())) => {
                let now = Instant::now();
                if activity.is_late(config, now) {
                    return;
                }
                timer.as_mut().reset((now + step).into());
            }
        }
    }
}

/// Tells a client that there are too many, as far as that goes without waiting for it.
pub(super) fn refuse(stream: &TcpStream) {
    const ANSWER: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\
        connection: close\r\n\r\n";
    // Who sends without waiting may not see it.
    let _ = io::Write::write(&mut &*stream, ANSWER);
}

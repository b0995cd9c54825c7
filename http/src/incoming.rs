//! Bodies that hyper receives and guests read, directly from hyper and piece by piece, so that a guest which does not
//! read holds the peer up. Invariant: what is kept is one piece of hyper's, and whoever waits for a peer does not wait
//! for ever when a time is set.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;
use hyper::body::Incoming;
use lithe_wasi::p2::io::{InputStream, StreamFailure, StreamResult, Subscribe};
use lithe_wasi::p2::{Event, Readiness, Wait};
use tokio::runtime::Handle;
use tokio::time::{Sleep, sleep};

use crate::local::waker;
use crate::outgoing::Tickets;
use crate::types::ErrorCode;
use crate::types::fields::{FieldLimits, strip};

/// Frames that are dropped at a time when a guest wants the trailers only.
const DRAINED_FRAMES: usize = 64;

/// A body that comes in.
pub(crate) struct Source {
    /// None once it has ended.
    body: Option<Incoming>,
    piece: Bytes,
    trailers: Option<HeaderMap>,
    /// Why it ended early; told once.
    failure: Option<ErrorCode>,
    failed: bool,
    limits: FieldLimits,
    /// How long the peer may be silent.
    silence: Option<Duration>,
    runtime: Handle,
    timer: Option<Pin<Box<Sleep>>>,
    waker: Waker,
    event: Event,
    /// How many bytes came.
    count: Option<Arc<AtomicU64>>,
    /// Given back at the end.
    tickets: Option<Tickets>,
}

impl Source {
    /// A body that comes in; `runtime` has the timers. A peer may be silent for so long.
    pub fn new(
        body: Incoming,
        limits: FieldLimits,
        silence: Option<Duration>,
        runtime: Handle,
    ) -> Source {
        let event = Event::new();
        let waker = waker(&event);
        let body = (!body.is_end_stream()).then_some(body);
        Source {
            body,
            piece: Bytes::new(),
            trailers: None,
            failure: None,
            failed: false,
            limits,
            silence,
            runtime,
            timer: None,
            waker,
            event,
            count: None,
            tickets: None,
        }
    }

    /// The body of an answer that counts as a request under way until its end.
    pub fn held_by(mut self, tickets: Tickets) -> Source {
        self.tickets = self.body.is_some().then_some(tickets);
        self
    }

    /// Counts the bytes that come.
    pub fn counted(mut self, count: Arc<AtomicU64>) -> Source {
        self.count = Some(count);
        self
    }

    fn end(&mut self) {
        (self.body, self.timer, self.tickets) = (None, None, None);
    }

    fn fail(&mut self, code: ErrorCode) {
        self.end();
        (self.failure, self.failed) = (Some(code), true);
    }

    /// Gets the next piece, unless there is one; whether there is something to say, be it the end.
    fn fill(&mut self) -> bool {
        if !self.piece.is_empty() {
            return true;
        }
        self.event.clear();
        loop {
            let Some(body) = &mut self.body else { return true };
            let mut cx = Context::from_waker(&self.waker);
            match Pin::new(body).poll_frame(&mut cx) {
                Poll::Ready(None) => self.end(),
                Poll::Ready(Some(Err(error))) => self.fail(ErrorCode::of_hyper(&error)),
                Poll::Ready(Some(Ok(frame))) => {
                    self.timer = None;
                    match frame.into_data() {
                        Ok(data) => {
                            if let Some(count) = &self.count {
                                let bytes = data.len() as u64;
                                count.fetch_add(bytes, Ordering::Relaxed);
                            }
                            self.piece = data;
                            if !self.piece.is_empty() {
                                return true;
                            }
                        }
                        Err(frame) => self.keep(frame.into_trailers().unwrap_or_default()),
                    }
                }
                Poll::Pending => return self.silent(),
            }
        }
    }

    fn keep(&mut self, mut trailers: HeaderMap) {
        strip(&mut trailers);
        match self.limits.hold(&trailers) {
            true => self.trailers = Some(trailers),
            false => self.fail(ErrorCode::HttpResponseTrailerSectionSize(None)),
        }
    }

    /// Nothing came; whether the peer was silent for too long.
    fn silent(&mut self) -> bool {
        let Some(silence) = self.silence else { return false };
        let timer = self.timer.get_or_insert_with(|| {
            let _runtime = self.runtime.enter();
            Box::pin(sleep(silence))
        });
        let late = timer.as_mut().poll(&mut Context::from_waker(&self.waker)).is_ready();
        if late {
            self.fail(ErrorCode::ConnectionReadTimeout);
        }
        late
    }
}

/// A body that comes in, for the resources that know it.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Source>>);

impl Shared {
    pub fn new(source: Source) -> Shared {
        Shared(Arc::new(Mutex::new(source)))
    }

    /// Lets the peer know that its body is wanted, which some wait for.
    pub fn want(&self) {
        self.source().fill();
    }

    fn source(&self) -> MutexGuard<'_, Source> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `input-stream` of a body.
pub(crate) struct BodyStream(pub Shared);

impl InputStream for BodyStream {
    fn read(&mut self, max: usize) -> StreamResult<Vec<u8>> {
        let mut source = self.0.source();
        let ended = source.body.is_none() && source.piece.is_empty() && source.failure.is_none();
        if max == 0 && !ended || !source.fill() {
            return Ok(Vec::new());
        }
        if !source.piece.is_empty() {
            let count = max.min(source.piece.len());
            return Ok(source.piece.split_to(count).to_vec());
        }
        Err(match source.failure.take() {
            Some(code) => StreamFailure::Failed(code.io_error()),
            None => StreamFailure::Closed,
        })
    }

    fn skip(&mut self, max: usize) -> StreamResult<usize> {
        let mut source = self.0.source();
        if max > 0 && source.fill() && !source.piece.is_empty() {
            let count = max.min(source.piece.len());
            drop(source.piece.split_to(count));
            return Ok(count);
        }
        drop(source);
        self.read(max).map(|bytes| bytes.len())
    }

    fn readiness(&mut self) -> Readiness {
        let mut source = self.0.source();
        match source.fill() {
            true => Readiness::Ready,
            false => Readiness::Wait(Wait::Event(source.event.clone())),
        }
    }
}

/// `wasi:http/types.future-trailers`: what follows a body. Whatever of the body was not read is dropped.
pub struct FutureTrailers {
    source: Shared,
    taken: bool,
}

impl FutureTrailers {
    pub(crate) fn new(source: Shared) -> FutureTrailers {
        FutureTrailers { source, taken: false }
    }

    /// The trailers, once the body has ended: nothing yet, or the end, or that they were taken before.
    pub(crate) fn take(&mut self) -> Option<Result<Result<Option<HeaderMap>, ErrorCode>, ()>> {
        if self.taken {
            return Some(Err(()));
        }
        let Readiness::Ready = self.readiness() else { return None };
        let mut source = self.source.source();
        if source.body.is_some() {
            return None;
        }
        self.taken = true;
        Some(Ok(match source.failure.take() {
            Some(code) => Err(code),
            None if source.failed => Err(ErrorCode::ConnectionTerminated),
            None => Ok(source.trailers.take()),
        }))
    }
}

impl Subscribe for FutureTrailers {
    fn readiness(&mut self) -> Readiness {
        let mut source = self.source.source();
        for _ in 0..DRAINED_FRAMES {
            source.piece = Bytes::new();
            if !source.fill() {
                return Readiness::Wait(Wait::Event(source.event.clone()));
            }
            if source.body.is_none() {
                return Readiness::Ready;
            }
        }
        // There is more to drop: others first.
        source.event.set();
        Readiness::Wait(Wait::Event(source.event.clone()))
    }
}

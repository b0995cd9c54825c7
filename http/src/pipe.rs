//! Bodies that guests write and hyper sends. The guest's side is an output stream and `finish`, hyper's is a `Body`. They
//! may be on different threads. Invariant: no more than a buffer is kept, and a body that the guest did not finish never
//! looks complete to the peer.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use lithe_wasi::p2::io::{IoError, OutputStream, StreamFailure, StreamResult};
use lithe_wasi::p2::{Event, Readiness, Wait};

use crate::types::ErrorCode;

/// Bytes of a body that are kept until the peer takes them.
pub const BODY_BUFFER: usize = 64 << 10;
/// Bytes of a body that are kept before its message is sent. Guests that write first and send then have this much.
pub const EARLY_BODY_BUFFER: usize = 1 << 20;

/// Bytes of all bodies of a guest whose messages are not sent.
pub const EARLY_BODIES_BUFFER: usize = 16 << 20;

/// Which message a body belongs to, for the errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Request,
    Response,
}

/// What becomes of what the guest writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reader {
    /// The message is not sent yet.
    Awaited,
    /// It is sent.
    Sends,
    /// The message has no body whatever the guest writes, as an answer to HEAD.
    Discards,
    /// The peer, or who was to send it, is gone.
    Gone,
}

struct State {
    buffer: BytesMut,
    reader: Reader,
    /// How it ended: with trailers or without, or not as it should.
    end: Option<Result<Option<HeaderMap>, ErrorCode>>,
    /// What the message announced.
    length: Option<u64>,
    written: u64,
    /// Whoever sends waits for bytes or the end.
    waker: Option<Waker>,
    /// Whoever runs the guest waits for the peer to be gone.
    watcher: Option<Waker>,
}

/// A body on its way out.
pub(crate) struct Pipe {
    kind: Kind,
    state: Mutex<State>,
    /// Set when there is room, or the peer is gone.
    room: Event,
    /// Bytes that the guest has in bodies whose messages are not sent.
    early: Arc<AtomicUsize>,
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.turn(&mut self.state(), Reader::Gone);
    }
}

impl Pipe {
    /// A body of a guest that has `early` bytes in those whose messages are not sent.
    pub fn new(kind: Kind, length: Option<u64>, early: &Arc<AtomicUsize>) -> Arc<Pipe> {
        let state = State {
            buffer: BytesMut::new(),
            reader: Reader::Awaited,
            end: None,
            length,
            written: 0,
            waker: None,
            watcher: None,
        };
        let early = early.clone();
        Arc::new(Pipe { kind, state: Mutex::new(state), room: Event::new(), early })
    }

    /// Another one reads from now on.
    fn turn(&self, state: &mut State, reader: Reader) {
        if std::mem::replace(&mut state.reader, reader) == Reader::Awaited {
            self.early.fetch_sub(state.buffer.len(), Ordering::Relaxed);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wrong_size(&self, size: u64) -> ErrorCode {
        match self.kind {
            Kind::Request => ErrorCode::HttpRequestBodySize(Some(size)),
            Kind::Response => ErrorCode::HttpResponseBodySize(Some(size)),
        }
    }

    fn end(&self, mut state: MutexGuard<'_, State>, end: Result<Option<HeaderMap>, ErrorCode>) {
        state.end = Some(end);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends the body as it should.
    pub fn finish(&self, trailers: Option<HeaderMap>) -> Result<(), ErrorCode> {
        let state = self.state();
        if let Some(Err(code)) = &state.end {
            return Err(code.clone());
        }
        let whole = state.length.is_none_or(|length| length == state.written);
        if !whole && state.reader != Reader::Discards {
            let code = self.wrong_size(state.written);
            self.end(state, Err(code.clone()));
            return Err(code);
        }
        self.end(state, Ok(trailers));
        Ok(())
    }

    /// Ends the body so that the peer sees that it is not whole. No effect after the end.
    pub fn fail(&self, code: ErrorCode) {
        let state = self.state();
        if state.end.is_none() {
            self.end(state, Err(code));
        }
    }

    /// Takes whatever is written and sends nothing.
    pub fn discard(&self) {
        let mut state = self.state();
        self.turn(&mut state, Reader::Discards);
        state.buffer = BytesMut::new();
        drop(state);
        self.room.set();
    }

    /// The message will not be sent.
    pub fn abandon(self: &Arc<Pipe>) {
        drop(BodyReader::new(Some(self.clone())));
    }

    /// Whether nobody takes what the guest still writes. `waker` is woken when it becomes so.
    pub fn is_abandoned(&self, waker: &Waker) -> bool {
        let mut state = self.state();
        if state.watcher.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            state.watcher = Some(waker.clone());
        }
        state.reader == Reader::Gone && state.end.is_none()
    }
}

/// The guest's side of a body.
pub(crate) struct BodyWriter(pub Arc<Pipe>);

impl BodyWriter {
    fn room(&self) -> StreamResult<usize> {
        let state = self.0.state();
        if let Some(end) = &state.end {
            return Err(match end {
                Ok(_) => StreamFailure::Closed,
                Err(code) => StreamFailure::Failed(code.io_error()),
            });
        }
        Ok(match state.reader {
            Reader::Awaited => {
                let all = self.0.early.load(Ordering::Relaxed);
                let room = EARLY_BODY_BUFFER.saturating_sub(state.buffer.len());
                room.min(EARLY_BODIES_BUFFER.saturating_sub(all))
            }
            Reader::Sends => BODY_BUFFER.saturating_sub(state.buffer.len()),
            Reader::Discards => BODY_BUFFER,
            Reader::Gone => return Err(StreamFailure::Closed),
        })
    }
}

impl OutputStream for BodyWriter {
    fn check_write(&mut self) -> StreamResult<usize> {
        self.room()
    }

    fn write(&mut self, bytes: &[u8]) -> StreamResult<()> {
        let mut state = self.0.state();
        if state.end.is_some() || state.reader == Reader::Gone {
            return Err(StreamFailure::Closed);
        }
        state.written = state.written.saturating_add(bytes.len() as u64);
        if state.reader == Reader::Discards {
            return Ok(());
        }
        if state.length.is_some_and(|length| state.written > length) {
            let code = self.0.wrong_size(state.written);
            let error: IoError = code.io_error();
            self.0.end(state, Err(code));
            return Err(StreamFailure::Failed(error));
        }
        if state.reader == Reader::Awaited {
            let all = self.0.early.load(Ordering::Relaxed) + bytes.len();
            if all > EARLY_BODIES_BUFFER {
                // It was permitted when there was less in others.
                let code = ErrorCode::internal("there is too much in bodies that are not sent");
                let error = code.io_error();
                self.0.end(state, Err(code));
                return Err(StreamFailure::Failed(error));
            }
            self.0.early.fetch_add(bytes.len(), Ordering::Relaxed);
        }
        state.buffer.extend_from_slice(bytes);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        // What is written is whoever's sends it already.
        self.room().map(drop)
    }

    fn readiness(&mut self) -> Readiness {
        self.0.room.clear();
        match self.room() {
            Ok(0) => Readiness::Wait(Wait::Event(self.0.room.clone())),
            _ => Readiness::Ready,
        }
    }
}

/// What hyper sends.
pub(crate) struct BodyReader {
    /// None when there is no body.
    pipe: Option<Arc<Pipe>>,
    /// Whether hyper was given the time to send what came before a failure.
    lingered: bool,
}

impl BodyReader {
    /// The body that a guest writes, or none.
    pub fn new(pipe: Option<Arc<Pipe>>) -> BodyReader {
        if let Some(pipe) = &pipe {
            pipe.turn(&mut pipe.state(), Reader::Sends);
            pipe.room.set();
        }
        BodyReader { pipe, lingered: false }
    }

    /// Whether the guest has written something already.
    pub fn has_begun(&self) -> bool {
        self.pipe.as_ref().is_some_and(|pipe| !pipe.state().buffer.is_empty())
    }
}

impl Drop for BodyReader {
    fn drop(&mut self) {
        let Some(pipe) = self.pipe.take() else { return };
        let mut state = pipe.state();
        // Hyper lets go of a body as soon as it has the announced length: nobody is gone then, and the guest has yet to
        // finish it.
        if state.length != Some(state.written) || !state.buffer.is_empty() {
            pipe.turn(&mut state, Reader::Gone);
            state.buffer = BytesMut::new();
        }
        let watcher = state.watcher.take();
        drop(state);
        pipe.room.set();
        if let Some(watcher) = watcher {
            watcher.wake();
        }
    }
}

impl Body for BodyReader {
    type Data = Bytes;
    type Error = ErrorCode;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ErrorCode>>> {
        let BodyReader { pipe, lingered } = &mut *self;
        let Some(pipe) = pipe else { return Poll::Ready(None) };
        let mut state = pipe.state();
        if !state.buffer.is_empty() {
            let bytes = state.buffer.split().freeze();
            drop(state);
            pipe.room.set();
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match &mut state.end {
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(Ok(trailers)) => Poll::Ready(trailers.take().map(|map| Ok(Frame::trailers(map)))),
            // An error ends the connection, with what is not yet sent.
            Some(Err(_)) if !std::mem::replace(lingered, true) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Err(code)) => Poll::Ready(Some(Err(code.clone()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        let Some(pipe) = &self.pipe else { return true };
        let state = pipe.state();
        state.buffer.is_empty() && matches!(state.end, Some(Ok(None)))
    }

    fn size_hint(&self) -> SizeHint {
        let Some(pipe) = &self.pipe else { return SizeHint::with_exact(0) };
        let state = pipe.state();
        let buffered = state.buffer.len() as u64;
        match (&state.end, state.length) {
            (Some(Ok(None)), _) => SizeHint::with_exact(buffered),
            (_, Some(length)) => {
                SizeHint::with_exact(length.saturating_sub(state.written - buffered))
            }
            _ => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(kind: Kind, length: Option<u64>) -> Arc<Pipe> {
        Pipe::new(kind, length, &Arc::default())
    }

    fn poll(body: &mut BodyReader) -> Poll<Option<Result<Frame<Bytes>, ErrorCode>>> {
        Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
    }

    fn data(body: &mut BodyReader) -> Bytes {
        match poll(body) {
            Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn bytes_go_through_and_room_comes_back() {
        let pipe = open(Kind::Response, None);
        let mut writer = BodyWriter(pipe.clone());
        assert_eq!(writer.check_write().unwrap(), EARLY_BODY_BUFFER);
        let mut body = BodyReader::new(Some(pipe.clone()));
        assert!(poll(&mut body).is_pending());
        writer.write(&[7; BODY_BUFFER]).unwrap();
        assert_eq!(writer.check_write().unwrap(), 0);
        assert!(matches!(writer.readiness(), Readiness::Wait(_)));
        assert_eq!(data(&mut body).len(), BODY_BUFFER);
        assert!(matches!(writer.readiness(), Readiness::Ready));
        let mut trailers = HeaderMap::new();
        trailers.insert("x", http::HeaderValue::from_static("y"));
        pipe.finish(Some(trailers)).unwrap();
        let Poll::Ready(Some(Ok(frame))) = poll(&mut body) else { panic!() };
        assert_eq!(frame.into_trailers().unwrap()["x"], "y");
        assert!(matches!(poll(&mut body), Poll::Ready(None)));
        assert!(matches!(writer.check_write(), Err(StreamFailure::Closed)));
    }

    #[test]
    fn bodies_are_as_long_as_announced() {
        let pipe = open(Kind::Request, Some(4));
        let mut body = BodyReader::new(Some(pipe.clone()));
        assert_eq!(body.size_hint().exact(), Some(4));
        let mut writer = BodyWriter(pipe.clone());
        writer.write(b"abc").unwrap();
        assert_eq!(pipe.finish(None), Err(ErrorCode::HttpRequestBodySize(Some(3))));
        assert_eq!(&data(&mut body)[..], b"abc");
        assert!(poll(&mut body).is_pending());
        assert!(matches!(poll(&mut body), Poll::Ready(Some(Err(_)))));

        let pipe = open(Kind::Response, Some(2));
        let mut writer = BodyWriter(pipe.clone());
        assert!(matches!(writer.write(b"abc"), Err(StreamFailure::Failed(_))));
        assert_eq!(pipe.finish(None), Err(ErrorCode::HttpResponseBodySize(Some(3))));
    }

    #[test]
    fn a_peer_that_is_gone_is_noticed() {
        let pipe = open(Kind::Response, None);
        let mut writer = BodyWriter(pipe.clone());
        drop(BodyReader::new(Some(pipe.clone())));
        assert!(matches!(writer.check_write(), Err(StreamFailure::Closed)));
        assert!(pipe.is_abandoned(Waker::noop()));
        pipe.fail(ErrorCode::ConnectionTerminated);
        assert!(!pipe.is_abandoned(Waker::noop()));
    }

    #[test]
    fn a_peer_that_has_everything_is_not_gone() {
        let pipe = open(Kind::Response, Some(3));
        let mut writer = BodyWriter(pipe.clone());
        let mut body = BodyReader::new(Some(pipe.clone()));
        writer.write(b"abc").unwrap();
        assert_eq!(&data(&mut body)[..], b"abc");
        drop(body);
        assert!(!pipe.is_abandoned(Waker::noop()));
        writer.flush().unwrap();
        assert_eq!(pipe.finish(None), Ok(()));
    }

    #[test]
    fn a_message_that_is_never_sent_keeps_no_writer_waiting() {
        let pipe = open(Kind::Request, None);
        let mut writer = BodyWriter(pipe.clone());
        writer.write(&[0; EARLY_BODY_BUFFER]).unwrap();
        let Readiness::Wait(Wait::Event(event)) = writer.readiness() else { panic!() };
        pipe.abandon();
        assert!(event.is_set());
        assert!(matches!(writer.check_write(), Err(StreamFailure::Closed)));
    }

    #[test]
    fn messages_that_are_not_sent_have_limited_bodies_together() {
        let early = Arc::default();
        let pipes: Vec<_> = (0..17).map(|_| Pipe::new(Kind::Request, None, &early)).collect();
        for pipe in &pipes[..16] {
            BodyWriter(pipe.clone()).write(&[0; EARLY_BODY_BUFFER]).unwrap();
        }
        let mut last = BodyWriter(pipes[16].clone());
        assert_eq!(last.check_write().unwrap(), 0);
        // It may have been permitted before.
        let mut before = BodyWriter(Pipe::new(Kind::Request, None, &early));
        assert!(matches!(before.write(b"x"), Err(StreamFailure::Failed(_))));
        let sent = BodyReader::new(Some(pipes[0].clone()));
        assert_eq!(last.check_write().unwrap(), EARLY_BODY_BUFFER);
        drop(sent);
        pipes[1].discard();
        drop((pipes, last));
        assert_eq!(early.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_not_to_be_sent_is_discarded() {
        let pipe = open(Kind::Response, Some(9));
        let mut writer = BodyWriter(pipe.clone());
        pipe.discard();
        for _ in 0..3 {
            writer.write(&[0; BODY_BUFFER]).unwrap();
        }
        assert_eq!(pipe.finish(None), Ok(()));
    }
}

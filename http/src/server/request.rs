//! One request: its guest runs on a fiber until it has answered, and on while it writes the body. Invariant: every
//! request is answered once, whatever its guest does, and a client that is gone ends its guest.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::{Buf, Bytes};
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use lithe::fiber::{Fiber, Resumed};
use lithe::{Error, TrapKind};
use tokio::runtime::Handle;
use tokio::task::spawn_local;

use super::connection::{Activity, Taking};
use super::event_loop::Env;
use super::log::{Access, Report};
use super::program::{Call, Control};
use super::waiter::on_behalf;
use crate::incoming::Source;
use crate::pipe::{BodyReader, Pipe};
use crate::types::fields::{Block, settle_length};
use crate::types::response::{Answer, Slot};
use crate::types::{ErrorCode, OutgoingResponse};

/// A request under way, until its answer and its guest have ended.
struct Ticket {
    env: Rc<Env>,
    activity: Rc<Activity>,
    taking: Rc<Taking>,
    peer: SocketAddr,
    method: Method,
    path: String,
    version: Version,
    began: Instant,
    status: Cell<Option<u16>>,
    bytes: Cell<u64>,
}

impl Ticket {
    fn new(
        env: Rc<Env>,
        activity: Rc<Activity>,
        peer: SocketAddr,
        request: &Request<Incoming>,
    ) -> Rc<Ticket> {
        let path = request.uri().path_and_query().map_or("", |path| path.as_str()).to_owned();
        env.requests.set(env.requests.get() + 1);
        env.metrics.in_flight.fetch_add(1, Ordering::Relaxed);
        env.shared.watchdog.enter();
        let taking = activity.enter();
        Rc::new(Ticket {
            env,
            activity,
            taking,
            peer,
            method: request.method().clone(),
            path,
            version: request.version(),
            began: Instant::now(),
            status: Cell::new(None),
            bytes: Cell::new(0),
        })
    }

    /// Tells the embedder what went wrong.
    fn report(&self, error: Option<&Error>, words: String) {
        if let Some(errors) = &self.env.shared.config.errors {
            errors(&Report { method: &self.method, path: &self.path, error, words });
        }
    }

    /// An answer of the server's own.
    fn answer(self: Rc<Self>, status: StatusCode) -> Response<ServerBody> {
        let mut text = status.canonical_reason().unwrap_or_default().to_ascii_lowercase();
        text.push('\n');
        let text = if self.method == Method::HEAD { Bytes::new() } else { Bytes::from(text) };
        self.status.set(Some(status.as_u16()));
        let mut response =
            Response::new(ServerBody { content: Content::Text(text), ticket: Some(self) });
        *response.status_mut() = status;
        let plain = HeaderValue::from_static("text/plain");
        response.headers_mut().insert(header::CONTENT_TYPE, plain);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let soon = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, soon);
        }
        response
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let (env, status, bytes) = (&self.env, self.status.get(), self.bytes.get());
        let duration = self.began.elapsed();
        env.requests.set(env.requests.get() - 1);
        env.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
        env.metrics.request(status, duration, bytes);
        env.shared.watchdog.leave();
        self.activity.leave(&self.taking);
        if let Some(log) = &env.shared.config.log {
            let Ticket { peer, method, path, version, .. } = self;
            let (peer, version) = (*peer, *version);
            log(&Access { peer, method, path, version, status, bytes, duration });
        }
    }
}

/// A piece of an answer, which belongs to the request until the client took it. HTTP/2 keeps pieces for clients that
/// take nothing long after the body is at its end.
pub(super) struct Piece {
    bytes: Bytes,
    ticket: Option<Rc<Ticket>>,
}

impl Piece {
    fn new(bytes: Bytes, ticket: Option<Rc<Ticket>>) -> Piece {
        if let Some(ticket) = &ticket {
            ticket.taking.wait(bytes.len());
        }
        Piece { bytes, ticket }
    }

    fn taken(&self, count: usize) {
        if let Some(ticket) = &self.ticket {
            ticket.taking.take(count);
        }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.taken(count);
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.taken(self.bytes.len());
    }
}

enum Content {
    Text(Bytes),
    Guest(BodyReader),
}

/// The body of an answer.
pub(super) struct ServerBody {
    content: Content,
    ticket: Option<Rc<Ticket>>,
}

impl ServerBody {
    /// A text that belongs to no request of a guest.
    pub fn text(text: Bytes) -> ServerBody {
        ServerBody { content: Content::Text(text), ticket: None }
    }
}

impl Body for ServerBody {
    type Data = Piece;
    type Error = ErrorCode;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, ErrorCode>>> {
        let frame: Poll<Option<Result<Frame<Bytes>, ErrorCode>>> = match &mut self.content {
            Content::Text(text) if text.is_empty() => Poll::Ready(None),
            Content::Text(text) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(text))))),
            Content::Guest(body) => Pin::new(body).poll_frame(cx),
        };
        if let (Poll::Ready(Some(Ok(frame))), Some(ticket)) = (&frame, &self.ticket) {
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
            ticket.bytes.set(ticket.bytes.get() + bytes);
        }
        let ticket = &self.ticket;
        frame.map_ok(|frame| frame.map_data(|bytes| Piece::new(bytes, ticket.clone())))
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Text(text) => text.is_empty(),
            Content::Guest(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Text(text) => SizeHint::with_exact(text.len() as u64),
            Content::Guest(body) => body.size_hint(),
        }
    }
}

/// A guest that serves a request. Letting go of it ends the guest.
struct Run {
    fiber: Option<Fiber<lithe::Result<()>>>,
    control: Rc<Control>,
}

impl Run {
    /// Goes on until the guest waits or ends.
    fn step(&mut self, waker: &Waker) -> Option<lithe::Result<()>> {
        let fiber = self.fiber.as_mut()?;
        let running = &self.control.env.running;
        let guest = self.control.guest.borrow().clone();
        running.set(guest.map(|guest| (self.control.deadline, guest)));
        let resumed = on_behalf(waker, || fiber.resume());
        running.set(None);
        match resumed {
            Resumed::Suspended => None,
            Resumed::Done(result) => {
                self.recycle();
                Some(result)
            }
        }
    }

    fn recycle(&mut self) {
        if let Some(stack) = self.fiber.take().and_then(Fiber::into_stack) {
            self.control.env.recycle(stack);
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(fiber) = &mut self.fiber {
            // What it says now is of no interest to anybody.
            let _ = on_behalf(Waker::noop(), || fiber.cancel());
            self.control.env.running.set(None);
            self.recycle();
        }
    }
}

/// Whether a request says which host it is for once, in HTTP/1.1 at all, and by something that may be one.
fn names_one_host(request: &Request<Incoming>) -> bool {
    let may_be =
        |host: &[u8]| host.is_empty() || !host.contains(&b'@') && Authority::try_from(host).is_ok();
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let mut hosts = request.headers().get_all(header::HOST).iter().map(HeaderValue::as_bytes);
    let (host, other) = (hosts.next(), hosts.next());
    let agree = match (authority, host) {
        // A full URL counts more than the field.
        (Some(authority), Some(host)) if request.version() == Version::HTTP_2 => {
            authority.eq_ignore_ascii_case(host)
        }
        (_, None) => request.version() != Version::HTTP_11,
        _ => true,
    };
    agree && other.is_none() && host.is_none_or(may_be) && authority.is_none_or(may_be)
}

/// What is wrong with the head of a request.
fn refusal(env: &Env, request: &Request<Incoming>) -> Option<StatusCode> {
    if !names_one_host(request) {
        return Some(StatusCode::BAD_REQUEST);
    }
    if request.method() == Method::CONNECT {
        return Some(StatusCode::NOT_IMPLEMENTED);
    }
    let config = &env.shared.config;
    if !config.fields.hold(request.headers()) {
        return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    (env.requests.get() > config.max_requests).then_some(StatusCode::SERVICE_UNAVAILABLE)
}

/// Answers a request.
pub(super) async fn respond(
    env: Rc<Env>,
    activity: Rc<Activity>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Response<ServerBody> {
    let ticket = Ticket::new(env.clone(), activity, peer, &request);
    if let Some(status) = refusal(&env, &request) {
        return ticket.answer(status);
    }
    let Some(stack) = env.stack() else { return ticket.answer(StatusCode::SERVICE_UNAVAILABLE) };
    let config = &env.shared.config;
    let expects = request.headers().contains_key(header::EXPECT);
    let (head, body) = request.into_parts();
    let body = Source::new(body, config.fields, Some(config.body_timeout), Handle::current())
        .counted(env.metrics.received.clone());
    let deadline = config.deadline.and_then(|limit| ticket.began.checked_add(limit));
    let control = Rc::new(Control { env: env.clone(), deadline, guest: RefCell::new(None) });
    let slot = Slot::new();
    let call = Call { head, body, slot: slot.clone(), control: control.clone() };
    let program = env.shared.program();
    let fiber = Fiber::new(stack, move || program.serve(call));
    let mut run = Run { fiber: Some(fiber), control };

    let (answer, result) = std::future::poll_fn(|cx| {
        let result = run.step(cx.waker());
        match (slot.take(), result) {
            (Answer::Awaited | Answer::Never | Answer::Taken, None) => Poll::Pending,
            (answer, result) => Poll::Ready((answer, result)),
        }
    })
    .await;
    if expects {
        // What is answered first makes hyper forget to tell the client to go on, should the guest want its body.
        tokio::task::yield_now().await;
    }

    let failed = result.as_ref().and_then(|result| result.as_ref().err());
    let response = match answer {
        Answer::Given(Ok(response)) => Some(response),
        Answer::Given(Err(code)) => {
            ticket.report(failed, format!("the guest answered with an error: {code}"));
            None
        }
        Answer::Awaited | Answer::Never | Answer::Taken => {
            if matches!(result, Some(Ok(()))) {
                ticket.report(None, "the guest ended without an answer".into());
            }
            None
        }
    };
    let late = failed.is_some_and(is_interrupt);
    let Some(response) = response else {
        end(&ticket, None, result, run);
        let status =
            if late { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::INTERNAL_SERVER_ERROR };
        return ticket.answer(status);
    };
    let OutgoingResponse { status, headers, body } = response;
    let mut headers = Block::into_map(headers);
    let bodiless = ticket.method == Method::HEAD
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if settle_length(&mut headers, bodiless || body.is_some()).is_err() {
        ticket.report(None, "the answer's content-length is not the length of its body".into());
        if let Some(body) = &body {
            body.abandon();
        }
        end(&ticket, body, result, run);
        return ticket.answer(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let reader = match (&body, bodiless) {
        (Some(pipe), true) => {
            pipe.discard();
            BodyReader::new(None)
        }
        _ => BodyReader::new(body.clone()),
    };
    ticket.status.set(Some(status.as_u16()));
    end(&ticket, body, result, run);
    let mut response =
        Response::new(ServerBody { content: Content::Guest(reader), ticket: Some(ticket) });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn is_interrupt(error: &Error) -> bool {
    error.trap().is_some_and(|trap| trap.kind() == TrapKind::Interrupt)
}

/// Lets a guest end that has answered, or notes how it has ended.
fn end(
    ticket: &Rc<Ticket>,
    body: Option<Arc<Pipe>>,
    result: Option<lithe::Result<()>>,
    mut run: Run,
) {
    if let Some(result) = result {
        return ended(ticket, body.as_ref(), &result);
    }
    let ticket = ticket.clone();
    spawn_local(std::future::poll_fn(move |cx| {
        if body.as_ref().is_some_and(|body| body.is_abandoned(cx.waker())) {
            // The client is gone: dropping the task ends the guest.
            return Poll::Ready(());
        }
        match run.step(cx.waker()) {
            None => Poll::Pending,
            Some(result) => {
                ended(&ticket, body.as_ref(), &result);
                Poll::Ready(())
            }
        }
    }));
}

fn ended(ticket: &Ticket, body: Option<&Arc<Pipe>>, result: &lithe::Result<()>) {
    if let Some(body) = body {
        body.fail(ErrorCode::internal("the guest ended without finishing the body"));
    }
    if let Err(error) = result
        && error.exit_status() != Some(0)
    {
        ticket.env.metrics.traps.fetch_add(1, Ordering::Relaxed);
        ticket.report(Some(error), error.message().to_owned());
    }
}

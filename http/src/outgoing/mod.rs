//! `wasi:http/outgoing-handler` and the client behind it. Requests of guests go to one task, on the event loop of a server
//! or on a thread of its own, which keeps connections for later requests. Invariant: a request is made only after the
//! guest's network policy was asked for its host, and sent only to addresses that it was asked for as well.

mod connect;
mod pool;
mod tls;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::uri::{Authority, PathAndQuery};
use lithe::{Error, Result};
use lithe_component::{Linker, Resource};
use lithe_wasi::NetPolicy;
use lithe_wasi::p2::sockets::Resolve;
use lithe_wasi::p2::{Event, Readiness, Wait};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use crate::incoming::{Shared, Source};
use crate::local::waker;
use crate::pipe::BodyReader;
use crate::types::fields::settle_length;
use crate::types::{
    ErrorCode, FieldLimits, FutureIncomingResponse, IncomingResponse, OutgoingRequest,
    RequestOptions, Scheme,
};
use crate::{HttpView, interface};

pub use pool::MAX_IDLE_CONNECTIONS;
pub use tls::Roots;

/// How long connecting may take, unless the guest sets another time.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an answer may take, unless the guest sets another time.
pub const DEFAULT_FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(600);
/// How long an answer may pause, unless the guest sets another time.
pub const DEFAULT_BETWEEN_BYTES_TIMEOUT: Duration = Duration::from_secs(600);
/// Requests that a client makes at a time, each to the end of its answer's body; further ones fail.
pub const MAX_REQUESTS: usize = 1024;
/// How many of them may be those of one guest.
pub const MAX_GUEST_REQUESTS: usize = 128;

/// Whom a request goes to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Target {
    pub https: bool,
    /// Without brackets.
    pub host: String,
    pub port: u16,
}

/// A request on its way.
pub(crate) struct Job {
    target: Target,
    head: http::request::Parts,
    body: BodyReader,
    options: RequestOptions,
    fields: FieldLimits,
    policy: Arc<NetPolicy>,
    reply: oneshot::Sender<std::result::Result<IncomingResponse, ErrorCode>>,
    tickets: Tickets,
}

/// One of the requests that a client, or a guest, makes at a time.
pub(crate) struct Ticket(Arc<AtomicUsize>);

impl Ticket {
    fn new(count: &Arc<AtomicUsize>, most: usize) -> Option<Ticket> {
        let ticket = Ticket(count.clone());
        (count.fetch_add(1, Ordering::Relaxed) < most).then_some(ticket)
    }
}

/// The ticket of the guest and that of the client.
pub(crate) type Tickets = (Ticket, Ticket);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Makes requests. Clones are the same client, with the same connections; the default one starts a thread when it makes
/// its first request.
#[derive(Clone, Default)]
pub struct Client(Arc<Inner>);

#[derive(Default)]
struct Inner {
    jobs: OnceLock<mpsc::UnboundedSender<Job>>,
    count: Arc<AtomicUsize>,
    roots: Roots,
    resolver: Option<Arc<dyn Resolve>>,
}

impl Client {
    /// A client that trusts these authorities.
    pub fn new(roots: Roots) -> Client {
        Client(Arc::new(Inner { roots, ..Inner::default() }))
    }

    /// A client that trusts these authorities and looks names up in another way than the system does.
    pub fn with_resolver(roots: Roots, resolver: Arc<dyn Resolve>) -> Client {
        Client(Arc::new(Inner { roots, resolver: Some(resolver), ..Inner::default() }))
    }

    /// A client on the event loop of this thread, which is that of a `LocalSet`.
    pub(crate) fn on_this_loop(roots: Roots, resolver: Option<Arc<dyn Resolve>>) -> Client {
        let client = Client(Arc::new(Inner { roots, resolver, ..Inner::default() }));
        let (jobs, queue) = mpsc::unbounded_channel();
        let (roots, resolver) = (client.0.roots.clone(), client.0.resolver.clone());
        tokio::task::spawn_local(pool::serve(queue, roots, resolver));
        // The cell is new, so it is empty.
        let _ = client.0.jobs.set(jobs);
        client
    }

    fn jobs(&self) -> Result<&mpsc::UnboundedSender<Job>> {
        if let Some(jobs) = self.0.jobs.get() {
            return Ok(jobs);
        }
        let (jobs, queue) = mpsc::unbounded_channel();
        let (roots, resolver) = (self.0.roots.clone(), self.0.resolver.clone());
        let failed = |error| Error::host(format!("the thread of the HTTP client: {error}"));
        let runtime = crate::local::runtime().map_err(failed)?;
        if self.0.jobs.set(jobs).is_ok() {
            let run =
                move || LocalSet::new().block_on(&runtime, pool::serve(queue, roots, resolver));
            std::thread::Builder::new().name("http client".into()).spawn(run).map_err(failed)?;
        }
        self.jobs()
    }
}

/// An answer that is awaited.
pub(crate) struct Exchange {
    reply: Option<oneshot::Receiver<std::result::Result<IncomingResponse, ErrorCode>>>,
    result: Option<std::result::Result<IncomingResponse, ErrorCode>>,
    event: Event,
    waker: Waker,
}

impl Exchange {
    fn new(reply: oneshot::Receiver<std::result::Result<IncomingResponse, ErrorCode>>) -> Exchange {
        let event = Event::new();
        let waker = waker(&event);
        Exchange { reply: Some(reply), result: None, event, waker }
    }

    fn poll(&mut self) {
        let Some(reply) = &mut self.reply else { return };
        self.event.clear();
        let reply = std::pin::Pin::new(reply);
        if let Poll::Ready(result) = reply.poll(&mut Context::from_waker(&self.waker)) {
            self.reply = None;
            self.result = Some(result.unwrap_or(Err(ErrorCode::ConnectionTerminated)));
        }
    }

    /// Whether the answer is there, or was.
    pub fn readiness(&mut self) -> Readiness {
        self.poll();
        match self.reply {
            Some(_) => Readiness::Wait(Wait::Event(self.event.clone())),
            None => Readiness::Ready,
        }
    }

    /// The answer, when it is there and was not taken.
    pub fn take(&mut self) -> Option<std::result::Result<IncomingResponse, ErrorCode>> {
        self.poll();
        self.result.take()
    }
}

/// Whom a request goes to, and its head.
fn prepare(
    request: &OutgoingRequest,
) -> std::result::Result<(Target, http::request::Parts), ErrorCode> {
    let invalid = ErrorCode::HttpRequestUriInvalid;
    let authority = request.authority.as_ref().ok_or(invalid.clone())?;
    let https = match &request.scheme {
        None | Some(Scheme::Https) => true,
        Some(Scheme::Http) => false,
        Some(Scheme::Other(_)) => return Err(ErrorCode::HttpProtocolError),
    };
    if request.method == http::Method::CONNECT {
        return Err(ErrorCode::HttpRequestMethodInvalid);
    }
    let mut headers = http::HeaderMap::clone(&request.headers);
    if settle_length(&mut headers, request.body.is_some()).is_err() {
        return Err(ErrorCode::HttpRequestBodySize(None));
    }
    let host = authority.host();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = authority.port_u16().unwrap_or(if https { 443 } else { 80 });
    let target = Target { https, host: host.to_ascii_lowercase(), port };
    let path = request.path.clone().unwrap_or(PathAndQuery::from_static("/"));
    let uri = http::Uri::builder()
        .scheme(if https { "https" } else { "http" })
        .authority(Authority::clone(authority))
        .path_and_query(path)
        .build()
        .map_err(|_| invalid)?;
    let mut head = http::Request::new(()).into_parts().0;
    head.method = request.method.clone();
    head.uri = uri;
    head.headers = headers;
    Ok((target, head))
}

/// Answers that came in, for guests.
fn response(
    response: http::Response<hyper::body::Incoming>,
    fields: FieldLimits,
    silence: Duration,
    tickets: Tickets,
) -> std::result::Result<IncomingResponse, ErrorCode> {
    let (mut head, body) = response.into_parts();
    crate::types::fields::strip(&mut head.headers);
    if !fields.hold(&head.headers) {
        return Err(ErrorCode::HttpResponseHeaderSectionSize(None));
    }
    let runtime = tokio::runtime::Handle::current();
    let body = Source::new(body, fields, Some(silence), runtime).held_by(tickets);
    let body = Shared::new(body);
    Ok(IncomingResponse::new(head.status.as_u16(), head.headers, body))
}

type Started = std::result::Result<Resource<FutureIncomingResponse>, ErrorCode>;

fn handle<T: HttpView>(
    data: &mut T,
    request: Resource<OutgoingRequest>,
    options: Option<Resource<RequestOptions>>,
) -> Result<Started> {
    let p2 = data.p2();
    let request = p2.table.remove(request)?;
    let options = options.map(|options| p2.table.remove(options)).transpose()?;
    let policy = p2.ctx.net().clone();
    let refuse = |code: ErrorCode| {
        if let Some(body) = &request.body {
            body.fail(code.clone());
        }
        Ok(Err(code))
    };
    let (target, head) = match prepare(&request) {
        Ok(prepared) => prepared,
        Err(code) => return refuse(code),
    };
    // The denial is recorded by the policy.
    if policy.http(&target.host, target.port).is_err() {
        return refuse(ErrorCode::HttpRequestDenied);
    }
    let http = data.http();
    let tickets = Ticket::new(&http.requests, MAX_GUEST_REQUESTS)
        .zip(Ticket::new(&http.client.0.count, MAX_REQUESTS));
    let Some(tickets) = tickets else {
        return refuse(ErrorCode::ConnectionLimitReached);
    };
    let (reply, answer) = oneshot::channel();
    let job = Job {
        target,
        head,
        body: BodyReader::new(request.body.clone()),
        options: options.unwrap_or_default(),
        fields: http.fields,
        policy,
        reply,
        tickets,
    };
    if http.client.jobs()?.send(job).is_err() {
        return refuse(ErrorCode::internal("the HTTP client has stopped"));
    }
    let future = FutureIncomingResponse::new(Exchange::new(answer));
    data.p2().table.push(future).map(Ok)
}

/// Defines `wasi:http/outgoing-handler`.
pub(crate) fn add_to_linker<T: HttpView>(linker: &mut Linker<T>) -> Result<()> {
    let mut handler = linker.instance(&interface("outgoing-handler"));
    handler.func(
        "handle",
        |mut cx,
         (request, options): (Resource<OutgoingRequest>, Option<Resource<RequestOptions>>)| {
            handle(cx.data_mut(), request, options)
        },
    )?;
    Ok(())
}

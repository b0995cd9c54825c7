//! The task of a client: it sends requests over kept or new connections and keeps those that can be used again.
//! Invariant: a kept connection is used by a guest only when its policy grants the address at its other end, and a
//! request is sent again only when the first connection took nothing of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, Request};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use lithe_wasi::NetPolicy;
use lithe_wasi::p2::sockets::Resolve;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{
    DEFAULT_BETWEEN_BYTES_TIMEOUT, DEFAULT_CONNECT_TIMEOUT, DEFAULT_FIRST_BYTE_TIMEOUT, Job, Roots,
    Target, connect, response, tls,
};
use crate::local::{First, LocalExec, first};
use crate::pipe::BodyReader;
use crate::types::{ErrorCode, IncomingResponse};

/// Connections that are kept for one server.
pub const MAX_IDLE_CONNECTIONS: usize = 32;
/// Connections that are kept for all servers: names that lead to one are easily invented, and each holds a file.
const MAX_IDLE: usize = 256;
/// How long a connection is kept that nobody uses.
const MAX_IDLE_TIME: Duration = Duration::from_secs(60);
/// Bytes of the head of an answer.
const MAX_HEAD: usize = 128 << 10;
/// Header fields of an answer.
const MAX_FIELDS: usize = 256;

type Answer = http::Response<Incoming>;

enum Sender {
    Http1(http1::SendRequest<BodyReader>),
    Http2(http2::SendRequest<BodyReader>),
}

struct Connection {
    sender: Sender,
    address: SocketAddr,
    since: Instant,
}

struct Pool {
    idle: RefCell<HashMap<Target, Vec<Connection>>>,
    connector: RefCell<Option<TlsConnector>>,
    roots: Roots,
    resolver: Option<Arc<dyn Resolve>>,
}

/// Serves the requests of guests until nobody can make one.
pub(super) async fn serve(
    mut queue: mpsc::UnboundedReceiver<Job>,
    roots: Roots,
    resolver: Option<Arc<dyn Resolve>>,
) {
    let idle = RefCell::default();
    let pool = Rc::new(Pool { idle, connector: RefCell::default(), roots, resolver });
    loop {
        match timeout(MAX_IDLE_TIME, queue.recv()).await {
            Ok(Some(job)) => drop(spawn_local(answer(pool.clone(), job))),
            Ok(None) => return,
            Err(_) => pool.sweep(),
        }
    }
}

async fn answer(pool: Rc<Pool>, job: Job) {
    let Job { target, head, body, options, fields, policy, mut reply, tickets } = job;
    let request = Request::from_parts(head, body);
    let silence = options.between_bytes.unwrap_or(DEFAULT_BETWEEN_BYTES_TIMEOUT);
    let result = {
        let exchange = async {
            let connect = options.connect.unwrap_or(DEFAULT_CONNECT_TIMEOUT);
            let first_byte = options.first_byte.unwrap_or(DEFAULT_FIRST_BYTE_TIMEOUT);
            let answer = exchange(&pool, &target, &policy, request, connect, first_byte).await?;
            response(answer, fields, silence, tickets)
        };
        match first(exchange, reply.closed()).await {
            First::A(result) => result,
            // The guest wants no answer any more.
            First::B(()) => return,
        }
    };
    let _: Result<(), Result<IncomingResponse, ErrorCode>> = reply.send(result);
}

async fn exchange(
    pool: &Rc<Pool>,
    target: &Target,
    policy: &NetPolicy,
    mut request: Request<BodyReader>,
    connect: Duration,
    first_byte: Duration,
) -> Result<Answer, ErrorCode> {
    loop {
        let (connection, kept) = match pool.take(target, policy) {
            Some(connection) => (connection, true),
            None => {
                let dialed = timeout(connect, pool.open(target, policy)).await;
                (dialed.map_err(|_| ErrorCode::ConnectionTimeout)??, false)
            }
        };
        // What changes nothing may be asked again (RFC 9110, section 9.2.2).
        let again = (kept && request.method().is_idempotent() && request.body().is_end_stream())
            .then(|| head(&request));
        let sent = timeout(first_byte, pool.send(target, connection, request)).await;
        match (sent.map_err(|_| ErrorCode::HttpResponseTimeout)?, again) {
            (Ok(answer), _) => return Ok(answer),
            // The connection was closed before it took anything, or before an answer began.
            (Err((_, Some(back))), _) if kept => request = back,
            (Err((ErrorCode::ConnectionTerminated, None)), Some(again)) => request = again,
            (Err((code, _)), _) => return Err(code),
        }
    }
}

/// The request once more; it has no body.
fn head(request: &Request<BodyReader>) -> Request<BodyReader> {
    let mut copy = Request::new(BodyReader::new(None));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    *copy.version_mut() = request.version();
    copy
}

impl Pool {
    /// A kept connection to the target.
    fn take(&self, target: &Target, policy: &NetPolicy) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let kept = idle.get_mut(target)?;
        kept.retain(|connection| {
            let open = match &connection.sender {
                Sender::Http1(sender) => sender.is_ready(),
                Sender::Http2(sender) => !sender.is_closed(),
            };
            open && connection.since.elapsed() < MAX_IDLE_TIME
        });
        // Those that others were granted stay for them.
        let granted = |connection: &Connection| policy.may_share(&target.host, connection.address);
        let found = kept.iter().rposition(granted).map(|at| kept.remove(at));
        if kept.is_empty() {
            idle.remove(target);
        }
        found
    }

    /// Closes connections that nobody has used for long.
    fn sweep(&self) {
        let now = Instant::now();
        self.idle.borrow_mut().retain(|_, kept| {
            kept.retain(|connection| now - connection.since < MAX_IDLE_TIME);
            !kept.is_empty()
        });
    }

    fn keep(&self, target: &Target, connection: Connection) {
        self.sweep();
        let mut idle = self.idle.borrow_mut();
        if idle.values().map(Vec::len).sum::<usize>() >= MAX_IDLE {
            return;
        }
        let kept = idle.entry(target.clone()).or_default();
        if kept.len() < MAX_IDLE_CONNECTIONS {
            kept.push(connection);
        }
    }

    async fn open(&self, target: &Target, policy: &NetPolicy) -> Result<Connection, ErrorCode> {
        let (stream, address) = connect::dial(target, policy, self.resolver.as_ref()).await?;
        let sender = match target.https {
            false => handshake(stream, false).await?,
            true => {
                let connector = self.connector()?;
                let (stream, http2) = tls::secure(&connector, &target.host, stream).await?;
                handshake(stream, http2).await?
            }
        };
        Ok(Connection { sender, address, since: Instant::now() })
    }

    fn connector(&self) -> Result<TlsConnector, ErrorCode> {
        let mut known = self.connector.borrow_mut();
        if let Some(connector) = &*known {
            return Ok(connector.clone());
        }
        let connector = self.roots.connector()?;
        *known = Some(connector.clone());
        Ok(connector)
    }

    /// Sends a request. When the connection took nothing of it, it comes back.
    async fn send(
        self: &Rc<Self>,
        target: &Target,
        connection: Connection,
        request: Request<BodyReader>,
    ) -> Result<Answer, (ErrorCode, Option<Request<BodyReader>>)> {
        let address = connection.address;
        let lost = |mut error: hyper::client::conn::TrySendError<Request<BodyReader>>| {
            let request = error.take_message();
            (ErrorCode::of_hyper(error.error()), request)
        };
        match connection.sender {
            Sender::Http1(mut sender) => {
                let answer = sender.try_send_request(origin_form(request)).await.map_err(lost)?;
                let (pool, target) = (self.clone(), target.clone());
                spawn_local(async move {
                    // Ready means that the answer was read to its end.
                    if sender.ready().await.is_ok() {
                        let sender = Sender::Http1(sender);
                        pool.keep(&target, Connection { sender, address, since: Instant::now() });
                    }
                });
                Ok(answer)
            }
            Sender::Http2(mut sender) => {
                // Others may use it at the same time.
                let shared = Sender::Http2(sender.clone());
                let since = Instant::now();
                self.keep(target, Connection { sender: shared, address, since });
                sender.try_send_request(absolute_form(request, target)).await.map_err(lost)
            }
        }
    }
}

/// What HTTP/1 sends: the path in the first line, the authority as `host`.
fn origin_form(mut request: Request<BodyReader>) -> Request<BodyReader> {
    let uri = std::mem::take(request.uri_mut()).into_parts();
    if let Some(authority) = uri.authority
        && let Ok(host) = http::HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().insert(http::header::HOST, host);
    }
    if let Some(path) = uri.path_and_query {
        *request.uri_mut() = http::Uri::from(path);
    }
    // Hyper leaves a body of unknown length out of these unless it is told to send one.
    if matches!(*request.method(), Method::GET | Method::HEAD)
        && request.body().has_begun()
        && request.body().size_hint().exact().is_none()
    {
        let chunked = http::HeaderValue::from_static("chunked");
        request.headers_mut().insert(http::header::TRANSFER_ENCODING, chunked);
    }
    request
}

/// What HTTP/2 sends: scheme, authority and path. Undoes what was done for a connection of HTTP/1 that took nothing.
fn absolute_form(mut request: Request<BodyReader>, target: &Target) -> Request<BodyReader> {
    let Some(host) = request.headers_mut().remove(http::header::HOST) else { return request };
    request.headers_mut().remove(http::header::TRANSFER_ENCODING);
    let mut uri = std::mem::take(request.uri_mut()).into_parts();
    uri.scheme = Some(match target.https {
        true => http::uri::Scheme::HTTPS,
        false => http::uri::Scheme::HTTP,
    });
    uri.authority = http::uri::Authority::try_from(host.as_bytes()).ok();
    *request.uri_mut() = http::Uri::from_parts(uri).unwrap_or_default();
    request
}

/// Begins a connection, which a task of its own then drives.
async fn handshake<S>(stream: S, http2: bool) -> Result<Sender, ErrorCode>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    let failed = |error: hyper::Error| ErrorCode::of_hyper(&error);
    if http2 {
        let builder = http2::Builder::new(LocalExec)
            .timer(TokioTimer::new())
            .max_header_list_size(MAX_HEAD as u32)
            .handshake(io);
        let (sender, connection) = builder.await.map_err(failed)?;
        spawn_local(async move { drop(connection.await) });
        return Ok(Sender::Http2(sender));
    }
    let builder =
        http1::Builder::new().max_headers(MAX_FIELDS).max_buf_size(MAX_HEAD).handshake(io);
    let (sender, connection) = builder.await.map_err(failed)?;
    spawn_local(async move { drop(connection.await) });
    Ok(Sender::Http1(sender))
}

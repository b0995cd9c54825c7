//! The server: connections come in on one thread and are spread over event loops, one thread each, where every request
//! runs a guest on a fiber.
//!
//! ```text
//! Server::run: accept --> loop with the fewest connections --> hyper --> request --> Program on a fiber
//!      |                                                                                |
//!   signals, metrics                                  watchdog (interrupts guests that do not wait)
//! ```
//!
//! ```no_run
//! use std::sync::Arc;
//! use lithe_http::server::{Config, Serve, Server};
//!
//! fn serve(program: Arc<dyn Serve>) -> std::io::Result<()> {
//!     let server = Server::bind(Config::default(), program)?;
//!     eprintln!("serving on http://{}/", server.address());
//!     server.run()
//! }
//! ```
//!
//! Invariant: everything that a client can make the server keep has a limit in [`Config`].

mod connection;
mod event_loop;
mod log;
mod metrics;
mod program;
mod request;
mod waiter;
mod watchdog;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use lithe_wasi::p2::sockets::Resolve;
use rustix::process::{Resource, getrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::sleep;

pub use log::{Access, Report};
pub use metrics::Metrics;
pub use program::{Call, Guest, HANDLER, Program, Serve};

use crate::local::{First, first};
use crate::outgoing::Roots;
use crate::types::FieldLimits;
use event_loop::EventLoop;
use watchdog::Watchdog;

/// Is told of requests that have ended.
pub type Log = dyn Fn(&Access<'_>) + Send + Sync;
/// Is told of guests that ended with an error.
pub type Errors = dyn Fn(&Report<'_>) + Send + Sync;

/// How a server works. Every limit has a default.
#[derive(Clone)]
pub struct Config {
    /// Where it listens. By default 127.0.0.1:8080; port 0 picks a free one.
    pub address: SocketAddr,
    /// Where the metrics are; nowhere by default.
    pub metrics: Option<SocketAddr>,
    /// Event loops; by default one for each processor.
    pub loops: usize,
    /// Connections that are open at a time, though no more than half of the files that the process may open. Beyond it
    /// the one that is idle for longest makes room. Default 4096.
    pub max_connections: usize,
    /// Requests that one event loop runs at a time; further ones get status 503. Default 1024.
    pub max_requests: usize,
    /// Requests that one connection of HTTP/2 runs at a time. Default 100.
    pub max_streams: u32,
    /// Bytes of the head of a request, at least 8192. Default 64 KiB.
    pub max_head: usize,
    /// How much the sets of header fields of guests may hold.
    pub fields: FieldLimits,
    /// How long a head may take to arrive. Default 10 s.
    pub head_timeout: Duration,
    /// How long a body may pause while it arrives, and a client not read what is sent. Default 30 s.
    pub body_timeout: Duration,
    /// How long a connection is kept on which nothing happens. Default 75 s.
    pub idle_timeout: Duration,
    /// How long a guest may take for one request, waiting and computing, to the end of the answer. Default 60 s.
    pub deadline: Option<Duration>,
    /// How long requests that are under way may go on when the server is told to stop. Default 10 s.
    pub grace: Duration,
    /// How many requests an instance serves one after the other before it is thrown away. Default 1: every request has
    /// an instance of its own.
    pub reuse: u32,
    /// Bytes of the stacks that host functions run on, one for each request under way.
    pub stack: usize,
    /// Whether SIGINT and SIGTERM stop the server, a second one at once. By default they do.
    pub signals: bool,
    /// Whom guests' requests trust besides the usual authorities.
    pub roots: Roots,
    /// How names of guests' requests are looked up. By default as the system does it.
    pub resolver: Option<Arc<dyn Resolve>>,
    /// Told of each request that has ended.
    pub log: Option<Arc<Log>>,
    /// Told of each guest that ended with an error.
    pub errors: Option<Arc<Errors>>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            address: SocketAddr::from(([127, 0, 0, 1], 8080)),
            metrics: None,
            loops: std::thread::available_parallelism().map_or(1, usize::from),
            max_connections: 4096,
            max_requests: 1024,
            max_streams: 100,
            max_head: 64 << 10,
            fields: FieldLimits::default(),
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            deadline: Some(Duration::from_secs(60)),
            grace: Duration::from_secs(10),
            reuse: 1,
            stack: lithe::fiber::DEFAULT_BYTES,
            signals: true,
            roots: Roots::default(),
            resolver: None,
            log: None,
            errors: None,
        }
    }
}

/// How far a server got.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
enum Stage {
    Serves,
    /// No new connections and requests; those under way go on.
    Ends,
    /// Everything ends.
    Ended,
}

/// What all threads of a server know.
struct Shared {
    config: Config,
    program: RwLock<Arc<dyn Serve>>,
    stage: watch::Sender<Stage>,
    watchdog: Watchdog,
    /// Connections of one event loop.
    connections: usize,
}

impl Shared {
    fn program(&self) -> Arc<dyn Serve> {
        self.program.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn advance(&self, to: Stage) {
        self.stage.send_if_modified(|stage| {
            let later = to > *stage;
            if later {
                *stage = to;
            }
            later
        });
    }
}

/// Controls a server from other threads.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

impl Handle {
    /// Lets the server answer what is under way and end. Called again, it ends at once.
    pub fn stop(&self) {
        let under_way = *self.0.stage.borrow() == Stage::Serves;
        self.0.advance(if under_way { Stage::Ends } else { Stage::Ended });
    }

    /// Serves later requests by another program; those under way keep theirs.
    pub fn replace(&self, program: Arc<dyn Serve>) {
        *self.0.program.write().unwrap_or_else(PoisonError::into_inner) = program;
    }
}

/// A server that listens already.
pub struct Server {
    shared: Arc<Shared>,
    listener: TcpListener,
    metrics: Option<TcpListener>,
    address: SocketAddr,
}

/// Connections that the system keeps until they are taken over. Beyond it clients try again, a second later.
const MAX_BACKLOG: i32 = 1024;

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    // The standard library keeps 128; this changes it.
    rustix::net::listen(&listener, MAX_BACKLOG)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Server {
    /// Listens. From now on the system keeps connections that clients make.
    pub fn bind(config: Config, program: Arc<dyn Serve>) -> io::Result<Server> {
        let listener = listen(config.address)?;
        let metrics = config.metrics.map(listen).transpose()?;
        let address = listener.local_addr()?;
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let most = config.max_connections.min(usize::try_from(files / 2).unwrap_or(usize::MAX));
        let shared = Arc::new(Shared {
            connections: (most / config.loops.max(1)).max(1),
            config,
            program: RwLock::new(program),
            stage: watch::Sender::new(Stage::Serves),
            watchdog: Watchdog::default(),
        });
        Ok(Server { shared, listener, metrics, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its metrics are.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref()?.local_addr().ok()
    }

    /// Controls it from other threads.
    pub fn handle(&self) -> Handle {
        Handle(self.shared.clone())
    }

    /// Serves until it is stopped.
    pub fn run(self) -> io::Result<()> {
        let Server { shared, listener, metrics, .. } = self;
        let count = shared.config.loops.max(1);
        let loops = (0..count).map(|number| EventLoop::start(&shared, number));
        let loops = loops.collect::<io::Result<Vec<_>>>()?;
        let watchdog = shared.watchdog.start(loops.iter().map(EventLoop::running).collect())?;
        let figures: Vec<_> = loops.iter().map(EventLoop::metrics).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let result = LocalSet::new().block_on(&runtime, async {
            if let Some(metrics) = metrics {
                let metrics = tokio::net::TcpListener::from_std(metrics)?;
                tokio::task::spawn_local(metrics::serve(metrics, figures));
            }
            if shared.config.signals {
                tokio::task::spawn_local(obey(shared.clone())?);
            }
            let listener = tokio::net::TcpListener::from_std(listener)?;
            accept(&shared, listener, &loops).await;
            ended(&shared, &loops).await;
            io::Result::Ok(())
        });
        shared.advance(Stage::Ended);
        shared.watchdog.hurry();
        for event_loop in loops {
            event_loop.join();
        }
        shared.watchdog.stop();
        // It is a thread of this crate, and does not panic.
        drop(watchdog.join());
        result
    }
}

/// Stops the server when the process is told to end.
fn obey(shared: Arc<Shared>) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let handle = Handle(shared);
        while let First::A(Some(())) | First::B(Some(())) =
            first(terminate.recv(), interrupt.recv()).await
        {
            handle.stop();
        }
    })
}

/// Gives connections to event loops until the server ends.
async fn accept(shared: &Arc<Shared>, listener: tokio::net::TcpListener, loops: &[EventLoop]) {
    /// How long to wait when the process has too many files open.
    const PAUSE: Duration = Duration::from_millis(10);
    /// How long to wait when every loop is full, most often for a moment.
    const MOMENT: Duration = Duration::from_millis(2);
    let mut stage = shared.stage.subscribe();
    loop {
        let ends = async { drop(stage.wait_for(|stage| *stage != Stage::Serves).await) };
        let next = async {
            while loops.iter().all(EventLoop::is_full) {
                sleep(MOMENT).await;
            }
            listener.accept().await
        };
        match first(ends, next).await {
            First::A(()) => return,
            First::B(Ok((stream, peer))) => {
                // Equal numbers of connections are the fairest that can be done without knowing what they will ask for.
                let now = Instant::now();
                let load = |event_loop: &&EventLoop| {
                    (event_loop.is_full(), event_loop.is_held_up(now), event_loop.open())
                };
                if let Some(least) = loops.iter().min_by_key(load)
                    && let Ok(stream) = stream.into_std()
                {
                    least.give(stream, peer);
                }
            }
            // A client that went away again.
            First::B(Err(error)) if is_of_client(&error) => {}
            First::B(Err(_)) => {
                // The process may open no more files, as far as one can tell.
                loops.iter().for_each(EventLoop::make_room);
                sleep(PAUSE).await;
            }
        }
    }
}

fn is_of_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// Waits until no connection is open, the time of grace is over, or somebody is in a hurry.
async fn ended(shared: &Arc<Shared>, loops: &[EventLoop]) {
    /// How often to look. Ending is no time for haste.
    const PAUSE: Duration = Duration::from_millis(10);
    let mut stage = shared.stage.subscribe();
    let hurry = async { drop(stage.wait_for(|stage| *stage == Stage::Ended).await) };
    let finished = async {
        while loops.iter().any(|event_loop| event_loop.open() > 0) {
            sleep(PAUSE).await;
        }
    };
    first(first(hurry, finished), sleep(shared.config.grace)).await;
}

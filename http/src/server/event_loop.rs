//! An event loop: a thread with its connections, its requests and what they share. Invariant: what is in [`Env`] never
//! leaves its thread.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lithe::fiber::FiberStack;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};

use super::connection::{self, Activity};
use super::metrics::Metrics;
use super::program::Spare;
use super::watchdog::Running;
use super::{Config, Shared, Stage};
use crate::Http;
use crate::local::{self, First, first};
use crate::outgoing::Client;

/// Stacks that are kept for later requests.
const MAX_STACKS: usize = 256;
/// Instances that are kept for later requests.
const MAX_SPARES: usize = 256;

/// Connections that wait for an event loop to take them over; further ones wait in the system.
const MAX_HANDED_OVER: usize = 128;

/// How long a guest may compute before its event loop gets fewer connections.
const HELD_UP: Duration = Duration::from_millis(20);

/// What an event loop is asked to do.
enum Work {
    Serve(TcpStream, SocketAddr),
    /// The process may open no more files.
    MakeRoom,
}

/// The thread of an event loop, as others see it.
pub(super) struct EventLoop {
    work: mpsc::Sender<Work>,
    open: Arc<AtomicUsize>,
    running: Arc<Running>,
    metrics: Arc<Metrics>,
    thread: JoinHandle<()>,
}

/// What the requests of an event loop share.
pub(super) struct Env {
    pub shared: Arc<Shared>,
    pub running: Arc<Running>,
    pub metrics: Arc<Metrics>,
    /// Requests under way.
    pub requests: Cell<usize>,
    /// Connections that are open.
    pub activities: RefCell<BTreeMap<u64, Rc<Activity>>>,
    pub open: Arc<AtomicUsize>,
    stacks: RefCell<Vec<FiberStack>>,
    spares: RefCell<Vec<Spare>>,
    client: Client,
}

impl Env {
    /// A stack for a fiber.
    pub fn stack(&self) -> Option<FiberStack> {
        let kept = self.stacks.borrow_mut().pop();
        kept.or_else(|| FiberStack::new(self.shared.config.stack).ok())
    }

    /// Takes a stack back.
    pub fn recycle(&self, stack: FiberStack) {
        let mut stacks = self.stacks.borrow_mut();
        if stacks.len() < MAX_STACKS {
            stacks.push(stack);
        }
    }

    /// An instance that served before.
    pub fn spare(&self) -> Option<Spare> {
        self.spares.borrow_mut().pop()
    }

    /// Keeps an instance for later.
    pub fn keep(&self, spare: Spare) {
        let mut spares = self.spares.borrow_mut();
        if spares.len() < MAX_SPARES {
            spares.push(spare);
        }
    }

    /// How many requests an instance serves.
    pub fn reuse(&self) -> u32 {
        self.shared.config.reuse
    }

    /// The state of `wasi:http` for a guest.
    pub fn http(&self) -> Http {
        Http::new(self.shared.config.fields, self.client.clone())
    }
}

impl EventLoop {
    /// Starts the thread.
    pub fn start(shared: &Arc<Shared>, number: usize) -> io::Result<EventLoop> {
        let (work, queue) = mpsc::channel(MAX_HANDED_OVER);
        let runtime = local::runtime()?;
        let (open, running) = (Arc::<AtomicUsize>::default(), Arc::<Running>::default());
        let metrics = Arc::<Metrics>::default();
        let body = {
            let (shared, open) = (shared.clone(), open.clone());
            let (running, metrics) = (running.clone(), metrics.clone());
            move || {
                let tasks = LocalSet::new();
                tasks.block_on(&runtime, async move {
                    let Config { roots, resolver, .. } = &shared.config;
                    let client = Client::on_this_loop(roots.clone(), resolver.clone());
                    let env = Env {
                        shared,
                        running,
                        metrics,
                        requests: Cell::default(),
                        activities: RefCell::default(),
                        open,
                        stacks: RefCell::default(),
                        spares: RefCell::default(),
                        client,
                    };
                    serve(Rc::new(env), queue).await;
                });
                let context = runtime.enter();
                drop(tasks);
                drop(context);
                // Names that are being looked up are of no interest any more.
                runtime.shutdown_background();
            }
        };
        let thread = std::thread::Builder::new().name(format!("loop {number}")).spawn(body)?;
        Ok(EventLoop { work, open, running, metrics, thread })
    }

    /// Connections that it has.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether a guest has been computing for so long that connections had better go elsewhere.
    pub fn is_held_up(&self, now: Instant) -> bool {
        self.running.since().is_some_and(|since| now.saturating_duration_since(since) > HELD_UP)
    }

    pub fn running(&self) -> Arc<Running> {
        self.running.clone()
    }

    pub fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    /// Whether so many connections wait to be taken over that there had better be no more.
    pub fn is_full(&self) -> bool {
        self.work.capacity() == 0
    }

    /// Hands a connection over.
    pub fn give(&self, stream: TcpStream, peer: SocketAddr) {
        self.open.fetch_add(1, Ordering::Relaxed);
        if self.work.try_send(Work::Serve(stream, peer)).is_err() {
            // The loop has ended, and the server will; or nobody asked whether it is full.
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Lets it end connections that are idle.
    pub fn make_room(&self) {
        // A loop that is full will not end any before it has time for those that wait.
        let _ = self.work.try_send(Work::MakeRoom);
    }

    /// Waits for its end.
    pub fn join(self) {
        drop(self.work);
        // A panic was told of when it happened.
        drop(self.thread.join());
    }
}

async fn serve(env: Rc<Env>, mut queue: mpsc::Receiver<Work>) {
    let builder = Rc::new(connection::builder(&env.shared.config));
    let mut stage = env.shared.stage.subscribe();
    let mut number = 0;
    loop {
        let ended = async { drop(stage.wait_for(|stage| *stage == Stage::Ended).await) };
        let (stream, peer) = match first(ended, queue.recv()).await {
            First::A(()) | First::B(None) => return,
            First::B(Some(Work::Serve(stream, peer))) => (stream, peer),
            First::B(Some(Work::MakeRoom)) => {
                make_much_room(&env);
                continue;
            }
        };
        number += 1;
        let place = Place::new(&env, number);
        if env.activities.borrow().len() > env.shared.connections && !make_room(&env, number) {
            connection::refuse(&stream);
            continue;
        }
        spawn_local(connection::serve(place, builder.clone(), stream, peer));
    }
}

/// Ends the connection that is idle for longest, but for the newest one; whether there is one.
fn make_room(env: &Env, newest: u64) -> bool {
    let activities = env.activities.borrow();
    let idle =
        activities.iter().filter(|(number, activity)| **number != newest && activity.is_idle());
    match idle.min_by_key(|(_, activity)| activity.since()) {
        Some((_, activity)) => {
            activity.end();
            true
        }
        None => false,
    }
}

/// Ends a part of the connections that are idle, those that are it for longest.
fn make_much_room(env: &Env) {
    /// One of so many ends.
    const PART: usize = 8;
    /// Those that came only now had no time to ask for anything.
    const SPARED: Duration = Duration::from_millis(50);
    let (activities, now) = (env.activities.borrow(), Instant::now());
    let old = |activity: &Activity| now.saturating_duration_since(activity.since()) >= SPARED;
    let idle = activities.values().filter(|activity| activity.is_idle() && old(activity));
    let mut idle: Vec<_> = idle.collect();
    idle.sort_unstable_by_key(|activity| activity.since());
    idle.iter().take(idle.len().div_ceil(PART)).for_each(|activity| activity.end());
}

/// A connection among those of its loop.
pub(super) struct Place {
    pub env: Rc<Env>,
    pub activity: Rc<Activity>,
    number: u64,
}

impl Place {
    fn new(env: &Rc<Env>, number: u64) -> Place {
        let activity = Rc::new(Activity::new());
        env.activities.borrow_mut().insert(number, activity.clone());
        env.metrics.connections.fetch_add(1, Ordering::Relaxed);
        Place { env: env.clone(), activity, number }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.env.activities.borrow_mut().remove(&self.number);
        self.env.metrics.connections.fetch_sub(1, Ordering::Relaxed);
        self.env.open.fetch_sub(1, Ordering::Relaxed);
    }
}

//! [`Sockets`]: how many sockets and lookups a guest has open, and how many it may. Part of
//! [`P2`](crate::p2::P2). Invariant: whatever is open holds a [`Slot`], which is free again when it is gone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use super::ErrorCode;
use super::lookup::{Resolve, SystemResolver};

/// Sockets that a guest may have open at once, unless it is told otherwise.
pub const DEFAULT_MAX_SOCKETS: usize = 1024;
/// Lookups of names that a guest may have under way at once, the abandoned ones included: each takes a thread.
pub const MAX_LOOKUPS: usize = 8;
/// Lookups of names that all guests of the process together may have under way at once.
pub const MAX_HOST_LOOKUPS: usize = 128;

static HOST_LOOKUPS: LazyLock<Arc<Count>> =
    LazyLock::new(|| Arc::new(Count::new(MAX_HOST_LOOKUPS)));

/// The sockets of one guest.
#[derive(Debug)]
pub struct Sockets {
    open: Arc<Count>,
    lookups: Arc<Count>,
    resolver: Arc<dyn Resolve>,
}

impl Default for Sockets {
    fn default() -> Sockets {
        Sockets {
            open: Arc::new(Count::new(DEFAULT_MAX_SOCKETS)),
            lookups: Arc::new(Count::new(MAX_LOOKUPS)),
            resolver: Arc::new(SystemResolver),
        }
    }
}

impl Sockets {
    /// Limits how many sockets may be open at once. Those that are open already stay so.
    pub fn set_limit(&self, limit: usize) {
        self.open.limit.store(limit, Ordering::Relaxed);
    }

    /// Looks names up in another way than the system does.
    pub fn set_resolver(&mut self, resolver: impl Resolve) {
        self.resolver = Arc::new(resolver);
    }

    /// How many sockets are open.
    pub fn open(&self) -> usize {
        self.open.now.load(Ordering::Relaxed)
    }

    /// How many lookups are under way.
    pub fn lookups(&self) -> usize {
        self.lookups.now.load(Ordering::Relaxed)
    }

    /// A place for another socket.
    pub(super) fn slot(&self) -> Result<Slot, ErrorCode> {
        self.open.take().ok_or(ErrorCode::NewSocketLimit)
    }

    /// Places for another lookup, of the guest and of the process.
    pub(super) fn lookup_slots(&self) -> Option<[Slot; 2]> {
        Some([self.lookups.take()?, HOST_LOOKUPS.take()?])
    }

    pub(super) fn resolver(&self) -> Arc<dyn Resolve> {
        self.resolver.clone()
    }
}

#[derive(Debug)]
struct Count {
    now: AtomicUsize,
    limit: AtomicUsize,
}

impl Count {
    fn new(limit: usize) -> Count {
        Count { now: AtomicUsize::new(0), limit: AtomicUsize::new(limit) }
    }

    fn take(self: &Arc<Count>) -> Option<Slot> {
        let limit = self.limit.load(Ordering::Relaxed);
        let one_more = |now| (now < limit).then_some(now + 1);
        let taken = self.now.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.is_ok().then(|| Slot(self.clone()))
    }
}

/// A place that something takes up.
#[derive(Debug)]
pub(super) struct Slot(Arc<Count>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

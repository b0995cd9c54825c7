//! The host's state of one guest: its WASI context, and who watches its calls. Made by `run`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lithe::{ExternType, Result};
use lithe_wasi::p1::{self, Stop, Trace};
use lithe_wasi::{Ctx, Errno, WasiView};

use crate::threads::Threads;
use crate::trace;
use crate::watchdog::Watch;

/// The data of the store.
pub struct Host {
    pub ctx: Ctx,
    /// Calls by function, in the order of the table, when they are counted; those of all threads.
    pub counts: Option<Arc<[AtomicU64]>>,
    /// Of `--trace`: the call being served; empty between calls.
    pub trace: Option<String>,
    pub watch: Option<Arc<Watch>>,
    /// When the guest may start threads.
    pub threads: Option<Arc<Threads>>,
}

impl Host {
    /// The state of another thread of the guest. The watchdog tells of the first thread's calls only.
    pub fn thread(&self) -> Host {
        Host {
            ctx: self.ctx.share(),
            counts: self.counts.clone(),
            trace: self.trace.is_some().then(String::new),
            watch: None,
            threads: self.threads.clone(),
        }
    }
}

impl WasiView for Host {
    fn wasi(&mut self) -> &mut Ctx {
        &mut self.ctx
    }

    fn before(&mut self, index: usize, call: &Trace<'_>) {
        if let Some(counts) = &self.counts {
            counts[index].fetch_add(1, Ordering::Relaxed);
        }
        if let Some(watch) = &self.watch {
            watch.enter(index);
        }
        // Written now: the guest may change the paths that the call names.
        if let Some(line) = &mut self.trace {
            *line = call.to_string();
        }
    }

    fn after(&mut self, _: usize, result: Result<Errno, Stop>) {
        if let Some(watch) = &self.watch {
            watch.leave();
        }
        if let Some(line) = &self.trace {
            trace::print(line, result);
        }
    }
}

/// Whether an import is one that WASI provides.
pub fn provides(module: &str, ty: &ExternType) -> bool {
    module == p1::MODULE && matches!(ty, ExternType::Func(_))
}

//! Threads of a guest (wasi-threads): the import `wasi.thread-spawn`, the shared memories that the program
//! imports, and who may end the process. Made by `run` when `--threads` allows them and the program asks for
//! them. Invariant: every thread has a store of its own and all have the same memories and descriptors; the
//! first one that ends the program is the only one that reports how.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lithe::{
    Caller, Engine, Error, ExternType, FuncType, Linker, Module, SharedMemory, Store, ValType,
};
use lithe_wasi::Errno;

use crate::denied;
use crate::host::Host;
use crate::options::Options;
use crate::report::{self, FAILED, Report};
use crate::stats::Stats;
use crate::trap::{self, Facts};
use crate::watchdog::Watch;

/// The module name of the import.
pub const MODULE: &str = "wasi";
/// The import's name.
pub const SPAWN: &str = "thread-spawn";
/// The export that a new thread calls.
const START: &str = "wasi_thread_start";

/// Threads that a guest may have at a time besides its first one, unless told otherwise.
pub const DEFAULT_MAX_THREADS: usize = 64;

/// The largest thread number that wasi-threads allows.
const MAX_TID: u32 = (1 << 29) - 1;

/// What the threads of a guest have in common.
pub struct Threads {
    options: Arc<Options>,
    file: PathBuf,
    engine: Engine,
    module: Module,
    memories: Vec<(String, String, SharedMemory)>,
    /// What `--stats` measures from, with the time that loading took.
    clock: Mutex<Option<(Instant, Duration)>>,
    watch: Mutex<Option<Arc<Watch>>>,
    live: Mutex<Live>,
    ended: AtomicBool,
}

/// The numbers of the threads that run.
#[derive(Default)]
struct Live {
    last: u32,
    tids: BTreeSet<u32>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a program starts threads or imports memories that they share.
pub fn wanted(module: &Module) -> bool {
    module.imports().iter().any(|import| provides(&import.module, &import.name, &import.ty))
}

/// Whether `--threads` provides an import.
pub fn provides(module: &str, name: &str, ty: &ExternType) -> bool {
    match ty {
        ExternType::Func(_) => (module, name) == (MODULE, SPAWN),
        ExternType::Memory(ty) => ty.shared,
        _ => false,
    }
}

impl Threads {
    /// Makes the shared memories that a program imports.
    pub fn new(
        options: &Arc<Options>,
        file: PathBuf,
        engine: &Engine,
        module: &Module,
    ) -> Result<Arc<Threads>, Report> {
        let spawns = |import: &lithe::Import| (&*import.module, &*import.name) == (MODULE, SPAWN);
        let start = FuncType::new([ValType::I32, ValType::I32], []);
        if module.imports().iter().any(spawns)
            && module.export_type(START) != Some(ExternType::Func(start))
        {
            let headline = format!(
                "`{}` imports {MODULE}.{SPAWN}, but exports no `{START}` that takes two i32",
                file.display()
            );
            return Err(Report::new(FAILED, "entry", headline));
        }
        let mut memories: Vec<(String, String, SharedMemory)> = Vec::new();
        for import in module.imports() {
            let known = memories.iter().any(|(m, n, _)| *m == import.module && *n == import.name);
            if let ExternType::Memory(ty) = import.ty
                && ty.shared
                && !known
            {
                let memory = SharedMemory::new(engine, ty)
                    .map_err(|error| Report::new(FAILED, "failed", error.to_string()))?;
                memories.push((import.module, import.name, memory));
            }
        }
        Ok(Arc::new(Threads {
            options: options.clone(),
            file,
            engine: engine.clone(),
            module: module.clone(),
            memories,
            clock: Mutex::default(),
            watch: Mutex::default(),
            live: Mutex::default(),
            ended: AtomicBool::new(false),
        }))
    }

    /// Notes since when the program runs and who watches its time.
    pub fn begin(&self, clock: Option<(Instant, Duration)>, watch: Option<Arc<Watch>>) {
        *lock(&self.clock) = clock;
        *lock(&self.watch) = watch;
    }

    /// Defines what threads need.
    pub fn define(&self, linker: &mut Linker<Host>) -> Result<(), Error> {
        for (module, name, memory) in &self.memories {
            linker.define_shared(module, name, memory)?;
        }
        linker.func_wrap(MODULE, SPAWN, |mut caller: Caller<'_, Host>, argument: i32| {
            let threads = caller.data().threads.clone();
            let tid = threads.and_then(|threads| threads.spawn(caller.data_mut(), argument));
            tid.map_or(-i32::from(Errno::Again as u16), |tid| tid as i32)
        })?;
        Ok(())
    }

    /// Starts a thread and gives its number; `None` when there are as many as allowed.
    fn spawn(self: Arc<Threads>, host: &mut Host, argument: i32) -> Option<u32> {
        let tid = self.enter()?;
        let (threads, host) = (self.clone(), host.thread());
        let run = move || {
            let mut store = Store::new(&threads.engine, host);
            if let Some(watch) = &*lock(&threads.watch) {
                watch.add(tid, store.interrupt_handle());
            }
            if let Err(error) = threads.run(&mut store, tid, argument) {
                threads.end(&store, tid, &error);
            }
            if let Some(watch) = &*lock(&threads.watch) {
                watch.remove(tid);
            }
            lock(&threads.live).tids.remove(&tid);
        };
        match std::thread::Builder::new().name(format!("guest {tid}")).spawn(run) {
            Ok(_) => Some(tid),
            Err(_) => {
                lock(&self.live).tids.remove(&tid);
                None
            }
        }
    }

    /// A number for a new thread: the next one that is free.
    fn enter(&self) -> Option<u32> {
        let mut live = lock(&self.live);
        if live.tids.len() >= self.options.max_threads {
            return None;
        }
        loop {
            live.last = live.last % MAX_TID + 1;
            let tid = live.last;
            if live.tids.insert(tid) {
                return Some(tid);
            }
        }
    }

    fn run(&self, store: &mut Store<Host>, tid: u32, argument: i32) -> Result<(), Error> {
        store.set_limits(self.options.limits);
        let mut linker = Linker::new(&self.engine);
        if self.options.wasi {
            lithe_wasi::add_to_linker(&mut linker)?;
        }
        self.define(&mut linker)?;
        let instance = linker.instantiate(&mut *store, &self.module)?;
        let start = instance.typed_func::<(i32, i32), ()>(&*store, START)?;
        start.call(store, (tid as i32, argument))
    }

    /// Makes the calling thread the one that ends the process; never returns in all others.
    pub fn claim(&self) {
        if self.ended.swap(true, Ordering::AcqRel) {
            loop {
                std::thread::park();
            }
        }
    }

    /// Ends the process because a thread asked for it or failed.
    fn end(&self, store: &Store<Host>, tid: u32, error: &Error) {
        self.claim();
        let watch = lock(&self.watch).clone();
        if let Some(watch) = watch {
            watch.finish();
        }
        let status = error.exit_status().unwrap_or_else(|| {
            let report = self.report(store, tid, error);
            report.show(self.options.format);
            report.code().into()
        });
        if let Some((start, load)) = *lock(&self.clock) {
            let run = start.elapsed().saturating_sub(load);
            let counts = store.data().counts.as_deref().unwrap_or_default();
            Stats::gather(&self.options, store, counts, &[&self.module], load, run)
                .show(self.options.format);
        }
        denied::show(&self.options, store.data().ctx.denials(), status);
        std::process::exit(status);
    }

    fn report(&self, store: &Store<Host>, tid: u32, error: &Error) -> Report {
        let stage = format!("failed to invoke `{START}` in thread {tid}");
        match error.trap() {
            Some(found) => {
                let facts = Facts {
                    file: &self.file,
                    stage: &stage,
                    options: &self.options,
                    refused_grows: store.refused_grows(),
                };
                trap::report(&facts, found)
            }
            None => report::program(&self.file, &stage, error),
        }
    }
}

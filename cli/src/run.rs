//! `lithe run`: loads, links and runs a program, with what it was granted and within its limits. Called by
//! `main`. Invariant: whatever is wrong with flags, files or imports is reported before the guest runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use lithe::{Error, ErrorKind, Instance, Linker, Module, Store, Val};
use lithe_wasi::{Ctx, p1};

use crate::engines::{Engines, Program};
use crate::host::{self, Host};
use crate::invoke::{self, Entry, INITIALIZE};
use crate::options::Options;
use crate::output::{complain, print, visible};
use crate::report::{self, FAILED, Report};
use crate::stats::Stats;
use crate::threads::{self, Threads};
use crate::trap::{self, Facts};
use crate::{component, denied, grants, missing, watchdog};

/// A run that failed: what was being done, with which file, and why.
struct Failure {
    stage: String,
    file: PathBuf,
    error: Error,
}

/// Everything that a run needs once its files are loaded.
struct Run<'a> {
    options: &'a Options,
    file: &'a Path,
    module: &'a Module,
    how: &'a Engines<'a>,
    preloads: Vec<(&'a str, &'a Path, Module)>,
    entry: Entry,
    store: Store<Host>,
    linker: Linker<Host>,
}

/// Runs the program; gives its exit status.
pub fn run(options: Arc<Options>) -> Result<i32, Report> {
    let clock = options.stats.then(Instant::now);
    let Some((file, args)) = options.operands.split_first() else {
        return Err(Report::new(report::USAGE, "usage", "expected a file to run"));
    };
    let file = Path::new(file);
    check_threads(&options)?;
    let mut engines = Engines::new(&options);
    let module = match engines.program(file)? {
        Program::Module(module) => module,
        Program::Component(component) => {
            return component::run(&options, file, args, &component, &engines, clock);
        }
    };
    let preloads = options.preloads.iter();
    let preloads =
        preloads.map(|(name, file)| Ok((name.as_str(), file.as_path(), engines.module(file)?)));
    let preloads = preloads.collect::<Result<Vec<_>, Report>>()?;
    let engine = engines.engine().clone();
    if let Some(complaint) = engines.complaint.as_ref().filter(|_| options.trace) {
        complain(&format!("the cache of native code is not used: {complaint}\n"));
    }
    let words = if options.invoke.is_some() { args } else { &[] };
    let entry = invoke::entry(&module, file, options.invoke.as_deref(), words)?;

    let grants = grants::grants(&options, file, args);
    if options.show_grants {
        complain(&grants.to_string());
    }
    let ctx = Ctx::new(grants);
    let mut ctx = ctx.map_err(|error| Report::new(FAILED, "grants", error.to_string()))?;
    ctx.seal(engines.mapped.iter().copied());
    let counts = || p1::FUNCTIONS.iter().map(|_| AtomicU64::new(0)).collect();
    let threads = match options.threads && threads::wanted(&module) {
        true => Some(Threads::new(&options, file.into(), &engine, &module)?),
        false => None,
    };
    let host = Host {
        ctx,
        counts: options.stats.then(counts),
        trace: options.trace.then(String::new),
        watch: None,
        threads: threads.clone(),
    };
    let mut store = Store::new(&engine, host);
    store.set_limits(options.limits);
    if let Some(fuel) = options.fuel {
        store.set_fuel(fuel).map_err(|error| other(&error))?;
    }
    let mut linker = Linker::new(&engine);
    let wants = wants_wasi(&module) || preloads.iter().any(|(_, _, module)| wants_wasi(module));
    if options.wasi && wants {
        lithe_wasi::add_to_linker(&mut linker).map_err(|error| other(&error))?;
    }

    if let Some(threads) = &threads {
        threads.define(&mut linker).map_err(|error| other(&error))?;
    }

    let loaded = clock.map(|clock| clock.elapsed());
    if let Some(limit) = options.timeout {
        let handle = store.interrupt_handle();
        let (watch, deadline) = watchdog::start(
            &options,
            file.into(),
            limit,
            handle,
            store.data().ctx.denials().clone(),
        )
        .map_err(|error| report::failed(&error))?;
        store.data_mut().watch = Some(watch);
        store.data_mut().ctx.set_deadline(deadline);
    }
    if let Some(threads) = &threads {
        threads.begin(clock.zip(loaded), store.data().watch.clone());
    }
    let how = &engines;
    let mut run =
        Run { options: &options, file, module: &module, how, preloads, entry, store, linker };
    let ended = run.execute();
    if let Some(threads) = &threads {
        threads.claim();
    }
    if let Some(watch) = &run.store.data().watch {
        watch.finish();
    }
    let status = run.conclude(ended).unwrap_or_else(|report| {
        report.show(options.format);
        report.code().into()
    });
    if let (Some(clock), Some(loaded)) = (clock, loaded) {
        run.stats(loaded, clock.elapsed().saturating_sub(loaded));
    }
    denied::show(&options, run.store.data().ctx.denials(), status);
    // The process ends now; giving memory back first would only cost time.
    std::mem::forget((run.store, run.linker));
    Ok(status)
}

/// Refuses what threads cannot be combined with.
fn check_threads(options: &Options) -> Result<(), Report> {
    let conflicts = [
        (options.fuel.is_some(), "--fuel", "fuel is that of one thread; use --timeout"),
        (!options.preloads.is_empty(), "--preload", "what is preloaded belongs to one thread"),
        (options.seed.is_some(), "--deterministic", "threads run in any order"),
    ];
    match conflicts.iter().find(|(given, ..)| *given && options.threads) {
        Some((_, flag, why)) => {
            let sentence = format!("--threads and {flag} do not go together: {why}");
            Err(Report::new(report::USAGE, "usage", sentence))
        }
        None => Ok(()),
    }
}

fn wants_wasi(module: &Module) -> bool {
    module.imports().iter().any(|import| host::provides(&import.module, &import.ty))
}

/// An error for which no better words are known.
fn other(error: &Error) -> Report {
    Report::new(FAILED, "failed", visible(&error.to_string()))
}

impl Run<'_> {
    /// Instantiates everything and makes the call. The guest runs only here.
    fn execute(&mut self) -> Result<Vec<Val>, Failure> {
        let preloads = std::mem::take(&mut self.preloads);
        for (name, file, module) in &preloads {
            let instance = self.instantiate(file, module)?;
            if invoke::initializes(module) {
                self.initialize(file, instance)?;
            }
            let defined = self.linker.instance(&mut self.store, name, instance).map(|_| ());
            defined.map_err(|error| {
                self.failure(file, format!("failed to preload `{name}`"), error)
            })?;
        }
        self.preloads = preloads;
        let (file, module) = (self.file, self.module);
        let instance = self.instantiate(file, module)?;
        if self.entry.initialize {
            self.initialize(file, instance)?;
        }
        let Some(name) = self.entry.name.clone() else { return Ok(Vec::new()) };
        let stage = self.entry.stage.clone();
        self.enter(&stage);
        let mut results = vec![Val::I32(0); self.entry.results];
        let func = instance.func(&self.store, &name);
        let called =
            func.and_then(|func| func.call(&mut self.store, &self.entry.args, &mut results));
        called.map_err(|error| self.failure(file, stage, error))?;
        Ok(results)
    }

    fn instantiate(&mut self, file: &Path, module: &Module) -> Result<Instance, Failure> {
        let stage = format!("failed to instantiate {:?}", file.display().to_string());
        self.enter(&stage);
        let instance = self.linker.instantiate(&mut self.store, module);
        instance.map_err(|error| self.failure(file, stage, error))
    }

    fn initialize(&mut self, file: &Path, instance: Instance) -> Result<(), Failure> {
        let stage = format!("failed to invoke `{INITIALIZE}`");
        self.enter(&stage);
        let called = instance
            .typed_func::<(), ()>(&self.store, INITIALIZE)
            .and_then(|func| func.call(&mut self.store, ()));
        called.map_err(|error| self.failure(file, stage, error))
    }

    /// Tells the watchdog what comes next.
    fn enter(&self, stage: &str) {
        if let Some(watch) = &self.store.data().watch {
            watch.stage(stage);
        }
    }

    fn failure(&self, file: &Path, stage: String, error: Error) -> Failure {
        Failure { stage, file: file.into(), error }
    }

    /// Prints the results, or explains the failure.
    fn conclude(&self, ended: Result<Vec<Val>, Failure>) -> Result<i32, Report> {
        let failure = match ended {
            Ok(results) => {
                print(&invoke::draw(&results)).map_err(|error| report::failed(&error))?;
                return Ok(0);
            }
            Err(failure) => failure,
        };
        if let Some(status) = failure.error.exit_status() {
            return Ok(status);
        }
        let Failure { stage, file, error } = failure;
        if !error.missing_imports().is_empty() {
            return Err(missing::report(&file, error.missing_imports(), &self.linker));
        }
        let facts = Facts {
            file: self.file,
            stage: &stage,
            options: self.options,
            refused_grows: self.store.refused_grows(),
        };
        if let Some(found) = error.trap() {
            return Err(trap::report(&facts, found));
        }
        if let Some(found) = error.exception() {
            return Err(trap::exception(&facts, error.message(), &found.frames()));
        }
        let report =
            report::program(self.file, &stage, &error).field("file", file.display().to_string());
        let limited = error.kind() == ErrorKind::Limit && self.options.max_memory.is_some();
        Err(if limited {
            report.hint("--max-memory limits each memory; give more")
        } else {
            report
        })
    }

    fn stats(&self, load: Duration, run: Duration) {
        let preloads = self.preloads.iter().map(|(_, _, module)| module);
        let modules: Vec<&Module> = preloads.chain([self.module]).collect();
        let counts = self.store.data().counts.as_deref().unwrap_or_default();
        Stats::gather(self.options, &self.store, counts, &modules, load, run)
            .how(self.how)
            .show(self.options.format);
    }
}

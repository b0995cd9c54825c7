//! `lithe run` of components: links, instantiates and calls, with what was granted and within the limits. Called by
//! `run`. Invariant: whatever is wrong with flags, files or imports is reported before the guest runs.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use lithe::{Error, Store};
use lithe_component::{Component, FuncType, InstancePre, Item, Linker, Missing, Val};
use lithe_wasi::Ctx;
use lithe_wasi::p2::{self, P2};

use crate::built::{HTTP, WIT};
use crate::engines::Engines;
use crate::options::Options;
use crate::output::{complain, print, table, visible};
use crate::report::{self, FAILED, Report, USAGE};
use crate::trap::{self, Facts};
use crate::watchdog::{self, Watch};
use crate::wave::{self, Call};
use crate::{denied, grants, stats};

/// The interface of programs.
const RUN: &str = "wasi:cli/run";

/// The data of the store.
pub struct Host {
    pub p2: P2,
    #[cfg(feature = "http")]
    pub http: lithe_http::Http,
    pub watch: Option<Arc<Watch>>,
}

impl Host {
    /// Of a program that nobody watches.
    pub fn new(p2: P2) -> Host {
        Host {
            p2,
            #[cfg(feature = "http")]
            http: lithe_http::Http::default(),
            watch: None,
        }
    }
}

impl p2::View for Host {
    fn p2(&mut self) -> &mut P2 {
        &mut self.p2
    }
}

/// What is called.
enum Entry {
    /// The program.
    Program,
    /// A function of `--invoke`, by interface and name, with its arguments.
    Function { interface: Option<String>, name: String, args: Vec<Val> },
}

/// Runs a component; gives its exit status.
pub fn run(
    options: &Arc<Options>,
    file: &Path,
    args: &[OsString],
    component: &Component,
    engines: &Engines<'_>,
    clock: Option<Instant>,
) -> Result<i32, Report> {
    refuse(options, file)?;
    let entry = entry(options, file, component)?;
    let grants = grants::grants(options, file, args);
    let denials = grants.denials();
    if options.show_grants {
        complain(&grants.to_string());
    }
    let ctx = Ctx::new(grants);
    let mut ctx = ctx.map_err(|error| Report::new(FAILED, "grants", error.to_string()))?;
    ctx.seal(engines.mapped.iter().copied());
    let pre = link(options, file, component)?;
    let mut store = Store::new(engines.engine(), Host::new(P2::new(ctx)));
    store.set_limits(options.limits);
    if let Some(fuel) = options.fuel {
        store.set_fuel(fuel).map_err(|error| other(&error))?;
    }
    let loaded = clock.map(|clock| clock.elapsed());
    if let Some(limit) = options.timeout {
        let handle = store.interrupt_handle();
        let (watch, deadline) =
            watchdog::start(options, PathBuf::from(file), limit, handle, denials.clone())
                .map_err(|error| report::failed(&error))?;
        store.data_mut().watch = Some(watch);
        store.data_mut().p2.ctx.set_deadline(deadline);
    }
    let stage = |store: &Store<Host>, words: &str| {
        if let Some(watch) = &store.data().watch {
            watch.stage(words);
        }
    };
    let mut words = format!("failed to instantiate {:?}", file.display().to_string());
    stage(&store, &words);
    let mut ended = pre.instantiate(&mut store).map(Some);
    let mut status = Ok(0);
    if let Ok(Some(instance)) = ended {
        words = match &entry {
            Entry::Program => format!("failed to invoke `{RUN}`"),
            Entry::Function { name, .. } => format!("failed to invoke `{name}`"),
        };
        stage(&store, &words);
        match call(&mut store, &instance, &entry) {
            Ok(done) => status = Ok(done),
            Err(error) => ended = Err(error),
        }
    }
    if let Some(watch) = &store.data().watch {
        watch.finish();
    }
    if let Err(error) = ended {
        status = match error.exit_status() {
            Some(status) => Ok(status),
            None => Err(failure(options, file, &words, &store, &error)),
        };
    }
    let status = status.unwrap_or_else(|report| {
        report.show(options.format);
        report.code().into()
    });
    if let (Some(clock), Some(loaded)) = (clock, loaded) {
        let modules: Vec<_> = component.modules().iter().collect();
        let run = clock.elapsed().saturating_sub(loaded);
        stats::Stats::gather(options, &store, &[], &modules, loaded, run)
            .how(engines)
            .show(options.format);
    }
    denied::show(options, &denials, status);
    // The process ends now; giving memory back first would only cost time.
    std::mem::forget((store, pre));
    Ok(status)
}

/// Links a component with what the command provides.
pub fn link(
    options: &Options,
    file: &Path,
    component: &Component,
) -> Result<InstancePre<Host>, Report> {
    let mut linker = Linker::new(component.engine());
    if options.wasi {
        let defined = p2::add_to_linker(&mut linker);
        #[cfg(feature = "http")]
        let defined = defined.and_then(|()| lithe_http::add_to_linker(&mut linker));
        defined.map_err(|error| other(&error))?;
    }
    let absent = linker.missing(component);
    if !absent.is_empty() {
        return Err(missing(file, &absent));
    }
    linker.link(component).map_err(|error| other(&error))
}

/// Refuses flags that make sense for core modules only.
fn refuse(options: &Options, file: &Path) -> Result<(), Report> {
    let flags = [
        (options.threads, "--threads", "components have no threads yet"),
        (
            !options.preloads.is_empty(),
            "--preload",
            "components import other components, not modules",
        ),
        (options.trace, "--trace", "it shows calls of preview 1 only"),
    ];
    match flags.iter().find(|(given, ..)| *given) {
        Some((_, flag, why)) => {
            let words =
                format!("{flag} does not go with the component `{}`: {why}", file.display());
            Err(Report::new(USAGE, "usage", words))
        }
        None => Ok(()),
    }
}

/// An error for which no better words are known.
pub fn other(error: &Error) -> Report {
    Report::new(FAILED, "failed", visible(&error.to_string()))
}

fn entry(options: &Options, file: &Path, component: &Component) -> Result<Entry, Report> {
    let exports = component.exports();
    let Some(text) = &options.invoke else {
        let is_run = |item: &Item| {
            item.name == "run"
                && item.interface.as_deref().is_some_and(|name| name.split('@').next() == Some(RUN))
        };
        return match exports.iter().any(is_run) {
            true => Ok(Entry::Program),
            false => Err(no_program(file, &exports)),
        };
    };
    WIT.require()?;
    let usage = |words: String| Report::new(USAGE, "usage", words);
    // `interface#name(arguments)` names a function of an interface.
    let (interface, text) = match text.split_once('#') {
        Some((interface, rest)) if !interface.contains(['(', '"']) => (Some(interface), rest),
        _ => (None, text.as_str()),
    };
    let call = Call::parse(text).map_err(|error| {
        usage(format!("--invoke {text}: expected a call such as 'name(1, \"two\")': {error}"))
    })?;
    let bare = |name: &str| name.split('@').next().unwrap_or(name).to_owned();
    let fits = |item: &&Item| {
        item.name == call.name()
            && interface.is_none_or(|wanted| {
                item.interface.as_deref().is_some_and(|name| name == wanted || bare(name) == wanted)
            })
    };
    let found: Vec<&Item> = exports.iter().filter(fits).collect();
    let item = match found[..] {
        [item] => item,
        [] => return Err(no_function(file, call.name(), &exports)),
        _ => {
            let names = found.iter().filter_map(|item| item.interface.as_deref());
            let names: Vec<String> = names.map(visible).collect();
            return Err(usage(format!(
                "--invoke {}: several interfaces have it: {}; write `INTERFACE#{}(...)`",
                call.name(),
                names.join(", "),
                call.name()
            )));
        }
    };
    let Some(ty) = &item.func else { return Err(no_function(file, call.name(), &exports)) };
    let args = call.arguments(ty).map_err(|error| {
        usage(format!(
            "--invoke {}: the function is {}: {error}",
            call.name(),
            visible(&ty.to_string())
        ))
    })?;
    if ty.result.as_ref().is_some_and(|ty| !wave::has_text(ty)) {
        let words =
            format!("--invoke {}: its result is a resource, which has no text", call.name());
        return Err(usage(words));
    }
    Ok(Entry::Function { interface: item.interface.clone(), name: item.name.clone(), args })
}

/// The functions of a component, for people.
fn functions(exports: &[Item]) -> Vec<(String, String)> {
    let row = |item: &Item| {
        let ty = item.func.as_ref().map(|ty: &Arc<FuncType>| ty.to_string()).unwrap_or_default();
        let name = match &item.interface {
            Some(interface) => format!("{interface}#{}", item.name),
            None => item.name.clone(),
        };
        (visible(&name), visible(&ty))
    };
    exports.iter().map(row).collect()
}

/// Whether a component handles requests.
pub fn handles(exports: &[Item]) -> bool {
    exports.iter().any(|item| {
        item.interface.as_deref().is_some_and(|name| name.starts_with("wasi:http/incoming-handler"))
    })
}

fn no_program(file: &Path, exports: &[Item]) -> Report {
    let (file, rows) = (file.display(), functions(exports));
    let handler = handles(exports);
    let headline = match (handler, rows.is_empty()) {
        (true, _) => format!("`{file}` handles requests of HTTP; it is not a program"),
        (false, false) => format!(
            "`{file}` does not export {RUN}, so it is not a program; choose a function with --invoke 'NAME(...)':"
        ),
        (false, true) => format!("`{file}` exports neither {RUN} nor any function"),
    };
    let report = Report::new(FAILED, "entry", headline).field("file", file.to_string());
    match handler {
        true if !HTTP.there => report.hint(HTTP.absence),
        true => report.hint(format!("`lithe serve {file}` serves it")),
        false => report.details(&table(&rows)),
    }
}

fn no_function(file: &Path, name: &str, exports: &[Item]) -> Report {
    let (file, rows) = (file.display(), functions(exports));
    let headline = match rows.is_empty() {
        true => format!("`{file}` exports no function `{}`, nor any other", visible(name)),
        false => format!("`{file}` exports no function `{}`; it exports these:", visible(name)),
    };
    Report::new(FAILED, "entry", headline).field("file", file.to_string()).details(&table(&rows))
}

/// Makes the call and prints what it gives; the exit status.
fn call(
    store: &mut Store<Host>,
    instance: &lithe_component::Instance,
    entry: &Entry,
) -> Result<i32, Error> {
    match entry {
        Entry::Program => {
            let run = instance.func_in(&mut *store, RUN, "run")?;
            let run = run.typed::<(), Result<(), ()>>(&mut *store)?;
            Ok(run.call(store, ())?.is_err().into())
        }
        Entry::Function { interface, name, args } => {
            let func = match interface {
                Some(interface) => instance.func_in(&mut *store, interface, name)?,
                None => instance.func(&mut *store, name)?,
            };
            if let Some(value) = func.call(&mut *store, args)? {
                let mut text = wave::text(value).map_err(Error::host)?;
                text.push('\n');
                print(&text).map_err(|error| Error::host(error.to_string()))?;
            }
            Ok(0)
        }
    }
}

fn failure(
    options: &Options,
    file: &Path,
    stage: &str,
    store: &Store<Host>,
    error: &Error,
) -> Report {
    let facts = Facts { file, stage, options, refused_grows: store.refused_grows() };
    if let Some(found) = error.trap() {
        return trap::report(&facts, found);
    }
    if let Some(found) = error.exception() {
        return trap::exception(&facts, error.message(), &found.frames());
    }
    report::program(file, stage, error)
}

/// The report of imports that nothing fits.
fn missing(file: &Path, absent: &[Missing]) -> Report {
    let file = file.display();
    let count = match absent.len() {
        1 => "1 import".into(),
        count => format!("{count} imports"),
    };
    let mut lines = String::new();
    let mut interfaces: Vec<Option<&str>> = Vec::new();
    for missing in absent {
        if !interfaces.contains(&missing.interface.as_deref()) {
            interfaces.push(missing.interface.as_deref());
        }
    }
    for interface in &interfaces {
        // Writing to a string does not fail, here and below.
        let _ = writeln!(lines, "  {}", visible(interface.unwrap_or("(of the component itself)")));
        for missing in absent.iter().filter(|missing| missing.interface.as_deref() == *interface) {
            let _ = writeln!(lines, "    {}: {}", visible(&missing.name), visible(&missing.wanted));
            if let Some(found) = &missing.found {
                let _ = writeln!(lines, "      found: {}", visible(found));
            }
        }
    }
    let machine = |missing: &Missing| {
        serde_json::json!({
            "interface": missing.interface,
            "name": missing.name,
            "wanted": missing.wanted,
            "found": missing.found,
        })
    };
    let report =
        Report::new(FAILED, "link", format!("cannot link `{file}`: {count} cannot be satisfied"))
            .field("file", file.to_string())
            .field("missing", absent.iter().map(machine).collect::<Vec<_>>())
            .details(&lines);
    let wants = |package: &str| {
        absent.iter().any(|m| m.interface.as_deref().is_some_and(|name| name.starts_with(package)))
    };
    match wants("wasi:") {
        true if !HTTP.there && wants("wasi:http/") => report.hint(HTTP.absence),
        true => report.hint("Lithe provides WASI 0.1 and 0.2 (0.2.12); other versions of an interface are other interfaces"),
        false => report.hint("what is not WASI is provided by composing the component with one that exports it"),
    }
}

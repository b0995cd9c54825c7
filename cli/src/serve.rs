//! `lithe serve`: a component that handles requests of HTTP, and a server for it. Called by `main`. Invariant: nothing
//! listens before the program links, and a program that does not link never replaces one that does.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use lithe::{Store, StoreLimits};
use lithe_http::HttpView;
use lithe_http::server::{Config, Handle, Program as Handler, Serve, Server};
use lithe_wasi::p2::P2;
use lithe_wasi::{Ctx, Denials, Input};
use rustix::fs::Stat;

use crate::component::{self, Host};
use crate::engines::{Engines, Program};
use crate::options::Options;
use crate::output::{complain, visible};
use crate::report::{self, FAILED, Report, USAGE};
use crate::{cache, denied, grants};

/// How often `--watch` looks at the file.
const LOOK: Duration = Duration::from_millis(200);

/// Memories of each module, and stacks, that are kept for requests to come.
const SPARES: usize = 16;

impl HttpView for Host {
    fn http(&mut self) -> &mut lithe_http::Http {
        &mut self.http
    }
}

/// Serves until it is told to stop; gives the exit status.
pub fn serve(options: &Arc<Options>) -> Result<i32, Report> {
    let [file] = &options.operands[..] else {
        let words = "expected one file to serve; the guest gets no arguments";
        return Err(Report::new(USAGE, "usage", words));
    };
    let file = Path::new(file);
    let before = identity(file);
    let denials = Denials::default();
    let program = load(options, file, &denials)?;
    let address = options.serve.address;
    let mut config = Config {
        metrics: options.serve.metrics,
        deadline: options.timeout.or(Config::default().deadline),
        errors: Some(Arc::new(|report| complain(&format!("{}\n", visible(&report.to_string()))))),
        ..Config::default()
    };
    if let Some(address) = address {
        config.address = address;
    }
    let Options { serve, .. } = &**options;
    config.loops = serve.loops.unwrap_or(config.loops);
    config.max_requests = serve.requests.unwrap_or(config.max_requests);
    config.max_connections = serve.connections.unwrap_or(config.max_connections);
    config.head_timeout = serve.head_timeout.unwrap_or(config.head_timeout);
    config.body_timeout = serve.body_timeout.unwrap_or(config.body_timeout);
    config.idle_timeout = serve.idle_timeout.unwrap_or(config.idle_timeout);
    config.grace = serve.grace.unwrap_or(config.grace);
    if let Some(reuse) = serve.reuse {
        config.reuse = u32::try_from(reuse).unwrap_or(u32::MAX);
    }
    if serve.access_log {
        config.log = Some(Arc::new(|access| complain(&format!("{access}\n"))));
    }
    let wanted = config.address;
    let server = Server::bind(config, program)
        .with_context(|| format!("cannot listen on {wanted}; --addr chooses another address"))
        .map_err(|error| report::failed(&error))?;
    complain(&format!("Serving HTTP on http://{}/\n", server.address()));
    if let Some(address) = server.metrics_address() {
        complain(&format!("Serving metrics on http://{address}/metrics\n"));
    }
    if serve.watch {
        let (options, file) = (options.clone(), PathBuf::from(file));
        let (handle, denials) = (server.handle(), denials.clone());
        let watcher = std::thread::Builder::new().name("watch".into());
        let watcher = watcher.spawn(move || watch(&options, &file, &handle, before, &denials));
        watcher.context("cannot watch the file").map_err(|error| report::failed(&error))?;
    }
    let ended = server.run().context("the server failed");
    ended.map_err(|error| report::failed(&error))?;
    denied::show(options, &denials, 1);
    Ok(0)
}

/// The program of a file, with what it is granted. What it is denied joins the list.
fn load(options: &Arc<Options>, file: &Path, denials: &Denials) -> Result<Arc<dyn Serve>, Report> {
    let mut engines = Engines::new(options);
    let component = match engines.program(file)? {
        Program::Component(component) if component::handles(&component.exports()) => component,
        Program::Component(_) | Program::Module(_) => {
            let shown = file.display();
            let headline = format!(
                "`{shown}` does not handle HTTP requests: it is no component that exports wasi:http/incoming-handler"
            );
            return Err(Report::new(FAILED, "entry", headline)
                .field("file", shown.to_string())
                .hint(format!("`lithe run {shown}` runs a program")));
        }
    };
    let none: &[OsString] = &[];
    let granted = grants::grants(options, file, none).stdin(Input::Null).note_denials_in(denials);
    if options.show_grants {
        complain(&granted.to_string());
    }
    let ctx = Ctx::new(granted);
    let mut ctx = ctx.map_err(|error| Report::new(FAILED, "grants", error.to_string()))?;
    ctx.seal(engines.mapped.iter().copied());
    let pre = component::link(options, file, &component)?;
    let (engine, fuel) = (engines.engine().clone(), options.fuel);
    let limits = StoreLimits { spares: SPARES, ..options.limits };
    let handler = Handler::new(&component, pre, move |guest| {
        let p2 = P2::with_waiter(ctx.share(), guest.waiter);
        let mut store = Store::new(&engine, Host { http: guest.http, ..Host::new(p2) });
        store.set_limits(limits);
        if let Some(fuel) = fuel {
            store.set_fuel(fuel)?;
        }
        Ok(store)
    });
    let handler = handler.map_err(|error| component::other(&error))?;
    Ok(Arc::new(handler))
}

/// What tells a file apart from its earlier contents, where there is one.
fn identity(file: &Path) -> Option<[u8; 64]> {
    let stat: Stat = rustix::fs::stat(file).ok()?;
    Some(cache::identity(&stat))
}

/// Loads the file again whenever it changes.
fn watch(
    options: &Arc<Options>,
    file: &Path,
    handle: &Handle,
    mut known: Option<[u8; 64]>,
    denials: &Denials,
) {
    loop {
        std::thread::sleep(LOOK);
        let Some(now) = identity(file).filter(|now| known.as_ref() != Some(now)) else { continue };
        // Whoever writes the file may not be done.
        std::thread::sleep(LOOK);
        if identity(file) != Some(now) {
            continue;
        }
        known = Some(now);
        match load(options, file, denials) {
            Ok(program) => {
                handle.replace(program);
                complain(&format!("`{}` was loaded again\n", file.display()));
            }
            Err(report) => {
                report.show(options.format);
                complain("the program from before goes on serving\n");
            }
        }
    }
}

//! The `lithe` command: finds the verb, parses its flags, runs it, and ends with its exit code.
//!
//! ```text
//! main -> command (clap, from flags) -> options -> run | serve | compile | validate | inspect | wast | cache
//!                                                   |
//! engines (cache, bundle, precompiled, progress)  <-+
//!         load, grants, host, threads, watchdog, invoke -> missing, trap, report, denied -> exit code
//! ```
//!
//! Invariant: nobody ever sees a Rust panic, and every error names the file or flag and a way out.

#![deny(unsafe_code)]

mod built;
mod bundle;
mod cache;
mod cached;
mod command;
mod compile;
mod component;
mod config;
mod denied;
mod docs;
mod engines;
mod excerpt;
mod flags;
mod grants;
mod host;
mod inspect;
mod invoke;
mod load;
mod missing;
mod options;
mod output;
#[allow(unsafe_code, reason = "native code is not proven")]
mod precompiled;
mod progress;
mod report;
mod run;
#[cfg(feature = "http")]
mod serve;
mod stats;
mod threads;
mod trace;
mod trap;
mod validate;
mod values;
mod wast;
mod watchdog;
#[cfg_attr(not(feature = "wit"), path = "unwaved.rs")]
mod wave;

use std::ffi::OsString;
use std::sync::Arc;

use crate::command::Early;
use crate::flags::{VERBS, Verb};
use crate::options::Options;
use crate::report::{BUG, FAILED, Report};

fn main() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
        let place = place.unwrap_or_else(|| "an unknown place".into());
        output::complain(&format!(
            "Error: this is a bug in Lithe, at {place}; please report it with the command line and the \
             module at {}\n",
            env!("CARGO_PKG_REPOSITORY")
        ));
        std::process::exit(i32::from(BUG));
    }));
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let status = match prepare(&args) {
        Ok(options) => execute(options),
        Err(early) => {
            if early.code == 0 {
                say(&early.text)
            } else {
                fail(&early)
            }
        }
    };
    std::process::exit(status);
}

/// Prints a text that was asked for.
fn say(text: &str) -> i32 {
    match output::print(&format!("{}\n", text.trim_end())) {
        Ok(()) => 0,
        Err(error) => {
            output::complain(&format!("Error: {error:#}\n"));
            FAILED.into()
        }
    }
}

/// Prints why nothing was done.
fn fail(early: &Early) -> i32 {
    output::complain(&format!("{}\n", early.text.trim_end()));
    early.code.into()
}

/// From arguments to options; `run` is the verb when none is given.
fn prepare(args: &[OsString]) -> Result<Options, Early> {
    let first = args.first().and_then(|word| word.to_str()).unwrap_or_default();
    match first {
        "-h" | "--help" | "help" => {
            return Err(Early::print(command::overview().render_help().to_string()));
        }
        "-V" | "--version" => return Err(Early::print(command::overview().render_version())),
        "--help-markdown" => return Err(Early::print(docs::markdown())),
        "" if args.is_empty() => {
            let help = command::overview().render_help().to_string();
            return Err(Early { text: help, code: report::USAGE });
        }
        _ => {}
    }
    let (verb, rest) = match VERBS.iter().find(|row| row.name == first) {
        Some(row) => (row.verb, &args[1..]),
        None => (Verb::Run, args),
    };
    Options::parse(verb, rest)
}

fn execute(options: Options) -> i32 {
    let options = Arc::new(options);
    let ended = match options.verb {
        Verb::Run => run::run(options.clone()),
        Verb::Serve => serve(&options),
        Verb::Compile => compile::compile(&options),
        Verb::Validate => validate::validate(&options),
        Verb::Inspect => inspect::inspect(&options),
        Verb::Wast => wast::wast(&options),
        Verb::Cache => cached::cache(&options),
        Verb::Completions => return completions(&options),
    };
    ended.unwrap_or_else(|report| {
        report.show(options.format);
        report.code().into()
    })
}

#[cfg(feature = "http")]
fn serve(options: &Arc<Options>) -> Result<i32, Report> {
    serve::serve(options)
}

#[cfg(not(feature = "http"))]
fn serve(_: &Arc<Options>) -> Result<i32, Report> {
    built::HTTP.require().map(|()| 0)
}

fn completions(options: &Options) -> i32 {
    let shell = options.operands.first().and_then(|shell| shell.to_str()).unwrap_or_default();
    match command::completions(shell) {
        Ok(script) => say(&script),
        Err(early) => fail(&early),
    }
}

//! `lithe wast`: runs test scripts with the runner that the project's own tests use. Called by `main`.
//! Invariant: where panics unwind, one inside of a directive is that directive's failure and nothing else.

use std::io::{LineWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::PathBuf;

use lithe_spec_tests::wast_command;

use crate::options::Options;
use crate::output::Stdout;
use crate::report::{BUG, FAILED, Report};

/// Runs the scripts; gives the exit status.
pub fn wast(options: &Options) -> Result<i32, Report> {
    if cfg!(panic = "unwind") {
        set_hook(Box::new(|_| {}));
    }
    let paths: Vec<PathBuf> = options.operands.iter().map(PathBuf::from).collect();
    let mut out = LineWriter::new(Stdout);
    let how = lithe_spec_tests::Options {
        dispatch: options.dispatch,
        strategy: options.strategy,
        traps: options.traps.unwrap_or_else(crate::engines::traps),
        ..Default::default()
    };
    let run =
        || wast_command(std::slice::from_ref(&how), &paths, options.known.as_deref(), &mut out);
    let passed = catch_unwind(AssertUnwindSafe(run)).map_err(|_| {
        let headline = format!(
            "the script runner has a bug; please report it with the script at {}",
            env!("CARGO_PKG_REPOSITORY")
        );
        Report::new(BUG, "bug", headline)
    })?;
    let flushed = out.flush();
    flushed.map_err(|error| {
        Report::new(FAILED, "failed", format!("cannot write to standard output: {error}"))
    })?;
    Ok(if passed { 0 } else { FAILED.into() })
}

//! Checks of the house, run as `cargo xtask CHECK...` by people and by CI.
//!
//! ```text
//! house      the one table of crates: arrows, outside dependencies, no_std, unsafe
//! workspace  what cargo and the file system say about the workspace
//! deps, unsafety, lines, limits, sizes, handlers    one check each
//! rust       source text to words, without comments and literals
//! ```
//!
//! Invariant: a check changes nothing but build output, and returns every problem it found, not the first.
#![forbid(unsafe_code)]

use std::process::ExitCode;

mod deps;
mod handlers;
mod house;
mod limits;
mod lines;
mod rust;
mod sizes;
mod unsafety;
mod workspace;

use workspace::Workspace;

/// Problems that a check found, a sentence each; an `Err` is a reason why it could not look.
type Outcome = Result<Vec<String>, String>;

struct Check {
    name: &'static str,
    about: &'static str,
    run: fn(&Workspace) -> Outcome,
    /// Whether it needs no build and so belongs to `check`.
    cheap: bool,
}

const CHECKS: &[Check] = &[
    Check {
        name: "deps",
        about: "crates depend on each other only along the arrows of the design",
        run: deps::check,
        cheap: true,
    },
    Check {
        name: "unsafe",
        about: "unsafe code is where it may be, and no more of it than docs/unsafe.md says",
        run: unsafety::check,
        cheap: true,
    },
    Check {
        name: "limits",
        about: "docs/limits.md names the limits that exist",
        run: limits::check,
        cheap: true,
    },
    Check { name: "lines", about: "no source file is too long", run: lines::check, cheap: true },
    Check {
        name: "sizes",
        about: "the release command and the smallest one are within their budgets (builds both)",
        run: sizes::check,
        cheap: false,
    },
    Check {
        name: "handlers",
        about: "the interpreter's handlers end in jumps (builds the release command with symbols)",
        run: handlers::check,
        cheap: false,
    },
];

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |check: &Check| {
        names.iter().any(|name| name == check.name || name == "check" && check.cheap)
    };
    let unknown = names
        .iter()
        .find(|name| *name != "check" && !CHECKS.iter().any(|check| check.name == **name));
    if names.is_empty() || unknown.is_some() {
        if let Some(name) = unknown {
            eprintln!("error: there is no check named {name}");
        }
        usage();
        return ExitCode::from(2);
    }
    let workspace = match Workspace::load() {
        Ok(workspace) => workspace,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut failed = false;
    for check in CHECKS.iter().filter(|check| wanted(check)) {
        let problems = (check.run)(&workspace).unwrap_or_else(|error| vec![error]);
        for problem in &problems {
            eprintln!("error: {}: {problem}", check.name);
        }
        if problems.is_empty() {
            println!("{}: ok", check.name);
        }
        failed |= !problems.is_empty();
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn usage() {
    eprintln!("usage: cargo xtask CHECK...\n");
    for check in CHECKS {
        eprintln!("  {:<9} {}", check.name, check.about);
    }
    eprintln!("  {:<9} the checks that need no build", "check");
}

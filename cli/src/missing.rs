//! The report of imports that cannot be satisfied. Called by `run`. Invariant: every one of them is listed,
//! by module, each with what comes near and what would provide it.

use std::fmt::Write;
use std::path::Path;

use lithe::{Linker, MissingImport};
use lithe_wasi::p1;
use serde_json::{Value, json};

use crate::host::Host;
use crate::output::visible;
use crate::report::{FAILED, Report};
use crate::threads;

/// How alike two names must be to be mentioned, 1 being equal.
const ALIKE: f64 = 0.75;

/// The report for the module in `file`.
pub fn report(file: &Path, missing: &[MissingImport], linker: &Linker<Host>) -> Report {
    let file = file.display();
    let count = match missing.len() {
        1 => "1 import".into(),
        count => format!("{count} imports"),
    };
    let mut report =
        Report::new(FAILED, "link", format!("cannot link `{file}`: {count} cannot be satisfied"))
            .field("file", file.to_string())
            .field(
                "missing",
                missing.iter().map(|import| machine(import, linker)).collect::<Vec<_>>(),
            );
    let mut modules: Vec<&str> = Vec::new();
    for import in missing {
        if !modules.contains(&import.module.as_str()) {
            modules.push(&import.module);
        }
    }
    let mut lines = String::new();
    for module in &modules {
        let imports = || missing.iter().filter(|import| import.module == **module);
        let width = imports().map(|import| visible(&import.name).len()).max().unwrap_or(0).min(32);
        // Writing to a string does not fail, here and below.
        let _ = writeln!(lines, "  {}", visible(module));
        for import in imports() {
            let name = visible(&import.name);
            let _ = writeln!(lines, "    {name:width$}  {}", import.expected);
            let margin = " ".repeat(width + 6);
            if let Some(found) = &import.found {
                let _ = writeln!(lines, "{margin}found with another type: {found}");
            } else if let Some(near) = near(import, linker) {
                let _ = writeln!(lines, "{margin}similar: {near}");
            }
        }
    }
    report = report.details(&lines);
    let granted = linker.names(threads::MODULE).contains(&threads::SPAWN);
    let by_threads = |import: &&MissingImport| {
        !granted && threads::provides(&import.module, &import.name, &import.expected)
    };
    for module in modules {
        let mut others = missing.iter().filter(|import| import.module == module);
        if others.any(|import| !by_threads(&import))
            && let Some(hint) = hint(module, linker)
        {
            report = report.hint(hint);
        }
    }
    match missing.iter().any(|import| by_threads(&import)) {
        true => report.hint("programs that start threads run with --threads"),
        false => report,
    }
}

fn machine(import: &MissingImport, linker: &Linker<Host>) -> Value {
    json!({
        "module": import.module,
        "name": import.name,
        "expected": import.expected.to_string(),
        "found": import.found.as_ref().map(|found| found.to_string()),
        "similar": import.found.is_none().then(|| near(import, linker)).flatten(),
    })
}

/// A name that the module may have meant.
fn near(import: &MissingImport, linker: &Linker<Host>) -> Option<String> {
    let names = linker.names(&import.module);
    let scored = names.into_iter().map(|name| (strsim::jaro_winkler(name, &import.name), name));
    let alike = scored.filter(|(score, _)| *score >= ALIKE);
    if let Some((_, name)) = alike.max_by(|a, b| a.0.total_cmp(&b.0)) {
        return Some(format!("`{}`", visible(name)));
    }
    let elsewhere = p1::MODULE;
    let known = import.module != elsewhere && p1::function(&import.name).is_some();
    known.then(|| format!("`{}` of {elsewhere}", visible(&import.name)))
}

/// What would provide a module of this name.
fn hint(module: &str, linker: &Linker<Host>) -> Option<String> {
    let shown = visible(module);
    Some(match module {
        p1::MODULE if !linker.has_module(p1::MODULE) => {
            "WASI is switched off by -S cli=n; leave that out".into()
        }
        p1::MODULE => {
            "WASI preview 1 has no such functions; build the program with tools for wasm32-wasip1".into()
        }
        "wasi_unstable" => {
            "`wasi_unstable` is a draft from before WASI preview 1; build the program with newer tools".into()
        }
        _ if module.starts_with("wasi:") => {
            format!("`{shown}` is an interface of components, and this is a core module; make a component of it, as `wasm-tools component new` does")
        }
        _ if linker.has_module(module) => {
            format!("`{shown}` is preloaded, but does not export all of this with these types")
        }
        _ => format!("provide `{shown}` by a module that exports these names: --preload {shown}=FILE"),
    })
}

//! `soak SECONDS SEED [FOLDER]`: the checks of the target `run` on random input, without coverage and so at ten times
//! its pace; with a folder, on the modules that it holds and ever other seeds. Prints what was reached, and the seeds of
//! modules on which engines differ. Works with the stable compiler.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lithe_fuzz::{compare::compare, reach::Reach, smith};

/// Modules between two lines of progress.
const STEP: u64 = 1000;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize| args.get(i).and_then(|arg: &String| arg.parse::<u64>().ok());
    let (Some(seconds), Some(first), 2..=3) = (number(0), number(1), args.len()) else {
        eprintln!("usage: soak SECONDS SEED [FOLDER]");
        return ExitCode::FAILURE;
    };
    let modules = match args.get(2).map(|folder| modules(Path::new(folder))) {
        Some(Err(error)) => {
            eprintln!("soak: {}: {error}", args[2]);
            return ExitCode::FAILURE;
        }
        Some(Ok(modules)) => modules,
        None => Vec::new(),
    };
    let mut reach = Reach::default();
    let mut differ = 0;
    let (start, mut seed) = (Instant::now(), first);
    while start.elapsed() < Duration::from_secs(seconds) {
        if (seed - first).is_multiple_of(STEP) {
            // A crash is at most this many modules after the seed told last.
            eprintln!("seeds from {seed}");
        }
        if catch_unwind(AssertUnwindSafe(|| check(&modules, seed, &mut reach))).is_err() {
            println!("seed {seed}, after {:.1} s", start.elapsed().as_secs_f64());
            differ += 1;
        }
        seed += 1;
    }
    let (count, seconds) = (seed - first, start.elapsed().as_secs_f64());
    print!("{reach}");
    println!("{count} executions, {:.0} per second, {differ} differ", count as f64 / seconds);
    if differ == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The contents of a folder's modules, in the order of their names.
fn modules(folder: &Path) -> std::io::Result<Vec<Vec<u8>>> {
    let entries = std::fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    paths.sort();
    paths.iter().map(std::fs::read).collect()
}

/// Checks the module of a seed.
fn check(modules: &[Vec<u8>], seed: u64, reach: &mut Reach) {
    let (module, seed) = match modules.get(seed as usize % modules.len().max(1)) {
        // They have NaNs that are not canonical.
        Some(module) => (module.clone(), seed << 1),
        None => {
            let Ok(made) = smith::module(&seed.to_le_bytes()) else { return };
            made
        }
    };
    let outcome = compare(&module, seed).expect("the module is accepted");
    reach.count(&module, &outcome);
}

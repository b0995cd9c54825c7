//! `soak SECONDS SEED`: the checks of the target `run` on random input, without coverage and so at ten times
//! its pace. Prints what was reached. Works with the stable compiler.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use arbitrary::Unstructured;
use lithe_fuzz::{compare::compare, reach::Reach, smith};

/// Bytes that a module is made from at most.
const LONGEST: usize = 1 << 12;
/// Modules between two lines of progress.
const STEP: u64 = 1000;

fn main() -> ExitCode {
    let args: Vec<u64> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let [seconds, first] = args[..] else {
        eprintln!("usage: soak SECONDS SEED");
        return ExitCode::FAILURE;
    };
    let mut reach = Reach::default();
    let (start, mut seed) = (Instant::now(), first);
    while start.elapsed() < Duration::from_secs(seconds) {
        // A crash is at most this many modules after the seed told last.
        eprintln!("seeds from {seed}");
        for seed in seed..seed + STEP {
            let input = smith::input(seed, seed as usize % LONGEST);
            if let Ok((module, seed)) = smith::module(&mut Unstructured::new(&input)) {
                let outcome = compare(&module, seed).expect("a generated module is accepted");
                reach.count(&module, &outcome);
            }
        }
        seed += STEP;
    }
    let (count, seconds) = (seed - first, start.elapsed().as_secs_f64());
    print!("{reach}");
    println!("{count} executions, {:.0} per second", count as f64 / seconds);
    ExitCode::SUCCESS
}

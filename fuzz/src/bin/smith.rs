//! Writes generated modules to files: `smith COUNT SEED FOLDER` makes the modules that `peers.py` compares,
//! `smith FILE` gives the module that the target `run` makes of an input, on standard output.

use std::io::Write;
use std::process::ExitCode;

use arbitrary::Unstructured;
use lithe_fuzz::smith;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match &args[..] {
        [file] => of_input(file),
        [count, seed, folder] => many(count, seed, folder),
        _ => Err("usage: smith FILE, or smith COUNT SEED FOLDER".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("smith: {error}");
            ExitCode::FAILURE
        }
    }
}

fn of_input(file: &str) -> Result<()> {
    let data = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let (module, seed) = smith::module(&mut Unstructured::new(&data))?;
    eprintln!("seed {seed:#x}");
    Ok(std::io::stdout().write_all(&module)?)
}

/// Seeds make the same modules wherever the same version of wasm-smith runs.
fn many(count: &str, seed: &str, folder: &str) -> Result<()> {
    let (count, first): (u64, u64) = (count.parse()?, seed.parse()?);
    for seed in first..first + count {
        let path = format!("{folder}/{seed}.wasm");
        let module = smith::module_of_seed(seed)?;
        std::fs::write(&path, module).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(())
}

//! Writes generated modules to files: `smith COUNT SEED FOLDER` makes the modules that `peers.py` compares, each
//! with a list of functions that can be called; `smith FILE` gives the module that the target `run` makes of an
//! input, on standard output.

use std::io::Write;
use std::process::ExitCode;

use lithe::{Config, Engine, ExternType, FuncType, Module};
use lithe_fuzz::{compare::may_block, smith};

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
    let (module, seed) = smith::module(&data)?;
    eprintln!("seed {seed:#x}");
    Ok(std::io::stdout().write_all(&module)?)
}

/// Seeds make the same modules wherever the same version of wasm-smith runs.
fn many(count: &str, seed: &str, folder: &str) -> Result<()> {
    let (count, first): (u64, u64) = (count.parse()?, seed.parse()?);
    for seed in first..first + count {
        let module = smith::module_of_seed(seed)?;
        write(&format!("{folder}/{seed}.txt"), &functions(&module)?)?;
        write(&format!("{folder}/{seed}.wasm"), &module)?;
    }
    Ok(())
}

fn write(path: &str, bytes: &[u8]) -> Result<()> {
    Ok(std::fs::write(path, bytes).map_err(|error| format!("{path}: {error}"))?)
}

/// A line for each function that a command line can call: its name, a tab, the types of its parameters.
fn functions(bytes: &[u8]) -> Result<Vec<u8>> {
    let module = Module::new(&Engine::new(&Config::new().features(Engine::SUPPORTED)), bytes)?;
    let mut lines = String::new();
    if may_block(bytes, &module) {
        return Ok(Vec::new());
    }
    for export in module.exports() {
        let ExternType::Func(FuncType { params, .. }) = export.ty else { continue };
        let plain = params.iter().all(|ty| !ty.is_ref() && ty.slots() == 1);
        if plain && !export.name.contains(['\0', '\t', '\n']) {
            let params: Vec<String> = params.iter().map(ToString::to_string).collect();
            lines += &format!("{}\t{}\n", export.name, params.join(" "));
        }
    }
    Ok(lines.into_bytes())
}

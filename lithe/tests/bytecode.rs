//! The bytecode of small functions against blessed text: `bytecode/NAME.wat` must disassemble to
//! `bytecode/NAME.txt`. `LITHE_BLESS=1 cargo test -p lithe --test bytecode` writes the texts anew; the
//! difference then shows what a change of the translator did.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use lithe::{Config, Engine, Module};

#[test]
fn bytecode_is_as_blessed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bytecode");
    let bless = env::var_os("LITHE_BLESS").is_some();
    let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut sources: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|ext| ext == "wat")).collect();
    sources.sort();
    assert!(!sources.is_empty());
    let mut changed = Vec::new();
    for source in sources {
        let text = disassemble(&fs::read_to_string(&source).unwrap());
        let blessed = source.with_extension("txt");
        if bless {
            fs::write(&blessed, text).unwrap();
        } else if fs::read_to_string(&blessed).ok().as_deref() != Some(&text) {
            changed.push(format!("{} is now\n{text}", blessed.display()));
        }
    }
    assert!(changed.is_empty(), "{}\nLITHE_BLESS=1 accepts this", changed.join("\n"));
}

/// Every function of a module. The first line of a source that begins with `;; fuel` asks for fuel.
fn disassemble(source: &str) -> String {
    let config = Config::new().features(Engine::SUPPORTED);
    let engine = Engine::new(&config.fuel(source.starts_with(";; fuel")));
    let module = Module::new(&engine, source).unwrap();
    let mut text = String::new();
    for func in 0..module.functions() as u32 {
        let Ok(code) = module.disassemble(func) else { continue };
        let name = module.function_name(func).unwrap_or_default();
        let _ = writeln!(text, "{name}:");
        for line in code.lines() {
            // The byte offset says nothing about the code.
            let (cell, rest) = line.split_at(5);
            let _ = writeln!(text, "{cell}  {}", rest.trim_start().split_once("  ").unwrap().1);
        }
        text.push('\n');
    }
    text
}

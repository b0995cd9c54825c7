//! Scratch.
use lithe_runtime::{
    abi::{Arch, Traps, cpu},
    artifact::Target,
};
fn main() {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap();
    let bytes = if path.ends_with(".wat") {
        wat::parse_file(&path).unwrap()
    } else {
        std::fs::read(&path).unwrap()
    };
    let arch = args.next().unwrap_or("host".into());
    let checks = args.next().is_some();
    let module = lithe_parser::parse(bytes).unwrap();
    let valid = lithe_validator::validate(module, lithe_types::Features::WASM3).unwrap();
    let (arch, cpu) = lithe_compiler::parse_machine(&arch).unwrap();
    let _ = (Arch::X86_64, cpu::names(arch, cpu).count());
    let target = Target {
        arch,
        cpu,
        traps: if checks { Traps::Checks } else { Traps::Signals },
        fuel: false,
        deterministic: false,
        below_memory: std::env::var("A").is_ok(),
    };
    let start = std::time::Instant::now();
    match lithe_compiler::compile(&valid, &lithe_compiler::Options::new(target)) {
        Ok(bytes) => {
            let a = lithe_runtime::artifact::Artifact::new(Box::new(bytes))
                .map_err(|e| e.to_string())
                .unwrap();
            println!(
                "text {} of module {} in {:?}",
                a.text().len(),
                a.module().len(),
                start.elapsed()
            );
            std::fs::write("/tmp/text.bin", a.text()).unwrap();
        }
        Err(error) => println!("{error}"),
    }
}

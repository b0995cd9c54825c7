//! Scratch.
use lithe_runtime::{
    abi::{Arch, Traps, cpu},
    artifact::Target,
};
fn main() {
    let mut args = std::env::args().skip(1);
    let bytes = std::fs::read(args.next().unwrap()).unwrap();
    let arch = args.next().unwrap_or("host".into());
    let checks = args.next().is_some();
    let module = lithe_parser::parse(bytes).unwrap();
    let valid = lithe_validator::validate(module, lithe_types::Features::default()).unwrap();
    let (arch, cpu) = lithe_compiler::parse_machine(&arch).unwrap();
    let _ = (Arch::X86_64, cpu::names(arch, cpu).count());
    let target = Target {
        arch,
        cpu,
        traps: if checks { Traps::Checks } else { Traps::Signals },
        fuel: false,
        deterministic: false,
        below_memory: false,
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

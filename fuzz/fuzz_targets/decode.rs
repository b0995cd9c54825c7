//! Any bytes as a module: a clear error or a module that works, and memory in proportion to the bytes.
//! What is accepted is also translated and run, since mutated real modules reach what generated ones do not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lithe::{Config, Engine, Features, Module};
use lithe_fuzz::compare::compare;

/// Refuses what is beyond its limit; the abort that follows names the place.
#[global_allocator]
static MEMORY: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, usize::MAX);

/// Bytes that any module may cost, and bytes per byte of the module.
const FLOOR: usize = 1 << 20;
const PER_BYTE: usize = 1 << 10;
/// wasmparser reserves, but does not touch, 96 bytes for each of up to a million types that a recursion group
/// claims to have.
const RECURSION_GROUP: (u8, usize) = (0x4e, 100 << 20);
/// Functions whose bytecode is looked at.
const FUNCTIONS: u32 = 32;

fuzz_target!(|data: &[u8]| {
    let group = if data.contains(&RECURSION_GROUP.0) { RECURSION_GROUP.1 } else { 0 };
    let limit = MEMORY.allocated() + FLOOR + group + PER_BYTE * data.len();
    MEMORY.set_limit(limit).expect("less is allocated");
    let accepted = decode(data);
    MEMORY.set_limit(usize::MAX).expect("no limit");
    if accepted {
        let seed = data.iter().fold(0, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(*byte));
        compare(data, seed);
    }
});

fn decode(data: &[u8]) -> bool {
    let engine = Engine::new(&Config::new().features(Engine::SUPPORTED));
    let known = Features::ALL.iter().fold(Features::MVP, |all, (_, feature)| all.union(*feature));
    let wide = Module::validate(data, known);
    let plain = Module::validate(data, engine.features());
    let module = match Module::new(&engine, data) {
        Ok(module) => module,
        Err(error) => {
            assert!(!error.message().is_empty());
            let refused = plain.is_err() || error.message().contains("does not execute");
            assert!(refused, "valid and yet refused: {error}");
            return false;
        }
    };
    assert!(plain.is_ok() && wide.is_ok(), "refused and yet a module");
    module.name();
    module.imports();
    module.sections();
    for export in module.exports() {
        assert!(module.export_type(&export.name).is_some());
        module.function_by_name(&export.name);
    }
    for func in 0..(module.functions() as u32).min(FUNCTIONS) {
        module.function_name(func);
        assert!(module.function_type(func).is_some());
        // Imported functions have no bytecode, and a frame may be larger than the engine supports.
        let _ = module.disassemble(func);
    }
    true
}

//! Counts what generated modules hold and what came of them. Called by `soak`.

use std::collections::BTreeMap;
use std::fmt;

use lithe::{Config, Engine, Module};

use crate::compare::Outcome;

/// Groups of operations: a name, and what the names of the bytecode's operations begin with, or hold after a `*`.
const GROUPS: &[(&str, &[&str])] = &[
    ("structs", &["struct_"]),
    ("arrays", &["array_"]),
    ("arrays of segments", &["array_new_data", "array_new_elem", "array_init_"]),
    ("i31", &["ref_i31", "i31_"]),
    ("ref.test", &["ref_test"]),
    ("ref.cast", &["ref_cast"]),
    ("br_on_cast", &["br_on_cast"]),
    ("call_ref", &["call_ref", "return_call_ref"]),
    ("tail calls", &["return_call"]),
    ("throw", &["throw"]),
    ("handlers", &["catch"]),
    ("atomics", &["*atomic"]),
    ("wide arithmetic", &["*add128", "*sub128", "*mul_wide"]),
    ("vectors", &["v128", "i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2"]),
];

/// What was reached so far.
#[derive(Default)]
pub struct Reach {
    modules: u64,
    run: u64,
    allocating: u64,
    stressed: u64,
    collections: u64,
    stress_collections: u64,
    bytes: u64,
    native: BTreeMap<&'static str, u64>,
    native_steps: usize,
    ends: BTreeMap<String, u64>,
    held: [u64; GROUPS.len()],
}

impl Reach {
    /// Counts a module and its outcome.
    pub fn count(&mut self, bytes: &[u8], outcome: &Outcome) {
        self.modules += 1;
        if outcome.ends.is_empty() {
            return;
        }
        self.run += 1;
        self.allocating += u64::from(outcome.allocated > 0);
        self.stressed += u64::from(outcome.stressed > 0);
        self.collections += outcome.collections;
        self.stress_collections += outcome.stressed;
        self.bytes += outcome.allocated;
        if let Some(native) = outcome.native {
            *self.native.entry(native).or_default() += 1;
        }
        self.native_steps += outcome.native_steps;
        for end in &outcome.ends {
            *self.ends.entry(end.clone()).or_default() += 1;
        }
        let engine = Engine::new(&Config::new().features(Engine::SUPPORTED));
        let module = Module::new(&engine, bytes).expect("accepted before");
        let mut held = [false; GROUPS.len()];
        for func in 0..module.functions() as u32 {
            // Imported functions have no bytecode.
            let Ok(text) = module.disassemble(func) else { continue };
            for name in text.lines().filter_map(name) {
                for (held, (_, parts)) in held.iter_mut().zip(GROUPS) {
                    *held |= parts.iter().any(|part| match part.strip_prefix('*') {
                        Some(part) => name.contains(part),
                        None => name.starts_with(part),
                    });
                }
            }
        }
        self.held.iter_mut().zip(held).for_each(|(sum, held)| *sum += u64::from(held));
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} modules, {} run, of these:", self.modules, self.run)?;
        for ((name, _), count) in GROUPS.iter().zip(self.held) {
            writeln!(f, "{count:>10} hold {name}")?;
        }
        writeln!(f, "{:>10} allocate objects, {} bytes", self.allocating, self.bytes)?;
        writeln!(f, "{:>10} collect at every allocation", self.stressed)?;
        writeln!(
            f,
            "{:>10} collections, {} with those",
            self.collections, self.stress_collections
        )?;
        for (name, count) in &self.native {
            writeln!(f, "{count:>10} as native code with {name}")?;
        }
        writeln!(f, "{:>10} steps in native code", self.native_steps)?;
        writeln!(f, "steps:")?;
        self.ends.iter().try_for_each(|(name, count)| writeln!(f, "{count:>10} {name}"))
    }
}

/// The operation of a line of a listing, which stands after its offsets.
fn name(line: &str) -> Option<&str> {
    line.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_alphabetic()))
}

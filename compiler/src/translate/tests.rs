//! Every numeric, vector and atomic operator is translated, verified and compiled for every machine, in every mode.
//! The operators are those of the interpreter's tables. What the code computes is shown by the official suite.

use std::collections::BTreeMap;

use cranelift_codegen::{
    Context, FinalizedRelocTarget,
    ir::{ExternalName, TrapCode},
    isa::{self, OwnedTargetIsa},
    settings::{self, Configurable},
};
use lithe_parser::{BinaryReader, Operator, OperatorsReader};
use lithe_runtime::{
    abi::{Arch, Traps},
    artifact::Target,
};
use lithe_types::{Features, TrapKind};

use super::*;
use crate::folded::is_number;

#[path = "../../../interp/build/atomic.rs"]
mod atomic_table;
#[path = "../../../interp/build/simd.rs"]
mod simd_table;
#[expect(dead_code, reason = "the table serves the interpreter, which needs more of each operator")]
#[path = "../../../interp/build/table.rs"]
mod table;

const I32: u8 = 0x7f;
const I64: u8 = 0x7e;
const F32: u8 = 0x7d;
const F64: u8 = 0x7c;
const V128: u8 = 0x7b;

/// An operator with immediates, and a function that applies it to its parameters.
struct Case {
    name: String,
    params: Vec<u8>,
    results: Vec<u8>,
    immediates: Vec<u8>,
    /// A constant instead of the last parameter, encoded.
    constant: Vec<u8>,
}

impl Case {
    fn new(name: impl Into<String>, params: &[u8], results: &[u8]) -> Case {
        let (params, results) = (params.to_vec(), results.to_vec());
        Case { name: name.into(), params, results, immediates: vec![], constant: vec![] }
    }

    fn with(mut self, immediates: &[u8]) -> Case {
        self.immediates = immediates.to_vec();
        self
    }
}

fn value_type(name: &str) -> u8 {
    match name {
        "u32" => I32,
        "u64" => I64,
        "f32" => F32,
        "f64" => F64,
        _ => panic!("{name}"),
    }
}

fn scalar_cases() -> Vec<Case> {
    let mut cases = vec![];
    let integers = [("I32", I32), ("I64", I64)].map(|ty| (ty, table::INT_BINARY));
    let floats = [("F32", F32), ("F64", F64)].map(|ty| (ty, table::FLOAT_BINARY));
    for ((prefix, ty), rows) in integers.into_iter().chain(floats) {
        for table::Binary(name, order, ..) in rows {
            let result = if matches!(order, table::Order::Compare(..)) { I32 } else { ty };
            cases.push(Case::new(format!("{prefix}{name}"), &[ty, ty], &[result]));
        }
    }
    for (name, from, to, ..) in table::UNARY {
        // References to `i31` are no numbers.
        if !name.contains("I31") {
            cases.push(Case::new(*name, &[value_type(from)], &[value_type(to)]));
        }
    }
    for (prefix, ty, opcode) in [("I32", I32, 0x41), ("I64", I64, 0x42)] {
        cases.push(Case::new(format!("{prefix}Eqz"), &[ty], &[I32]));
        cases.push(Case::new(format!("{prefix}Const"), &[], &[ty]).with(&[0x7f]));
        for name in ["DivS", "DivU", "RemS", "RemU"] {
            // -1, 0, 1, 7, 32
            for divisor in [0x7f, 0, 1, 7, 32] {
                let mut case = Case::new(format!("{prefix}{name}"), &[ty], &[ty]);
                case.constant = vec![opcode, divisor];
                cases.push(case);
            }
        }
    }
    cases.push(Case::new("F32Const", &[], &[F32]).with(&[1, 0, 0xa0, 0x7f]));
    cases.push(Case::new("F64Const", &[], &[F64]).with(&[1, 0, 0, 0, 0, 0, 0xf4, 0x7f]));
    for name in ["I64Add128", "I64Sub128"] {
        cases.push(Case::new(name, &[I64; 4], &[I64; 2]));
    }
    for name in ["I64MulWideS", "I64MulWideU"] {
        cases.push(Case::new(name, &[I64; 2], &[I64; 2]));
    }
    cases
}

fn vector_cases() -> Vec<Case> {
    let mut cases = vec![Case::new("V128Const", &[], &[V128]).with(&[7; 16])];
    for (name, shape, _) in simd_table::SIMD {
        let scalar = match shape.split_once('_') {
            Some((_, "i32")) => I32,
            Some((_, "i64")) => I64,
            Some((_, "f32")) => F32,
            _ => F64,
        };
        let lanes = name[..5].split_once('x').map_or(0, |(_, lanes)| {
            lanes.trim_end_matches(char::is_alphabetic).parse().expect("a number of lanes")
        });
        let last = u8::saturating_sub(lanes, 1);
        let case = |params: &[u8], result| Case::new(*name, params, &[result]);
        match shape.split('_').next() {
            Some("unary") => cases.push(case(&[V128], V128)),
            Some("binary") => cases.push(case(&[V128, V128], V128)),
            Some("ternary") => cases.push(case(&[V128, V128, V128], V128)),
            Some("shift") => cases.push(case(&[V128, I32], V128)),
            Some("test") => cases.push(case(&[V128], I32)),
            Some("splat") => cases.push(case(&[scalar], V128)),
            Some("extract") => {
                cases.extend([0, last].map(|lane| case(&[V128], scalar).with(&[lane])));
            }
            Some("replace") => {
                cases.extend([0, last].map(|lane| case(&[V128, scalar], V128).with(&[lane])));
            }
            Some("shuffle") => {
                let masks: [fn(u8) -> u8; 6] =
                    [|i| i, |i| 31 - i, |i| i / 2 + i % 2 * 16, |i| i ^ 7, |_| 5, |i| i * 7 % 32];
                for mask in masks {
                    let mask: [u8; 16] = core::array::from_fn(|i| mask(i as u8));
                    cases.push(case(&[V128, V128], V128).with(&mask));
                }
            }
            Some("load" | "store") => {}
            shape => panic!("{shape:?}"),
        }
    }
    cases
}

/// Each access at an offset, with addresses of this type.
fn atomic_cases(address: u8) -> Vec<Case> {
    let mut cases = vec![
        Case::new("AtomicFence", &[], &[]).with(&[0]),
        Case::new("MemoryAtomicNotify", &[address, I32], &[I32]).with(&[2, 4]),
        Case::new("MemoryAtomicWait32", &[address, I32, I64], &[I32]).with(&[2, 0]),
        Case::new("MemoryAtomicWait64", &[address, I64, I64], &[I32]).with(&[3, 8]),
    ];
    for (align, (_, names)) in atomic_table::WIDTHS.iter().enumerate() {
        let memarg = [align as u8, 8 << align];
        for pattern in *names {
            let ty = if pattern.starts_with("I32") { I32 } else { I64 };
            let store = pattern.replace('*', "Store").trim_end_matches('U').to_string();
            cases.push(Case::new(pattern.replace('*', "Load"), &[address], &[ty]).with(&memarg));
            cases.push(Case::new(store, &[address, ty], &[]).with(&memarg));
            let rmw = |op: &str| match pattern.split_once('*') {
                Some((prefix, width)) => {
                    let (width, u) = width.split_at(width.len().saturating_sub(1));
                    format!("{prefix}Rmw{width}{op}{u}")
                }
                None => panic!("{pattern}"),
            };
            for (op, ..) in atomic_table::RMW {
                cases.push(Case::new(rmw(op), &[address, ty], &[ty]).with(&memarg));
            }
            cases.push(Case::new(rmw("Cmpxchg"), &[address, ty, ty], &[ty]).with(&memarg));
        }
    }
    cases
}

fn leb(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn name_of(op: &Operator<'_>) -> String {
    let text = format!("{op:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or("").to_string()
}

/// The opcodes of all operators, by name.
fn opcodes() -> BTreeMap<String, Vec<u8>> {
    let prefixes: [&[u8]; 5] = [&[], &[0xfb], &[0xfc], &[0xfd], &[0xfe]];
    let mut opcodes = BTreeMap::new();
    for prefix in prefixes {
        for code in 0..if prefix.is_empty() { 0xfb } else { 0x200 } {
            let mut bytes = prefix.to_vec();
            match prefix {
                [] => bytes.push(code as u8),
                _ => leb(&mut bytes, code),
            }
            let opcode = bytes.clone();
            bytes.extend([0; 32]);
            if let Ok(op) = OperatorsReader::new(BinaryReader::new(&bytes, 0)).read() {
                opcodes.insert(name_of(&op), opcode);
            }
        }
    }
    opcodes
}

/// A module with a shared memory and a function for each case.
fn module(cases: &[Case], is64: bool) -> lithe_validator::ValidModule {
    let opcodes = opcodes();
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    let mut section = |id: u8, count: usize, items: Vec<u8>| {
        let mut content = vec![];
        leb(&mut content, count);
        content.extend(items);
        bytes.push(id);
        leb(&mut bytes, content.len());
        bytes.extend(content);
    };
    let mut types = vec![];
    let mut funcs = vec![];
    let mut bodies = vec![];
    for (index, case) in cases.iter().enumerate() {
        types.push(0x60);
        leb(&mut types, case.params.len());
        types.extend(&case.params);
        leb(&mut types, case.results.len());
        types.extend(&case.results);
        leb(&mut funcs, index);
        let mut body = vec![0];
        for param in 0..case.params.len() {
            body.extend([0x20, param as u8]);
        }
        body.extend(&case.constant);
        body.extend(opcodes.get(&case.name).unwrap_or_else(|| panic!("{}", case.name)));
        body.extend(&case.immediates);
        body.push(0x0b);
        leb(&mut bodies, body.len());
        bodies.extend(body);
    }
    section(1, cases.len(), types);
    section(3, cases.len(), funcs);
    section(5, 1, vec![if is64 { 7 } else { 3 }, 1, 1]);
    section(10, cases.len(), bodies);
    let features = Features::WASM3.union(Features::THREADS).union(Features::WIDE_ARITHMETIC);
    let module = lithe_parser::parse(bytes).expect("a module");
    lithe_validator::validate(module, features).expect("a valid module")
}

/// Machines with features, and whether they have vectors.
const MACHINES: &[(Arch, &str, &[&str], bool)] = &[
    (Arch::X86_64, "x86_64-unknown-linux-gnu", &["nehalem"], true),
    (Arch::X86_64, "x86_64-unknown-linux-gnu", &["haswell"], true),
    (Arch::X86_64, "x86_64-unknown-linux-gnu", &["sapphirerapids"], true),
    (Arch::Aarch64, "aarch64-unknown-linux-gnu", &[], true),
    (Arch::Aarch64, "aarch64-unknown-linux-gnu", &["has_lse"], true),
    (Arch::Riscv64, "riscv64gc-unknown-linux-gnu", &[], false),
    (Arch::Riscv64, "riscv64gc-unknown-linux-gnu", &["has_v"], true),
    (
        Arch::Riscv64,
        "riscv64gc-unknown-linux-gnu",
        &["has_v", "has_zba", "has_zbb", "has_zbs", "has_zicond", "has_zcb", "has_zbkb"],
        true,
    ),
];

fn target_isa(arch: Arch, triple: &str, features: &[&str], opt_level: &str) -> OwnedTargetIsa {
    let mut flags = settings::builder();
    flags.set("opt_level", opt_level).expect("a setting");
    flags.enable("enable_verifier").expect("a setting");
    flags.enable("enable_multi_ret_implicit_sret").expect("a setting");
    if arch != Arch::Riscv64 {
        flags.enable("enable_pinned_reg").expect("a setting");
    }
    let mut isa = isa::lookup_by_name(triple).expect("a machine");
    for feature in features {
        isa.enable(feature).expect("a feature");
    }
    isa.finish(settings::Flags::new(flags)).expect("a code generator")
}

/// Whether an operator may have this trap by the code generator's own means.
fn own_trap(case: &Case, arch: Arch, traps: Traps, opt_level: &str, code: TrapCode) -> bool {
    let name = &case.name[3..];
    let division = name.starts_with("Div") || name.starts_with("Rem");
    match code {
        // Marked on conversions that never trap.
        TrapCode::BAD_CONVERSION_TO_INTEGER if arch == Arch::Riscv64 => true,
        // The one code of atomic accesses.
        TrapCode::HEAP_OUT_OF_BOUNDS => arch == Arch::Riscv64 && name.starts_with("Atomic"),
        TrapCode::INTEGER_DIVISION_BY_ZERO | TrapCode::INTEGER_OVERFLOW if division => {
            match case.constant[..] {
                // Checks come first, and these never happen.
                [] | [_, 0] => true,
                [_, 0x7f] if name == "DivS" => true,
                // A division that is not optimized is marked whatever its divisor is.
                _ => opt_level == "none",
            }
        }
        TrapCode::BAD_CONVERSION_TO_INTEGER | TrapCode::INTEGER_OVERFLOW => {
            name.starts_with("TruncF") && traps == Traps::Signals
        }
        _ => false,
    }
}

fn compile(cases: &[Case], is64: bool, vectors: bool) {
    let valid = module(cases, is64);
    let mut buffers = Buffers::default();
    let mut context = Context::new();
    for &(arch, triple, features, has_vectors) in MACHINES {
        for (traps, deterministic, opt_level) in [
            (Traps::Signals, false, "speed"),
            (Traps::Signals, true, "speed"),
            (Traps::Checks, false, "speed"),
            (Traps::Checks, true, "none"),
        ] {
            let isa = target_isa(arch, triple, features, opt_level);
            let target =
                Target { arch, cpu: 0, traps, fuel: false, deterministic, below_memory: true };
            let env = Env::new(&valid, target);
            if vectors && !has_vectors {
                continue;
            }
            for (number, case) in cases.iter().enumerate() {
                let place = || {
                    let Case { name, immediates, constant, .. } = case;
                    format!(
                        "{name} {immediates:?} {constant:?}: {triple} {features:?} {traps:?} {opt_level}"
                    )
                };
                context.clear();
                let frontend = isa.frontend_config();
                translate(&env, number as u32, frontend, &mut buffers, &mut context.func)
                    .unwrap_or_else(|error| panic!("{}: {error:?}", place()));
                let clif = context.func.display().to_string();
                let code = context
                    .compile(&*isa, &mut Default::default())
                    .unwrap_or_else(|error| panic!("{}: {:?}\n{clif}", place(), error.inner));
                for reloc in code.buffer.relocs() {
                    let FinalizedRelocTarget::ExternalName(name) = &reloc.target else { continue };
                    assert!(!matches!(name, ExternalName::LibCall(_)), "{}: {name:?}", place());
                }
                for trap in code.buffer.traps() {
                    let kind = trap.code.as_raw().get();
                    let user = TrapCode::user(kind) == Some(trap.code)
                        && (TrapKind::from_code(kind).is_some() || is_number(trap.code));
                    let own = own_trap(case, arch, traps, opt_level, trap.code);
                    assert!(user || own, "{}: {:?}\n{clif}", place(), trap.code);
                }
            }
        }
    }
}

#[test]
fn scalar_operators_compile() {
    compile(&scalar_cases(), false, false);
}

#[test]
fn vector_operators_compile() {
    compile(&vector_cases(), false, true);
}

#[test]
fn atomic_operators_compile() {
    compile(&atomic_cases(I32), false, false);
    compile(&atomic_cases(I64), true, false);
}

/// Who translates the operators that are neither numeric nor vector nor atomic: control, calls, variables, memories,
/// tables, references and objects, exceptions; the rest belongs to proposals that Lithe does not have.
const OTHERS: &[&str] = &[
    "Unreachable",
    "Nop",
    "Block",
    "Loop",
    "If",
    "Else",
    "End",
    "Br",
    "Return",
    "Call",
    "Drop",
    "Select",
    "TypedSelect",
    "Local",
    "Global",
    "Memory",
    "Data",
    "Elem",
    "Table",
    "Ref",
    "Struct",
    "Array",
    "Any",
    "Extern",
    "I31",
    "Throw",
    "Try",
    "Catch",
    "Delegate",
    "Rethrow",
    "Cont",
    "Suspend",
    "Resume",
    "Switch",
    "Pause",
];

#[test]
fn every_operator_has_one_translation() {
    let cases: Vec<Case> =
        [scalar_cases(), vector_cases(), atomic_cases(I32)].into_iter().flatten().collect();
    let valid = module(&[], false);
    let target = Target {
        arch: Arch::X86_64,
        cpu: 0,
        traps: Traps::Checks,
        fuel: false,
        deterministic: false,
        below_memory: true,
    };
    let env = Env::new(&valid, target);
    let ty = FuncType::default();
    let mut function = ir::Function::new();
    let mut context = FunctionBuilderContext::new();
    let builder = FunctionBuilder::new(&mut function, &mut context);
    let mut translator = Translator::new(&env, builder, &ty, 0);
    for (name, mut bytes) in opcodes() {
        if cases.iter().any(|case| case.name == name) {
            continue;
        }
        let access = !name.contains("Atomic") && (name.contains("Load") || name.contains("Store"));
        assert!(access || OTHERS.iter().any(|other| name.starts_with(other)), "{name}");
        bytes.extend([0; 32]);
        let op = OperatorsReader::new(BinaryReader::new(&bytes, 0)).read().expect("an operator");
        assert!(!translator.numeric(&op), "{name}");
        assert!(!translator.simd(&op), "{name}");
        assert!(!translator.atomic(&op), "{name}");
    }
}

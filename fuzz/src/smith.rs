//! Modules from arbitrary bytes, small enough to run in well under a millisecond.

use arbitrary::{Arbitrary, Result, Unstructured};
use wasm_smith::{Config, InstructionKind, InstructionKinds, MemoryOffsetChoices, Module};

/// Bytes that are added to what a module is made from.
const LONGEST: usize = 1 << 13;
/// Bytes that a memory of a generated module declares at most.
const MEMORY_BYTES: u64 = 4 << 16;

/// What makes, changes and passes on objects and exceptions.
const OBJECTS: &[InstructionKind] = &[
    InstructionKind::Aggregate,
    InstructionKind::Reference,
    InstructionKind::Control,
    InstructionKind::Variable,
];

/// What generated modules may contain: all that the engine executes.
pub fn config(u: &mut Unstructured<'_>) -> Result<Config> {
    // Of the instructions only some kinds, which makes those more frequent.
    let some = Config::arbitrary(u)?;
    let gc_enabled = u.ratio(3, 4)?;
    let allowed_instructions = match gc_enabled && u.ratio(1, 2)? {
        true => InstructionKinds::new(OBJECTS),
        false => some.allowed_instructions,
    };
    Ok(Config {
        custom_page_sizes_enabled: u.ratio(1, 4)?,
        memory64_enabled: u.ratio(1, 4)?,
        memory_offset_choices: MemoryOffsetChoices(90, 9, 1),
        max_memory32_bytes: MEMORY_BYTES,
        max_memory64_bytes: u128::from(MEMORY_BYTES),
        max_memories: u.int_in_range(0..=3)?,
        max_tables: u.int_in_range(0..=3)?,
        max_table_elements: 100,
        max_funcs: u.int_in_range(1..=12)?,
        min_funcs: 1,
        min_types: 3,
        max_types: 16,
        max_type_size: 200,
        max_imports: 6,
        max_globals: 8,
        max_tags: 4,
        max_instructions: u.int_in_range(1..=400)?,
        max_data_segments: 4,
        max_element_segments: 4,
        max_elements: 20,
        export_everything: true,
        simd_enabled: u.ratio(3, 4)?,
        relaxed_simd_enabled: u.arbitrary()?,
        bulk_memory_enabled: true,
        reference_types_enabled: true,
        multi_value_enabled: true,
        tail_call_enabled: true,
        extended_const_enabled: true,
        saturating_float_to_int_enabled: true,
        sign_extension_ops_enabled: true,
        canonicalize_nans: u.arbitrary()?,
        gc_enabled,
        allowed_instructions,
        exceptions_enabled: u.ratio(1, 2)?,
        threads_enabled: u.ratio(1, 4)?,
        wide_arithmetic_enabled: u.ratio(1, 4)?,
        compact_imports_enabled: false,
        ..some
    })
}

/// A module and a number that its arguments are drawn from. The first bytes of `data` are also the seed of what
/// follows them all, so that a few bytes make a large module, and changing others changes only a part of it. The number
/// is odd when all NaNs of the module are canonical.
pub fn module(data: &[u8]) -> Result<(Vec<u8>, u64)> {
    let mut head = [0; 8];
    let (seed, rest) = data.split_at(data.len().min(head.len()));
    head[..seed.len()].copy_from_slice(seed);
    let seed = u64::from_le_bytes(head);
    let bytes = [rest, &input(seed, seed as usize % LONGEST)].concat();
    let mut u = Unstructured::new(&bytes);
    let config = config(&mut u)?;
    let arguments: u64 = u.arbitrary()?;
    let arguments = arguments & !1 | u64::from(config.canonicalize_nans);
    Ok((Module::new(config, &mut u)?.to_bytes(), arguments))
}

/// `len` random bytes to make a module from.
fn input(seed: u64, len: usize) -> Vec<u8> {
    let mut random = seed;
    let words = std::iter::repeat_with(|| splitmix(&mut random).to_le_bytes());
    words.flatten().take(len).collect()
}

/// A module for another engine: no imports, no NaNs and no relaxed operators that it may decide otherwise.
pub fn module_of_seed(seed: u64) -> Result<Vec<u8>> {
    /// What twelve functions of several hundred instructions are made from.
    const INPUT: usize = 1 << 14;
    let bytes = input(seed, INPUT);
    let mut u = Unstructured::new(&bytes);
    let config = Config {
        min_funcs: 6,
        max_funcs: 12,
        max_imports: 0,
        canonicalize_nans: true,
        relaxed_simd_enabled: false,
        allow_start_export: false,
        ..config(&mut u)?
    };
    Ok(Module::new(config, &mut u)?.to_bytes())
}

/// A step of the splitmix64 generator.
pub fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

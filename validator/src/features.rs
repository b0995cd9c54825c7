//! Lithe's feature names to `wasmparser`'s. One table serves both directions.

use lithe_types::Features;
use wasmparser::WasmFeatures;

const TABLE: &[(Features, WasmFeatures)] = &[
    (Features::MUTABLE_GLOBAL, WasmFeatures::MUTABLE_GLOBAL),
    (Features::SATURATING_FLOAT_TO_INT, WasmFeatures::SATURATING_FLOAT_TO_INT),
    (Features::SIGN_EXTENSION, WasmFeatures::SIGN_EXTENSION),
    (
        Features::REFERENCE_TYPES,
        WasmFeatures::REFERENCE_TYPES.union(WasmFeatures::CALL_INDIRECT_OVERLONG),
    ),
    (Features::MULTI_VALUE, WasmFeatures::MULTI_VALUE),
    (Features::BULK_MEMORY, WasmFeatures::BULK_MEMORY.union(WasmFeatures::BULK_MEMORY_OPT)),
    (Features::SIMD, WasmFeatures::SIMD),
    (Features::RELAXED_SIMD, WasmFeatures::RELAXED_SIMD),
    (Features::TAIL_CALL, WasmFeatures::TAIL_CALL),
    (Features::MULTI_MEMORY, WasmFeatures::MULTI_MEMORY),
    (Features::MEMORY64, WasmFeatures::MEMORY64),
    (Features::EXTENDED_CONST, WasmFeatures::EXTENDED_CONST),
    (Features::FUNCTION_REFERENCES, WasmFeatures::FUNCTION_REFERENCES),
    (Features::GC, WasmFeatures::GC),
    (Features::EXCEPTIONS, WasmFeatures::EXCEPTIONS),
    (Features::THREADS, WasmFeatures::THREADS),
    (Features::CUSTOM_PAGE_SIZES, WasmFeatures::CUSTOM_PAGE_SIZES),
    (Features::WIDE_ARITHMETIC, WasmFeatures::WIDE_ARITHMETIC),
    (Features::LEGACY_EXCEPTIONS, WasmFeatures::LEGACY_EXCEPTIONS),
    (Features::FIXED_LENGTH_LISTS, WasmFeatures::CM_FIXED_LENGTH_LISTS),
    (Features::MAP, WasmFeatures::CM_MAP),
    (Features::IMPLEMENTS, WasmFeatures::CM_IMPLEMENTS),
];

pub(crate) fn to_wasmparser(features: Features) -> WasmFeatures {
    let base = WasmFeatures::FLOATS.union(WasmFeatures::GC_TYPES);
    TABLE
        .iter()
        .filter(|(ours, _)| features.contains(*ours))
        .fold(base, |set, (_, theirs)| set.union(*theirs))
}

pub(crate) fn name(missing: WasmFeatures) -> Option<&'static str> {
    let (ours, _) = TABLE.iter().find(|(_, theirs)| theirs.intersects(missing))?;
    Features::ALL.iter().find(|(_, set)| set == ours).map(|(name, _)| *name)
}

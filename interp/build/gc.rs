//! The part of the operation table that reads and writes fields of structs and elements of arrays: one row per
//! representation, expanded for both. The other operations of garbage collection are ordinary rows.

/// Reads: name, type read, result type, body.
pub const GETS: &[(&str, &str, &str, &str)] = &[
    ("8S", "u8", "u32", "|x| x as i8 as u32"),
    ("8U", "u8", "u32", "u32::from"),
    ("16S", "u16", "u32", "|x| x as i16 as u32"),
    ("16U", "u16", "u32", "u32::from"),
    ("32", "u32", "u32", "|x| x"),
    ("64", "u64", "u64", "|x| x"),
    ("F32", "u32", "f32", "f32::from_bits"),
    ("F64", "u64", "f64", "f64::from_bits"),
];

/// Writes, by base-2 logarithm of the size: name and type.
pub const SETS: &[(&str, &str)] = &[("8", "u8"), ("16", "u16"), ("32", "u32"), ("64", "u64")];

/// Everything else: name, operand format, size in cells, body. A cell `x` of two halves holds a canonical type id
/// and a size, or an index and a representation.
pub const OTHERS: &[(&str, &str, usize, &str)] = &[
    ("RefTest", "d0 s1 x", 3, "gc::ref_test(r)"),
    ("RefCast|S", "s0 x", 3, "gc::ref_cast::<false>(r)"),
    ("RefCast|A", "a x", 3, "gc::ref_cast::<true>(r)"),
    ("BrOnCast", "s0 j x", 3, "gc::br_on_cast::<true, false>(r)"),
    ("BrOnCastBack", "s0 j x", 3, "gc::br_on_cast::<true, true>(r)"),
    ("BrOnCastFail", "s0 j x", 3, "gc::br_on_cast::<false, false>(r)"),
    ("BrOnCastFailBack", "s0 j x", 3, "gc::br_on_cast::<false, true>(r)"),
    ("StructNew", "d0 s1 x x", 4, "gc::struct_new(r)"),
    ("StructNewWords", "d0 s1 i x", 3, "gc::struct_new_words(r)"),
    ("StructNewDefault", "d0 x", 3, "gc::struct_new_default(r)"),
    ("StructGetV", "d0 s1 o", 2, "gc::struct_get_v128(r)"),
    ("StructSetV", "s0 s1 o", 2, "gc::struct_set_v128(r)"),
    ("ArrayNew", "d0 s1 s2 x", 3, "array::array_new(r)"),
    ("ArrayNewDefault", "d0 s1 x", 3, "array::array_new_default(r)"),
    ("ArrayNewFixed", "d0 s1 i x", 3, "array::array_new_fixed(r)"),
    ("ArrayNewData", "d0 s1 s2 x x", 4, "array::array_new_from::<u8>(r)"),
    ("ArrayNewElem", "d0 s1 s2 x x", 4, "array::array_new_from::<u64>(r)"),
    ("ArrayGetV", "d0 s1 s2", 2, "array::array_get_v128(r)"),
    ("ArraySetV", "s0 s1 s2", 2, "array::array_set_v128(r)"),
    ("ArrayLen", "d0 s1", 2, "array::array_len(r)"),
    ("ArrayFill", "s0 s1 s2 s3 x", 3, "array::array_fill(r)"),
    ("ArrayCopy", "s0 i", 2, "array::array_copy(r)"),
    ("ArrayInitData", "s0 s1 s2 s3 x", 3, "array::array_init::<u8>(r)"),
    ("ArrayInitElem", "s0 s1 s2 s3 x", 3, "array::array_init::<u64>(r)"),
];

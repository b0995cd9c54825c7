//! The table of atomic operators (the threads proposal). Operators of both result types share the operation of
//! their width, since the result is extended with zeros.

/// Widths: type of the access, and the operators' names, in which a star stands for what they do.
pub const WIDTHS: &[(&str, &[&str])] = &[
    ("u8", &["I32Atomic*8U", "I64Atomic*8U"]),
    ("u16", &["I32Atomic*16U", "I64Atomic*16U"]),
    ("u32", &["I32Atomic*", "I64Atomic*32U"]),
    ("u64", &["I64Atomic*"]),
];

/// Read-modify-write operators of one value: name, function on shared memories, function of old and new value
/// on others.
pub const RMW: &[(&str, &str, &str)] = &[
    ("Add", "atomic_add", "|a, b| a.wrapping_add(b)"),
    ("Sub", "atomic_sub", "|a, b| a.wrapping_sub(b)"),
    ("And", "atomic_and", "|a, b| a & b"),
    ("Or", "atomic_or", "|a, b| a | b"),
    ("Xor", "atomic_xor", "|a, b| a ^ b"),
    ("Xchg", "atomic_xchg", "|_, b| b"),
];

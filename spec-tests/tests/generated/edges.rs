//! Every load and store at, across and beyond the end of memories of every kind, with addresses and offsets whose sums
//! are near 2^31, 2^32 and 2^64: results where the access lies within the memory, a trap that changes nothing elsewhere.

use std::fmt::Write;

/// An access, and how many bytes it takes.
pub(super) struct Access {
    pub name: &'static str,
    pub bytes: u64,
    /// The type that is loaded or stored.
    pub ty: &'static str,
    /// The lane that it takes or gives, for accesses to one lane.
    pub lane: Option<u32>,
}

const fn access(name: &'static str, bytes: u64, ty: &'static str) -> Access {
    Access { name, bytes, ty, lane: None }
}

const fn lane(name: &'static str, bytes: u64, lane: u32) -> Access {
    Access { name, bytes, ty: "v128", lane: Some(lane) }
}

pub(super) const LOADS: &[Access] = &[
    access("i32.load", 4, "i32"),
    access("i32.load8_s", 1, "i32"),
    access("i32.load8_u", 1, "i32"),
    access("i32.load16_s", 2, "i32"),
    access("i32.load16_u", 2, "i32"),
    access("i64.load", 8, "i64"),
    access("i64.load8_s", 1, "i64"),
    access("i64.load8_u", 1, "i64"),
    access("i64.load16_s", 2, "i64"),
    access("i64.load16_u", 2, "i64"),
    access("i64.load32_s", 4, "i64"),
    access("i64.load32_u", 4, "i64"),
    access("f32.load", 4, "f32"),
    access("f64.load", 8, "f64"),
    access("v128.load", 16, "v128"),
    access("v128.load8x8_s", 8, "v128"),
    access("v128.load8x8_u", 8, "v128"),
    access("v128.load16x4_s", 8, "v128"),
    access("v128.load16x4_u", 8, "v128"),
    access("v128.load32x2_s", 8, "v128"),
    access("v128.load32x2_u", 8, "v128"),
    access("v128.load8_splat", 1, "v128"),
    access("v128.load16_splat", 2, "v128"),
    access("v128.load32_splat", 4, "v128"),
    access("v128.load64_splat", 8, "v128"),
    access("v128.load32_zero", 4, "v128"),
    access("v128.load64_zero", 8, "v128"),
    lane("v128.load8_lane", 1, 15),
    lane("v128.load16_lane", 2, 7),
    lane("v128.load32_lane", 4, 3),
    lane("v128.load64_lane", 8, 1),
];

const STORES: &[Access] = &[
    access("i32.store", 4, "i32"),
    access("i32.store8", 1, "i32"),
    access("i32.store16", 2, "i32"),
    access("i64.store", 8, "i64"),
    access("i64.store8", 1, "i64"),
    access("i64.store16", 2, "i64"),
    access("i64.store32", 4, "i64"),
    access("f32.store", 4, "f32"),
    access("f64.store", 8, "f64"),
    access("v128.store", 16, "v128"),
    lane("v128.store8_lane", 1, 15),
    lane("v128.store16_lane", 2, 7),
    lane("v128.store32_lane", 4, 3),
    lane("v128.store64_lane", 8, 1),
];

/// A memory that is accessed.
struct Kind {
    /// What is said of it in the module, after `memory`.
    ty: &'static str,
    /// Memories before it.
    before: &'static str,
    /// Its index.
    index: u32,
    bytes: u64,
    is64: bool,
}

const KINDS: &[Kind] = &[
    Kind { ty: "1", before: "", index: 0, bytes: 0x10000, is64: false },
    Kind { ty: "1 1", before: "", index: 0, bytes: 0x10000, is64: false },
    Kind { ty: "0", before: "", index: 0, bytes: 0, is64: false },
    Kind { ty: "2 3", before: "(memory 1)", index: 1, bytes: 0x20000, is64: false },
    Kind { ty: "1 2 shared", before: "", index: 0, bytes: 0x10000, is64: false },
    Kind { ty: "i64 1", before: "", index: 0, bytes: 0x10000, is64: true },
    Kind { ty: "i64 1 2", before: "(memory i64 1)", index: 1, bytes: 0x10000, is64: true },
    Kind { ty: "100 (pagesize 1)", before: "", index: 0, bytes: 100, is64: false },
    Kind { ty: "i64 4099 (pagesize 1)", before: "", index: 0, bytes: 4099, is64: true },
];

/// The addresses and offsets that an access of so many bytes is tried with.
fn places(kind: &Kind, bytes: u64) -> Vec<(u64, u64)> {
    let end = kind.bytes;
    let most = if kind.is64 { u64::MAX } else { u32::MAX.into() };
    let mut places = Vec::new();
    let mut add = |address: u64, offset: u64| {
        if address <= most && offset <= most && !places.contains(&(address, offset)) {
            places.push((address, offset));
        }
    };
    add(0, 0);
    // The sum is the last one within, the first one beyond, and the first one wholly beyond.
    for sum in [end.wrapping_sub(bytes), end.wrapping_sub(bytes).wrapping_add(1), end] {
        if sum > end {
            continue;
        }
        add(sum, 0);
        add(0, sum);
        add(sum / 2, sum - sum / 2);
    }
    // Sums that wrap at 32 or 64 bits, and those that look negative.
    for (address, offset) in [
        (most, 0),
        (most, 1),
        (most, most),
        (0, most),
        (most - bytes, 0),
        (most - bytes + 1, bytes),
        (most - 15, 16),
        (1 << 31, 0),
        (0, 1 << 31),
        ((1 << 31) - 1, (1 << 31) - 1),
        (1 << 31, 1 << 31),
        (most / 2 + 1, most / 2 + 1),
    ] {
        add(address, offset);
    }
    if kind.is64 {
        for (address, offset) in [
            (1 << 32, 0),
            (0, 1 << 32),
            (u64::MAX - 0xffff, 0x10000),
            (1 << 63, 1 << 63),
            (0xffff_ffff_0000_0000, 0),
            (0xffff_ffff_ffff_0000, 0),
            (0x1_0000_0000 - bytes, 0),
        ] {
            add(address, offset);
        }
    }
    places
}

/// Whether the access lies within the memory.
fn within(kind: &Kind, (address, offset): (u64, u64), bytes: u64) -> bool {
    u128::from(address) + u128::from(offset) + u128::from(bytes) <= u128::from(kind.bytes)
}

const TRAP: &str = "\"out of bounds memory access\"";

pub fn script() -> String {
    let mut out = String::new();
    for kind in KINDS {
        let index_type = if kind.is64 { "i64" } else { "i32" };
        let memory = kind.index;
        let mut funcs = String::new();
        let mut checks = String::new();
        for (number, access) in LOADS.iter().chain(STORES).enumerate() {
            let Access { name, bytes, ty, lane } = access;
            let store = number >= LOADS.len();
            let lane = lane.map_or(String::new(), |lane| format!(" {lane}"));
            let given = match (store, lane.is_empty()) {
                (false, true) => String::new(),
                (false, false) => "(v128.const i64x2 0 0)".into(),
                (true, _) if *ty == "v128" => "(v128.const i64x2 -1 -1)".into(),
                (true, _) => format!("({ty}.const 1)"),
            };
            let result = if store { String::new() } else { format!("(result {ty})") };
            let zero = match *ty {
                "v128" => "(v128.const i64x2 0 0)".into(),
                ty => format!("({ty}.const 0)"),
            };
            let expected = if store { "" } else { &zero };
            let mut offsets = Vec::new();
            for place in places(kind, *bytes) {
                let (address, offset) = place;
                if !offsets.contains(&offset) {
                    offsets.push(offset);
                    let function = |export: &str, param: &str, address: &str| {
                        format!(
                            "(func (export \"{export}{number}-{offset}\") {param} {result}
                               ({name} {memory} offset={offset}{lane} {address} {given}))\n"
                        )
                    };
                    let param = format!("(param {index_type})");
                    funcs += &function("", &param, "(local.get 0)");
                    let param = format!("(param {index_type} {index_type})");
                    let sum = format!("({index_type}.add (local.get 0) (local.get 1))");
                    funcs += &function("sum", &param, &sum);
                }
                let invoke =
                    format!("(invoke \"{number}-{offset}\" ({index_type}.const {address}))");
                let half = address / 2;
                let rest = address - half;
                let sum = format!(
                    "(invoke \"sum{number}-{offset}\" ({index_type}.const {half}) ({index_type}.const {rest}))"
                );
                for invoke in [invoke, sum] {
                    match within(kind, place, *bytes) {
                        true => {
                            let _ = writeln!(checks, "(assert_return {invoke} {expected})");
                            if store {
                                checks += "(assert_return (invoke \"clear\"))\n";
                            }
                        }
                        false => {
                            let _ = writeln!(checks, "(assert_trap {invoke} {TRAP})");
                        }
                    }
                }
                // The same with an address that the code generator knows.
                let constant = format!(
                    "(func (export \"c{number}-{address}-{offset}\") {result}
                       ({name} {memory} offset={offset}{lane} ({index_type}.const {address}) {given}))\n"
                );
                funcs += &constant;
                let invoke = format!("(invoke \"c{number}-{address}-{offset}\")");
                match within(kind, place, *bytes) {
                    true => {
                        let _ = writeln!(checks, "(assert_return {invoke} {expected})");
                        if store {
                            checks += "(assert_return (invoke \"clear\"))\n";
                        }
                    }
                    false => {
                        let _ = writeln!(checks, "(assert_trap {invoke} {TRAP})");
                    }
                }
            }
            // No store that trapped left anything.
            if store {
                checks += "(assert_return (invoke \"is-zero\") (i32.const 1))\n";
            }
        }
        let _ = writeln!(
            out,
            "(module {} (memory {})
               (func (export \"clear\")
                 (memory.fill {memory} ({index_type}.const 0) (i32.const 0) ({index_type}.const {})))
               (func (export \"is-zero\") (result i32) (local $i {index_type})
                 (loop $more
                   (if (i32.eqz ({index_type}.ge_u (local.get $i) ({index_type}.const {})))
                     (then
                       (if (i32.load8_u {memory} (local.get $i)) (then (return (i32.const 0))))
                       (local.set $i ({index_type}.add (local.get $i) ({index_type}.const 1)))
                       (br $more))))
                 (i32.const 1))
               {funcs})\n{checks}",
            kind.before, kind.ty, kind.bytes, kind.bytes
        );
    }
    out
}

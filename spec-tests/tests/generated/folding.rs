//! Loads whose value an operator takes at once, which a code generator may make one instruction of: at the very end of a
//! memory such an instruction reads no more than the load does, and beyond the end the load traps.

use std::fmt::Write;

/// An operator with the type of its operands and what it gives for a load of zeros (`L`) and for the other operand: text
/// of the result, as a constant.
const USES: &[(&str, &str, &str)] = &[
    ("i32.load", "(i32.add (i32.const 5) L)", "i32.const 5"),
    ("i32.load", "(i32.add L (i32.const 5))", "i32.const 5"),
    ("i32.load", "(i32.sub (i32.const 5) L)", "i32.const 5"),
    ("i32.load", "(i32.and (i32.const 5) L)", "i32.const 0"),
    ("i32.load", "(i32.or L (i32.const 5))", "i32.const 5"),
    ("i32.load", "(i32.xor (i32.const 5) L)", "i32.const 5"),
    ("i32.load", "(i32.mul (i32.const 5) L)", "i32.const 0"),
    ("i32.load", "(i32.shl (i32.const 5) L)", "i32.const 5"),
    ("i32.load", "(i32.rotl L (i32.const 5))", "i32.const 0"),
    ("i32.load", "(i32.lt_u L (i32.const 5))", "i32.const 1"),
    ("i32.load", "(i32.eqz L)", "i32.const 1"),
    ("i32.load", "(i32.clz L)", "i32.const 32"),
    ("i32.load", "(i32.popcnt L)", "i32.const 0"),
    ("i32.load", "(select (i32.const 1) (i32.const 2) L)", "i32.const 2"),
    ("i32.load", "(if (result i32) L (then (i32.const 1)) (else (i32.const 2)))", "i32.const 2"),
    ("i32.load", "(i64.extend_i32_s L)", "i64.const 0"),
    ("i32.load", "(i64.extend_i32_u L)", "i64.const 0"),
    ("i32.load", "(f32.convert_i32_u L)", "f32.const 0"),
    ("i32.load", "(f64.convert_i32_s L)", "f64.const 0"),
    ("i32.load", "(f32.reinterpret_i32 L)", "f32.const 0"),
    ("i32.load", "(i32x4.splat L)", "v128.const i64x2 0 0"),
    ("i32.load8_s", "(i32x4.shl (v128.const i64x2 1 1) L)", "v128.const i64x2 1 1"),
    ("i32.load8_u", "(i8x16.splat L)", "v128.const i64x2 0 0"),
    ("i32.load16_u", "(i16x8.splat L)", "v128.const i64x2 0 0"),
    ("i32.load8_u", "(i32.add L (i32.const 7))", "i32.const 7"),
    ("i32.load16_s", "(i32.add L (i32.const 7))", "i32.const 7"),
    ("i64.load", "(i64.add (i64.const 5) L)", "i64.const 5"),
    ("i64.load", "(i64.sub (i64.const 5) L)", "i64.const 5"),
    ("i64.load", "(i64.and L (i64.const 5))", "i64.const 0"),
    ("i64.load", "(i64.ge_s L (i64.const 5))", "i32.const 0"),
    ("i64.load", "(i32.wrap_i64 L)", "i32.const 0"),
    ("i64.load", "(f64.reinterpret_i64 L)", "f64.const 0"),
    ("i64.load", "(f64.convert_i64_u L)", "f64.const 0"),
    ("i64.load", "(i64x2.splat L)", "v128.const i64x2 0 0"),
    ("i64.load", "(i64x2.replace_lane 1 (v128.const i64x2 3 3) L)", "v128.const i64x2 3 0"),
    ("i64.load32_u", "(i64.shl L (i64.const 3))", "i64.const 0"),
    ("i64.load32_s", "(i64.add L (i64.const 3))", "i64.const 3"),
    ("f32.load", "(f32.add L (f32.const 1))", "f32.const 1"),
    ("f32.load", "(f32.sub (f32.const 1) L)", "f32.const 1"),
    ("f32.load", "(f32.div L (f32.const 2))", "f32.const 0"),
    ("f32.load", "(f32.min (f32.const 1) L)", "f32.const 0"),
    ("f32.load", "(f32.sqrt L)", "f32.const 0"),
    ("f32.load", "(f32.neg L)", "f32.const -0"),
    ("f32.load", "(f32.abs L)", "f32.const 0"),
    ("f32.load", "(f32.ceil L)", "f32.const 0"),
    ("f32.load", "(f32.copysign (f32.const -2) L)", "f32.const 2"),
    ("f32.load", "(f32.copysign L (f32.const -2))", "f32.const -0"),
    ("f32.load", "(f32.lt L (f32.const 1))", "i32.const 1"),
    ("f32.load", "(f64.promote_f32 L)", "f64.const 0"),
    ("f32.load", "(i32.trunc_f32_s L)", "i32.const 0"),
    ("f32.load", "(f32x4.splat L)", "v128.const i64x2 0 0"),
    ("f32.load", "(f32x4.replace_lane 3 (v128.const i64x2 3 3) L)", "v128.const i64x2 3 3"),
    ("f64.load", "(f64.add (f64.const 1) L)", "f64.const 1"),
    ("f64.load", "(f64.mul L (f64.const 2))", "f64.const 0"),
    ("f64.load", "(f64.max (f64.const -1) L)", "f64.const 0"),
    ("f64.load", "(f64.sqrt L)", "f64.const 0"),
    ("f64.load", "(f64.neg L)", "f64.const -0"),
    ("f64.load", "(f64.abs L)", "f64.const 0"),
    ("f64.load", "(f64.nearest L)", "f64.const 0"),
    ("f64.load", "(f64.copysign (f64.const -2) L)", "f64.const 2"),
    ("f64.load", "(f64.copysign L (f64.const -2))", "f64.const -0"),
    ("f64.load", "(f64.ge L (f64.const 1))", "i32.const 0"),
    ("f64.load", "(f32.demote_f64 L)", "f32.const 0"),
    ("f64.load", "(i64.trunc_sat_f64_u L)", "i64.const 0"),
    ("f64.load", "(f64x2.splat L)", "v128.const i64x2 0 0"),
    ("v128.load", "(v128.and L (v128.const i64x2 3 3))", "v128.const i64x2 0 0"),
    ("v128.load", "(v128.not L)", "v128.const i64x2 -1 -1"),
    ("v128.load", "(v128.any_true L)", "i32.const 0"),
    ("v128.load", "(i8x16.add (v128.const i64x2 3 3) L)", "v128.const i64x2 3 3"),
    ("v128.load", "(i16x8.mul (v128.const i64x2 3 3) L)", "v128.const i64x2 0 0"),
    ("v128.load", "(i32x4.eq (v128.const i64x2 0 0) L)", "v128.const i64x2 -1 -1"),
    ("v128.load", "(i64x2.sub (v128.const i64x2 3 3) L)", "v128.const i64x2 3 3"),
    ("v128.load", "(f32x4.add L (v128.const f32x4 1 2 3 4))", "v128.const f32x4 1 2 3 4"),
    ("v128.load", "(f64x2.mul (v128.const f64x2 1 2) L)", "v128.const f64x2 0 0"),
    ("v128.load", "(f64x2.sqrt L)", "v128.const i64x2 0 0"),
    ("v128.load", "(i8x16.swizzle L (v128.const i64x2 0 0))", "v128.const i64x2 0 0"),
    ("v128.load", "(i16x8.extend_low_i8x16_u L)", "v128.const i64x2 0 0"),
    ("v128.load", "(f64x2.convert_low_i32x4_s L)", "v128.const f64x2 0 0"),
    ("v128.load", "(f64x2.promote_low_f32x4 L)", "v128.const f64x2 0 0"),
    ("v128.load", "(i32x4.extract_lane 0 L)", "i32.const 0"),
    ("v128.load", "(f64x2.extract_lane 0 L)", "f64.const 0"),
    ("v128.load", "(i8x16.bitmask L)", "i32.const 0"),
    (
        "v128.load",
        "(v128.bitselect L (v128.const i64x2 3 3) (v128.const i64x2 1 1))",
        "v128.const i64x2 2 2",
    ),
    (
        "v128.load",
        "(i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 L (v128.const i64x2 3 4))",
        "v128.const i64x2 0 3",
    ),
];

fn bytes(load: &str) -> u32 {
    super::edges::LOADS
        .iter()
        .find(|access| access.name == load)
        .map_or(0, |access| access.bytes as u32)
}

pub fn script() -> String {
    let mut out = String::new();
    for (memory, offset) in [("1", 0), ("1 1", 24), ("1 2 shared", 0), ("65536 (pagesize 1)", 8)] {
        let (mut funcs, mut checks) = (String::new(), String::new());
        for (i, (load, text, result)) in USES.iter().enumerate() {
            let ty = result.split('.').next().unwrap_or_default();
            let text = text.replace('L', &format!("({load} offset={offset} (local.get 0))"));
            let _ = writeln!(funcs, "(func (export \"{i}\") (param i32) (result {ty}) {text})");
            let last = 0x10000 - bytes(load) - offset;
            let _ = writeln!(
                checks,
                "(assert_return (invoke \"{i}\" (i32.const {last})) ({result}))
                 (assert_trap (invoke \"{i}\" (i32.const {})) \"out of bounds memory access\")
                 (assert_trap (invoke \"{i}\" (i32.const -1)) \"out of bounds memory access\")",
                last + 1,
            );
        }
        let _ = writeln!(out, "(module (memory {memory}) {funcs})\n{checks}");
    }
    out
}

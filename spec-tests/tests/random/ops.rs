//! The operators of random programs with what they mean. Values are bits, whatever their type. Arithmetic of
//! floats is limited to what never gives a NaN, whose bits no specification fixes.

use crate::program::Ty::{self, *};

pub struct Op {
    pub name: &'static str,
    pub params: &'static [Ty],
    pub result: Ty,
    pub meaning: fn(&[u128]) -> Result<u128, &'static str>,
}

impl Op {
    /// Whether it may trap.
    pub fn divides(&self) -> bool {
        self.name.contains("div") || self.name.contains("rem")
    }

    /// Whether branches may fuse with it.
    pub fn is_comparison(&self) -> bool {
        let (_, name) = self.name.split_once('.').unwrap_or_default();
        let stem = name.split('_').next().unwrap_or_default();
        ["eqz", "eq", "ne", "lt", "gt", "le", "ge"].contains(&stem)
    }
}

const ZERO: &str = "integer divide by zero";
const OVERFLOW: &str = "integer overflow";

fn f64(bits: u128) -> f64 {
    f64::from_bits(bits as u64)
}

fn bits(x: f64) -> u128 {
    u128::from(x.to_bits())
}

fn lanes(low: u64, high: u64) -> u128 {
    u128::from(low) | u128::from(high) << 64
}

macro_rules! ops {
    ($($name:literal ($($param:ident)*) $result:ident |$($x:ident)*| $meaning:expr;)*) => {
        pub const OPS: &[Op] = &[$(Op {
            name: $name,
            params: &[$($param),*],
            result: $result,
            meaning: |x| {
                let [$($x),*] = x else { return Err("wrong number of operands") };
                $(let $x = *$x;)*
                Ok($meaning)
            },
        }),*];
    };
}

/// A division that traps like the specification's.
macro_rules! divide {
    ($a:ident, $b:ident, $ty:ident, $unsigned:ident, $method:ident) => {
        match ($a as $ty, $b as $ty) {
            (_, 0) => return Err(ZERO),
            (a, b) => match a.$method(b) {
                Some(x) => u128::from(x as $unsigned),
                None => return Err(OVERFLOW),
            },
        }
    };
}

macro_rules! int {
    ($x:ident $ty:ident $expr:expr) => {{
        let $x = $x as $ty;
        u128::from($expr)
    }};
    ($a:ident $b:ident $ty:ident $expr:expr) => {{
        let ($a, $b) = ($a as $ty, $b as $ty);
        u128::from($expr)
    }};
}

ops! {
    "i32.add" (I32 I32) I32 |a b| int!(a b u32 a.wrapping_add(b));
    "i32.sub" (I32 I32) I32 |a b| int!(a b u32 a.wrapping_sub(b));
    "i32.mul" (I32 I32) I32 |a b| int!(a b u32 a.wrapping_mul(b));
    "i32.and" (I32 I32) I32 |a b| a & b;
    "i32.or" (I32 I32) I32 |a b| a | b;
    "i32.xor" (I32 I32) I32 |a b| a ^ b;
    "i32.shl" (I32 I32) I32 |a b| int!(a b u32 a.wrapping_shl(b));
    "i32.shr_s" (I32 I32) I32 |a b| int!(a b i32 a.wrapping_shr(b as u32) as u32);
    "i32.shr_u" (I32 I32) I32 |a b| int!(a b u32 a.wrapping_shr(b));
    "i32.rotl" (I32 I32) I32 |a b| int!(a b u32 a.rotate_left(b % 32));
    "i32.div_s" (I32 I32) I32 |a b| divide!(a, b, i32, u32, checked_div);
    "i32.div_u" (I32 I32) I32 |a b| divide!(a, b, u32, u32, checked_div);
    "i32.rem_u" (I32 I32) I32 |a b| divide!(a, b, u32, u32, checked_rem);
    "i32.eqz" (I32) I32 |a| int!(a u32 a == 0);
    "i32.eq" (I32 I32) I32 |a b| int!(a b u32 a == b);
    "i32.ne" (I32 I32) I32 |a b| int!(a b u32 a != b);
    "i32.lt_s" (I32 I32) I32 |a b| int!(a b i32 a < b);
    "i32.lt_u" (I32 I32) I32 |a b| int!(a b u32 a < b);
    "i32.gt_s" (I32 I32) I32 |a b| int!(a b i32 a > b);
    "i32.le_s" (I32 I32) I32 |a b| int!(a b i32 a <= b);
    "i32.ge_u" (I32 I32) I32 |a b| int!(a b u32 a >= b);
    "i32.clz" (I32) I32 |a| int!(a u32 a.leading_zeros());
    "i32.extend8_s" (I32) I32 |a| int!(a u32 a as i8 as u32);
    "i32.wrap_i64" (I64) I32 |a| int!(a u64 a as u32);
    "i64.extend_i32_s" (I32) I64 |a| int!(a i32 a as u64);
    "i64.extend_i32_u" (I32) I64 |a| a;
    "i64.add" (I64 I64) I64 |a b| int!(a b u64 a.wrapping_add(b));
    "i64.sub" (I64 I64) I64 |a b| int!(a b u64 a.wrapping_sub(b));
    "i64.mul" (I64 I64) I64 |a b| int!(a b u64 a.wrapping_mul(b));
    "i64.xor" (I64 I64) I64 |a b| a ^ b;
    "i64.shr_u" (I64 I64) I64 |a b| int!(a b u64 a.wrapping_shr(b as u32));
    "i64.rem_s" (I64 I64) I64 |a b| match (a as i64, b as i64) {
        (_, 0) => return Err(ZERO),
        (a, b) => u128::from(a.wrapping_rem(b) as u64),
    };
    "i64.eqz" (I64) I32 |a| int!(a u64 a == 0);
    "i64.eq" (I64 I64) I32 |a b| int!(a b u64 a == b);
    "i64.lt_s" (I64 I64) I32 |a b| int!(a b i64 a < b);
    "i64.gt_u" (I64 I64) I32 |a b| int!(a b u64 a > b);
    "i64.le_u" (I64 I64) I32 |a b| int!(a b u64 a <= b);
    "i64.ge_s" (I64 I64) I32 |a b| int!(a b i64 a >= b);
    "i64.popcnt" (I64) I64 |a| int!(a u64 a.count_ones());
    "f64.add" (F64 F64) F64 |a b| bits(f64(a) + f64(b));
    "f64.sub" (F64 F64) F64 |a b| bits(f64(a) - f64(b));
    "f64.neg" (F64) F64 |a| bits(-f64(a));
    "f64.copysign" (F64 F64) F64 |a b| bits(f64(a).copysign(f64(b)));
    "f64.convert_i32_s" (I32) F64 |a| bits(f64::from(a as i32));
    "f64.convert_i64_u" (I64) F64 |a| bits(a as u64 as f64);
    "f64.lt" (F64 F64) I32 |a b| u128::from(f64(a) < f64(b));
    "f64.ge" (F64 F64) I32 |a b| u128::from(f64(a) >= f64(b));
    "f64.ne" (F64 F64) I32 |a b| u128::from(f64(a) != f64(b));
    "i64.reinterpret_f64" (F64) I64 |a| a;
    "i32.trunc_sat_f64_s" (F64) I32 |a| u128::from(f64(a) as i32 as u32);
    "v128.xor" (V128 V128) V128 |a b| a ^ b;
    "i64x2.add" (V128 V128) V128 |a b| lanes(
        (a as u64).wrapping_add(b as u64),
        ((a >> 64) as u64).wrapping_add((b >> 64) as u64)
    );
    "v128.bitselect" (V128 V128 V128) V128 |a b c| a & c | b & !c;
    "i64x2.splat" (I64) V128 |a| lanes(a as u64, a as u64);
    "i64x2.extract_lane 0" (V128) I64 |a| a & u128::from(u64::MAX);
    "i64x2.extract_lane 1" (V128) I64 |a| a >> 64;
    "i64x2.replace_lane 1" (V128 I64) V128 |a b| lanes(a as u64, b as u64);
    "i32x4.extract_lane 3" (V128) I32 |a| a >> 96;
    "v128.any_true" (V128) I32 |a| u128::from(a != 0);
}

/// Loads: name, type, bytes, whether the value is signed.
pub const LOADS: &[(&str, Ty, usize, bool)] = &[
    ("i32.load", I32, 4, false),
    ("i32.load8_s", I32, 1, true),
    ("i32.load16_u", I32, 2, false),
    ("i64.load", I64, 8, false),
    ("i64.load32_s", I64, 4, true),
    ("v128.load", V128, 16, false),
];

/// Stores: name, type, bytes.
pub const STORES: &[(&str, Ty, usize)] = &[
    ("i32.store", I32, 4),
    ("i32.store8", I32, 1),
    ("i64.store", I64, 8),
    ("i64.store16", I64, 2),
    ("f64.store", F64, 8),
    ("v128.store", V128, 16),
];

//! Values of scripts: arguments to the engine's values, and results against patterns. Invariant: a pattern
//! that Lithe cannot compare matches nothing.

use std::fmt::Write;

use lithe::{AnyRef, Kind, Store, Val};
use wast::core::{AbstractHeapType, HeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::token::{F32, F64};
use wast::{WastArg, WastRet};

use crate::script::Externs;

/// The engine's value for an argument.
pub(crate) fn argument(
    arg: &WastArg<'_>,
    externs: &mut Externs,
    store: &mut Store<()>,
) -> Result<Val, String> {
    let WastArg::Core(arg) = arg else {
        return Err("a core function takes and returns core values".into());
    };
    Ok(match arg {
        WastArgCore::I32(value) => Val::I32(*value),
        WastArgCore::I64(value) => Val::I64(*value),
        WastArgCore::F32(value) => Val::F32(value.bits),
        WastArgCore::F64(value) => Val::F64(value.bits),
        WastArgCore::V128(value) => Val::V128(u128::from_le_bytes(value.to_le_bytes())),
        WastArgCore::RefNull(heap) => null(heap)?,
        WastArgCore::RefExtern(number) => Val::ExternRef(Some(externs.value(*number, store)?)),
        WastArgCore::RefHost(number) => Val::AnyRef(Some(externs.value(*number, store)?.to_any())),
    })
}

/// The null reference of a heap type.
fn null(heap: &HeapType<'_>) -> Result<Val, String> {
    match heap {
        HeapType::Abstract { ty: AbstractHeapType::Func | AbstractHeapType::NoFunc, .. }
        | HeapType::Concrete(_) => Ok(Val::FuncRef(None)),
        HeapType::Abstract {
            ty:
                AbstractHeapType::Any
                | AbstractHeapType::Eq
                | AbstractHeapType::I31
                | AbstractHeapType::Struct
                | AbstractHeapType::Array
                | AbstractHeapType::None,
            ..
        } => Ok(Val::AnyRef(None)),
        HeapType::Abstract {
            ty: AbstractHeapType::Extern | AbstractHeapType::NoExtern, ..
        } => Ok(Val::ExternRef(None)),
        HeapType::Abstract { ty: AbstractHeapType::Exn | AbstractHeapType::NoExn, .. } => {
            Ok(Val::ExnRef(None))
        }
        other => Err(format!("null references of type {other:?} are not supported")),
    }
}

/// Compares results with what is expected; the error is a sentence.
pub(crate) fn compare(
    found: &[Val],
    expected: &[WastRet<'_>],
    store: &Store<()>,
) -> Result<(), String> {
    if found.len() != expected.len() {
        return Err(format!(
            "expected {} results, found {}: {}",
            expected.len(),
            found.len(),
            list(found, store)
        ));
    }
    for (index, (value, pattern)) in found.iter().zip(expected).enumerate() {
        let WastRet::Core(pattern) = pattern else {
            return Err("a core function takes and returns core values".into());
        };
        if !matches(value, pattern, store) {
            let mut sentence = String::new();
            if found.len() > 1 {
                let _ = write!(sentence, "result {index}: ");
            }
            let (pattern, value) = (show_pattern(pattern), show(value, store));
            let _ = write!(sentence, "expected {pattern}, found {value}");
            return Err(sentence);
        }
    }
    Ok(())
}

fn matches(value: &Val, pattern: &WastRetCore<'_>, store: &Store<()>) -> bool {
    match (value, pattern) {
        (_, WastRetCore::Either(patterns)) => {
            patterns.iter().any(|pattern| matches(value, pattern, store))
        }
        (Val::I32(value), WastRetCore::I32(expected)) => value == expected,
        (Val::I64(value), WastRetCore::I64(expected)) => value == expected,
        (Val::F32(bits), WastRetCore::F32(pattern)) => matches_f32(*bits, pattern),
        (Val::F64(bits), WastRetCore::F64(pattern)) => matches_f64(*bits, pattern),
        (Val::V128(bits), WastRetCore::V128(pattern)) => matches_v128(*bits, pattern),
        (value, WastRetCore::RefNull(None)) => value.is_null(),
        (Val::FuncRef(None), WastRetCore::RefNull(Some(heap))) => {
            matches!(null(heap), Ok(Val::FuncRef(_)))
        }
        (Val::ExternRef(None), WastRetCore::RefNull(Some(heap))) => {
            matches!(null(heap), Ok(Val::ExternRef(_)))
        }
        (Val::AnyRef(None), WastRetCore::RefNull(Some(heap))) => {
            matches!(null(heap), Ok(Val::AnyRef(_))) || matches!(heap, HeapType::Concrete(_))
        }
        (Val::AnyRef(Some(value)), WastRetCore::RefHost(number)) => {
            number_of(&value.to_extern(), store) == Some(*number)
        }
        (Val::AnyRef(Some(_)), WastRetCore::RefAny) => true,
        (Val::AnyRef(Some(value)), pattern) => match value.kind(store) {
            Ok(Kind::I31(_)) => matches!(pattern, WastRetCore::RefEq | WastRetCore::RefI31),
            Ok(Kind::Struct(_)) => matches!(pattern, WastRetCore::RefEq | WastRetCore::RefStruct),
            Ok(Kind::Array(_)) => matches!(pattern, WastRetCore::RefEq | WastRetCore::RefArray),
            _ => false,
        },
        (Val::ExnRef(None), WastRetCore::RefNull(Some(heap))) => {
            matches!(null(heap), Ok(Val::ExnRef(_)))
        }
        (Val::FuncRef(Some(_)), WastRetCore::RefFunc(None)) => true,
        (Val::ExternRef(Some(_)), WastRetCore::RefExtern(None)) => true,
        (Val::ExternRef(Some(value)), WastRetCore::RefExtern(Some(number))) => {
            number_of(value, store) == Some(*number)
        }
        _ => false,
    }
}

/// The number of a host value that a script made.
fn number_of(value: &lithe::ExternRef, store: &Store<()>) -> Option<u32> {
    value.data(store).ok()?.downcast_ref().copied()
}

fn matches_f32(bits: u32, pattern: &NanPattern<F32>) -> bool {
    const CANONICAL: u32 = 0x7fc0_0000;
    match pattern {
        NanPattern::CanonicalNan => bits & 0x7fff_ffff == CANONICAL,
        NanPattern::ArithmeticNan => bits & CANONICAL == CANONICAL,
        NanPattern::Value(value) => bits == value.bits,
    }
}

fn matches_f64(bits: u64, pattern: &NanPattern<F64>) -> bool {
    const CANONICAL: u64 = 0x7ff8_0000_0000_0000;
    match pattern {
        NanPattern::CanonicalNan => bits & (u64::MAX >> 1) == CANONICAL,
        NanPattern::ArithmeticNan => bits & CANONICAL == CANONICAL,
        NanPattern::Value(value) => bits == value.bits,
    }
}

fn matches_v128(bits: u128, pattern: &V128Pattern) -> bool {
    let bytes = bits.to_le_bytes();
    let halves = |k: usize| i16::from_le_bytes([bytes[2 * k], bytes[2 * k + 1]]);
    let words = |k: usize| (bits >> (32 * k)) as u32;
    let longs = |k: usize| (bits >> (64 * k)) as u64;
    match pattern {
        V128Pattern::I8x16(lanes) => (0..16).all(|k| bytes[k] as i8 == lanes[k]),
        V128Pattern::I16x8(lanes) => (0..8).all(|k| halves(k) == lanes[k]),
        V128Pattern::I32x4(lanes) => (0..4).all(|k| words(k) as i32 == lanes[k]),
        V128Pattern::I64x2(lanes) => (0..2).all(|k| longs(k) as i64 == lanes[k]),
        V128Pattern::F32x4(lanes) => (0..4).all(|k| matches_f32(words(k), &lanes[k])),
        V128Pattern::F64x2(lanes) => (0..2).all(|k| matches_f64(longs(k), &lanes[k])),
    }
}

/// Values for people to read.
pub(crate) fn list(values: &[Val], store: &Store<()>) -> String {
    match values {
        [] => "nothing".into(),
        _ => values.iter().map(|value| show(value, store)).collect::<Vec<_>>().join(", "),
    }
}

fn show(value: &Val, store: &Store<()>) -> String {
    match value {
        Val::I32(value) => format!("i32 {value}"),
        Val::I64(value) => format!("i64 {value}"),
        Val::F32(bits) => show_f32(*bits),
        Val::F64(bits) => show_f64(*bits),
        Val::V128(bits) => format!("v128 {bits:#034x}"),
        Val::FuncRef(None) => "a null function reference".into(),
        Val::FuncRef(Some(_)) => "a function".into(),
        Val::ExternRef(None) => "a null external reference".into(),
        Val::AnyRef(None) => "a null reference".into(),
        Val::AnyRef(Some(value)) => show_object(value, store),
        Val::ExternRef(Some(value)) => match number_of(value, store) {
            Some(number) => format!("the external reference {number}"),
            None => "an external reference of another kind".into(),
        },
        Val::ExnRef(None) => "a null reference to an exception".into(),
        Val::ExnRef(Some(_)) => "a reference to an exception".into(),
    }
}

fn show_object(value: &AnyRef, store: &Store<()>) -> String {
    match value.kind(store) {
        Ok(Kind::I31(value)) => format!("an `i31` reference to {value}"),
        Ok(Kind::Struct(_)) => "a struct".into(),
        Ok(Kind::Array(_)) => "an array".into(),
        _ => match number_of(&value.to_extern(), store) {
            Some(number) => format!("the host value {number} as `anyref`"),
            None => "a reference of another kind".into(),
        },
    }
}

fn show_f32(bits: u32) -> String {
    format!("f32 {:?} ({bits:#010x})", f32::from_bits(bits))
}

fn show_f64(bits: u64) -> String {
    format!("f64 {:?} ({bits:#018x})", f64::from_bits(bits))
}

fn show_nan<T>(pattern: &NanPattern<T>, show: impl Fn(&T) -> String) -> String {
    match pattern {
        NanPattern::CanonicalNan => "a canonical NaN".into(),
        NanPattern::ArithmeticNan => "an arithmetic NaN".into(),
        NanPattern::Value(value) => show(value),
    }
}

fn show_pattern(pattern: &WastRetCore<'_>) -> String {
    match pattern {
        WastRetCore::I32(value) => format!("i32 {value}"),
        WastRetCore::I64(value) => format!("i64 {value}"),
        WastRetCore::F32(pattern) => show_nan(pattern, |value| show_f32(value.bits)),
        WastRetCore::F64(pattern) => show_nan(pattern, |value| show_f64(value.bits)),
        WastRetCore::V128(pattern) => show_v128(pattern),
        WastRetCore::RefNull(_) => "a null reference".into(),
        WastRetCore::RefExtern(Some(number)) => format!("the external reference {number}"),
        WastRetCore::Either(patterns) => {
            patterns.iter().map(show_pattern).collect::<Vec<_>>().join(" or ")
        }
        WastRetCore::RefExtern(None) => "an external reference".into(),
        WastRetCore::RefFunc(_) => "a function".into(),
        WastRetCore::RefHost(number) => format!("the host value {number} as `anyref`"),
        WastRetCore::RefAny => "a reference to anything".into(),
        WastRetCore::RefEq => "a reference that can be compared".into(),
        WastRetCore::RefArray => "an array".into(),
        WastRetCore::RefStruct => "a struct".into(),
        WastRetCore::RefI31 | WastRetCore::RefI31Shared => "an `i31` reference".into(),
    }
}

fn show_v128(pattern: &V128Pattern) -> String {
    let lanes: Vec<String> = match pattern {
        V128Pattern::I8x16(lanes) => lanes.iter().rev().map(|x| format!("{x:02x}")).collect(),
        V128Pattern::I16x8(lanes) => lanes.iter().rev().map(|x| format!("{x:04x}")).collect(),
        V128Pattern::I32x4(lanes) => lanes.iter().rev().map(|x| format!("{x:08x}")).collect(),
        V128Pattern::I64x2(lanes) => lanes.iter().rev().map(|x| format!("{x:016x}")).collect(),
        V128Pattern::F32x4(lanes) => {
            let lanes = lanes.iter().rev();
            lanes.map(|lane| show_nan(lane, |x| format!("{:08x}", x.bits))).collect()
        }
        V128Pattern::F64x2(lanes) => {
            let lanes = lanes.iter().rev();
            lanes.map(|lane| show_nan(lane, |x| format!("{:016x}", x.bits))).collect()
        }
    };
    format!("v128 0x{}", lanes.join("_"))
}

//! The component half of scripts: values, calls and traps of components. The script runner calls it. Invariant: a
//! pattern that Lithe cannot compare matches nothing.

use lithe::{Error, Store, TrapKind};
use lithe_component::{Component, Instance, Val};
use wast::component::WastVal;
use wast::core::{NanPattern, WastArgCore, WastRetCore};
use wast::{WastArg, WastRet};

use crate::script::Options;

/// The words of an error of something that this version does not run.
const NOT_RUN: &str = "which this version of Lithe does not run";

/// Loads a component, whose core modules are made as those of scripts are.
pub(crate) fn load(
    engine: &lithe::Engine,
    bytes: &[u8],
    options: &Options,
) -> Result<Component, String> {
    let load = |module: &[u8]| {
        let module = options.loader.load(engine, module.to_vec());
        module.map_err(|sentence| Error::new(lithe::ErrorKind::Invalid, sentence))
    };
    Component::with_modules(engine, bytes, load).map_err(|error| error.to_string())
}

/// A component that is only defined. It may use what this version does not run, as long as nobody instantiates it.
pub(crate) fn define(
    engine: &lithe::Engine,
    bytes: &[u8],
    options: &Options,
) -> Result<Result<Component, String>, String> {
    Component::validate(bytes, options.features).map_err(|error| error.to_string())?;
    match load(engine, bytes, options) {
        Err(sentence) if !sentence.contains(NOT_RUN) => Err(sentence),
        loaded => Ok(loaded),
    }
}

/// Calls an exported function.
pub(crate) fn invoke(
    store: &mut Store<()>,
    instance: Instance,
    name: &str,
    args: &[WastArg<'_>],
) -> Result<Result<Option<Val>, Error>, String> {
    let func = instance.func(&mut *store, name).map_err(|error| error.to_string())?;
    let args = args.iter().map(argument).collect::<Result<Vec<_>, _>>()?;
    Ok(func.call(store, &args))
}

fn argument(arg: &WastArg<'_>) -> Result<Val, String> {
    match arg {
        WastArg::Component(value) => Ok(val(value)),
        // The two sorts of floats are written alike.
        WastArg::Core(WastArgCore::F32(value)) => Ok(Val::F32(f32::from_bits(value.bits))),
        WastArg::Core(WastArgCore::F64(value)) => Ok(Val::F64(f64::from_bits(value.bits))),
        _ => Err("a component function takes component values".into()),
    }
}

fn val(value: &WastVal<'_>) -> Val {
    let all = |values: &[WastVal<'_>]| values.iter().map(val).collect();
    let boxed = |value: &Option<Box<WastVal<'_>>>| value.as_deref().map(|v| Box::new(val(v)));
    match value {
        WastVal::Bool(value) => Val::Bool(*value),
        WastVal::U8(value) => Val::U8(*value),
        WastVal::S8(value) => Val::S8(*value),
        WastVal::U16(value) => Val::U16(*value),
        WastVal::S16(value) => Val::S16(*value),
        WastVal::U32(value) => Val::U32(*value),
        WastVal::S32(value) => Val::S32(*value),
        WastVal::U64(value) => Val::U64(*value),
        WastVal::S64(value) => Val::S64(*value),
        WastVal::F32(value) => Val::F32(f32::from_bits(value.bits)),
        WastVal::F64(value) => Val::F64(f64::from_bits(value.bits)),
        WastVal::Char(value) => Val::Char(*value),
        WastVal::String(value) => Val::String((*value).into()),
        WastVal::List(values) => Val::List(all(values)),
        WastVal::Map(pairs) => Val::Map(pairs.iter().map(|(k, v)| (val(k), val(v))).collect()),
        WastVal::Record(fields) => {
            Val::Record(fields.iter().map(|(name, v)| ((*name).into(), val(v))).collect())
        }
        WastVal::Tuple(values) => Val::Tuple(all(values)),
        WastVal::Variant(name, value) => Val::Variant((*name).into(), boxed(value)),
        WastVal::Enum(name) => Val::Enum((*name).into()),
        WastVal::Option(value) => Val::Option(boxed(value)),
        WastVal::Result(Ok(value)) => Val::Result(Ok(boxed(value))),
        WastVal::Result(Err(value)) => Val::Result(Err(boxed(value))),
        WastVal::Flags(names) => Val::Flags(names.iter().map(|name| (*name).into()).collect()),
    }
}

/// Compares a result with what is expected; the error is a sentence.
pub(crate) fn compare(found: Option<&Val>, expected: &[WastRet<'_>]) -> Result<(), String> {
    let wanted = match expected {
        [] => None,
        [WastRet::Component(wanted)] => Some(val(wanted)),
        [WastRet::Core(WastRetCore::F32(wanted))] => Some(Val::F32(match wanted {
            NanPattern::Value(value) => f32::from_bits(value.bits),
            _ => f32::NAN,
        })),
        [WastRet::Core(WastRetCore::F64(wanted))] => Some(Val::F64(match wanted {
            NanPattern::Value(value) => f64::from_bits(value.bits),
            _ => f64::NAN,
        })),
        [_] => return Err("a component function returns component values".into()),
        [..] => return Err("a component function has one result at most".into()),
    };
    match (found, &wanted) {
        (None, None) => Ok(()),
        (Some(found), Some(wanted)) if equal(found, wanted) => Ok(()),
        (found, wanted) => {
            Err(format!("expected {}, found {}", show(wanted.as_ref()), show(found)))
        }
    }
}

/// A result for people to read.
pub(crate) fn show(value: Option<&Val>) -> String {
    value.map_or_else(|| "nothing".into(), |value| format!("{value:?}"))
}

/// Whether values are equal, but for the bits of NaNs and the order of flags.
fn equal(a: &Val, b: &Val) -> bool {
    let all =
        |a: &[Val], b: &[Val]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b));
    let boxed = |a: &Option<Box<Val>>, b: &Option<Box<Val>>| match (a, b) {
        (Some(a), Some(b)) => equal(a, b),
        (a, b) => a.is_none() && b.is_none(),
    };
    match (a, b) {
        (Val::F32(a), Val::F32(b)) if a.is_nan() => b.is_nan(),
        (Val::F64(a), Val::F64(b)) if a.is_nan() => b.is_nan(),
        (Val::List(a), Val::List(b)) | (Val::Tuple(a), Val::Tuple(b)) => all(a, b),
        (Val::Map(a), Val::Map(b)) => {
            let pair = |((k, v), (l, w)): (&(Val, Val), &(Val, Val))| equal(k, l) && equal(v, w);
            a.len() == b.len() && a.iter().zip(b).all(pair)
        }
        (Val::Record(a), Val::Record(b)) => {
            let field = |((n, v), (m, w)): (&(String, Val), &(String, Val))| n == m && equal(v, w);
            a.len() == b.len() && a.iter().zip(b).all(field)
        }
        (Val::Variant(n, a), Val::Variant(m, b)) => n == m && boxed(a, b),
        (Val::Option(a), Val::Option(b)) => boxed(a, b),
        (Val::Result(Ok(a)), Val::Result(Ok(b))) => boxed(a, b),
        (Val::Result(Err(a)), Val::Result(Err(b))) => boxed(a, b),
        (Val::Flags(a), Val::Flags(b)) => {
            let sorted = |names: &[String]| {
                let mut names = names.to_vec();
                names.sort();
                names
            };
            sorted(a) == sorted(b)
        }
        (a, b) => a == b,
    }
}

/// Checks the error of a call against the trap that is expected. Scripts have the words of one other runtime for traps
/// of the canonical ABI, so these are not compared.
pub(crate) fn expect_trap(error: &Error, expected: &str) -> Result<(), String> {
    let words = expected.strip_prefix("wasm trap: ").unwrap_or(expected);
    let known =
        TrapKind::ALL.iter().find(|kind| words == kind.message() || words == kind.spec_text());
    let wanted = known.copied().unwrap_or(TrapKind::CanonicalAbi);
    match error.trap() {
        Some(trap) if trap.kind() == wanted => Ok(()),
        Some(trap) => {
            Err(format!("expected the trap `{words}`, found the trap `{}`", trap.message()))
        }
        None => Err(format!("expected the trap `{words}`, found the error: {error}")),
    }
}

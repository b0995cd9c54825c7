//! What is called: the command's `_start`, or the function of `--invoke` with arguments from the command
//! line. Used by `run`. Invariant: everything is checked before the guest runs.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::Path;

use lithe::{ExternType, FuncType, Module, Val, ValType};

use crate::output::{table, visible};
use crate::report::{FAILED, Report, USAGE};

/// A call to make.
#[derive(Debug)]
pub struct Entry {
    /// The export; `None` when the start function was all there is.
    pub name: Option<String>,
    /// The arguments.
    pub args: Vec<Val>,
    /// How many values come back.
    pub results: usize,
    /// What to call this when it fails.
    pub stage: String,
    /// The reactor's initialization to call first.
    pub initialize: bool,
}

/// The name of a command's entry.
const START: &str = "_start";
/// The name of a reactor's initialization.
pub const INITIALIZE: &str = "_initialize";

/// The call that the command line asks for.
pub fn entry(
    module: &Module,
    file: &Path,
    invoke: Option<&str>,
    words: &[OsString],
) -> Result<Entry, Report> {
    let name = invoke.unwrap_or(START);
    if invoke.is_none() && module.export_type(START).is_none() && module.has_start() {
        // Instantiating runs all that there is to run.
        let (args, stage) = (Vec::new(), String::new());
        return Ok(Entry { name: None, args, results: 0, stage, initialize: false });
    }
    let Some(ExternType::Func(ty)) = module.export_type(name) else {
        return Err(no_entry(module, file, invoke));
    };
    let initialize = invoke.is_some_and(|name| name != INITIALIZE) && initializes(module);
    let (args, stage) = match invoke {
        Some(name) => (arguments(name, &ty, words)?, format!("failed to invoke `{name}`")),
        None if ty == FuncType::default() => {
            (Vec::new(), String::from("failed to invoke command default"))
        }
        None => {
            let headline = format!(
                "`{}` cannot be run: its `{START}` is {ty} instead of func(); call it with --invoke {START}",
                file.display()
            );
            return Err(Report::new(FAILED, "entry", headline));
        }
    };
    Ok(Entry { name: Some(name.into()), args, results: ty.results.len(), stage, initialize })
}

/// Whether a module has an initialization to call after instantiation.
pub fn initializes(module: &Module) -> bool {
    module.export_type(INITIALIZE) == Some(ExternType::Func(FuncType::default()))
}

fn no_entry(module: &Module, file: &Path, invoke: Option<&str>) -> Report {
    let file = file.display();
    let exports = module.exports().into_iter();
    let functions = exports.filter(|export| matches!(export.ty, ExternType::Func(_)));
    let functions: Vec<(String, String)> =
        functions.map(|export| (visible(&export.name), export.ty.to_string())).collect();
    let headline = match (invoke, functions.is_empty()) {
        (Some(name), false) => format!("`{file}` exports no function `{name}`; it exports these:"),
        (Some(name), true) => format!("`{file}` exports no function `{name}`, nor any other"),
        (None, false) => format!(
            "`{file}` has no `{START}`, so it is not a program; choose a function with --invoke NAME:"
        ),
        (None, true) => format!("`{file}` has no `{START}` and exports no functions to --invoke"),
    };
    let names: Vec<&str> = functions.iter().map(|(name, _)| name.as_str()).collect();
    Report::new(FAILED, "entry", headline)
        .field("file", file.to_string())
        .field("functions", names)
        .details(&table(&functions))
}

fn arguments(name: &str, ty: &FuncType, words: &[OsString]) -> Result<Vec<Val>, Report> {
    let wrong = |sentence: String| Report::new(USAGE, "usage", sentence);
    if words.len() != ty.params.len() {
        return Err(wrong(format!(
            "`{name}` is {ty}: expected {} arguments, found {}",
            ty.params.len(),
            words.len()
        )));
    }
    let parse = |(i, (word, ty)): (usize, (&OsString, &ValType))| {
        let text = word.to_str().unwrap_or_default();
        value(text, *ty).ok_or_else(|| {
            let number = i + 1;
            let word = word.display();
            wrong(format!(
                "argument {number} of `{name}`: expected {}, found `{word}`",
                example(*ty)
            ))
        })
    };
    words.iter().zip(&ty.params).enumerate().map(parse).collect()
}

/// What an argument of a type looks like.
fn example(ty: ValType) -> String {
    match ty {
        ValType::I32 | ValType::I64 => format!("an {ty} such as -7 or 0x1f"),
        ValType::F32 | ValType::F64 => format!("an {ty} such as 1.5, 0x1f, inf or nan"),
        ValType::V128 => "a v128 such as 0x1f".into(),
        ty => format!("`null`, the only {ty} that can be written"),
    }
}

fn value(word: &str, ty: ValType) -> Option<Val> {
    Some(match ty {
        ValType::I32 => {
            let number = integer(word)?;
            let signed = i32::try_from(number).ok();
            Val::I32(signed.or_else(|| Some(u32::try_from(number).ok()? as i32))?)
        }
        ValType::I64 => {
            let number = integer(word)?;
            let signed = i64::try_from(number).ok();
            Val::I64(signed.or_else(|| Some(u64::try_from(number).ok()? as i64))?)
        }
        ValType::F32 => {
            Val::F32(word.parse::<f32>().ok().or_else(|| Some(integer(word)? as f32))?.to_bits())
        }
        ValType::F64 => {
            Val::F64(word.parse::<f64>().ok().or_else(|| Some(integer(word)? as f64))?.to_bits())
        }
        ValType::V128 => Val::V128(match word.strip_prefix("0x") {
            Some(hex) => u128::from_str_radix(hex, 16).ok()?,
            None => word.parse().ok()?,
        }),
        ty => Val::default_of(ty).filter(|_| word == "null")?,
    })
}

/// A number with its sign, decimal or hexadecimal.
fn integer(word: &str) -> Option<i128> {
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word),
    };
    // Only digits follow the sign: the parser would take a second one.
    let number = match digits.strip_prefix("0x") {
        Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            i128::from(u64::from_str_radix(hex, 16).ok()?)
        }
        None if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            i128::from(digits.parse::<u64>().ok()?)
        }
        _ => return None,
    };
    Some(if negative { -number } else { number })
}

/// Results, one a line.
pub fn draw(results: &[Val]) -> String {
    let mut text = String::new();
    for result in results {
        // Writing to a string does not fail.
        let _ = match result {
            Val::I32(value) => writeln!(text, "{value}"),
            Val::I64(value) => writeln!(text, "{value}"),
            Val::F32(bits) => writeln!(text, "{}", f32::from_bits(*bits)),
            Val::F64(bits) => writeln!(text, "{}", f64::from_bits(*bits)),
            Val::V128(bits) => writeln!(text, "{bits}"),
            Val::FuncRef(None) => writeln!(text, "<null funcref>"),
            Val::FuncRef(Some(_)) => writeln!(text, "<funcref>"),
            Val::AnyRef(None) => writeln!(text, "<null anyref>"),
            Val::AnyRef(Some(_)) => writeln!(text, "<anyref>"),
            Val::ExternRef(None) => writeln!(text, "<null externref>"),
            Val::ExternRef(Some(_)) => writeln!(text, "<externref>"),
            Val::ExnRef(None) => writeln!(text, "<null exnref>"),
            Val::ExnRef(Some(_)) => writeln!(text, "<exnref>"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        let i32_of = |word| match value(word, ValType::I32) {
            Some(Val::I32(value)) => Some(value),
            _ => None,
        };
        assert_eq!(i32_of("-0x80000000"), Some(i32::MIN));
        assert_eq!(i32_of("4294967295"), Some(-1));
        for wrong in ["", "-", "0x", "--1", "+1", "4294967296", "-2147483649", "1.0", "0x-1"] {
            assert_eq!(i32_of(wrong), None, "{wrong}");
        }
        assert!(matches!(value("0xffffffffffffffff", ValType::I64), Some(Val::I64(-1))));
    }

    #[test]
    fn floats() {
        assert!(matches!(value("0x10", ValType::F64), Some(Val::F64(b)) if b == 16f64.to_bits()));
        assert!(matches!(value("-inf", ValType::F32), Some(Val::F32(0xff80_0000))));
        assert!(value("one", ValType::F32).is_none());
    }
}

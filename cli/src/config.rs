//! The configuration file of `--config`: TOML with the words of the flag table. Long flags are keys at the
//! top, `[wasm]`, `[wasi]`, `[optimize]`, `[codegen]` and `[debug]` hold the keys of the groups. Called by
//! `options`. Invariant: a word that the command line would refuse is refused here, with the file's name.

use std::ffi::OsString;
use std::path::Path;

use toml::{Table, Value};

use crate::flags::{self, GROUPS, Group, Takes};
use crate::options::Options;

/// Bytes of a configuration file that are read.
const MAX_BYTES: usize = 1 << 20;

/// Applies the words of `file`; a refusal is a sentence.
pub fn apply(options: &mut Options, file: &Path) -> Result<(), String> {
    let name = file.display();
    let bytes = crate::load::read(file, MAX_BYTES).map_err(|error| format!("{error:#}"))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{name}: expected text in UTF-8"))?;
    let table: Table =
        text.parse().map_err(|error: toml::de::Error| syntax(file, &text, &error))?;
    for (word, value) in &table {
        let done = match (GROUPS.iter().find(|row| row.long == word), value) {
            (Some(row), Value::Table(keys)) => set_group(options, row.group, keys),
            (Some(_), _) => Err("expected a table of keys".into()),
            (None, value) => set_flag(options, word, value),
        };
        done.map_err(|sentence| format!("{name}: {word}: {sentence}"))?;
    }
    Ok(())
}

fn set_group(options: &mut Options, group: Group, keys: &Table) -> Result<(), String> {
    for (key, value) in keys {
        for value in scalars(value).map_err(|expected| format!("{key}: {expected}"))? {
            options.set_key(group, key, &value)?;
        }
    }
    Ok(())
}

fn set_flag(options: &mut Options, word: &str, value: &Value) -> Result<(), String> {
    let flag = flags::long(options.verb).find(|flag| flag.long == word).ok_or_else(|| {
        let words = flags::long(options.verb).map(|flag| flag.long);
        let groups = GROUPS.iter().map(|row| row.long);
        let known: Vec<&str> = words.chain(groups).collect();
        format!("this word is not known; known are {}", known.join(", "))
    })?;
    let values = scalars(value)?;
    if value.is_array() && !matches!(flag.takes, Takes::Many(_)) {
        return Err("expected one value".into());
    }
    values.iter().try_for_each(|value| options.set(flag.id, value))
}

/// A value, or each of a list, as the command line would spell it.
fn scalars(value: &Value) -> Result<Vec<OsString>, String> {
    Ok(match value {
        Value::String(text) => vec![text.into()],
        Value::Integer(number) => vec![number.to_string().into()],
        Value::Float(number) => vec![number.to_string().into()],
        Value::Boolean(on) => vec![if *on { "y" } else { "n" }.into()],
        Value::Array(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(scalars).collect();
            items?.into_iter().flatten().collect()
        }
        Value::Datetime(_) | Value::Table(_) => {
            return Err("expected text, a number, true or false, or a list of them".into());
        }
    })
}

fn syntax(file: &Path, text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    format!("{}:{line}: {}", file.display(), error.message().replace('\n', ", "))
}

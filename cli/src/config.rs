//! Files of flags: that of `--config`, and those of `--grants` with grants alone. Both are TOML with the words of the
//! flag table. Long flags are keys at the top, `[wasm]`, `[wasi]`, `[optimize]`, `[codegen]` and `[debug]` hold the keys
//! of the groups. Called by `options`. Invariant: a word that the command line would refuse is refused here, with the
//! file's name and the line.

use std::ffi::OsString;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::flags::{self, Flag, GROUPS, Group, GroupRow, Id, Takes, Topic};
use crate::options::Options;

/// Bytes of a file that are read.
const MAX_BYTES: usize = 1 << 20;

/// Applies the words of a configuration file; a refusal is a sentence.
pub fn apply(options: &mut Options, file: &Path) -> Result<(), String> {
    read(options, file, false)
}

/// Applies a file of grants. Directories that it names are relative to the folder that it is in.
pub fn apply_grants(options: &mut Options, file: &Path) -> Result<(), String> {
    let others = options.dirs.len();
    read(options, file, true)?;
    if let Some(folder) = file.parent() {
        for dir in options.dirs.iter_mut().skip(others) {
            dir.host = folder.join(&dir.host);
        }
    }
    Ok(())
}

/// A refusal and where its reason stands.
struct Refusal {
    place: Range<usize>,
    sentence: String,
}

fn at<T>(place: Range<usize>, result: Result<T, String>) -> Result<T, Refusal> {
    result.map_err(|sentence| Refusal { place, sentence })
}

fn read(options: &mut Options, file: &Path, grants_only: bool) -> Result<(), String> {
    let name = file.display();
    let bytes = crate::load::read(file, MAX_BYTES).map_err(|error| format!("{error:#}"))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{name}: expected text in UTF-8"))?;
    let refusal = |place: Range<usize>, sentence: &str| {
        let before = text.get(..place.start).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        format!("{name}:{line}: {}", sentence.replace('\n', ", "))
    };
    let table = DeTable::parse(&text);
    let table =
        table.map_err(|error| refusal(error.span().unwrap_or_default(), error.message()))?;
    let words = Words { grants_only };
    for (word, value) in table.get_ref() {
        let group = words.groups().find(|row| row.long == word.get_ref());
        let done = match (group, value.get_ref()) {
            (Some(row), DeValue::Table(keys)) => words.set_group(options, row.group, keys),
            (Some(_), _) => at(value.span(), Err("expected a table of keys".into())),
            (None, _) => words.set_flag(options, word, value),
        };
        done.map_err(|why| refusal(why.place, &format!("{}: {}", word.get_ref(), why.sentence)))?;
    }
    Ok(())
}

/// Which words a file may have.
struct Words {
    grants_only: bool,
}

impl Words {
    fn groups(&self) -> impl Iterator<Item = &'static GroupRow> {
        let grants_only = self.grants_only;
        GROUPS.iter().filter(move |row| !grants_only || row.group == Group::Wasi)
    }

    fn contain(&self, flag: &Flag) -> bool {
        !self.grants_only || flag.topic == Topic::Grants && flag.id != Id::Grants
    }

    fn set_group(
        &self,
        options: &mut Options,
        group: Group,
        keys: &DeTable<'_>,
    ) -> Result<(), Refusal> {
        for (key, value) in keys {
            let word = key.get_ref();
            if flags::by_key(group, word).is_some_and(|flag| !self.contain(flag)) {
                return at(key.span(), Err(format!("{word}: this is no grant")));
            }
            for (place, value) in scalars(value, Some(word))? {
                at(place, options.set_key(group, word, &value))?;
            }
        }
        Ok(())
    }

    fn set_flag(
        &self,
        options: &mut Options,
        word: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), Refusal> {
        let known = || flags::long(options.verb).filter(|flag| self.contain(flag));
        let Some(flag) = known().find(|flag| flag.long == word.get_ref()) else {
            let known = known().map(|flag| flag.long).chain(self.groups().map(|row| row.long));
            let known: Vec<&str> = known.collect();
            let what = if self.grants_only { "no grant" } else { "not known" };
            let sentence = format!("this word is {what}; known are {}", known.join(", "));
            return at(word.span(), Err(sentence));
        };
        let values = scalars(value, None)?;
        if matches!(value.get_ref(), DeValue::Array(_)) && !matches!(flag.takes, Takes::Many(_)) {
            return at(value.span(), Err("expected one value".into()));
        }
        values.into_iter().try_for_each(|(place, value)| at(place, options.set(flag.id, &value)))
    }
}

/// A value, or each of a list, as the command line would spell it, with its place. `key` stands before a refusal.
fn scalars(
    value: &Spanned<DeValue<'_>>,
    key: Option<&str>,
) -> Result<Vec<(Range<usize>, OsString)>, Refusal> {
    let refused = |expected: &str| {
        let sentence = match key {
            Some(key) => format!("{key}: {expected}"),
            None => expected.into(),
        };
        Refusal { place: value.span(), sentence }
    };
    let text = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => {
            let number = i64::from_str_radix(number.as_str(), number.radix());
            number.map_err(|_| refused("expected a smaller number"))?.to_string()
        }
        DeValue::Float(number) => {
            let number: Result<f64, _> = number.as_str().parse();
            number.map_err(|_| refused("expected a number"))?.to_string()
        }
        DeValue::Boolean(on) => if *on { "y" } else { "n" }.into(),
        DeValue::Array(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(|item| scalars(item, key)).collect();
            return Ok(items?.into_iter().flatten().collect());
        }
        DeValue::Datetime(_) | DeValue::Table(_) => {
            return Err(refused("expected text, a number, true or false, or a list of them"));
        }
    };
    Ok(vec![(value.span(), text.into())])
}

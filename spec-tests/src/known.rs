//! Known failures: a file of lines `FILE[:LINE[,LINE...]]  reason`. Invariant: an entry that excuses nothing in a file
//! that was run makes that run fail, so the file never outlives its reasons.

use std::fs;
use std::path::Path;

use crate::{Failure, Report, command::unreadable};

/// How the sentence of a failure begins that no reason excuses.
pub(crate) const PANICKED: &str = "Lithe panicked";

/// A list of known failures.
#[derive(Clone, Debug, Default)]
pub struct Known {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Where the entry itself stands.
    place: (String, usize),
    /// The last components of a path; `*` stands for any characters but `/`.
    pattern: String,
    line: Option<usize>,
    reason: String,
}

impl Known {
    /// The known failures of the official testsuite, each with its reason.
    pub fn official() -> Result<Known, Failure> {
        Known::parse("known.txt", include_str!("../known.txt"))
    }

    /// Reads a list from a file.
    pub fn read(path: &Path) -> Result<Known, Failure> {
        let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
        Known::parse(&path.display().to_string(), &text)
    }

    /// Parses a list; `file` names it in messages. Empty lines and lines that begin with `#` are comments.
    pub fn parse(file: &str, text: &str) -> Result<Known, Failure> {
        let mut entries = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((pattern, reason)) = line.split_once(char::is_whitespace) else {
                return Err(Failure {
                    file: file.into(),
                    line: index + 1,
                    sentence: "the entry gives no reason".into(),
                    dependents: 0,
                });
            };
            let reason = reason.trim().to_owned();
            let mut add = |pattern: &str, line| {
                let (pattern, reason) = (pattern.into(), reason.clone());
                entries.push(Entry { place: (file.into(), index + 1), pattern, line, reason });
            };
            match pattern.rsplit_once(':').and_then(|(file, lines)| Some((file, numbers(lines)?))) {
                Some((pattern, lines)) => lines.into_iter().for_each(|n| add(pattern, Some(n))),
                None => add(pattern, None),
            }
        }
        Ok(Known { entries })
    }

    /// Moves the failures of `file` that are known to their own list, and adds one for each stale entry.
    pub(crate) fn apply(&self, file: &str, report: &mut Report) {
        let mut used = vec![false; self.entries.len()];
        for mut failure in std::mem::take(&mut report.failed) {
            let mut reason = None;
            for (entry, used) in self.entries.iter().zip(&mut used) {
                let here = entry.line.is_none_or(|line| line == failure.line);
                let here = here && !failure.sentence.starts_with(PANICKED);
                if here && covers(&entry.pattern, file) {
                    *used = true;
                    reason.get_or_insert(&entry.reason);
                }
            }
            match reason {
                Some(reason) => {
                    failure.sentence = format!("{} (known: {reason})", failure.sentence);
                    report.known.push(failure);
                }
                None => report.failed.push(failure),
            }
        }
        for (entry, used) in self.entries.iter().zip(used) {
            if !used && covers(&entry.pattern, file) {
                let (list, place) = &entry.place;
                let line = entry.line.map_or(String::new(), |line| format!(":{line}"));
                let entry = format!("{}{line}", entry.pattern);
                report.failed.push(Failure {
                    file: list.clone(),
                    line: *place,
                    sentence: format!("{entry} is stale, since {file} does not fail there"),
                    dependents: 0,
                });
            }
        }
    }
}

fn numbers(list: &str) -> Option<Vec<usize>> {
    list.split(',').map(|number| number.parse().ok()).collect()
}

/// Whether `pattern` matches the last components of `path`.
fn covers(pattern: &str, path: &str) -> bool {
    let count = pattern.matches('/').count();
    let start = path.rmatch_indices('/').nth(count).map_or(0, |(at, _)| at + 1);
    glob(pattern.as_bytes(), &path.as_bytes()[start..])
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => {
            glob(rest, text)
                || text.split_first().is_some_and(|(c, t)| *c != b'/' && glob(pattern, t))
        }
        ([p, pattern @ ..], [c, text @ ..]) => p == c && glob(pattern, text),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(line: usize) -> Failure {
        Failure { file: "a/gc/array.wast".into(), line, sentence: "no".into(), dependents: 2 }
    }

    fn apply(list: &str, lines: &[usize]) -> (usize, usize) {
        let failed = lines.iter().map(|line| failure(*line)).collect();
        let mut report = Report { failed, ..Report::default() };
        let known = Known::parse("known.txt", list).unwrap();
        known.apply("a/gc/array.wast", &mut report);
        (report.failed.len(), report.known.len())
    }

    #[test]
    fn entries_apply_by_suffix_and_line() {
        assert_eq!(apply("gc/*.wast needs gc", &[1, 2]), (0, 2));
        assert_eq!(apply("array.wast:2  reason", &[1, 2]), (1, 1));
        assert_eq!(apply("array.wast:1,2  reason", &[1, 2]), (0, 2));
        assert_eq!(apply("g*/array.wast:1 reason", &[1]), (0, 1));
        assert_eq!(apply("rray.wast reason", &[1]), (1, 0));
        assert_eq!(apply("gc*.wast reason", &[1]), (1, 0));
        assert_eq!(apply("b/array.wast reason", &[1]), (1, 0));
    }

    #[test]
    fn panics_are_never_known() {
        let sentence = format!("{PANICKED}: no");
        let mut report =
            Report { failed: vec![Failure { sentence, ..failure(1) }], ..Report::default() };
        Known::parse("known.txt", "array.wast:1 reason")
            .unwrap()
            .apply("a/gc/array.wast", &mut report);
        // The panic, and the entry that excuses nothing.
        assert_eq!((report.failed.len(), report.known.len()), (2, 0));
    }

    #[test]
    fn stale_entries_fail() {
        assert_eq!(apply("array.wast reason", &[]), (1, 0));
        assert_eq!(apply("array.wast:7 reason", &[6]), (2, 0));
        assert_eq!(apply("other.wast reason\n# comment\n", &[]), (0, 0));
    }

    #[test]
    fn an_entry_needs_a_reason() {
        let error = Known::parse("known.txt", "\narray.wast").unwrap_err();
        assert_eq!(error.to_string(), "known.txt:2: the entry gives no reason");
    }
}

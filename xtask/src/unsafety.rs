//! Counts unsafe code per crate and compares with the table in `docs/unsafe.md`. Only `src` folders count:
//! tests may do what they need, and what `interp/build.rs` generates repeats one line per operation.

use std::{collections::BTreeMap, fs};

use crate::{
    Outcome,
    house::{CRATES, Unsafe},
    rust::words,
    workspace::{Source, Workspace},
};

const PAGE: &str = "docs/unsafe.md";

/// How much unsafe code there is.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Count {
    /// `unsafe { ... }`
    blocks: usize,
    /// `unsafe fn` with a name.
    functions: usize,
    /// Everything else: impls, traits, extern blocks, attributes.
    others: usize,
}

pub fn check(workspace: &Workspace) -> Outcome {
    let page = workspace.root.join(PAGE);
    let page = fs::read_to_string(&page)
        .map_err(|error| format!("cannot read {}: {error}", page.display()))?;
    let allowed = table(&page);
    let mut problems = Vec::new();
    println!("{:<18} {:>6} {:>9} {:>6}", "unsafe code", "blocks", "functions", "others");
    for krate in CRATES {
        let Some(package) = workspace.packages.iter().find(|package| package.name == krate.name)
        else {
            continue;
        };
        let sources = workspace.sources(&package.folder.join("src"))?;
        problems.extend(places(krate.name, krate.unsafe_code, &sources));
        let count = sources.iter().map(|source| count(&source.text)).fold(Count::default(), add);
        if krate.unsafe_code != Unsafe::Forbidden {
            let Count { blocks, functions, others } = count;
            println!("{:<18} {blocks:>6} {functions:>9} {others:>6}", krate.name);
            problems.extend(compare(krate.name, count, allowed.get(krate.name).copied()));
        }
    }
    Ok(problems)
}

fn add(a: Count, b: Count) -> Count {
    Count {
        blocks: a.blocks + b.blocks,
        functions: a.functions + b.functions,
        others: a.others + b.others,
    }
}

/// Unsafe code outside the places where a crate may have it.
fn places(name: &str, policy: Unsafe, sources: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    let is_root = |path: &str| path.ends_with("src/lib.rs") || path.ends_with("src/main.rs");
    for source in sources {
        let forbids = source.text.lines().any(|line| line == "#![forbid(unsafe_code)]");
        let found = count(&source.text) != Count::default();
        let path = &source.path;
        match policy {
            Unsafe::Forbidden if is_root(path) && !forbids => {
                problems.push(format!("{path} does not say #![forbid(unsafe_code)]"));
            }
            Unsafe::Forbidden if found => {
                problems.push(format!("{path} has unsafe code, which {name} forbids"));
            }
            Unsafe::Only(file) if found && !path.ends_with(&format!("src/{file}")) => {
                problems.push(format!("{path} has unsafe code; move it to src/{file}"));
            }
            _ => {}
        }
    }
    problems
}

/// The unsafe code of a source text.
fn count(text: &str) -> Count {
    let mut count = Count::default();
    let words = words(text);
    for (i, _) in words.iter().enumerate().filter(|(_, word)| **word == "unsafe") {
        let rest = &words[i + 1..];
        // `unsafe extern "C" fn`: the literal is not among the words.
        match rest.iter().position(|word| ["fn", "{", "impl", "trait", "("].contains(word)) {
            Some(at) if rest[at] == "fn" => {
                // A function pointer's type has no name, and is no unsafe code.
                if rest.get(at + 1) != Some(&"(") {
                    count.functions += 1;
                }
            }
            Some(0) if rest[0] == "{" => count.blocks += 1,
            _ => count.others += 1,
        }
    }
    count
}

/// The rows of the table on the page, by crate.
fn table(page: &str) -> BTreeMap<&str, Count> {
    let row = |line| -> Option<(&str, Count)> {
        let line: &str = line;
        let cells: Vec<&str> = line.trim().split('|').map(str::trim).collect();
        let ["", name, blocks, functions, others, ..] = cells[..] else { return None };
        let count = Count {
            blocks: blocks.parse().ok()?,
            functions: functions.parse().ok()?,
            others: others.parse().ok()?,
        };
        Some((name.trim_matches('`'), count))
    };
    page.lines().filter_map(row).collect()
}

fn compare(name: &str, have: Count, allowed: Option<Count>) -> Option<String> {
    let Some(allowed) = allowed else {
        return Some(format!("{PAGE} has no row for {name}; write one with the counts above"));
    };
    let pairs = [
        ("blocks", have.blocks, allowed.blocks),
        ("functions", have.functions, allowed.functions),
        ("others", have.others, allowed.others),
    ];
    let risen = pairs.iter().find(|(_, have, allowed)| have > allowed);
    if risen.is_none() && have != allowed {
        println!("note: {name} has less unsafe code than {PAGE} says; lower the numbers there");
    }
    risen.map(|(what, have, allowed)| {
        format!(
            "unsafe {what} of {name} rose from {allowed} to {have}; \
             remove some, or raise the number in {PAGE} and say there why"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(blocks: usize, functions: usize, others: usize) -> Count {
        Count { blocks, functions, others }
    }

    #[test]
    fn every_form_is_counted_once() {
        let cases = [
            ("fn f() { unsafe { g() } }", counts(1, 0, 0)),
            ("unsafe fn f() {}", counts(0, 1, 0)),
            ("pub unsafe extern \"C\" fn f() {}", counts(0, 1, 0)),
            ("unsafe extern $abi fn $name() {}", counts(0, 1, 0)),
            ("type F = unsafe extern \"C\" fn(u8);", counts(0, 0, 0)),
            ("unsafe impl Send for A {}", counts(0, 0, 1)),
            ("unsafe trait A {}", counts(0, 0, 1)),
            ("unsafe extern \"C\" { fn f(); }", counts(0, 0, 1)),
            ("#[unsafe(no_mangle)] fn f() {}", counts(0, 0, 1)),
            ("// unsafe { }\nlet a = \"unsafe fn f\";", counts(0, 0, 0)),
        ];
        for (text, expected) in cases {
            assert_eq!(count(text), expected, "{text}");
        }
    }

    #[test]
    fn the_table_is_found_on_the_page() {
        let page = "# Unsafe\n\n| crate | blocks | functions | others | why |\n|---|---|---|---|---|\n\
                    | `a-b` | 3 | 2 | 1 | reasons |\n";
        assert_eq!(table(page), BTreeMap::from([("a-b", counts(3, 2, 1))]));
    }

    #[test]
    fn only_a_rise_fails() {
        assert_eq!(compare("a", counts(3, 2, 1), Some(counts(3, 2, 1))), None);
        assert_eq!(compare("a", counts(2, 2, 1), Some(counts(3, 2, 1))), None);
        assert!(compare("a", counts(3, 2, 2), Some(counts(3, 2, 1))).is_some());
        assert!(compare("a", counts(0, 0, 0), None).is_some());
    }

    #[test]
    fn unsafe_code_in_the_wrong_place_is_found() {
        let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
        let found = |policy, sources: &[Source]| places("a", policy, sources).len();
        let (bad, good) = ("fn f() { unsafe { g() } }", "#![forbid(unsafe_code)]\n");
        assert_eq!(found(Unsafe::Forbidden, &[source("a/src/lib.rs", "")]), 1);
        assert_eq!(found(Unsafe::Forbidden, &[source("a/src/lib.rs", good)]), 0);
        assert_eq!(found(Unsafe::Forbidden, &[source("a/src/b.rs", bad)]), 1);
        assert_eq!(found(Unsafe::Only("raw.rs"), &[source("a/src/raw.rs", bad)]), 0);
        assert_eq!(found(Unsafe::Only("raw.rs"), &[source("a/src/b.rs", bad)]), 1);
        assert_eq!(found(Unsafe::Counted, &[source("a/src/b.rs", bad)]), 0);
    }
}

//! Compares the names in `docs/limits.md` with the constants in the sources: a limit that nobody can look up
//! might as well not have a name.

use std::{collections::BTreeSet, fs};

use crate::{Outcome, rust::words, workspace::Workspace};

const PAGE: &str = "docs/limits.md";

/// Where every constant is a limit, and where those are that begin with `MAX_` or `DEFAULT_`.
const ALL: &str = "types/src/limits.rs";
const NAMED: &[&str] = &["lithe-wasi", "lithe-http", "lithe-cli"];

pub fn check(workspace: &Workspace) -> Outcome {
    let page = fs::read_to_string(workspace.root.join(PAGE))
        .map_err(|error| format!("cannot read {PAGE}: {error}"))?;
    let (mut known, mut wanted) = (BTreeSet::new(), BTreeSet::new());
    for package in &workspace.packages {
        for source in workspace.sources(&package.folder.join("src"))? {
            for name in constants(&source.text) {
                known.insert(name.to_owned());
                let prefixed = name.starts_with("MAX_") || name.starts_with("DEFAULT_");
                if source.path == ALL || NAMED.contains(&package.name.as_str()) && prefixed {
                    wanted.insert(name.to_owned());
                }
            }
        }
    }
    Ok(compare(&names(&page), &known, &wanted))
}

/// The names of the constants that a source text defines.
fn constants(text: &str) -> Vec<&str> {
    let words = words(text);
    let names = words.windows(3).filter_map(|three| match three {
        ["const", name, ":"] if *name != "_" => Some(*name),
        _ => None,
    });
    names.collect()
}

/// The names of constants that a page mentions in backquotes: words in capitals that have an underscore, or
/// a path before them.
fn names(page: &str) -> BTreeSet<String> {
    let quoted = page.split('`').skip(1).step_by(2);
    let constant = |text: &str| {
        let name = text.rsplit("::").next().unwrap_or(text);
        let capitals = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        let marked = name.contains('_') || text.contains("::");
        (capitals && marked && !name.is_empty()).then(|| name.into())
    };
    quoted.filter_map(constant).collect()
}

fn compare(
    page: &BTreeSet<String>,
    known: &BTreeSet<String>,
    wanted: &BTreeSet<String>,
) -> Vec<String> {
    let missing = wanted.difference(page).map(|name| format!("{PAGE} does not mention {name}"));
    let stale = page
        .difference(known)
        .map(|name| format!("{PAGE} mentions {name}, but no constant has that name"));
    missing.chain(stale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| String::from(*name)).collect()
    }

    #[test]
    fn constants_are_found_in_sources() {
        let text = "pub(crate) const MAX_A: u32 = 1;\nconst B: &str = \"const C: u8\";\n\
                    const fn f() {}\nconst _: () = ();\nfn g<const N: usize>() {}\n";
        assert_eq!(constants(text), ["MAX_A", "B", "N"]);
    }

    #[test]
    fn names_are_found_on_pages() {
        let page =
            "| `path::MAX_PATH` | 1 |\n`Grants::x` (`DEFAULT_X`), `a::RESERVATION`, `SIMD`, `f`\n";
        assert_eq!(names(page), set(&["DEFAULT_X", "MAX_PATH", "RESERVATION"]));
    }

    #[test]
    fn missing_and_stale_names_are_problems() {
        let problems = compare(&set(&["A", "OLD"]), &set(&["A", "B"]), &set(&["A", "B"]));
        assert_eq!(
            problems,
            [
                "docs/limits.md does not mention B",
                "docs/limits.md mentions OLD, but no constant has that name",
            ]
        );
    }
}

//! Finds source files that are too long to be read at once. Tables and tests are exempt.

use crate::{Outcome, workspace::Workspace};

/// Lines from which a file is listed.
const SOFT: usize = 500;

/// Lines that no file exceeds.
const HARD: usize = 800;

/// Files that are data.
const TABLES: &[&str] = &["interp/build/table.rs", "interp/build/simd.rs"];

pub fn check(workspace: &Workspace) -> Outcome {
    let mut problems = Vec::new();
    let mut folders: Vec<_> = workspace.packages.iter().map(|package| &package.folder).collect();
    // A workspace of its own, since it needs a nightly compiler.
    let fuzz = workspace.root.join("fuzz");
    if fuzz.is_dir() {
        folders.push(&fuzz);
    }
    let sources = folders.into_iter().map(|folder| workspace.sources(folder));
    for source in sources.collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
        let lines = source.text.lines().count();
        if exempt(&source.path) || lines <= SOFT {
            continue;
        }
        println!("{lines:>5} lines: {}", source.path);
        if lines > HARD {
            let path = &source.path;
            problems.push(format!("{path} has {lines} lines, the limit is {HARD}; split it"));
        }
    }
    Ok(problems)
}

fn exempt(path: &str) -> bool {
    TABLES.contains(&path)
        || path.ends_with("/tests.rs")
        || path.split('/').any(|folder| folder == "tests")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_tests_are_exempt() {
        assert!(exempt("interp/build/table.rs"));
        assert!(exempt("wasi/tests/common/mod.rs"));
        assert!(exempt("interp/src/simd/tests.rs"));
        assert!(!exempt("interp/src/translate/ops.rs"));
    }
}

//! The sizes of the release command and of the smallest one against their budgets, with the sections that make them up.
//! The smallest one, which has no feature, is kept under the name `lithe-smallest`; it is built without warnings.

use std::{fs, path::Path, process::Command};

use crate::{
    Outcome,
    workspace::{Workspace, cargo, run},
};

/// A command, stripped, that is looked at.
struct Build {
    name: &'static str,
    /// Bytes that it may have; above them the check fails.
    budget: u64,
    /// Bytes that it should have. RATIONALE.md says what stands in the way.
    aim: Option<u64>,
}

const SMALLEST: Build = Build { name: "smallest command", budget: 5_000_000, aim: Some(2_000_000) };

const RELEASE: Build = Build { name: "release command", budget: 13_300_000, aim: None };

/// Sections smaller than this are added up.
const SHOWN: u64 = 10_000;

pub fn check(workspace: &Workspace) -> Outcome {
    let path = workspace.target.join("release/lithe");
    let kept = path.with_file_name("lithe-smallest");
    let command = ["--release", "-p", "lithe-cli", "--bin", "lithe"];
    let small = ["--no-default-features", "--", "-D", "warnings"];
    run(cargo().arg("rustc").args(command).args(small))?;
    fs::copy(&path, &kept).map_err(|error| format!("cannot write {}: {error}", kept.display()))?;
    // Puts the command back in its place.
    run(cargo().arg("build").args(command))?;
    let mut problems = problems_of(&SMALLEST, &kept)?;
    problems.extend(problems_of(&RELEASE, &path)?);
    Ok(problems)
}

/// Prints the size of a command, and gives what is wrong with it.
fn problems_of(build: &Build, path: &Path) -> Outcome {
    let Build { name, budget, aim, .. } = build;
    let bytes = fs::metadata(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?
        .len();
    let table = run(Command::new("size").args(["-A", "-d"]).arg(path))?;
    println!("{name:<18} {:>10}", "bytes");
    let mut rest = 0;
    for (name, size) in sections(&table) {
        match size >= SHOWN {
            true => println!("{name:<18} {size:>10}"),
            false => rest += size,
        }
    }
    println!("{:<18} {rest:>10}", "smaller sections");
    println!("{:<18} {bytes:>10}  of {budget}", "file");
    if let Some(aim) = aim.filter(|aim| bytes > *aim) {
        println!("note: the aim of {aim} bytes is missed by {}", bytes - aim);
    }
    let mut problems = Vec::new();
    if bytes > *budget {
        problems.push(format!("the {name} has {bytes} bytes, the budget is {budget}"));
    }
    if !run(Command::new("nm").arg("--quiet").arg(path))?.is_empty() {
        problems.push(format!(
            "the {name} is not stripped; a profile of the package lithe-cli needs `strip` of its own"
        ));
    }
    Ok(problems)
}

/// Names and sizes of the sections that are loaded, from the output of `size -A`.
fn sections(table: &str) -> Vec<(&str, u64)> {
    let row = |line| -> Option<(&str, u64)> {
        let line: &str = line;
        let mut cells = line.split_whitespace();
        let (name, size, address) = (cells.next()?, cells.next()?, cells.next()?);
        let loaded = address.parse::<u64>().ok()? != 0;
        Some((name, size.parse().ok()?)).filter(|_| loaded && name.starts_with('.'))
    };
    table.lines().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loaded_sections_are_read() {
        let table = "target/release/lithe  :\nsection  size  addr\n.text  900  4096\n.comment  44  0\n\
                     Total  944\n";
        assert_eq!(sections(table), [(".text", 900)]);
    }
}

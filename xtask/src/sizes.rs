//! The size of the release command against its budget, with the sections that make it up.

use std::{fs, process::Command};

use crate::{
    Outcome,
    workspace::{Workspace, run},
};

/// Bytes that the stripped command may have, the code generator included; above them the check fails.
const BUDGET: u64 = 13_300_000;

/// Bytes that it should have without the code generator. RATIONALE.md says what stands in the way.
const AIM: u64 = 2_000_000;

/// Sections smaller than this are added up.
const SHOWN: u64 = 10_000;

pub fn check(workspace: &Workspace) -> Outcome {
    let path = workspace.target.join("release/lithe");
    let bytes = fs::metadata(&path)
        .map_err(|error| {
            format!("cannot read {}: {error}; run cargo build --release first", path.display())
        })?
        .len();
    let table = run(Command::new("size").args(["-A", "-d"]).arg(&path))?;
    println!("{:<18} {:>10}", "release command", "bytes");
    let mut rest = 0;
    for (name, size) in sections(&table) {
        match size >= SHOWN {
            true => println!("{name:<18} {size:>10}"),
            false => rest += size,
        }
    }
    println!("{:<18} {rest:>10}", "smaller sections");
    println!("{:<18} {bytes:>10}  of {BUDGET}", "file");
    if bytes > AIM {
        println!("note: the aim of {AIM} bytes is missed by {}", bytes - AIM);
    }
    let mut problems = Vec::new();
    if bytes > BUDGET {
        problems.push(format!("{} has {bytes} bytes, the budget is {BUDGET}", path.display()));
    }
    if !run(Command::new("nm").arg("--quiet").arg(&path))?.is_empty() {
        problems.push(format!(
            "{} is not stripped; a profile of the package lithe-cli needs `strip` of its own",
            path.display()
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

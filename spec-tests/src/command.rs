//! What `lithe wast` does: files and directories on every engine asked for, and the lines that people and
//! scripts read.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{Failure, Known, Options, Report, run_file};

/// How deep directories are searched, which ends loops of symbolic links.
const DIRECTORY_DEPTH: u32 = 32;

/// Runs scripts, and all scripts in directories, in each of these ways; their own lists of known failures do not count. Writes a line for each failure and, as the
/// last line, the counts `N passed, N failed, N skipped, N known`. Whether nothing failed. `known` is a list of
/// known failures; without one it is that of the official testsuite.
pub fn wast_command(
    engines: &[Options],
    paths: &[PathBuf],
    known: Option<&Path>,
    out: &mut dyn Write,
) -> bool {
    let mut total = Report::default();
    let written = run_all(engines, paths, known, &mut total, out);
    written.and_then(|()| writeln!(out, "{total}")).is_ok() && total.failed.is_empty()
}

fn run_all(
    engines: &[Options],
    paths: &[PathBuf],
    known: Option<&Path>,
    total: &mut Report,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut add = |report: Report, note: &str| -> io::Result<()> {
        for failure in &report.failed {
            writeln!(out, "{failure}{note}")?;
        }
        *total += report;
        Ok(())
    };
    let alone = |failure| Report { failed: vec![failure], ..Report::default() };
    let known = match known.map_or_else(Known::official, Known::read) {
        Ok(known) => known,
        Err(failure) => return add(alone(failure), ""),
    };
    for path in paths {
        let files = match wast_files(path) {
            Ok(files) => files,
            Err(failure) => {
                add(alone(failure), "")?;
                continue;
            }
        };
        for file in files {
            let text = match wast_text(&file) {
                Ok(text) => text,
                Err(failure) => {
                    add(alone(failure), "")?;
                    continue;
                }
            };
            let name = file.display().to_string();
            for engine in engines {
                let options = Options { known: known.clone(), ..engine.clone() };
                let note = match engines.len() {
                    1 => String::new(),
                    _ => format!(" ({:?}, {:?})", engine.strategy, engine.dispatch),
                };
                add(run_file(&name, &text, &options), &note)?;
            }
        }
    }
    Ok(())
}

pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure {
        file: path.display().to_string(),
        line: 0,
        sentence: format!("it cannot be read: {error}"),
        dependents: 0,
    }
}

/// The text of a script.
pub fn wast_text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

/// The scripts that `path` stands for: the file itself, or all files `*.wast` in the directory and those
/// below it, sorted.
pub fn wast_files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !metadata.is_dir() {
        return Ok(vec![path.into()]);
    }
    let mut files = Vec::new();
    search(path, DIRECTORY_DEPTH, &mut files)?;
    files.sort();
    match files.is_empty() {
        false => Ok(files),
        true => Err(Failure {
            file: path.display().to_string(),
            line: 0,
            sentence: "the directory has no file *.wast".into(),
            dependents: 0,
        }),
    }
}

fn search(directory: &Path, depth: u32, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failure = |error| unreadable(directory, &error);
    for entry in fs::read_dir(directory).map_err(failure)? {
        let path = entry.map_err(failure)?.path();
        if path.is_dir() && depth > 0 {
            search(&path, depth - 1, files)?;
        } else if path.extension() == Some(OsStr::new("wast")) {
            files.push(path);
        }
    }
    Ok(())
}

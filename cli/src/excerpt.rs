//! Three lines of a guest's source around a position. Called by `trap`. The path comes from the module, so
//! it is hostile: invariant: only small regular files whose names say that they are source code are shown.

use std::fmt::Write;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use lithe::Location;

use crate::output::visible;

/// Extensions of source files. Others are never opened: a module could name any file of the host.
const SOURCES: &[&str] = &[
    "adb", "ads", "as", "c", "c++", "cc", "cpp", "cs", "cxx", "d", "f90", "go", "grain", "h", "hh",
    "hpp", "hxx", "inc", "kt", "m", "mbt", "ml", "mm", "nim", "odin", "pas", "rs", "s", "swift",
    "ts", "v", "wast", "wat", "zig",
];

/// Bytes of a source file that are read.
const MAX_BYTES: u64 = 4 << 20;

/// Characters of a line that are shown.
const MAX_COLUMNS: usize = 160;

/// The excerpt, when the source can be found: as named, or beside the module.
pub fn of(place: &Location, module: &Path) -> Option<String> {
    let line = place.line.filter(|line| *line > 0)? as usize;
    let beside = module.parent().map(|folder| folder.join(&place.file));
    let paths = [Some(PathBuf::from(&place.file)), beside];
    let source = paths.into_iter().flatten().find_map(|path| read(&path))?;
    let lines: Vec<&str> = source.lines().collect();
    let shown = lines.get(line - 1)?;
    let width = (line + 1).to_string().len();
    let mut text = format!("{:width$}--> {}\n{:width$} |\n", "", visible(&place.to_string()), "");
    for number in line.saturating_sub(1).max(1)..=line + 1 {
        let Some(content) = lines.get(number - 1) else { break };
        // Writing to a string does not fail, here and below.
        let _ = writeln!(text, "{number:width$} | {}", clipped(content));
        let column = place.column.unwrap_or(0) as usize;
        if number == line && (1..=MAX_COLUMNS.min(shown.chars().count())).contains(&column) {
            let before: String = content.chars().take(column - 1).collect();
            let _ = writeln!(text, "{:width$} | {}^", "", blank(&before));
        }
    }
    Some(text)
}

fn clipped(line: &str) -> String {
    let line: String = line.chars().take(MAX_COLUMNS).collect();
    visible(&line.replace('\t', "    "))
}

/// As many blanks as `clipped` makes characters of `text`.
fn blank(text: &str) -> String {
    clipped(text).chars().map(|_| ' ').collect()
}

fn read(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    if !SOURCES.contains(&extension.as_str()) {
        return None;
    }
    // A pipe of that name must not make the command wait.
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let meta = file.metadata().ok()?;
    if !meta.is_file() || meta.len() > MAX_BYTES {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

//! Reading files and turning them into modules. Called by every verb. Invariant: a regular file costs one
//! open, one fstat, one read and one close; nothing is mapped, so a guest that writes its own file changes
//! nothing; the size that is read is limited.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context, Result, bail};
use lithe::{Engine, Module};
use rustix::buffer::spare_capacity;
use rustix::fs::{FileType, Mode, OFlags};

use crate::flags::{VERBS, VerbRow};
use crate::report::{self, Report};

/// Bytes of a module that are read; the engine accepts no larger ones.
pub const MAX_MODULE_BYTES: usize = 1 << 30;

/// Bytes asked for at once where the size is not known.
const CHUNK: usize = 1 << 16;

/// The content of a file, or of standard input for `-`.
pub fn read(path: &Path, limit: usize) -> Result<Vec<u8>> {
    let shown = path.display();
    let mut bytes = Vec::new();
    if path == OsStr::new("-") {
        fill(&mut bytes, rustix::stdio::stdin(), limit).context("cannot read standard input")?;
        return Ok(bytes);
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty())
        .with_context(|| format!("cannot open `{shown}`"))?;
    let stat = rustix::fs::fstat(&file).with_context(|| format!("cannot read `{shown}`"))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => bail!("`{shown}` is a directory; name a file in it"),
        FileType::RegularFile if stat.st_size as u64 > limit as u64 => {
            bail!("`{shown}` has {} bytes; {limit} are the most that is read", stat.st_size)
        }
        // Files of the kernel's claim to be empty.
        FileType::RegularFile if stat.st_size > 0 => {
            let size = stat.st_size as usize;
            bytes.reserve_exact(size);
            while bytes.len() < size {
                match rustix::io::read(&file, spare_capacity(&mut bytes)) {
                    Ok(0) => break,
                    Ok(_) | Err(rustix::io::Errno::INTR) => {}
                    Err(error) => bail!("cannot read `{shown}`: {error}"),
                }
            }
        }
        _ => fill(&mut bytes, &file, limit).with_context(|| format!("cannot read `{shown}`"))?,
    }
    Ok(bytes)
}

/// Reads to the end of something that has no size.
fn fill(bytes: &mut Vec<u8>, file: impl rustix::fd::AsFd, limit: usize) -> Result<()> {
    loop {
        bytes.reserve(CHUNK);
        match rustix::io::read(&file, spare_capacity(bytes)) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if bytes.len() > limit {
            bail!("it has more than {limit} bytes, the most that is read");
        }
    }
}

/// The module in a file. It is called by the file's stem where it has no name of its own.
pub fn module(engine: &Engine, path: &Path) -> Result<Module, Report> {
    let bytes = read(path, MAX_MODULE_BYTES).map_err(|error| unread(path, &error))?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    Module::named(engine, bytes, &stem).map_err(|error| report::load(path, &error))
}

/// The report of a file that cannot be read; it may have been meant as a verb.
fn unread(path: &Path, error: &anyhow::Error) -> Report {
    const ALIKE: f64 = 0.85;
    let word = path.to_str().unwrap_or_default();
    let alike = |row: &&VerbRow| strsim::jaro_winkler(row.name, word) > ALIKE;
    match VERBS.iter().find(alike) {
        Some(row) => {
            let hint = format!("if a verb was meant, the nearest one is `lithe {}`", row.name);
            report::failed(error).hint(hint)
        }
        None => report::failed(error),
    }
}

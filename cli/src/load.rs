//! Reading files and turning them into modules. Called by every verb; what `run` runs natively comes from `engines`.
//! Invariant: nothing that is read is mapped, so a guest that writes its own file changes nothing; the size that is
//! read is limited.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::buffer::spare_capacity;
use rustix::fs::{FileType, Mode, OFlags, Stat};

use crate::cache;
use crate::flags::{VERBS, VerbRow};
use crate::report::{self, Report};

/// Bytes of a module that are read; the engine accepts no larger ones.
pub const MAX_MODULE_BYTES: usize = 1 << 30;

/// Bytes asked for at once where the size is not known.
const CHUNK: usize = 1 << 16;

/// A file, or standard input, that is to be read.
pub struct Input<'p> {
    path: &'p Path,
    /// Nothing for standard input.
    file: Option<(File, Stat)>,
}

impl<'p> Input<'p> {
    /// Opens a file; `-` is standard input.
    pub fn open(path: &'p Path) -> Result<Input<'p>> {
        if path == OsStr::new("-") {
            return Ok(Input { path, file: None });
        }
        let shown = path.display();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::empty())
            .with_context(|| format!("cannot open `{shown}`"))?;
        let stat = rustix::fs::fstat(&file).with_context(|| format!("cannot read `{shown}`"))?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            bail!("`{shown}` is a directory; name a file in it");
        }
        Ok(Input { path, file: Some((file.into(), stat)) })
    }

    /// The file, when it is a regular one with contents.
    pub fn regular(&self) -> Option<(&File, &Stat)> {
        let (file, stat) = self.file.as_ref()?;
        let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        // Files of the kernel's claim to be empty.
        (regular && stat.st_size > 0).then_some((file, stat))
    }

    /// The first bytes of a regular file.
    pub fn begins_with(&self, test: impl FnOnce(&[u8]) -> bool) -> bool {
        let mut head = [0; 16];
        let read = self.regular().map(|(file, _)| rustix::io::pread(file, &mut head, 0));
        read.and_then(Result::ok).is_some_and(|read| test(&head[..read]))
    }

    /// What tells a regular file apart from all others, when it has not changed since it was opened, and a change from
    /// now on would show. A file may change between two looks at it, and for a while without its times telling.
    pub fn settled(&self) -> Option<&Stat> {
        let (file, stat) = self.regular().filter(|(_, stat)| cache::is_settled(stat))?;
        let now = rustix::fs::fstat(file).ok()?;
        (cache::identity(&now) == cache::identity(stat)).then_some(stat)
    }

    /// The content.
    pub fn read(&self, limit: usize) -> Result<Vec<u8>> {
        let shown = self.path.display();
        let mut bytes = Vec::new();
        let Some((file, _)) = &self.file else {
            fill(&mut bytes, rustix::stdio::stdin(), limit)
                .context("cannot read standard input")?;
            return Ok(bytes);
        };
        let Some((_, stat)) = self.regular() else {
            fill(&mut bytes, file, limit).with_context(|| format!("cannot read `{shown}`"))?;
            return Ok(bytes);
        };
        if stat.st_size as u64 > limit as u64 {
            bail!("`{shown}` has {} bytes; {limit} are the most that is read", stat.st_size)
        }
        let size = stat.st_size as usize;
        bytes.reserve_exact(size);
        while bytes.len() < size {
            match rustix::io::read(file, spare_capacity(&mut bytes)) {
                Ok(0) => break,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => bail!("cannot read `{shown}`: {error}"),
            }
        }
        Ok(bytes)
    }
}

/// The content of a file, or of standard input for `-`.
pub fn read(path: &Path, limit: usize) -> Result<Vec<u8>> {
    Input::open(path)?.read(limit)
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

/// The name of the module in a file, where it has none of its own: the file's stem.
pub fn name(path: &Path) -> Cow<'_, str> {
    path.file_stem().unwrap_or_default().to_string_lossy()
}

/// The report of a file that cannot be read; it may have been meant as a verb.
pub fn unread(path: &Path, error: &anyhow::Error) -> Report {
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

//! Native code that is about to be run without anybody having proven it: from the cache, from an artifact that the user
//! vouches for, or from the compiler. Called by `engines`. The one file of the command with unsafe code.
//! Invariant: code comes only from these three places.

use std::fs::File;
use std::ops::Range;

use lithe::{Compilation, Engine, Module, Result};

use crate::cache::Entry;
use crate::options::Options;

/// A module, compiled now.
pub fn compiled(module: &Module, how: &Compilation<'_>, name: &str) -> Result<Module> {
    let artifact = module.compile(how)?;
    // SAFETY: the compiler made these bytes, and nobody could change them since.
    unsafe { Module::from_artifact(module.engine(), artifact, name) }
}

/// A module from the cache.
pub fn from_cache(engine: &Engine, entry: &Entry, name: &str) -> Result<Module> {
    // SAFETY: entries are files that this user's Lithe made, as their owner and mode tell: guests can neither make such
    // files nor change them. Lithe itself never changes one.
    unsafe { Module::from_artifact_file(engine, entry.file(), None, name) }
}

/// An artifact in a file that the user named, or in a part of it; `None` when nobody vouches for it.
pub fn from_user(
    engine: &Engine,
    file: &File,
    part: Option<Range<u64>>,
    options: &Options,
) -> Option<Result<Module>> {
    options.allow_precompiled.then(|| {
        // SAFETY: the user vouches for the artifact with a flag that is there for this. Guests of this run cannot
        // change it: WASI refuses to open it for writing.
        unsafe { Module::from_artifact_file(engine, file, part, "") }
    })
}

/// An artifact that the user gave as bytes; `None` when nobody vouches for it.
pub fn from_user_bytes(engine: &Engine, bytes: &[u8], options: &Options) -> Option<Result<Module>> {
    options.allow_precompiled.then(|| {
        // SAFETY: the user vouches for the artifact with a flag that is there for this.
        unsafe { Module::from_artifact(engine, bytes, "") }
    })
}

//! `lithe compile`: a module to native code, into a file or into the cache. Called by `main`. Invariant: a file gets its
//! name when it is complete, since programs may run the code of the one that had the name before.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use lithe::{Artifact, Config, Engine, Module, Strategy};
use rustix::fs::{FileType, Mode, OFlags};

use crate::cache::Cache;
use crate::load::{self, Input, MAX_MODULE_BYTES};
use crate::options::{Emit, Format, Options};
use crate::output::{Stdout, complain};
use crate::report::{self, FAILED, Report, USAGE};
use crate::{engines, stats};

/// Compiles the module; gives the exit status.
pub fn compile(options: &Options) -> Result<i32, Report> {
    let clock = Instant::now();
    let file = Path::new(options.operands.first().map_or("-".as_ref(), |file| file.as_os_str()));
    let target = target(options, file)?;
    let deterministic = options.nan_canonicalization || options.seed.is_some();
    let config = Config::new().features(options.features).strategy(Strategy::Auto);
    let config = config.traps(options.traps.unwrap_or_else(engines::traps));
    let engine = Engine::new(&config.fuel(options.count_fuel).deterministic(deterministic));
    let input = Input::open(file).map_err(|error| load::unread(file, &error))?;
    let bytes = input.read(MAX_MODULE_BYTES).map_err(|error| load::unread(file, &error))?;
    if Artifact::is(&bytes) {
        let headline = format!("`{}` is an artifact, compiled already", file.display());
        return Err(Report::new(FAILED, "precompiled", headline));
    }
    let module = Module::named(&engine, bytes, &load::name(file));
    let module = module.map_err(|error| report::load(file, &error))?;
    let loaded = clock.elapsed();
    let compiled = engines::compiled(&module, options, file);
    let compiled = compiled.map_err(|error| report::load(file, &error))?;
    let taken = clock.elapsed().saturating_sub(loaded);
    let bytes = compiled.bytes();
    match &target {
        Target::Cache(..) => {}
        Target::Stdout => Stdout.write_all(bytes).map_err(|error| unwritten("-", &error))?,
        Target::File(out) => {
            write(out, bytes).map_err(|error| unwritten(&out.display().to_string(), &error))?;
        }
    }
    if let Target::Cache(cache) = target {
        engines::keep(cache, &engine, &input, &module, &compiled).map_err(|why| {
            Report::new(FAILED, "cache", format!("the code is not in the cache: {why}"))
        })?;
    }
    if options.stats {
        let figures = stats::Compiled {
            load: loaded,
            compile: taken,
            module_bytes: module.size(),
            artifact_bytes: bytes.len(),
            code_bytes: Artifact::new(bytes).map_or(0, |artifact| artifact.code_bytes()),
        };
        complain(&match options.format {
            Format::Text => figures.text(),
            Format::Json => format!("{}\n", figures.json()),
        });
    }
    Ok(0)
}

/// Where the code goes.
enum Target {
    File(PathBuf),
    Stdout,
    Cache(Cache),
}

/// Where the code goes, or what is wrong with the flags.
fn target(options: &Options, file: &Path) -> Result<Target, Report> {
    let usage = |sentence: &str| Err(Report::new(USAGE, "usage", sentence));
    if options.emit == Emit::Object {
        return usage(
            "--emit object arrives with a later release; --emit artifact is what `lithe run` takes",
        );
    }
    if options.into_cache {
        if options.output.is_some() || options.target.is_some() {
            return usage(
                "--cache goes with neither --output nor --target: the cache is for this machine",
            );
        }
        let cache = Cache::open(options.max_cache);
        return cache
            .map(Target::Cache)
            .map_err(|why| Report::new(FAILED, "cache", format!("there is no cache: {why}")));
    }
    match &options.output {
        Some(out) if out == OsStr::new("-") => Ok(Target::Stdout),
        Some(out) if out == file => usage("--output names the module itself"),
        Some(out) => Ok(Target::File(out.clone())),
        None if file == OsStr::new("-") => {
            usage("a module from standard input needs --output FILE, or `--output -`")
        }
        None => Ok(Target::File(file.with_extension("lithe"))),
    }
}

fn unwritten(out: &str, error: &std::io::Error) -> Report {
    Report::new(FAILED, "failed", format!("cannot write `{out}`: {error}"))
}

/// Writes a file under another name first. What is no regular file is written in place.
fn write(out: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let special = rustix::fs::stat(out)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile);
    if special {
        return File::options().write(true).open(out)?.write_all(bytes);
    }
    let mut name = OsString::from(".");
    name.push(out.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    let draft = out.with_file_name(name);
    let written = || {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::open(&draft, flags, Mode::from_raw_mode(0o666))?;
        File::from(file).write_all(bytes)?;
        std::fs::rename(&draft, out)
    };
    written().inspect_err(|_| {
        let _ = std::fs::remove_file(&draft);
    })
}

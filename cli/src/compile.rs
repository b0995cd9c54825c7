//! `lithe compile`: a module to native code, into a file or into the cache. Called by `main`. Invariant: a file gets its
//! name when it is complete, since programs may run the code of the one that had the name before.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use lithe::{Artifact, Compilation, Config, Engine, Error, Module, Strategy};
use lithe_component::Component;
use rustix::fs::FileType;

use crate::cache::{self, Cache};
use crate::engines::{self, with_progress};
use crate::load::{self, Input, MAX_MODULE_BYTES};
use crate::options::{Emit, Format, Options};
use crate::output::{Stdout, complain};
use crate::report::{self, FAILED, Report, USAGE};
use crate::stats;

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
    if Component::is(&bytes) {
        return match target {
            Target::Cache(cache) => component(options, &engine, file, &bytes, cache.of(&engine)),
            Target::File(_) | Target::Stdout => {
                let headline = format!(
                    "`{}` is a component; the code of its modules goes into the cache",
                    file.display()
                );
                let report = Report::new(USAGE, "component", headline);
                Err(report.hint(format!("say `lithe compile --cache {}`", file.display())))
            }
        };
    }
    let module = Module::named(&engine, bytes, &load::name(file));
    let module = module.map_err(|error| report::load(file, &error))?;
    let loaded = clock.elapsed();
    let size = with_progress(options, file, |how| {
        let job = Job { file, module: &module, how, emit: options.emit };
        match target {
            Target::Cache(cache) => job.cache(cache.of(&engine), &input),
            Target::Stdout => job.stdout(),
            Target::File(out) => job.file(&out),
        }
    })?;
    if options.stats {
        let figures = stats::Compiled {
            load: loaded,
            compile: clock.elapsed().saturating_sub(loaded),
            module_bytes: module.size(),
            artifact_bytes: size,
        };
        complain(&match options.format {
            Format::Text => figures.text(),
            Format::Json => format!("{}\n", figures.json()),
        });
    }
    Ok(0)
}

/// Compiles the core modules of a component into the cache.
fn component(
    options: &Options,
    engine: &Engine,
    file: &Path,
    bytes: &[u8],
    mut cache: Cache,
) -> Result<i32, Report> {
    let name = load::name(file);
    let component =
        Component::with_modules(engine, bytes, |bytes| Module::named(engine, bytes, &name));
    let component = component.map_err(|error| report::load(file, &error))?;
    for module in component.modules() {
        with_progress(options, file, |how| {
            let job = Job { file, module, how, emit: Emit::Artifact };
            job.cached(&mut cache).map(drop)
        })?;
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
    let object = options.emit == Emit::Object;
    if options.into_cache {
        if options.output.is_some() || options.target.is_some() || object {
            return usage(
                "--cache goes with neither --output, --target nor --emit object: it is for `lithe run` here",
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
        None if object => Ok(Target::File(file.with_extension("o"))),
        None => Ok(Target::File(file.with_extension("lithe"))),
    }
}

/// A module that is compiled from a file. Its methods give the size of the artifact.
struct Job<'a> {
    file: &'a Path,
    module: &'a Module,
    how: &'a Compilation<'a>,
    emit: Emit,
}

impl Job<'_> {
    /// The report of code that cannot be made or written.
    fn failed(&self, error: &Error) -> Report {
        report::load(self.file, error)
    }

    fn cached(&self, cache: &mut Cache) -> Result<cache::Entry, Report> {
        let hash = self.module.hash();
        let entry = cache.store(&hash, |draft| self.module.compile_to(self.how, draft));
        entry.map_err(|error| self.failed(&error))?.ok_or_else(|| {
            let headline = "the cache does not take the code: it is too large, or the folder cannot be written";
            Report::new(FAILED, "cache", headline)
        })
    }

    fn cache(&self, mut cache: Cache, input: &Input<'_>) -> Result<u64, Report> {
        let hash = self.module.hash();
        let entry = self.cached(&mut cache)?;
        if let Some(stat) = input.settled() {
            let question = cache.question(&cache::identity(stat));
            cache.note(&question, &hash);
        }
        Ok(entry.file().metadata().map_or(0, |metadata| metadata.len()))
    }

    fn bytes(&self) -> Result<Vec<u8>, Report> {
        let bytes = match self.emit {
            Emit::Artifact => self.module.compile(self.how),
            Emit::Object => self.module.compile_object(self.how, &symbol(self.file)),
        };
        bytes.map_err(|error| self.failed(&error))
    }

    /// Writes what was asked for.
    fn write(&self, file: &mut File, shown: &str) -> Result<(), Report> {
        match self.emit {
            Emit::Artifact => {
                self.module.compile_to(self.how, file).map_err(|error| self.failed(&error))
            }
            Emit::Object => {
                file.write_all(&self.bytes()?).map_err(|error| unwritten(shown, &error))
            }
        }
    }

    fn stdout(&self) -> Result<u64, Report> {
        let artifact = self.bytes()?;
        let written = Stdout.write_all(&artifact);
        written.map_err(|error| unwritten("standard output", &error))?;
        Ok(artifact.len() as u64)
    }

    /// Writes a file under another name first. What is no regular file is written in place.
    fn file(&self, out: &Path) -> Result<u64, Report> {
        let shown = format!("`{}`", out.display());
        let special = rustix::fs::stat(out)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile);
        if special {
            let artifact = self.bytes()?;
            let file = File::options().write(true).open(out);
            let written = file.and_then(|mut file| file.write_all(&artifact));
            written.map_err(|error| unwritten(&shown, &error))?;
            return Ok(artifact.len() as u64);
        }
        let mut name = OsString::from(".");
        name.push(out.file_name().unwrap_or_default());
        name.push(format!(".{}.tmp", std::process::id()));
        let draft = out.with_file_name(name);
        let file = File::options().write(true).create_new(true).open(&draft);
        let mut file = file.map_err(|error| unwritten(&shown, &error))?;
        let written = self.write(&mut file, &shown).and_then(|()| {
            std::fs::rename(&draft, out).map_err(|error| unwritten(&shown, &error))?;
            Ok(file.metadata().map_or(0, |metadata| metadata.len()))
        });
        written.inspect_err(|_| {
            let _ = std::fs::remove_file(&draft);
        })
    }
}

/// What an object's symbol is called after: the file's stem, as far as programs can spell it.
fn symbol(file: &Path) -> String {
    let stem = load::name(file);
    stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn unwritten(out: &str, error: &std::io::Error) -> Report {
    Report::new(FAILED, "failed", format!("cannot write {out}: {error}"))
}

//! `lithe compile`: a module or component to native code, into a file or into the cache. Called by `main`. Invariant: a file gets its
//! name when it is complete, since programs may run the code of the one that had the name before.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Cursor, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use lithe::{Artifact, Compilation, Config, Engine, Error, Module, Strategy};
use lithe_component::Component;
use rustix::fs::FileType;

use crate::bundle;
use crate::cache::{self, Cache};
use crate::engines::{self, with_progress};
use crate::load::{self, Input, MAX_MODULE_BYTES};
use crate::options::{Emit, Format, Options};
use crate::output::{Stdout, complain};
use crate::report::{self, FAILED, Report, USAGE};
use crate::stats;

/// Compiles the module or component; gives the exit status.
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
    if Artifact::is(&bytes) || bundle::is(&bytes) {
        let headline = format!("`{}` is an artifact, compiled already", file.display());
        return Err(Report::new(FAILED, "precompiled", headline));
    }
    let name = load::name(file);
    let failed = |error| report::load(file, &error);
    let component;
    let code = match Component::is(&bytes) {
        true => {
            let binary = Component::binary(&bytes).map_err(failed)?;
            let load = |bytes: &[u8]| Module::named(&engine, bytes, &name);
            component = Component::with_modules(&engine, &binary, load).map_err(failed)?;
            Code::Component(binary, component.modules())
        }
        false => Code::Module(Module::named(&engine, bytes, &name).map_err(failed)?),
    };
    let loaded = clock.elapsed();
    let job = Job { options, file, code };
    let size = match target {
        Target::Cache(cache) => job.cache(cache.of(&engine), &input),
        Target::Stdout => job.stdout(),
        Target::File(out) => job.file(&out),
    }?;
    if options.stats {
        let figures = stats::Compiled {
            load: loaded,
            compile: clock.elapsed().saturating_sub(loaded),
            module_bytes: job.size(),
            artifact_bytes: size,
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

/// What is compiled.
enum Code<'a> {
    Module(Module),
    /// Its binary form, and its core modules.
    Component(Cow<'a, [u8]>, &'a [Module]),
}

/// Something that is compiled from a file. Its methods give the size of the artifact.
struct Job<'a> {
    options: &'a Options,
    file: &'a Path,
    code: Code<'a>,
}

impl Job<'_> {
    /// Bytes of what is compiled.
    fn size(&self) -> usize {
        match &self.code {
            Code::Module(module) => module.size(),
            Code::Component(binary, _) => binary.len(),
        }
    }

    /// Compiles a module, and shows how far it is.
    fn compile<R>(
        &self,
        compile: impl FnOnce(&Compilation<'_>) -> Result<R, Error>,
    ) -> Result<R, Report> {
        with_progress(self.options, self.file, compile)
            .map_err(|error| report::load(self.file, &error))
    }

    fn cache(&self, mut cache: Cache, input: &Input<'_>) -> Result<u64, Report> {
        let modules = match &self.code {
            Code::Module(module) => std::slice::from_ref(module),
            Code::Component(_, modules) => modules,
        };
        let mut size = 0;
        for module in modules {
            let hash = module.hash();
            let store =
                |how: &Compilation<'_>| cache.store(&hash, |draft| module.compile_to(how, draft));
            let entry = self.compile(store)?.ok_or_else(|| {
                let headline = "the cache does not take the code: it is too large, or the folder cannot be written";
                Report::new(FAILED, "cache", headline)
            })?;
            size += entry.file().metadata().map_or(0, |metadata| metadata.len());
        }
        if let (Code::Module(module), Some(stat)) = (&self.code, input.settled()) {
            let question = cache.question(&cache::identity(stat));
            cache.note(&question, &module.hash());
        }
        Ok(size)
    }

    /// Writes an artifact into an empty file.
    fn artifact(&self, out: &mut (impl Write + Seek)) -> Result<(), Report> {
        match &self.code {
            Code::Module(module) => self.compile(|how| module.compile_to(how, out)),
            Code::Component(binary, modules) => {
                let done = bundle::write(out, binary, modules, |module, out| {
                    with_progress(self.options, self.file, |how| module.compile_to(how, out))
                });
                done.map_err(|error| report::load(self.file, &error))
            }
        }
    }

    fn object(&self) -> Result<Vec<u8>, Report> {
        match &self.code {
            Code::Module(module) => {
                self.compile(|how| module.compile_object(how, &symbol(self.file)))
            }
            Code::Component(..) => {
                let headline = format!(
                    "`{}` is a component; objects are made of core modules only",
                    self.file.display()
                );
                Err(Report::new(USAGE, "component", headline))
            }
        }
    }

    fn bytes(&self) -> Result<Vec<u8>, Report> {
        match self.options.emit {
            Emit::Artifact => {
                let mut out = Cursor::new(Vec::new());
                self.artifact(&mut out)?;
                Ok(out.into_inner())
            }
            Emit::Object => self.object(),
        }
    }

    /// Writes what was asked for.
    fn write(&self, file: &mut File, shown: &str) -> Result<(), Report> {
        match self.options.emit {
            Emit::Artifact => self.artifact(file),
            Emit::Object => {
                file.write_all(&self.object()?).map_err(|error| unwritten(shown, &error))
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

//! Which engine runs a module: native code from an artifact, from the cache or compiled now, or the interpreter. Called
//! by `run` for every module that it loads. Invariant: an artifact that nobody vouches for is refused before anything of
//! it is mapped; and whatever is mapped is told to WASI, so that no guest can write it.
//!
//! `--engine auto` runs what is in the cache natively. Other modules are compiled at once, into the cache, when they are
//! so small that this takes a moment; larger ones run in the interpreter.

use std::fmt;
use std::num::NonZero;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use lithe::{Artifact, Compilation, Config, Engine, Error, ErrorKind, Module, Strategy, Traps};
use lithe_component::Component;
use rustix::fs::Stat;
use rustix::process::{Resource, getrlimit};

use crate::bundle::{self, Layout};
use crate::cache::{self, Cache};
use crate::flags::Verb;
use crate::load::{self, Input, MAX_MODULE_BYTES};
use crate::options::Options;
use crate::output::complain;
use crate::precompiled;
use crate::progress::Progress;
use crate::report::{self, FAILED, Report};

/// Bytes of function bodies that are compiled in about 50 ms.
const AT_ONCE: usize = 64 << 10;

/// The address space that guards and reservations of a few memories need.
const ADDRESS_SPACE: u64 = 64 << 30;

/// How a module runs.
#[derive(Clone, Debug)]
pub enum How {
    /// An artifact that the user named.
    Precompiled,
    /// From the cache.
    Cached,
    /// Compiled in so long.
    Compiled(Duration),
    /// In the interpreter, for this reason.
    Interpreted(String),
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            How::Precompiled => f.write_str("native, from an artifact"),
            How::Cached => f.write_str("native, from the cache"),
            How::Compiled(time) => {
                write!(f, "native, compiled in {:.3} ms", time.as_secs_f64() * 1e3)
            }
            How::Interpreted(reason) => write!(f, "interpreted, {reason}"),
        }
    }
}

/// What a file holds that can be run.
pub enum Program {
    Module(Module),
    Component(Component),
}

enum Loaded {
    Module(Module, How),
    /// With native code.
    Precompiled(Component),
    /// Its bytes, or its text.
    Component(Vec<u8>),
}

/// Loads the modules of a run, all for one engine.
pub struct Engines<'o> {
    options: &'o Options,
    engine: Engine,
    /// Whether the engine may still become another one.
    open: bool,
    cache: Option<Cache>,
    /// Why there is no cache.
    pub complaint: Option<String>,
    /// The files that are mapped, by device and number.
    pub mapped: Vec<(u64, u64)>,
    /// How each module runs.
    pub how: Vec<How>,
}

impl<'o> Engines<'o> {
    /// For a run with these options.
    pub fn new(options: &'o Options) -> Engines<'o> {
        let traps = options.traps.unwrap_or_else(|| match options.strategy {
            Strategy::Interpreter => Traps::Checks,
            _ => traps(),
        });
        Engines {
            options,
            engine: engine(options, traps),
            open: options.traps.is_none() && options.strategy != Strategy::Interpreter,
            cache: None,
            complaint: None,
            mapped: Vec::new(),
            how: Vec::new(),
        }
    }

    /// The engine of all modules that were loaded.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The module or component in a file. It is called by the file's stem where it has no name of its own.
    pub fn program(&mut self, path: &Path) -> Result<Program, Report> {
        let input = Input::open(path).map_err(|error| load::unread(path, &error))?;
        let loaded = if input.begins_with(Artifact::is) {
            Loaded::Module(self.artifact(path, &input)?, How::Precompiled)
        } else if input.begins_with(bundle::is) {
            Loaded::Precompiled(self.bundle(path, &input)?)
        } else {
            self.load(path, &input)?
        };
        self.open = false;
        match loaded {
            Loaded::Module(module, how) => {
                self.how.push(how);
                Ok(Program::Module(module))
            }
            Loaded::Precompiled(component) => {
                self.how.extend(component.modules().iter().map(|_| How::Precompiled));
                Ok(Program::Component(component))
            }
            Loaded::Component(bytes) => self.component(path, &bytes).map(Program::Component),
        }
    }

    /// The module in a file, which is no component.
    pub fn module(&mut self, path: &Path) -> Result<Module, Report> {
        match self.program(path)? {
            Program::Module(module) => Ok(module),
            Program::Component(_) => {
                let headline =
                    format!("`{}` is a component; a core module is wanted", path.display());
                Err(Report::new(FAILED, "component", headline))
            }
        }
    }

    /// A component, whose core modules run like others.
    fn component(&mut self, path: &Path, bytes: &[u8]) -> Result<Component, Report> {
        let engine = self.engine.clone();
        let name = load::name(path);
        let component =
            Component::with_modules(&engine, bytes, |module| self.core(path, module, &name));
        component.map_err(|error| report::load(path, &error))
    }

    /// A core module of a component.
    fn core(&mut self, path: &Path, bytes: &[u8], name: &str) -> Result<Module, Error> {
        if self.options.strategy == Strategy::Interpreter {
            self.how.push(How::Interpreted("as --engine asks".into()));
            return Module::named(&self.engine, bytes, name);
        }
        self.open_cache();
        let hash = self.cache.is_some().then(|| Artifact::hash(bytes));
        if let Some(module) = hash.and_then(|hash| self.cached(&hash, name)) {
            self.how.push(How::Cached);
            return Ok(module);
        }
        let module = Module::named(&self.engine, bytes, name)?;
        let (module, how) = self.compile(path, module)?;
        self.how.push(how);
        Ok(module)
    }

    fn load(&mut self, path: &Path, input: &Input<'_>) -> Result<Loaded, Report> {
        let read = || input.read(MAX_MODULE_BYTES).map_err(|error| load::unread(path, &error));
        let name = load::name(path);
        let fresh = |engine: &Engine, bytes| {
            Module::named(engine, bytes, &name).map_err(|error| report::load(path, &error))
        };
        if self.options.strategy == Strategy::Interpreter {
            let bytes = self.bytes(path, read()?)?;
            if Component::is(&bytes) {
                return Ok(Loaded::Component(bytes));
            }
            let module = fresh(&self.engine, bytes)?;
            return Ok(Loaded::Module(module, How::Interpreted("as --engine asks".into())));
        }
        self.open_cache();
        let stat = input.regular().map(|(_, stat)| stat);
        let question = self.question(stat.map(cache::identity).as_ref().map(|id| &id[..]));
        if let Some(module) = self.answered(question.as_ref(), &name) {
            return Ok(Loaded::Module(module, How::Cached));
        }
        let bytes = read()?;
        if Component::is(&bytes) {
            return Ok(Loaded::Component(bytes));
        }
        if Artifact::is(&bytes) {
            return Ok(Loaded::Module(self.artifact_bytes(path, &bytes)?, How::Precompiled));
        }
        if bundle::is(&bytes) {
            return Ok(Loaded::Precompiled(self.bundle_bytes(path, &bytes)?));
        }
        let question = question.filter(|_| input.settled().is_some());
        let found = match bytes.starts_with(b"\0asm") {
            true => self.cache.is_some().then(|| Artifact::hash(&bytes)),
            false => None,
        };
        if let Some(module) = found.and_then(|hash| self.cached(&hash, &name)) {
            self.note(question, &module);
            return Ok(Loaded::Module(module, How::Cached));
        }
        let text = match found {
            None => self.question(Some(&bytes)),
            Some(_) => None,
        };
        if let Some(module) = self.answered(text.as_ref(), &name) {
            self.note(question, &module);
            return Ok(Loaded::Module(module, How::Cached));
        }
        let module = fresh(&self.engine, bytes)?;
        let compiled = self.compile(path, module);
        let (module, how) = compiled.map_err(|error| report::load(path, &error))?;
        if matches!(how, How::Compiled(_)) {
            self.note(question, &module);
            self.note(text, &module);
        }
        Ok(Loaded::Module(module, how))
    }

    /// Compiles a module, when it is to be.
    fn compile(&mut self, path: &Path, module: Module) -> Result<(Module, How), Error> {
        let auto = self.options.strategy == Strategy::Auto;
        // What serves many requests is worth compiling whatever its size.
        let once = self.options.verb != Verb::Serve;
        if auto && once && module.body_bytes() > AT_ONCE {
            let reason =
                format!("since its {} bytes of code are not in the cache", module.body_bytes());
            return Ok((module, How::Interpreted(reason)));
        }
        let clock = Instant::now();
        let compiled = with_progress(self.options, path, |how| self.compiled(&module, how, path));
        match compiled {
            Ok(native) => Ok((native, How::Compiled(clock.elapsed()))),
            // The interpreter has vectors on every machine.
            Err(error) if auto || error.kind() == ErrorKind::Machine => {
                let reason = format!("since it cannot be compiled: {error}");
                if error.kind() == ErrorKind::Machine {
                    complain(&format!("`{}` runs in the interpreter, {reason}\n", path.display()));
                }
                Ok((module, How::Interpreted(reason)))
            }
            Err(error) => Err(error),
        }
    }

    /// Compiles a module into the cache, or for this run alone.
    fn compiled(
        &mut self,
        module: &Module,
        how: &Compilation<'_>,
        path: &Path,
    ) -> Result<Module, Error> {
        let name = load::name(path);
        if let Some(cache) = &mut self.cache {
            let hash = module.hash();
            match cache.store(&hash, |file| module.compile_to(how, file)) {
                // What cannot be written may still be compiled.
                Err(error) if error.kind() != ErrorKind::Artifact => return Err(error),
                Err(_) | Ok(None) => {}
                Ok(Some(entry)) => {
                    if let Some(module) = self.module_of(&entry, &hash, &name) {
                        return Ok(module);
                    }
                }
            }
        }
        precompiled::compiled(module, how, &name)
    }

    fn open_cache(&mut self) {
        if self.cache.is_some() || self.complaint.is_some() || !self.options.cache {
            return;
        }
        match Cache::open(self.options.max_cache) {
            Ok(cache) => self.cache = Some(cache.of(&self.engine)),
            Err(complaint) => self.complaint = Some(complaint),
        }
    }

    fn question(&self, what: Option<&[u8]>) -> Option<[u8; 32]> {
        Some(self.cache.as_ref()?.question(what?))
    }

    /// The module that a question stands for, when its code is in the cache.
    fn answered(&mut self, question: Option<&[u8; 32]>, name: &str) -> Option<Module> {
        let hash = self.cache.as_ref()?.answer(question?)?;
        self.cached(&hash, name)
    }

    /// The module with this hash, when its code is in the cache.
    fn cached(&mut self, hash: &[u8; 32], name: &str) -> Option<Module> {
        let entry = self.cache.as_ref()?.find(hash)?;
        self.module_of(&entry, hash, name)
    }

    fn module_of(&mut self, entry: &cache::Entry, hash: &[u8; 32], name: &str) -> Option<Module> {
        let module = precompiled::from_cache(&self.engine, entry, name).ok()?;
        (module.hash() == *hash).then_some(())?;
        self.mapped.push(entry.id());
        Some(module)
    }

    fn note(&mut self, question: Option<[u8; 32]>, module: &Module) {
        if let (Some(cache), Some(question)) = (&mut self.cache, question) {
            cache.note(&question, &module.hash());
        }
    }

    /// The module of an artifact in a file, which somebody has to vouch for.
    fn artifact(&mut self, path: &Path, input: &Input<'_>) -> Result<Module, Report> {
        let Some((file, stat)) = input.regular() else { return Err(refused(path)) };
        let options = self.options;
        self.vouched(path, |engine| precompiled::from_user(engine, file, None, options))
            .inspect(|_| self.mapped.push(id(stat)))
    }

    fn artifact_bytes(&mut self, path: &Path, bytes: &[u8]) -> Result<Module, Report> {
        let options = self.options;
        self.vouched(path, |engine| precompiled::from_user_bytes(engine, bytes, options))
    }

    /// The component of an artifact in a file, whose parts are mapped.
    fn bundle(&mut self, path: &Path, input: &Input<'_>) -> Result<Component, Report> {
        let Some((file, stat)) = input.regular() else { return Err(refused(path)) };
        let options = self.options;
        self.unbundled(path, &file, |engine, part| {
            precompiled::from_user(engine, file, Some(part.clone()), options)
        })
        .inspect(|_| self.mapped.push(id(stat)))
    }

    fn bundle_bytes(&mut self, path: &Path, bytes: &[u8]) -> Result<Component, Report> {
        let options = self.options;
        self.unbundled(path, &bytes, |engine, part| match bundle::read(&bytes, part) {
            Ok(artifact) => precompiled::from_user_bytes(engine, &artifact, options),
            Err(why) => Some(Err(bundle::unusable(why))),
        })
    }

    /// The component of an artifact. `load` makes modules of parts of it, or nothing when nobody vouches for them.
    fn unbundled(
        &mut self,
        path: &Path,
        source: &impl bundle::Source,
        load: impl Fn(&Engine, &Range<u64>) -> Option<lithe::Result<Module>>,
    ) -> Result<Component, Report> {
        self.permit(path)?;
        let damaged = |why| report::load(path, &bundle::unusable(why));
        let layout = Layout::read(source).map_err(damaged)?;
        let component = layout.component(source).map_err(damaged)?;
        let core = |engine: &Engine, bytes: &[u8]| {
            let hash = Artifact::hash(bytes);
            let part = layout.artifact(&hash).map_err(bundle::unusable)?;
            let module = load(engine, part)
                .unwrap_or_else(|| Err(bundle::unusable("nobody vouches for it")))?;
            match module.hash() == hash {
                true => Ok(module),
                false => Err(bundle::unusable("it is damaged: it has code of another module")),
            }
        };
        self.vouched(path, |engine| {
            Some(Component::with_modules(engine, &component, |bytes| core(engine, bytes)))
        })
    }

    /// Refuses artifacts, unless the options let them run.
    fn permit(&self, path: &Path) -> Result<(), Report> {
        match self.options.strategy {
            Strategy::Interpreter => Err(interpreted(path)),
            _ if !self.options.allow_precompiled => Err(refused(path)),
            _ => Ok(()),
        }
    }

    /// Bytes that are not an artifact.
    fn bytes(&self, path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, Report> {
        match Artifact::is(&bytes) || bundle::is(&bytes) {
            true => Err(interpreted(path)),
            false => Ok(bytes),
        }
    }

    /// Loads an artifact. Where nobody asked for a way to trap, the artifact's is taken.
    fn vouched<T>(
        &mut self,
        path: &Path,
        from: impl Fn(&Engine) -> Option<lithe::Result<T>>,
    ) -> Result<T, Report> {
        self.permit(path)?;
        let error = match from(&self.engine) {
            None => return Err(refused(path)),
            Some(Ok(loaded)) => return Ok(loaded),
            Some(Err(error)) => error,
        };
        let other = match self.engine.traps() {
            Traps::Signals => Traps::Checks,
            Traps::Checks => Traps::Signals,
        };
        if self.open && error.kind() == ErrorKind::Artifact {
            let engine = engine(self.options, other);
            if let Some(Ok(loaded)) = from(&engine) {
                self.engine = engine;
                return Ok(loaded);
            }
        }
        Err(report::load(path, &error))
    }
}

/// Compiles as the options say, and shows how far it is when that takes long.
pub fn with_progress<R>(
    options: &Options,
    path: &Path,
    compile: impl FnOnce(&Compilation<'_>) -> R,
) -> R {
    let progress = Progress::new(path);
    let heard = |done, all| progress.hear(done, all);
    let mut how = Compilation::new().progress(&heard);
    if !options.parallel {
        how = how.threads(NonZero::<usize>::MIN);
    }
    if let Some(machine) = &options.target {
        how = how.machine(machine);
    }
    compile(&how)
}

/// The engine of a run.
fn engine(options: &Options, traps: Traps) -> Engine {
    let config = Config::new().features(options.features).dispatch(options.dispatch);
    let config = config.strategy(match options.strategy {
        Strategy::Interpreter => Strategy::Interpreter,
        // What is compiled is decided here, for each module.
        _ => Strategy::Auto,
    });
    let deterministic = options.nan_canonicalization || options.seed.is_some();
    let fuel = options.fuel.is_some() || options.count_fuel;
    Engine::new(&config.traps(traps).fuel(fuel).deterministic(deterministic))
}

/// How native code traps unless told otherwise: by signals, where there is room for the guards of memories.
pub fn traps() -> Traps {
    match getrlimit(Resource::As).current {
        Some(limit) if limit < ADDRESS_SPACE => Traps::Checks,
        _ => Traps::Signals,
    }
}

/// What tells a file apart from all others.
fn id(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

/// The report of an artifact that nobody vouches for.
fn refused(path: &Path) -> Report {
    let headline = format!(
        "`{}` is an artifact of `lithe compile`; its native code cannot be verified, so it is not run",
        path.display()
    );
    Report::new(FAILED, "precompiled", headline)
        .hint("--allow-precompiled runs it; say so only if you trust whoever made it")
        .field("file", path.display().to_string())
}

/// The report of an artifact that the interpreter is to run.
fn interpreted(path: &Path) -> Report {
    let headline = format!(
        "`{}` is an artifact of `lithe compile`, which --engine interp does not run",
        path.display()
    );
    Report::new(FAILED, "precompiled", headline)
        .hint("run what it was compiled from")
        .field("file", path.display().to_string())
}

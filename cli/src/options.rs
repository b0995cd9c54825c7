//! What the flags of one invocation mean: from parsed matches and a configuration file to typed values.
//! Made by `main`, read by the verbs. Invariant: every flag, key and configuration word goes through `set`,
//! so all spellings of one meaning check alike, and a refusal names the word and what it expects.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use lithe::{Dispatch, Engine, Features, StoreLimits, Strategy, Traps};
use lithe_wasi::{HttpRule, NetRule};

use crate::command::{self, Early};
use crate::config;
use crate::flags::{self, Flag, GROUPS, Group, Id, Takes, Verb};
use crate::values::{self, Dir, Expected};

/// How reports are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What `lithe compile` writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Emit {
    /// What `lithe run` takes.
    #[default]
    Artifact,
    /// What linkers take.
    Object,
}

/// Everything that flags say.
#[derive(Debug)]
pub struct Options {
    pub verb: Verb,
    /// Files, and for `run` the guest's arguments.
    pub operands: Vec<OsString>,
    pub dirs: Vec<Dir>,
    pub env: Vec<(OsString, Option<OsString>)>,
    pub inherit_env: bool,
    pub net: Vec<NetRule>,
    pub http: Vec<HttpRule>,
    pub inherit_network: bool,
    pub name_lookup: bool,
    pub tcp: bool,
    pub udp: bool,
    pub http_everywhere: bool,
    pub vars: Vec<(String, String)>,
    pub tcp_listen: Vec<SocketAddr>,
    pub listen_fds: bool,
    pub threads: bool,
    pub max_threads: usize,
    pub wasi: bool,
    pub show_grants: bool,
    pub fuel: Option<u64>,
    pub timeout: Option<Duration>,
    pub max_memory: Option<usize>,
    pub limits: StoreLimits,
    pub invoke: Option<String>,
    pub preloads: Vec<(String, PathBuf)>,
    pub argv0: Option<OsString>,
    pub dispatch: Dispatch,
    pub strategy: Strategy,
    /// When it was asked for.
    pub traps: Option<Traps>,
    pub allow_precompiled: bool,
    /// Whether the cache of native code is used.
    pub cache: bool,
    /// Bytes that the cache may have.
    pub max_cache: u64,
    /// Whether compiling may use all processors.
    pub parallel: bool,
    pub output: Option<PathBuf>,
    /// Whether what is compiled goes into the cache.
    pub into_cache: bool,
    /// The machine to compile for, when it is another one.
    pub target: Option<String>,
    pub emit: Emit,
    /// Whether code that is compiled counts fuel.
    pub count_fuel: bool,
    pub features: Features,
    /// Whether NaN results are canonical.
    pub nan_canonicalization: bool,
    /// Of a deterministic run.
    pub seed: Option<u64>,
    pub stats: bool,
    pub trace: bool,
    pub format: Format,
    pub bytecode: Option<String>,
    pub native: Option<String>,
    pub known: Option<PathBuf>,
    pub serve: Serve,
}

/// What only `lithe serve` has; nothing stands for the defaults.
#[derive(Debug, Default)]
pub struct Serve {
    pub address: Option<SocketAddr>,
    pub metrics: Option<SocketAddr>,
    pub loops: Option<usize>,
    pub requests: Option<usize>,
    pub connections: Option<usize>,
    pub head_timeout: Option<Duration>,
    pub body_timeout: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    pub reuse: Option<usize>,
    pub grace: Option<Duration>,
    pub watch: bool,
    pub access_log: bool,
}

impl Options {
    fn new(verb: Verb) -> Options {
        Options {
            verb,
            operands: Vec::new(),
            dirs: Vec::new(),
            env: Vec::new(),
            inherit_env: false,
            net: Vec::new(),
            http: Vec::new(),
            inherit_network: false,
            name_lookup: false,
            tcp: true,
            udp: true,
            http_everywhere: false,
            vars: Vec::new(),
            tcp_listen: Vec::new(),
            listen_fds: false,
            threads: false,
            max_threads: crate::threads::DEFAULT_MAX_THREADS,
            wasi: true,
            show_grants: false,
            fuel: None,
            timeout: None,
            max_memory: None,
            limits: StoreLimits::default(),
            invoke: None,
            preloads: Vec::new(),
            argv0: None,
            dispatch: Dispatch::Auto,
            strategy: Strategy::Auto,
            traps: None,
            allow_precompiled: false,
            cache: true,
            max_cache: crate::cache::DEFAULT_BYTES,
            parallel: true,
            output: None,
            into_cache: false,
            target: None,
            emit: Emit::Artifact,
            count_fuel: false,
            features: if verb == Verb::Validate { Features::WASM3 } else { Engine::DEFAULT },
            nan_canonicalization: false,
            seed: None,
            stats: false,
            trace: false,
            format: Format::Text,
            bytecode: None,
            native: None,
            known: None,
            serve: Serve::default(),
        }
    }

    /// The options of an invocation, from what follows the verb. Flags count more than keys, keys more than
    /// files of grants, these more than the configuration file.
    pub fn parse(verb: Verb, args: &[OsString]) -> Result<Options, Early> {
        // Without flags there is nothing to parse, and the program starts sooner.
        if let Some(file) = args.first().filter(|file| !file.as_bytes().starts_with(b"-"))
            && verb == Verb::Run
            && !file.is_empty()
        {
            return Ok(Options { operands: args.into(), ..Options::new(verb) });
        }
        let matches = command::parse(verb, args)?;
        let options = Options::from_matches(verb, &matches)?;
        match options.operands.is_empty() && verb != Verb::Cache {
            false => Ok(options),
            true => {
                let (name, usage) = (verb.row().name, verb.row().usage);
                Err(Early::usage(format_args!(
                    "`lithe {name}` needs more words; the form is `lithe {name} {usage}`"
                )))
            }
        }
    }

    fn from_matches(verb: Verb, matches: &ArgMatches) -> Result<Options, Early> {
        let mut options = Options::new(verb);
        let values = |name: &str| matches.try_get_many::<OsString>(name).ok().flatten();
        if let Some(file) = values("config").and_then(|mut values| values.next()) {
            config::apply(&mut options, file.as_ref()).map_err(Early::usage)?;
        }
        for file in values("grants").into_iter().flatten() {
            config::apply_grants(&mut options, file.as_ref()).map_err(Early::usage)?;
        }
        for row in GROUPS.iter().filter(|row| row.verbs.contains(&verb)) {
            for list in values(row.long).into_iter().flatten() {
                options.set_keys(row.group, list)?;
            }
        }
        for flag in flags::long(verb).filter(|flag| !matches!(flag.id, Id::Config | Id::Grants)) {
            let set = |options: &mut Options, value: &OsStr| {
                options.set(flag.id, value).map_err(|expected| {
                    let (long, value) = (flag.long, value.display());
                    Early::usage(format_args!("--{long} {value}: {expected}"))
                })
            };
            if flag.takes == Takes::Nothing {
                if matches.get_flag(flag.long) {
                    set(&mut options, OsStr::new(""))?;
                }
                continue;
            }
            for value in values(flag.long).into_iter().flatten() {
                set(&mut options, value)?;
            }
        }
        options.operands = values(verb.row().operand).into_iter().flatten().cloned().collect();
        Ok(options)
    }

    /// Applies `key[=value],...` of a group.
    fn set_keys(&mut self, group: Group, list: &OsStr) -> Result<(), Early> {
        for item in list.as_bytes().split(|byte| *byte == b',') {
            let (key, value) = values::pair(OsStr::from_bytes(item));
            let key = key.to_string_lossy();
            if key == "help" {
                return Err(Early::print(crate::docs::keys_as_text(group)));
            }
            let value = value.unwrap_or_default();
            self.set_key(group, &key, &value).map_err(|sentence| {
                Early::usage(format_args!("-{} {sentence}", group.row().short))
            })?;
        }
        Ok(())
    }

    /// Applies one key; a refusal names it.
    pub fn set_key(&mut self, group: Group, key: &str, value: &OsStr) -> Result<(), String> {
        let flag = flags::by_key(group, key).filter(|flag| flag.verbs.contains(&self.verb));
        if let Some(flag) = flag {
            if value.is_empty() && !takes_nothing(flag) {
                let name = flag.value_name().unwrap_or("VALUE");
                return Err(format!("{key}: expected a value, {key}={name}"));
            }
            let done = self.set(flag.id, value);
            return done.map_err(|expected| refused(key, value, &expected));
        }
        if group == Group::Wasm
            && let Ok(set) = Features::by_name(key)
        {
            let preset = Features::PRESETS.iter().any(|(name, _)| *name == key);
            self.features =
                match values::switch(value).map_err(|text| refused(key, value, &text))? {
                    true if preset => set,
                    true => self.features.union(set),
                    false => self.features.difference(set),
                };
            return Ok(());
        }
        let mine = flags::keys(group).filter(|(_, flag)| flag.verbs.contains(&self.verb));
        let mut known: Vec<&str> = mine.map(|(key, _)| key).collect();
        if group == Group::Wasm {
            known.extend(Features::PRESETS.iter().chain(Features::ALL).map(|(name, _)| name));
        }
        Err(format!("{key}: this key is not known; known are {}", known.join(", ")))
    }

    /// Gives a flag its effect. A refusal says what is expected.
    pub fn set(&mut self, id: Id, value: &OsStr) -> Result<(), Expected> {
        match id {
            Id::Dir => self.dirs.push(values::dir(value)?),
            Id::Env => self.env.push(values::pair(value)),
            Id::InheritEnv => self.inherit_env = values::switch(value)?,
            Id::Net => self.net.push(values::rule(value)?),
            Id::Http => self.http.push(values::rule(value)?),
            Id::InheritNetwork => self.inherit_network = values::switch(value)?,
            Id::NameLookup => self.name_lookup = values::switch(value)?,
            Id::Tcp => self.tcp = values::switch(value)?,
            Id::Udp => self.udp = values::switch(value)?,
            Id::HttpEverywhere => self.http_everywhere = values::switch(value)?,
            Id::Var => self.vars.push(values::var(value)?),
            Id::TcpListen => self.tcp_listen.push(values::address(value)?),
            Id::ListenFd => self.listen_fds = values::switch(value)?,
            Id::Threads => {
                self.threads = values::switch(value)?;
                if self.threads {
                    self.features = self.features.union(Features::THREADS);
                }
            }
            Id::MaxThreads => self.max_threads = values::count(value)?,
            Id::Wasi => self.wasi = values::switch(value)?,
            Id::ShowGrants => self.show_grants = values::switch(value)?,
            Id::Fuel => self.fuel = Some(values::number(value)?),
            Id::Timeout => self.timeout = Some(values::duration(value)?),
            Id::MaxMemory => {
                self.limits.memory_bytes = values::size(value)?;
                self.max_memory = Some(self.limits.memory_bytes);
            }
            Id::MaxHeap => self.limits.heap_bytes = values::size(value)?,
            Id::MaxStack => self.limits.stack_bytes = values::size(value)?,
            Id::MaxTableElements => self.limits.table_elements = values::count(value)?,
            Id::MaxInstances => self.limits.instances = values::count(value)?,
            Id::MaxTables => self.limits.tables = values::count(value)?,
            Id::MaxMemories => self.limits.memories = values::count(value)?,
            Id::MaxRequests => self.serve.requests = values::some(values::count(value))?,
            Id::MaxConnections => self.serve.connections = values::some(values::count(value))?,
            Id::HeadTimeout => self.serve.head_timeout = values::some(values::duration(value))?,
            Id::BodyTimeout => self.serve.body_timeout = values::some(values::duration(value))?,
            Id::IdleTimeout => self.serve.idle_timeout = values::some(values::duration(value))?,
            Id::Grace => self.serve.grace = Some(values::duration(value)?),
            Id::Reuse => self.serve.reuse = values::some(values::count(value))?,
            Id::Addr => self.serve.address = Some(values::address(value)?),
            Id::Metrics => self.serve.metrics = Some(values::address(value)?),
            Id::Loops => self.serve.loops = values::some(values::count(value))?,
            Id::Watch => self.serve.watch = values::switch(value)?,
            Id::AccessLog => self.serve.access_log = values::switch(value)?,
            Id::Invoke => self.invoke = Some(values::text(value)?.into()),
            Id::Preload => self.preloads.push(values::preload(value)?),
            Id::Argv0 => self.argv0 = Some(value.into()),
            Id::Engine => (self.strategy, self.dispatch) = engine(value)?,
            Id::Traps => self.traps = Some(traps(value)?),
            Id::AllowPrecompiled => self.allow_precompiled = values::switch(value)?,
            Id::NoCache => self.cache = !values::switch(value)?,
            Id::UseCache => self.cache = values::switch(value)?,
            Id::MaxCache => self.max_cache = values::size(value)? as u64,
            Id::Parallel => self.parallel = values::switch(value)?,
            Id::Output => self.output = Some(value.into()),
            Id::IntoCache => self.into_cache = values::switch(value)?,
            Id::Target => self.target = Some(values::text(value)?.into()),
            Id::Emit => self.emit = emit(value)?,
            Id::CountFuel => self.count_fuel = values::switch(value)?,
            Id::Config | Id::Grants => return Err("a file of flags cannot name another one".into()),
            Id::AllProposals => {
                self.features = match values::switch(value)? {
                    true => self.features.union(Engine::SUPPORTED),
                    false => Features::MVP,
                }
            }
            Id::Deterministic => {
                self.seed = values::switch(value)?.then(|| self.seed.unwrap_or(0));
            }
            Id::Seed => self.seed = Some(values::number(value)?),
            Id::NanCanonicalization => self.nan_canonicalization = values::switch(value)?,
            Id::Stats => self.stats = values::switch(value)?,
            Id::Trace => self.trace = values::switch(value)?,
            Id::Format => self.format = format(value)?,
            Id::Bytecode => self.bytecode = Some(values::text(value)?.into()),
            Id::Native => self.native = Some(values::text(value)?.into()),
            Id::Known => self.known = Some(value.into()),
            Id::Accepted => {}
            Id::Later => {
                if values::switch(value)? {
                    return Err("this arrives with a later release; leave it out".into());
                }
            }
        }
        Ok(())
    }
}

/// A key with its value, and what was expected instead.
fn refused(key: &str, value: &OsStr, expected: &str) -> String {
    match value.is_empty() {
        true => format!("{key}: {expected}"),
        false => format!("{key}={}: {expected}", value.display()),
    }
}

/// Whether a key may stand without a value.
fn takes_nothing(flag: &Flag) -> bool {
    flag.takes == Takes::Nothing || flag.id == Id::Accepted
}

fn engine(value: &OsStr) -> Result<(Strategy, Dispatch), Expected> {
    match values::text(value)? {
        "auto" => Ok((Strategy::Auto, Dispatch::Auto)),
        "interp" => Ok((Strategy::Interpreter, Dispatch::Auto)),
        "loop" => Ok((Strategy::Interpreter, Dispatch::Loop)),
        "native" => Ok((Strategy::Native, Dispatch::Auto)),
        _ => Err("expected auto, interp, native or loop".into()),
    }
}

fn traps(value: &OsStr) -> Result<Traps, Expected> {
    match values::text(value)? {
        "signals" => Ok(Traps::Signals),
        "checks" => Ok(Traps::Checks),
        _ => Err("expected signals or checks".into()),
    }
}

fn emit(value: &OsStr) -> Result<Emit, Expected> {
    match values::text(value)? {
        "artifact" => Ok(Emit::Artifact),
        "object" => Ok(Emit::Object),
        _ => Err("expected artifact or object".into()),
    }
}

fn format(value: &OsStr) -> Result<Format, Expected> {
    match values::text(value)? {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => Err("expected text or json".into()),
    }
}

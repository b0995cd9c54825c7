//! The one table of flags, and the tables of verbs and key groups it refers to. The parser, the help, the
//! completions, the configuration file and docs/cli.md derive from it. Invariant: a word is spelled here and
//! nowhere else; what it does is in `options`.

/// What the command is asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    Run,
    Serve,
    Compile,
    Validate,
    Inspect,
    Wast,
    Cache,
    Completions,
}

impl Verb {
    /// The row of this verb.
    pub fn row(self) -> &'static VerbRow {
        &VERBS[self as usize]
    }
}

/// A verb and what it takes after its flags.
pub struct VerbRow {
    pub verb: Verb,
    pub name: &'static str,
    pub operand: &'static str,
    pub usage: &'static str,
    pub help: &'static str,
}

/// Every verb, in the order of `Verb`.
pub const VERBS: &[VerbRow] = &[
    VerbRow {
        verb: Verb::Run,
        name: "run",
        operand: "FILE",
        usage: "[flags] FILE [guest arguments]",
        help: "Run a program; the word `run` may be left out",
    },
    VerbRow {
        verb: Verb::Serve,
        name: "serve",
        operand: "FILE",
        usage: "[flags] FILE",
        help: "Serve HTTP by a component that handles requests",
    },
    VerbRow {
        verb: Verb::Compile,
        name: "compile",
        operand: "FILE",
        usage: "[flags] FILE [-o OUT]",
        help: "Compile a module or component to native code",
    },
    VerbRow {
        verb: Verb::Validate,
        name: "validate",
        operand: "FILE",
        usage: "[flags] FILE...",
        help: "Check modules against the specification",
    },
    VerbRow {
        verb: Verb::Inspect,
        name: "inspect",
        operand: "FILE",
        usage: "[flags] FILE",
        help: "Show the sections, imports and exports of a module, or a function's code",
    },
    VerbRow {
        verb: Verb::Wast,
        name: "wast",
        operand: "PATH",
        usage: "[flags] FILE|DIR...",
        help: "Run WebAssembly test scripts",
    },
    VerbRow {
        verb: Verb::Cache,
        name: "cache",
        operand: "ACTION",
        usage: "[flags] [clear]",
        help: "Show the cache of native code, or clear it",
    },
    VerbRow {
        verb: Verb::Completions,
        name: "completions",
        operand: "SHELL",
        usage: "bash|elvish|fish|powershell|zsh",
        help: "Print a completion script for a shell",
    },
];

/// A family of `key[=value]` lists, spelled as in Wasmtime.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    Optimize,
    Codegen,
    Debugging,
    Wasm,
    Wasi,
}

impl Group {
    /// The row of this group.
    pub fn row(self) -> &'static GroupRow {
        &GROUPS[self as usize]
    }
}

/// A group and its spellings.
pub struct GroupRow {
    pub group: Group,
    pub short: char,
    pub long: &'static str,
    pub verbs: &'static [Verb],
    pub help: &'static str,
}

/// Every group, in the order of `Group`.
#[rustfmt::skip]
pub const GROUPS: &[GroupRow] = &[
    GroupRow { group: Group::Optimize, short: 'O', long: "optimize", verbs: RUNNING,
        help: "Set keys of optimization" },
    GroupRow { group: Group::Codegen, short: 'C', long: "codegen", verbs: CODING,
        help: "Set keys of compilation" },
    GroupRow { group: Group::Debugging, short: 'D', long: "debug", verbs: RUNNING,
        help: "Set keys of debugging" },
    GroupRow { group: Group::Wasm, short: 'W', long: "wasm", verbs: LOADING,
        help: "Set limits, and switch WebAssembly features by name" },
    GroupRow { group: Group::Wasi, short: 'S', long: "wasi", verbs: RUNNING,
        help: "Set what the guest may do" },
];

/// What a flag takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Takes {
    /// Nothing on the command line; `y` or `n` as a key.
    Nothing,
    /// One value, by this name; the last one counts.
    One(&'static str),
    /// A value each time it is given.
    Many(&'static str),
}

/// Where a flag stands in the help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Topic {
    Grants,
    Limits,
    Calls,
    Engine,
    Output,
}

impl Topic {
    /// The heading of this topic.
    pub fn heading(self) -> &'static str {
        TOPICS[self as usize].1
    }
}

/// The topics with their headings, in the order of `Topic`.
pub const TOPICS: &[(Topic, &str)] = &[
    (Topic::Grants, "Grants"),
    (Topic::Limits, "Limits"),
    (Topic::Calls, "Calls"),
    (Topic::Engine, "Engine"),
    (Topic::Output, "Output"),
];

/// What a flag means; `options` gives each its effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Id {
    Dir,
    Env,
    InheritEnv,
    Net,
    Http,
    InheritNetwork,
    NameLookup,
    Tcp,
    Udp,
    HttpEverywhere,
    Var,
    /// A file of grants.
    Grants,
    TcpListen,
    ListenFd,
    Threads,
    Wasi,
    ShowGrants,
    Fuel,
    Timeout,
    MaxMemory,
    MaxStack,
    MaxHeap,
    Deterministic,
    Seed,
    NanCanonicalization,
    MaxTableElements,
    MaxInstances,
    MaxTables,
    MaxMemories,
    MaxThreads,
    MaxRequests,
    MaxConnections,
    HeadTimeout,
    BodyTimeout,
    IdleTimeout,
    Grace,
    Reuse,
    Addr,
    Metrics,
    Loops,
    Watch,
    AccessLog,
    Invoke,
    Preload,
    Argv0,
    Engine,
    Traps,
    AllowPrecompiled,
    NoCache,
    /// The key that is the contrary of the flag above.
    UseCache,
    MaxCache,
    Parallel,
    Output,
    IntoCache,
    Target,
    Emit,
    CountFuel,
    Config,
    AllProposals,
    Stats,
    Trace,
    Format,
    Bytecode,
    Native,
    Known,
    /// Changes nothing in this engine, so any value will do.
    Accepted,
    /// Arrives with a later release; only "no" is accepted.
    Later,
}

/// A flag: its meaning and all its spellings.
pub struct Flag {
    pub id: Id,
    /// The long flag; empty for what is only a key.
    pub long: &'static str,
    /// The short flag, when it has one.
    pub short: Option<char>,
    pub takes: Takes,
    pub topic: Topic,
    pub verbs: &'static [Verb],
    /// The spelling as a key of a group.
    pub key: Option<(Group, &'static str)>,
    pub help: &'static str,
}

impl Flag {
    /// The name of the value, when there is one.
    pub fn value_name(&self) -> Option<&'static str> {
        match self.takes {
            Takes::Nothing => None,
            Takes::One(name) | Takes::Many(name) => Some(name),
        }
    }
}

/// The flag that is `key` in `group`.
pub fn by_key(group: Group, key: &str) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.key == Some((group, key)))
}

/// The flags of `verb` that have a long name.
pub fn long(verb: Verb) -> impl Iterator<Item = &'static Flag> {
    FLAGS.iter().filter(move |flag| !flag.long.is_empty() && flag.verbs.contains(&verb))
}

/// The keys of a group, features left out.
pub fn keys(group: Group) -> impl Iterator<Item = (&'static str, &'static Flag)> {
    let of_group = move |flag: &'static Flag| match flag.key {
        Some((known, key)) if known == group => Some((key, flag)),
        _ => None,
    };
    FLAGS.iter().filter_map(of_group)
}

const RUN: &[Verb] = &[Verb::Run];
const SERVE: &[Verb] = &[Verb::Serve];
const RUNNING: &[Verb] = &[Verb::Run, Verb::Serve];
const CODING: &[Verb] = &[Verb::Run, Verb::Serve, Verb::Compile];
const COMPILE: &[Verb] = &[Verb::Compile];
const TARGETED: &[Verb] = &[Verb::Compile, Verb::Inspect];
const COMPILING: &[Verb] = &[Verb::Run, Verb::Compile];
const LOADING: &[Verb] = &[Verb::Run, Verb::Serve, Verb::Compile, Verb::Validate, Verb::Inspect];
const REPORTING: &[Verb] = &[Verb::Run, Verb::Compile, Verb::Validate, Verb::Inspect, Verb::Cache];
const CACHING: &[Verb] = &[Verb::Run, Verb::Serve, Verb::Compile, Verb::Cache];
const ENGINES: &[Verb] = &[Verb::Run, Verb::Serve, Verb::Wast];
const CODE: &[Verb] = &[Verb::Run, Verb::Serve, Verb::Compile, Verb::Inspect, Verb::Wast];

const fn flag(
    id: Id,
    long: &'static str,
    takes: Takes,
    topic: Topic,
    verbs: &'static [Verb],
    help: &'static str,
) -> Flag {
    Flag { id, long, short: None, takes, topic, verbs, key: None, help }
}

const fn key(
    group: Group,
    key: &'static str,
    id: Id,
    takes: Takes,
    topic: Topic,
    help: &'static str,
) -> Flag {
    Flag { id, long: "", short: None, takes, topic, verbs: RUN, key: Some((group, key)), help }
}

/// A key of Wasmtime's that asks for nothing this engine would do otherwise.
const fn accepted(group: Group, name: &'static str) -> Flag {
    const HELP: &str = "Accepted, changes nothing";
    key(group, name, Id::Accepted, Takes::One("VALUE"), Topic::Engine, HELP).verbs(RUNNING)
}

const fn later(group: Group, name: &'static str) -> Flag {
    const HELP: &str = "Arrives with a later release; only `n` is accepted";
    key(group, name, Id::Later, Takes::Nothing, Topic::Engine, HELP)
}

impl Flag {
    const fn key(mut self, group: Group, key: &'static str) -> Flag {
        self.key = Some((group, key));
        self
    }

    const fn short(mut self, short: char) -> Flag {
        self.short = Some(short);
        self
    }

    const fn verbs(mut self, verbs: &'static [Verb]) -> Flag {
        self.verbs = verbs;
        self
    }
}

use Group::{Codegen, Debugging, Optimize, Wasi, Wasm};
use Takes::{Many, Nothing, One};

/// Every flag and key. A row reads best on two lines.
#[rustfmt::skip]
pub const FLAGS: &[Flag] = &[
    flag(Id::Dir, "dir", Many("HOST[::GUEST][::ro]"), Topic::Grants, RUNNING,
        "Grant a directory under the same or another name; `::ro` makes it read-only"),
    flag(Id::Env, "env", Many("NAME[=VALUE]"), Topic::Grants, RUNNING,
        "Set an environment variable, or pass one on"),
    key(Wasi, "inherit-env", Id::InheritEnv, Nothing, Topic::Grants,
        "Pass on all environment variables").verbs(RUNNING),
    flag(Id::Net, "net", Many("RULE"), Topic::Grants, RUNNING,
        "Grant a use of the network: `tcp:HOST:PORT`, `udp:HOST:PORT`, `listen:HOST:PORT` or `lookup:NAME`"),
    flag(Id::Http, "http", Many("HOST[:PORT]"), Topic::Grants, RUNNING,
        "Grant outgoing HTTP requests to a host, by default on the ports 80 and 443"),
    flag(Id::Var, "var", Many("NAME=VALUE"), Topic::Grants, RUNNING,
        "Give the guest a value of its configuration (wasi:config)").key(Wasi, "config-var"),
    flag(Id::Grants, "grants", Many("FILE"), Topic::Grants, RUNNING,
        "Read grants from a TOML file; directories in it are relative to the file"),
    key(Wasi, "inherit-network", Id::InheritNetwork, Nothing, Topic::Grants,
        "Grant the network as the host has it: `tcp:*:*`, `udp:*:*` and `listen:*:*`, but no lookup of names").verbs(RUNNING),
    key(Wasi, "allow-ip-name-lookup", Id::NameLookup, Nothing, Topic::Grants,
        "Grant looking up every name: `lookup:*`").verbs(RUNNING),
    key(Wasi, "tcp", Id::Tcp, Nothing, Topic::Grants,
        "Allow TCP where rules grant it, on by default; `n` takes it away").verbs(RUNNING),
    key(Wasi, "udp", Id::Udp, Nothing, Topic::Grants,
        "Allow UDP where rules grant it, on by default; `n` takes it away").verbs(RUNNING),
    key(Wasi, "http", Id::HttpEverywhere, Nothing, Topic::Grants,
        "Grant outgoing HTTP requests to every host and port, private networks and this machine included").verbs(RUNNING),
    key(Wasi, "tcplisten", Id::TcpListen, Many("ADDR"), Topic::Grants,
        "Hand the guest a TCP socket that listens on an address, such as 127.0.0.1:8080"),
    key(Wasi, "listenfd", Id::ListenFd, Nothing, Topic::Grants,
        "Hand the guest the sockets that a service manager passed"),
    flag(Id::Threads, "threads", Nothing, Topic::Grants, RUN,
        "Let the guest start threads (wasi-threads), which also enables the feature").key(Wasi, "threads"),
    key(Wasi, "cli", Id::Wasi, Nothing, Topic::Grants,
        "Provide WASI at all, on by default").verbs(RUNNING),
    flag(Id::ShowGrants, "show-grants", Nothing, Topic::Grants, RUNNING,
        "Print what the guest may do before it runs"),

    flag(Id::Fuel, "fuel", One("N"), Topic::Limits, RUNNING,
        "Stop after this many operators").key(Wasm, "fuel"),
    flag(Id::Timeout, "timeout", One("DURATION"), Topic::Limits, RUNNING,
        "Stop after this time, such as 200ms or 5s; waiting in the host counts").key(Wasm, "timeout"),
    flag(Id::MaxMemory, "max-memory", One("SIZE"), Topic::Limits, RUNNING,
        "Limit each memory, in bytes or with K, M or G").key(Wasm, "max-memory-size"),
    flag(Id::MaxStack, "max-stack", One("SIZE"), Topic::Limits, RUNNING,
        "Limit the stack of calls, by default 1M").key(Wasm, "max-wasm-stack"),
    flag(Id::MaxHeap, "max-heap", One("SIZE"), Topic::Limits, RUNNING,
        "Limit the garbage-collected heap, by default 4G").key(Wasm, "max-heap-size"),
    key(Wasm, "max-table-elements", Id::MaxTableElements, One("N"), Topic::Limits,
        "Limit the elements of each table").verbs(RUNNING),
    key(Wasm, "max-instances", Id::MaxInstances, One("N"), Topic::Limits, "Limit the instances").verbs(RUNNING),
    key(Wasm, "max-tables", Id::MaxTables, One("N"), Topic::Limits, "Limit the tables").verbs(RUNNING),
    key(Wasm, "max-memories", Id::MaxMemories, One("N"), Topic::Limits, "Limit the memories").verbs(RUNNING),
    key(Wasi, "max-threads", Id::MaxThreads, One("N"), Topic::Limits,
        "Limit the threads that run at a time besides the first one, by default 64"),

    flag(Id::MaxRequests, "max-requests", One("N"), Topic::Limits, SERVE,
        "Limit the requests that one event loop runs at a time, by default 1024; further ones get status 503"),
    flag(Id::MaxConnections, "max-connections", One("N"), Topic::Limits, SERVE,
        "Limit the open connections, by default 4096; the one that is idle for longest makes room"),
    flag(Id::HeadTimeout, "head-timeout", One("DURATION"), Topic::Limits, SERVE,
        "Limit how long the head of a request may take to arrive, by default 10s"),
    flag(Id::BodyTimeout, "body-timeout", One("DURATION"), Topic::Limits, SERVE,
        "Limit how long a body may pause, and a client not read its answer, by default 30s"),
    flag(Id::IdleTimeout, "idle-timeout", One("DURATION"), Topic::Limits, SERVE,
        "End connections on which there was no request for so long, by default 75s"),
    flag(Id::Grace, "grace", One("DURATION"), Topic::Limits, SERVE,
        "Let requests go on for so long when the server is told to stop, by default 10s"),
    flag(Id::Reuse, "reuse", One("N"), Topic::Limits, SERVE,
        "Let an instance serve so many requests one after the other, by default 1"),

    flag(Id::Addr, "addr", One("ADDR"), Topic::Calls, SERVE,
        "Listen on an address, by default 127.0.0.1:8080; port 0 picks a free one"),
    flag(Id::Metrics, "metrics", One("ADDR"), Topic::Calls, SERVE,
        "Offer figures in Prometheus's text format on an address of their own"),
    flag(Id::Loops, "loops", One("N"), Topic::Calls, SERVE,
        "Run so many event loops, by default one for each processor"),
    flag(Id::Watch, "watch", Nothing, Topic::Calls, SERVE,
        "Load the file again when it changes; the old program serves until the new one links"),
    flag(Id::AccessLog, "access-log", Nothing, Topic::Output, SERVE,
        "Print a line for each request on standard error"),

    flag(Id::Invoke, "invoke", One("NAME"), Topic::Calls, RUN,
        "Call an exported function with the guest arguments and print its results"),
    flag(Id::Preload, "preload", Many("NAME=FILE"), Topic::Calls, RUN,
        "Instantiate a module first and provide its exports under a name"),
    flag(Id::Argv0, "argv0", One("NAME"), Topic::Calls, RUN,
        "Tell the guest another name of the program than that of its file"),

    flag(Id::Engine, "engine", One("auto|interp|native|loop"), Topic::Engine, ENGINES,
        "Choose the engine; `auto` takes native code where it is in the cache or soon made, else the interpreter"),
    flag(Id::Traps, "traps", One("signals|checks"), Topic::Engine, CODE,
        "Choose how native code notices what it must not do: by guard pages and signals, or by itself"),
    flag(Id::AllowPrecompiled, "allow-precompiled", Nothing, Topic::Engine, RUNNING,
        "Run artifacts of `lithe compile`, whose native code cannot be verified"),
    flag(Id::NoCache, "no-cache", Nothing, Topic::Engine, RUNNING,
        "Leave the cache of native code alone"),
    key(Codegen, "cache", Id::UseCache, Nothing, Topic::Engine,
        "Use the cache of native code, on by default").verbs(RUNNING),
    flag(Id::MaxCache, "max-cache", One("SIZE"), Topic::Engine, CACHING,
        "Limit the cache of native code, by default 1G; what was not used for the longest time goes first"),
    key(Codegen, "parallel-compilation", Id::Parallel, Nothing, Topic::Engine,
        "Compile on all processors, on by default").verbs(CODING),
    flag(Id::Target, "target", One("MACHINE"), Topic::Engine, TARGETED,
        "Compile for x86_64, aarch64 or riscv64, with features of processors as in riscv64+v, or for a triple"),
    flag(Id::CountFuel, "count-fuel", Nothing, Topic::Engine, TARGETED,
        "Make code that `--fuel` can stop"),
    flag(Id::Deterministic, "deterministic", Nothing, Topic::Engine, COMPILING,
        "Make runs repeat: one NaN, and clocks and random bytes from a seed"),
    flag(Id::Seed, "seed", One("N"), Topic::Engine, RUN,
        "Choose the seed of a deterministic run, by default 0"),
    key(Wasm, "nan-canonicalization", Id::NanCanonicalization, Nothing, Topic::Engine,
        "Make all NaN results the canonical one").verbs(CODING),
    flag(Id::Config, "config", One("FILE"), Topic::Engine, RUNNING,
        "Read further flags from a TOML file"),
    key(Wasm, "all-proposals", Id::AllProposals, Nothing, Topic::Engine,
        "Switch every feature on or off that the engine executes").verbs(RUNNING),

    flag(Id::Output, "output", One("FILE"), Topic::Output, COMPILE,
        "Write to this file, `-` for standard output; by default FILE with the extension .lithe").short('o'),
    flag(Id::IntoCache, "cache", Nothing, Topic::Output, COMPILE,
        "Put the code into the cache, where `lithe run` finds it, and write no file"),
    flag(Id::Emit, "emit", One("artifact|object"), Topic::Output, COMPILE,
        "Write an artifact for `lithe run`, or an object file to link into a program"),
    flag(Id::Stats, "stats", Nothing, Topic::Output, COMPILING,
        "Print time and memory at the end, and for `run` fuel and host calls"),
    flag(Id::Trace, "trace", Nothing, Topic::Output, RUN,
        "Print every host call with its arguments and result"),
    flag(Id::Format, "format", One("text|json"), Topic::Output, REPORTING,
        "Choose how reports are printed"),
    flag(Id::Bytecode, "bytecode", One("FUNC"), Topic::Output, &[Verb::Inspect],
        "Disassemble the bytecode of a function, by index or name"),
    flag(Id::Native, "native", One("FUNC"), Topic::Output, &[Verb::Inspect],
        "Disassemble the machine code of a function, by index or name, with its operators beside it"),
    flag(Id::Known, "known", One("FILE"), Topic::Output, &[Verb::Wast],
        "Read the list of known failures from a file"),

    accepted(Optimize, "opt-level"),
    accepted(Optimize, "regalloc-algorithm"),
    accepted(Optimize, "memory-may-move"),
    accepted(Optimize, "memory-reservation"),
    accepted(Optimize, "memory-reservation-for-growth"),
    accepted(Optimize, "memory-guard-size"),
    accepted(Optimize, "memory-init-cow"),
    accepted(Optimize, "guard-before-linear-memory"),
    accepted(Optimize, "table-lazy-init"),
    accepted(Optimize, "pooling-allocator"),
    accepted(Optimize, "signals-based-traps"),
    accepted(Optimize, "gc-heap-may-move"),
    accepted(Optimize, "gc-heap-reservation"),
    accepted(Optimize, "gc-heap-reservation-for-growth"),
    accepted(Optimize, "gc-heap-guard-size"),
    accepted(Optimize, "gc-heap-initial-size"),
    accepted(Codegen, "compiler"),
    accepted(Codegen, "collector"),
    accepted(Codegen, "cache-config"),
    accepted(Codegen, "cranelift-debug-verifier"),
    accepted(Codegen, "native-unwind-info"),
    accepted(Codegen, "inlining"),
    accepted(Debugging, "debug-info"),
    accepted(Debugging, "address-map"),
    accepted(Debugging, "logging"),
    accepted(Debugging, "log-to-files"),
    accepted(Wasm, "relaxed-simd-deterministic"),
    accepted(Wasm, "component-model"),
    accepted(Wasm, "epoch-interruption"),
    accepted(Wasm, "async-stack-size"),
    accepted(Wasm, "unknown-exports-allow"),
    accepted(Wasi, "common"),
    accepted(Wasi, "preview2"),
    accepted(Wasi, "cli-exit-with-code"),
    accepted(Wasi, "config"),
    later(Wasi, "p3"),
    later(Wasi, "keyvalue"),
    later(Wasi, "tls"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_has_two_meanings() {
        for (i, flag) in FLAGS.iter().enumerate() {
            for other in &FLAGS[..i] {
                assert!(flag.long.is_empty() || flag.long != other.long, "{}", flag.long);
                assert!(flag.key.is_none() || flag.key != other.key, "{:?}", flag.key);
            }
        }
    }

    #[test]
    fn rows_are_in_order() {
        assert!(VERBS.iter().all(|row| row.verb.row().verb == row.verb));
        assert!(GROUPS.iter().all(|row| row.group.row().group == row.group));
        assert!(TOPICS.iter().all(|(topic, heading)| topic.heading() == *heading));
    }

    #[test]
    fn no_key_is_a_feature() {
        for (key, _) in keys(Wasm) {
            assert!(lithe::Features::by_name(key).is_err(), "{key}");
        }
    }
}

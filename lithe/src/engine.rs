//! Configuration and what all modules of a program share. An engine is cheap to clone.

use std::sync::Arc;

use lithe_runtime::{CodeConfig, Registry, abi::Traps};
use lithe_types::Features;

/// How an engine behaves. Every option has a default that is right for most programs.
#[derive(Clone, Debug)]
pub struct Config {
    features: Features,
    fuel: bool,
    deterministic: bool,
    dispatch: Dispatch,
    strategy: Strategy,
    traps: Traps,
}

/// What runs the functions of guests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Strategy {
    /// The interpreter: modules start at once.
    #[default]
    Interpreter,
    /// Native code, made when a module is loaded. Modules with vectors run in the interpreter where the machine has
    /// no vector instructions.
    Native,
    /// Native code of modules that come with it, see [`crate::Module::from_artifact`], the interpreter for others.
    Auto,
}

/// The dispatch back end of the interpreter. They differ in speed only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dispatch {
    /// Sibling calls where this build has them, else the loop.
    #[default]
    Auto,
    /// Every operation jumps to the next one. On targets without it, the loop.
    Threaded,
    /// A loop over one `match`.
    Loop,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            features: Engine::DEFAULT,
            fuel: false,
            deterministic: false,
            dispatch: Dispatch::Auto,
            strategy: Strategy::Interpreter,
            traps: Traps::Checks,
        }
    }
}

impl Config {
    /// The defaults: WebAssembly 3.0 as far as the engine executes it, no fuel.
    pub fn new() -> Config {
        Config::default()
    }

    /// The proposals that modules may use. What the engine cannot execute stays refused by name.
    pub fn features(mut self, features: Features) -> Config {
        self.features = features;
        self
    }

    /// Whether code counts fuel; see [`crate::Store::set_fuel`]. Default: no.
    pub fn fuel(mut self, fuel: bool) -> Config {
        self.fuel = fuel;
        self
    }

    /// Whether every operator has exactly one result: NaNs are canonical. Relaxed vector operators always have
    /// the results of the specification's deterministic profile. Default: no.
    pub fn deterministic(mut self, deterministic: bool) -> Config {
        self.deterministic = deterministic;
        self
    }

    /// The dispatch back end. Default: the fastest that this build has.
    pub fn dispatch(mut self, dispatch: Dispatch) -> Config {
        self.dispatch = dispatch;
        self
    }

    /// What runs the functions of guests. Default: the interpreter.
    pub fn strategy(mut self, strategy: Strategy) -> Config {
        self.strategy = strategy;
        self
    }

    /// How native code notices what it must not do. Default: by checks.
    pub fn traps(mut self, traps: Traps) -> Config {
        self.traps = traps;
        self
    }
}

/// The context in which modules are loaded and run.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    config: Config,
    registry: Arc<Registry>,
}

impl Default for Engine {
    fn default() -> Engine {
        Engine::new(&Config::default())
    }
}

impl Engine {
    /// The proposals that this version executes.
    pub const SUPPORTED: Features = Features::WASM3
        .union(Features::LEGACY_EXCEPTIONS)
        .union(Features::CUSTOM_PAGE_SIZES)
        .union(Features::WIDE_ARITHMETIC)
        .union(Features::THREADS)
        .union(Features::COMPONENT_EXTRAS);

    /// Those of them that modules may not use by default.
    pub const OPT_IN: Features = Features::LEGACY_EXCEPTIONS
        .union(Features::WIDE_ARITHMETIC)
        .union(Features::THREADS)
        .union(Features::COMPONENT_EXTRAS);

    /// The proposals that modules may use by default.
    pub const DEFAULT: Features = Engine::SUPPORTED.difference(Engine::OPT_IN);

    /// An engine with this configuration.
    pub fn new(config: &Config) -> Engine {
        let registry = Arc::new(Registry::default());
        Engine(Arc::new(Inner { config: config.clone(), registry }))
    }

    /// Whether both are the same engine.
    pub fn same(&self, other: &Engine) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether code counts fuel.
    pub fn counts_fuel(&self) -> bool {
        self.0.config.fuel
    }

    /// The proposals that modules of this engine may use.
    pub fn features(&self) -> Features {
        self.0.config.features
    }

    /// What runs the functions of guests.
    pub fn strategy(&self) -> Strategy {
        self.0.config.strategy
    }

    /// How native code notices what it must not do.
    pub fn traps(&self) -> Traps {
        self.0.config.traps
    }

    /// Whether memories need guards.
    pub(crate) fn needs_guards(&self) -> bool {
        self.strategy() != Strategy::Interpreter && self.traps() == Traps::Signals
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.0.registry
    }

    pub(crate) fn code_config(&self) -> CodeConfig {
        let threaded = self.0.config.dispatch != Dispatch::Loop && lithe_interp::THREADED;
        let Config { fuel, deterministic, .. } = self.0.config;
        CodeConfig { fuel, deterministic, threaded }
    }
}

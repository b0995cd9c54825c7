//! The directives of one script, run in order in one store; those of a thread in another one. Invariant: a directive that fails never stops
//! the ones after it, and a module that did not load is reported once, with the number of directives that
//! would have needed it.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use lithe::{
    Config, Dispatch, Engine, Error, ErrorKind, Extern, ExternRef, Features, Instance, Linker,
    Module, Store, Strategy, Traps, Val,
};
use lithe_component::Component;
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::token::{Id, Span};
use wast::{QuoteWat, QuoteWatTest, Wast, WastDirective, WastExecute, WastInvoke, Wat};

use crate::known::PANICKED;
use crate::thread::{self, Given, Threads};
use crate::{Failure, Known, Report, component, deadline::Deadline, spectest, value};

/// How a script is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The dispatch back end of the interpreter.
    pub dispatch: Dispatch,
    /// The proposals that modules may use. Modules that must be refused are checked against all of them,
    /// also those that the engine does not execute.
    pub features: Features,
    /// How long a script may take before its guests are interrupted.
    pub time: Duration,
    /// The failures that are known.
    pub known: Known,
    /// Whether every allocation of a heap object collects garbage.
    pub stress: bool,
    /// Whether NaN results are canonical.
    pub deterministic: bool,
    /// What runs functions.
    pub strategy: Strategy,
    /// How native code notices what it must not do.
    pub traps: Traps,
    /// How modules are loaded.
    pub loader: Loader,
}

/// Makes a module of its binary form.
type Load = dyn Fn(&Engine, Vec<u8>) -> Result<Module, String> + Send + Sync;

/// How modules are loaded: by default as [`Module::new`] does.
#[derive(Clone)]
pub struct Loader(Arc<Load>);

impl Loader {
    /// Loads modules with a function, which may give a sentence about why it does not.
    pub fn new(
        load: impl Fn(&Engine, Vec<u8>) -> Result<Module, String> + Send + Sync + 'static,
    ) -> Loader {
        Loader(Arc::new(load))
    }

    /// Loads a module.
    pub(crate) fn load(&self, engine: &Engine, bytes: Vec<u8>) -> Result<Module, String> {
        (self.0)(engine, bytes)
    }
}

impl Default for Loader {
    fn default() -> Loader {
        Loader::new(|engine, bytes| Module::new(engine, bytes).map_err(|error| error.to_string()))
    }
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Loader")
    }
}

/// The default of [`Options::time`]: far more than any script of the official suite takes, on a slow and
/// busy machine too.
const TIME: Duration = Duration::from_secs(60);

impl Default for Options {
    fn default() -> Options {
        Options {
            dispatch: Dispatch::Auto,
            features: Features::WASM3.union(Engine::SUPPORTED),
            time: TIME,
            known: Known::default(),
            stress: false,
            deterministic: false,
            strategy: Strategy::Interpreter,
            traps: Traps::Checks,
            loader: Loader::default(),
        }
    }
}

impl Options {
    /// The configuration of the engine.
    pub fn config(&self) -> Config {
        Config::new()
            .features(self.features)
            .dispatch(self.dispatch)
            .deterministic(self.deterministic)
            .strategy(self.strategy)
            .traps(self.traps)
    }
}

/// Runs a script in an engine, store and linker of its own; `path` names it in messages and selects known
/// failures.
pub fn run_file(path: &str, text: &str, options: &Options) -> Report {
    let mut report = Report::default();
    if let Err((span, sentence)) = run(path, text, options, &mut report) {
        let line = span.map_or(0, |span| line_of(span, text));
        report.failed.push(Failure { file: path.into(), line, sentence, dependents: 0 });
    }
    options.known.apply(path, &mut report);
    report
}

fn line_of(span: Span, text: &str) -> usize {
    span.linecol_in(text).0 + 1
}

fn buffer(text: &str) -> Result<ParseBuffer<'_>, wast::Error> {
    let mut lexer = Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    ParseBuffer::new_with_lexer(lexer)
}

fn run(
    path: &str,
    text: &str,
    options: &Options,
    report: &mut Report,
) -> Result<(), (Option<Span>, String)> {
    let unreadable = |error: wast::Error| {
        (Some(error.span()), format!("the script is malformed: {}", error.message()))
    };
    let buffer = buffer(text).map_err(unreadable)?;
    let directives = parser::parse::<Wast<'_>>(&buffer).map_err(unreadable)?.directives;
    std::thread::scope(|scope| {
        let context = Context { path, text, options, scope };
        context.run(directives, HashMap::new(), report).map_err(|sentence| (None, sentence))
    })
}

/// What a script and its threads have in common.
#[derive(Clone, Copy)]
pub(crate) struct Context<'scope, 'env> {
    path: &'env str,
    text: &'env str,
    options: &'env Options,
    pub scope: &'scope std::thread::Scope<'scope, 'env>,
}

impl<'scope, 'env: 'scope> Context<'scope, 'env> {
    /// Runs directives in a store of their own. `given` are shared memories of another thread.
    pub(crate) fn run(
        self,
        directives: Vec<WastDirective<'env>>,
        given: Given,
        report: &mut Report,
    ) -> Result<(), String> {
        let mut script = Script::new(self, given)
            .map_err(|error| format!("the spectest module cannot be made: {error}"))?;
        let _deadline = Deadline::new(self.options.time, script.store.interrupt_handle())
            .map_err(|error| format!("the deadline has no thread: {error}"))?;
        for directive in directives {
            self.step(&mut script, directive, report);
        }
        *report += script.threads.join_all();
        Ok(())
    }

    /// Runs one directive and counts it.
    fn step(
        self,
        script: &mut Script<'scope, 'env>,
        mut directive: WastDirective<'env>,
        report: &mut Report,
    ) {
        let span = directive.span();
        let run = catch_unwind(AssertUnwindSafe(|| script.directive(&mut directive)));
        let result = run.unwrap_or_else(|panic| fail(format!("{PANICKED}: {}", words(&*panic))));
        *report += std::mem::take(&mut script.threads.joined);
        let failure = |sentence| Failure {
            file: self.path.into(),
            line: line_of(span, self.text),
            sentence,
            dependents: 0,
        };
        let root = match result {
            Ok(()) => {
                report.passed += 1;
                return;
            }
            Err(Stop::Skip(why)) => {
                report.skipped.push(failure(why.into()));
                return;
            }
            Err(Stop::Fail(sentence)) => {
                report.failed.push(failure(sentence));
                report.failed.len() - 1
            }
            Err(Stop::Depends(root)) => {
                report.failed[root].dependents += 1;
                root
            }
        };
        script.broken(&directive, root);
    }

    /// The report of a script of which nothing could be run.
    pub(crate) fn failed(self, span: Span, sentence: String) -> Report {
        let line = line_of(span, self.text);
        let failure = Failure { file: self.path.into(), line, sentence, dependents: 0 };
        Report { failed: vec![failure], ..Report::default() }
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

/// Why a directive did not pass.
enum Stop {
    /// With a sentence.
    Fail(String),
    /// It needs a module that did not load: the failure with this index.
    Depends(usize),
    /// Lithe does not look at such directives.
    Skip(&'static str),
}

impl From<String> for Stop {
    fn from(sentence: String) -> Stop {
        Stop::Fail(sentence)
    }
}

fn fail<T>(sentence: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Fail(sentence.into()))
}

/// What a name stands for: something, or the failure that left it undefined.
type Named<T> = Result<T, usize>;

/// The external references of a script by their numbers, so equal numbers are one reference.
#[derive(Default)]
pub(crate) struct Externs(HashMap<u32, ExternRef>);

impl Externs {
    /// The reference with this number.
    pub(crate) fn value(
        &mut self,
        number: u32,
        store: &mut Store<()>,
    ) -> Result<ExternRef, String> {
        if let Some(known) = self.0.get(&number) {
            return Ok(*known);
        }
        let value = ExternRef::new(store, number).map_err(|error| error.to_string())?;
        self.0.insert(number, value);
        Ok(value)
    }
}

/// What a script defines and instantiates.
#[derive(Clone)]
enum Definition {
    Module(Module),
    Component(Component),
    /// A component that this version does not run, with a sentence about why.
    NotRun(String),
}

/// What a script invokes functions of.
#[derive(Clone, Copy)]
enum Made {
    Core(Instance),
    Component(lithe_component::Instance),
}

impl Made {
    fn core(self) -> Result<Instance, Stop> {
        match self {
            Made::Core(instance) => Ok(instance),
            Made::Component(_) => fail("the instance is that of a component"),
        }
    }
}

/// What a call or an instantiation gives.
enum Found {
    Core(Vec<Val>),
    Component(Option<lithe_component::Val>),
}

impl Found {
    fn show(&self, store: &Store<()>) -> String {
        match self {
            Found::Core(values) => value::list(values, store),
            Found::Component(value) => component::show(value.as_ref()),
        }
    }
}

/// The outcome of something that may trap.
type Outcome = Result<Found, Error>;

/// The state of a script. The key `None` stands for the most recent definition or instance.
struct Script<'scope, 'env> {
    context: Context<'scope, 'env>,
    given: Given,
    threads: Threads<'scope>,
    features: Features,
    engine: Engine,
    store: Store<()>,
    linker: Linker<()>,
    components: lithe_component::Linker<()>,
    modules: HashMap<Option<String>, Named<Definition>>,
    instances: HashMap<Option<String>, Named<Made>>,
    /// Module names whose registration failed.
    unregistered: HashMap<String, usize>,
    externs: Externs,
}

fn named(id: Option<Id<'_>>) -> Option<String> {
    id.map(|id| id.name().into())
}

fn find<T: Clone>(
    names: &HashMap<Option<String>, Named<T>>,
    id: Option<Id<'_>>,
    what: &str,
) -> Result<T, Stop> {
    match (names.get(&named(id)), id) {
        (Some(Ok(found)), _) => Ok(found.clone()),
        (Some(Err(root)), _) => Err(Stop::Depends(*root)),
        (None, Some(id)) => fail(format!("there is no {what} ${}", id.name())),
        (None, None) => fail(format!("there is no {what} yet")),
    }
}

fn define<T: Clone>(
    names: &mut HashMap<Option<String>, Named<T>>,
    id: Option<Id<'_>>,
    it: Named<T>,
) {
    if id.is_some() {
        names.insert(named(id), it.clone());
    }
    names.insert(None, it);
}

impl<'scope, 'env: 'scope> Script<'scope, 'env> {
    fn new(context: Context<'scope, 'env>, given: Given) -> Result<Self, Error> {
        let options = context.options;
        let engine = Engine::new(&options.config());
        let mut store = Store::new(&engine, ());
        store.collect_always(options.stress);
        let mut linker = Linker::new(&engine);
        linker.allow_shadowing(true);
        spectest::define(&mut linker, &mut store)?;
        let components = lithe_component::Linker::new(&engine);
        Ok(Script {
            context,
            given,
            threads: Threads::default(),
            features: options.features,
            engine,
            store,
            linker,
            components,
            modules: HashMap::new(),
            instances: HashMap::new(),
            unregistered: HashMap::new(),
            externs: Externs::default(),
        })
    }

    fn directive(&mut self, directive: &mut WastDirective<'env>) -> Result<(), Stop> {
        match directive {
            WastDirective::Module(module) => {
                let id = module.name();
                let definition = self.define(module)?;
                self.instantiate_as(id, &definition)
            }
            WastDirective::ModuleDefinition(module) => self.define(module).map(|_| ()),
            WastDirective::ModuleInstance { instance, module, .. } => {
                let definition = find(&self.modules, *module, "definition")?;
                self.instantiate_as(*instance, &definition)
            }
            WastDirective::Register { name, module: Some(id), .. }
                if self.given.contains_key(id.name()) =>
            {
                for (field, memory) in &self.given[id.name()] {
                    self.linker
                        .define_shared(name, field, memory)
                        .map_err(|error| format!("the memory cannot be registered: {error}"))?;
                }
                Ok(())
            }
            WastDirective::Register { name, module, .. } => {
                let registered = match find(&self.instances, *module, "instance")? {
                    Made::Core(instance) => {
                        self.linker.instance(&mut self.store, name, instance).map(drop)
                    }
                    Made::Component(instance) => {
                        self.components.define_instance(&mut self.store, name, &instance)
                    }
                };
                registered
                    .map_err(|error| format!("the instance cannot be registered: {error}"))?;
                self.unregistered.remove(*name);
                Ok(())
            }
            WastDirective::Invoke(invoke) => match self.invoke(invoke)? {
                Ok(_) => Ok(()),
                Err(error) => fail(format!("the call failed: {error}")),
            },
            WastDirective::AssertReturn { exec, results, .. } => match self.execute(exec)? {
                Ok(Found::Core(found)) => Ok(value::compare(&found, results, &self.store)?),
                Ok(Found::Component(found)) => Ok(component::compare(found.as_ref(), results)?),
                Err(error) => fail(format!("expected results, but the call failed: {error}")),
            },
            WastDirective::AssertTrap { exec, message, .. } => {
                let component = self.concerns_component(exec);
                let outcome = self.execute(exec)?;
                self.expect_trap((outcome, component), message)
            }
            WastDirective::AssertExhaustion { call, message, .. } => {
                let component = self.invokes_component(call);
                let outcome = self.invoke(call)?;
                self.expect_trap((outcome, component), message)
            }
            WastDirective::AssertMalformed { module, message, .. }
            | WastDirective::AssertInvalid { module, message, .. } => self.refuse(module, message),
            WastDirective::AssertUnlinkable { module, message, .. } => {
                self.refuse_to_link(module, message)
            }
            WastDirective::AssertException { exec, .. } => {
                let outcome = self.execute(exec)?;
                self.expect_exception(outcome)
            }
            WastDirective::AssertSuspension { .. } => {
                fail("assert_suspension: stack switching is not supported")
            }
            WastDirective::Thread(thread) => {
                let given = match thread.shared_module {
                    None => HashMap::new(),
                    Some(id) => {
                        let instance = find(&self.instances, Some(id), "instance")?.core()?;
                        let memories = thread::shared_memories(instance, &self.store)?;
                        HashMap::from([(id.name().into(), memories)])
                    }
                };
                Ok(self.threads.spawn(thread, self.context, given)?)
            }
            WastDirective::Wait { thread, .. } => Ok(self.threads.join(thread.name())?),
            WastDirective::AssertMalformedCustom { .. }
            | WastDirective::AssertInvalidCustom { .. } => {
                Err(Stop::Skip("Lithe does not check custom sections"))
            }
        }
    }

    /// Notes what a failed directive leaves undefined.
    fn broken(&mut self, directive: &WastDirective<'_>, root: usize) {
        match directive {
            WastDirective::Module(module) => {
                define(&mut self.modules, module.name(), Err(root));
                define(&mut self.instances, module.name(), Err(root));
            }
            WastDirective::ModuleDefinition(module) => {
                define(&mut self.modules, module.name(), Err(root));
            }
            WastDirective::ModuleInstance { instance, .. } => {
                define(&mut self.instances, *instance, Err(root));
            }
            WastDirective::Register { name, .. } => {
                self.unregistered.insert((*name).into(), root);
            }
            _ => {}
        }
    }

    fn define(&mut self, source: &mut QuoteWat<'_>) -> Result<Definition, Stop> {
        let loaded = encode(source).and_then(|bytes| self.definition(bytes));
        let definition = loaded.map_err(|error| format!("the module was refused: {error}"))?;
        define(&mut self.modules, source.name(), Ok(definition.clone()));
        Ok(definition)
    }

    fn definition(&self, bytes: Vec<u8>) -> Result<Definition, String> {
        if !Component::is(&bytes) {
            return self.make(bytes).map(Definition::Module);
        }
        match component::define(&self.engine, &bytes, self.context.options)? {
            Ok(component) => Ok(Definition::Component(component)),
            Err(sentence) => Ok(Definition::NotRun(sentence)),
        }
    }

    fn instantiate_as(&mut self, id: Option<Id<'_>>, from: &Definition) -> Result<(), Stop> {
        match self.instantiate(from)? {
            Ok(made) => define(&mut self.instances, id, Ok(made)),
            Err(error) => {
                let what = if let Definition::Module(_) = from { "module" } else { "component" };
                fail(format!("the {what} cannot be instantiated: {error}"))?
            }
        }
        Ok(())
    }

    fn instantiate(&mut self, from: &Definition) -> Result<Result<Made, Error>, Stop> {
        let outcome = match from {
            Definition::Module(module) => {
                self.linker.instantiate(&mut self.store, module).map(Made::Core)
            }
            Definition::Component(component) => {
                self.components.instantiate(&mut self.store, component).map(Made::Component)
            }
            Definition::NotRun(sentence) => return fail(sentence.clone()),
        };
        if let Err(error) = &outcome {
            let mut absent = error.missing_imports().iter().filter(|i| i.found.is_none());
            if let Some(root) = absent.find_map(|import| self.unregistered.get(&import.module)) {
                return Err(Stop::Depends(*root));
            }
        }
        Ok(outcome)
    }

    fn execute(&mut self, exec: &mut WastExecute<'_>) -> Result<Outcome, Stop> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(invoke),
            WastExecute::Wat(source) => {
                let from = self.load(source)?;
                Ok(self.instantiate(&from)?.map(|made| match made {
                    Made::Core(_) => Found::Core(Vec::new()),
                    Made::Component(_) => Found::Component(None),
                }))
            }
            WastExecute::Get { module, global, .. } => {
                let instance = find(&self.instances, *module, "instance")?.core()?;
                match instance.export(&self.store, global) {
                    Some(Extern::Global(global)) => {
                        Ok(global.get(&self.store).map(|x| Found::Core(vec![x])))
                    }
                    _ => fail(format!("the instance exports no global `{global}`")),
                }
            }
        }
    }

    /// Loads what no name will stand for.
    fn load(&self, source: &mut Wat<'_>) -> Result<Definition, Stop> {
        let bytes = source.encode().map_err(|error| error.message());
        let loaded = bytes.and_then(|bytes| self.definition(bytes));
        Ok(loaded.map_err(|error| format!("the module was refused: {error}"))?)
    }

    fn make(&self, bytes: Vec<u8>) -> Result<Module, String> {
        self.context.options.loader.load(&self.engine, bytes)
    }

    fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Result<Outcome, Stop> {
        let instance = match find(&self.instances, invoke.module, "instance")? {
            Made::Core(instance) => instance,
            Made::Component(instance) => {
                let called =
                    component::invoke(&mut self.store, instance, invoke.name, &invoke.args)?;
                return Ok(called.map(Found::Component));
            }
        };
        let Some(Extern::Func(func)) = instance.export(&self.store, invoke.name) else {
            return fail(format!("the instance exports no function `{}`", invoke.name));
        };
        let mut args = Vec::new();
        for arg in &invoke.args {
            args.push(value::argument(arg, &mut self.externs, &mut self.store)?);
        }
        let ty = func.ty(&self.store).map_err(|error| error.to_string())?;
        let mut results = vec![Val::I32(0); ty.results.len()];
        Ok(func.call(&mut self.store, &args, &mut results).map(|()| Found::Core(results)))
    }

    fn expect_trap(
        &self,
        (outcome, component): (Outcome, bool),
        expected: &str,
    ) -> Result<(), Stop> {
        let error = match outcome {
            Ok(found) => {
                let found = found.show(&self.store);
                return fail(format!("expected the trap `{expected}`, but {found} was returned"));
            }
            Err(error) if component => return Ok(component::expect_trap(&error, expected)?),
            Err(error) => error,
        };
        match error.trap().map(|trap| trap.kind().spec_text()) {
            Some(text) if text.starts_with(expected) || expected.starts_with(text) => Ok(()),
            Some(text) => fail(format!("expected the trap `{expected}`, found the trap `{text}`")),
            None => fail(format!("expected the trap `{expected}`, found the error: {error}")),
        }
    }

    /// Whether something of a component is called or instantiated.
    fn concerns_component(&self, exec: &WastExecute<'_>) -> bool {
        match exec {
            WastExecute::Invoke(invoke) => self.invokes_component(invoke),
            WastExecute::Wat(source) => matches!(source, Wat::Component(_)),
            WastExecute::Get { .. } => false,
        }
    }

    fn invokes_component(&self, invoke: &WastInvoke<'_>) -> bool {
        matches!(self.instances.get(&named(invoke.module)), Some(Ok(Made::Component(_))))
    }

    fn expect_exception(&self, outcome: Outcome) -> Result<(), Stop> {
        match outcome {
            Ok(found) => {
                let found = found.show(&self.store);
                fail(format!("expected an exception, but {found} was returned"))
            }
            Err(error) if error.kind() == ErrorKind::Exception => Ok(()),
            Err(error) => fail(format!("expected an exception, found the error: {error}")),
        }
    }

    fn refuse(&self, module: &mut QuoteWat<'_>, message: &str) -> Result<(), Stop> {
        let validate = |bytes: Vec<u8>| match Component::is(&bytes) {
            true => Component::validate(bytes, self.features),
            false => Module::validate(bytes, self.features),
        };
        match encode(module).map(validate) {
            Ok(Ok(())) => {
                fail(format!("expected that the module is refused (`{message}`), but it is valid"))
            }
            _ => Ok(()),
        }
    }

    fn refuse_to_link(&mut self, module: &mut Wat<'_>, message: &str) -> Result<(), Stop> {
        let from = self.load(module)?;
        match self.instantiate(&from)? {
            Err(error) if error.kind() == ErrorKind::Link => Ok(()),
            Err(error) => fail(format!("expected a link error (`{message}`), found: {error}")),
            Ok(_) => fail(format!("expected a link error (`{message}`), but it was instantiated")),
        }
    }
}

/// The binary form of a module.
fn encode(source: &mut QuoteWat<'_>) -> Result<Vec<u8>, String> {
    let text = match source.to_test().map_err(|error| error.message())? {
        QuoteWatTest::Binary(bytes) => return Ok(bytes),
        QuoteWatTest::Text(text) => text,
    };
    let text = std::str::from_utf8(&text).map_err(|_| "malformed UTF-8 encoding")?;
    let quoted = buffer(text).map_err(|error| error.message())?;
    let mut module = parser::parse::<Wat<'_>>(&quoted).map_err(|error| error.message())?;
    module.encode().map_err(|error| error.message())
}

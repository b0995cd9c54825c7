//! Runs one module in several engines that must not differ, and compares all that can be observed. The
//! `run` and `decode` targets and `soak` call it. Invariant: what the host does depends only on the module and the
//! seed.

use lithe::{
    Config, Dispatch, Engine, ErrorKind, Extern, ExternType, Func, Global, Instance, Memory,
    Module, Store, StoreLimits, Strategy, Table, TrapKind, Traps, Val,
};

use crate::{
    host::{Host, import_of, value},
    seen::{End, Seen},
    smith::splitmix,
};

/// What native code takes of the fuel at once.
const FUEL_PART: u64 = 1 << 17;
/// Fuel for the start function, and for each call: native code takes it in two parts. With a sanitizer, operations with
/// variables in memory call each other instead of going on, so that few fit on the stack.
const FUEL: u64 = if cfg!(fuzzing) { 10_000 } else { FUEL_PART + 10_000 };
/// Exported functions that are called.
const CALLS: usize = 16;
/// Bytes of the stacks of the interpreter, which few guests fill, and of native code, where frames are larger.
const STACKS: (usize, usize) = (1 << 16, 1 << 20);
/// Bytes of each memory and elements of each table.
const LIMITS: (usize, usize) = (1 << 20, 1000);
/// Bytes of the heap, one of these; some engines then run again with the default limit.
const HEAPS: [usize; 4] = [1 << 12, 1 << 16, 1 << 20, 16 << 20];
/// Bytes of objects that may be allocated where each allocation collects.
const STRESSED: u64 = 1 << 16;

/// An engine and a store for one module.
#[derive(Clone, Copy, Debug)]
struct Leg {
    dispatch: Dispatch,
    fuel: bool,
    deterministic: bool,
    /// Every allocation collects.
    stress: bool,
    heap_bytes: usize,
    strategy: Strategy,
    /// How native code notices what it must not do.
    traps: Traps,
}

/// What became of a module.
#[derive(Default)]
pub struct Outcome {
    /// How each step ended; nothing when the module was not run.
    pub ends: Vec<String>,
    /// Bytes of objects, and how often they were collected, without stress and with.
    pub allocated: u64,
    /// Collections in the engine that is compared with the others.
    pub collections: u64,
    /// Collections in the engine that collects at every allocation.
    pub stressed: u64,
    /// What native code this was compared with.
    pub native: Option<&'static str>,
    /// Steps that native code made as well.
    pub native_steps: usize,
}

/// A step of a run.
struct Step {
    end: End,
    /// The fuel left.
    fuel: Option<u64>,
    /// Bytes of all objects made so far.
    allocated: u64,
    /// Whether room in the heap decided about this step.
    full: bool,
    /// Whether a stack was exhausted, whose room native code uses otherwise.
    deep: bool,
}

/// A finished run: its steps, and the store as it is afterwards.
struct Run {
    steps: Vec<Step>,
    store: Store<Host>,
    instance: Option<Instance>,
}

/// Runs `bytes` on both dispatch back ends and as native code, with fuel and without, with a collection at every
/// allocation and without, and panics where they differ. Gives `None` when the module is refused. The NaNs of a module
/// with an odd seed are all canonical; where others may be seen, engines must be deterministic to be compared with native
/// code.
pub fn compare(bytes: &[u8], seed: u64) -> Option<Outcome> {
    let choice = splitmix(&mut { seed });
    let first = Leg {
        dispatch: Dispatch::Threaded,
        fuel: true,
        deterministic: seed.is_multiple_of(2),
        stress: false,
        heap_bytes: HEAPS[(choice >> 8) as usize % HEAPS.len()],
        strategy: Strategy::Interpreter,
        traps: Traps::Checks,
    };
    let module = first.load(bytes)?;
    let mut outcome = Outcome::default();
    if may_block(bytes, &module) {
        return Some(outcome);
    }
    let Some(mut run) = first.run(&module, seed, usize::MAX) else { return Some(outcome) };
    let stats = run.store.heap_stats();
    (outcome.allocated, outcome.collections) = (stats.allocated, stats.collections);
    outcome.ends = run.steps.iter().map(|step| step.end.name()).collect();

    let all = run.steps.len();
    let out_of_fuel = |end: &End| matches!(end, End::Trap(TrapKind::OutOfFuel, _));
    let until = |stop: &dyn Fn(&Step) -> bool| run.steps.iter().take_while(|s| !stop(s)).count();
    // Without fuel only as many steps are safe as ended with fuel, and likewise for the heap.
    let ample = until(&|step| step.full || out_of_fuel(&step.end));
    let small = until(&|step| step.full || step.allocated > STRESSED);
    let shallow = until(&|step| step.deep);
    let heap_bytes = StoreLimits::default().heap_bytes;
    let other = Leg { dispatch: Dispatch::Loop, ..first };
    run.is_like(other.again(bytes, seed, all), &first, &other);

    let other = Leg { fuel: false, heap_bytes, ..first };
    run.is_like(other.again(bytes, seed, ample), &first, &other);

    if stats.allocated > 0 {
        let dispatch = [Dispatch::Threaded, Dispatch::Loop][(choice >> 16) as usize % 2];
        let other = Leg { dispatch, stress: true, heap_bytes, ..first };
        let stressed = other.again(bytes, seed, small);
        outcome.stressed = stressed.as_ref().map_or(0, |r| r.store.heap_stats().collections);
        run.is_like(stressed, &first, &other);
    }

    // One of all kinds of native code, so that the time goes into as many modules as can be.
    let bit = |at: u32| choice >> at & 1 == 1;
    let (signals, fuel, stress) = (bit(24), bit(25) || bit(26), stats.allocated > 0 && bit(27));
    let other = Leg {
        strategy: Strategy::Native,
        traps: if signals { Traps::Signals } else { Traps::Checks },
        fuel,
        stress,
        heap_bytes: if fuel && !stress { first.heap_bytes } else { heap_bytes },
        ..first
    };
    let steps = shallow.min(if fuel { all } else { ample }).min(if stress { small } else { all });
    let native = other.again(bytes, seed, steps);
    outcome.native = Some(match (signals, fuel) {
        (false, true) => "checks and fuel",
        (false, false) => "checks",
        (true, true) => "signals and fuel",
        (true, false) => "signals",
    });
    outcome.native_steps = native.as_ref().map_or(0, |run| run.steps.len());
    run.is_like(native, &first, &other);
    Some(outcome)
}

/// Whether the module may wait to be notified, which nobody does.
pub fn may_block(bytes: &[u8], module: &Module) -> bool {
    waits(bytes) && has_shared(module)
}

/// Whether the module may hold the operators that wait. Looks at all bytes, so it may err on this side.
fn waits(bytes: &[u8]) -> bool {
    /// The prefix of atomic operators; 1 and 2 after it, which LEB128 may make longer, are those that wait.
    const ATOMIC: u8 = 0xfe;
    let mut places = bytes.iter().enumerate().filter(|(_, byte)| **byte == ATOMIC);
    places.any(|(i, _)| matches!(bytes.get(i + 1), Some(1 | 2 | 0x81 | 0x82)))
}

/// Whether a memory may be shared: one is, or is not seen from outside.
fn has_shared(module: &Module) -> bool {
    let shared = |ty: &ExternType| matches!(ty, ExternType::Memory(ty) if ty.shared);
    let memory = |ty: &ExternType| matches!(ty, ExternType::Memory(_));
    let exports: Vec<ExternType> = module.exports().into_iter().map(|export| export.ty).collect();
    let seen = exports.iter().filter(|ty| memory(ty)).count();
    let memories = module.sections().into_iter().find(|section| section.name == "memories");
    let count = memories.and_then(|section| section.entries).unwrap_or(0);
    count > seen || exports.iter().any(shared)
}

impl Leg {
    fn load(&self, bytes: &[u8]) -> Option<Module> {
        let config = Config::new()
            .features(Engine::SUPPORTED)
            .fuel(self.fuel)
            .deterministic(self.deterministic)
            .dispatch(self.dispatch)
            .strategy(self.strategy)
            .traps(self.traps);
        Module::new(&Engine::new(&config), bytes).ok()
    }

    /// Runs a module that ran before, unless there are no steps to make.
    fn again(&self, bytes: &[u8], seed: u64, steps: usize) -> Option<Run> {
        let module = self.load(bytes).expect("accepted before");
        (steps > 0).then(|| self.run(&module, seed, steps).expect("had its imports before"))
    }

    /// Instantiates and calls exports in order, at most `steps` of both together. `None` when the host cannot
    /// make the imports.
    fn run(&self, module: &Module, seed: u64, steps: usize) -> Option<Run> {
        let mut store = Store::new(module.engine(), Host::new(seed));
        store.set_limits(StoreLimits {
            memory_bytes: LIMITS.0,
            table_elements: LIMITS.1,
            stack_bytes: match self.strategy {
                Strategy::Interpreter => STACKS.0,
                Strategy::Native | Strategy::Auto => STACKS.1,
            },
            heap_bytes: self.heap_bytes,
            ..StoreLimits::default()
        });
        store.collect_always(self.stress);
        let mut imports = Vec::new();
        for import in module.imports() {
            imports.push(import_of(&mut store, import.ty)?);
        }
        let mut run = Run { steps: Vec::new(), store, instance: None };
        run.refuel();
        match Instance::new(&mut run.store, module, &imports) {
            Ok(instance) => run.instance = Some(instance),
            // The type of a host function is final; a module may import one that is open.
            Err(error) if error.kind() == ErrorKind::Link => return None,
            Err(error) => {
                let end = End::of(&mut run.store, &error);
                run.note(end);
                return Some(run);
            }
        }
        run.note(End::Values(Vec::new()));
        run.call_exports(steps);
        Some(run)
    }
}

impl Run {
    fn refuel(&mut self) {
        if self.store.engine().counts_fuel() {
            self.store.set_fuel(FUEL).expect("the engine counts fuel");
        }
    }

    fn note(&mut self, end: End) {
        let full = end.is_full() || self.store.data().refused;
        let deep = end.is_deep() || self.store.data().overflowed;
        let (fuel, allocated) = (self.store.fuel(), self.store.heap_stats().allocated);
        self.steps.push(Step { end, fuel, allocated, full, deep });
    }

    fn exports(&self) -> Vec<Extern> {
        let exports = self.instance.map(|instance| instance.exports(&self.store));
        let exports = exports.map(|exports| exports.expect("own store")).unwrap_or_default();
        exports.into_iter().map(|(_, entity)| entity).collect()
    }

    fn call_exports(&mut self, steps: usize) {
        let exports = self.exports();
        self.store.data_mut().meet(&exports);
        for func in exports.iter().filter_map(|entity| entity.func()).take(CALLS) {
            if self.steps.len() == steps {
                break;
            }
            self.refuel();
            let end = match self.store.data_mut().next() % 8 {
                0..4 => self.store.scope(|store| call(store, func, false)),
                4 => {
                    self.store.collect_garbage();
                    call(&mut self.store, func, true)
                }
                _ => call(&mut self.store, func, true),
            };
            if let Some(end) = end {
                self.note(end);
            }
        }
    }

    /// Compares the steps that both made, and the state when the other made all of them.
    fn is_like(&mut self, other: Option<Run>, leg: &Leg, other_leg: &Leg) {
        let Some(mut other) = other else { return };
        let differ = leg.strategy != other_leg.strategy;
        for (step, (a, b)) in self.steps.iter().zip(&other.steps).enumerate() {
            if differ && (a.deep || b.deep || a.full || b.full) {
                return;
            }
            assert!(a.end == b.end, "step {step}: {leg:?} {:?}\n{other_leg:?} {:?}", a.end, b.end);
            if leg.fuel == other_leg.fuel {
                // A signal takes what was left of a part of the fuel with it, also where the host goes on.
                let lost = a.fuel.map(|fuel| fuel & !(FUEL_PART - 1));
                let lossy = differ && other_leg.traps == Traps::Signals;
                assert!(
                    a.fuel == b.fuel || lossy && b.fuel == lost,
                    "step {step}: fuel left {:?} {:?} {:?}",
                    a.fuel,
                    b.fuel,
                    b.end
                );
            }
        }
        if self.steps.len() == other.steps.len() {
            same_state(self, &mut other);
        }
    }
}

/// Calls a function with values of the host's choice, and keeps what it returns when asked to; `None` when the
/// host has no such values.
fn call(store: &mut Store<Host>, func: Func, keep: bool) -> Option<End> {
    let ty = func.ty(&*store).expect("own store");
    let args: Vec<Val> = ty.params.iter().map(|ty| value(store, *ty)).collect::<Option<_>>()?;
    let mut results = vec![Val::I32(0); ty.results.len()];
    Some(match func.call(&mut *store, &args, &mut results) {
        Ok(()) => {
            if keep {
                let kept = ty.results.iter().zip(&results);
                kept.for_each(|(ty, value)| store.data_mut().keep(*ty, *value));
            }
            End::Values(results.iter().map(|value| Seen::new(store, value)).collect())
        }
        Err(error) => End::of(store, &error),
    })
}

/// Compares all exported state.
fn same_state(a: &mut Run, b: &mut Run) {
    assert_eq!(a.store.refused_grows(), b.store.refused_grows(), "refused grows");
    assert_eq!(a.store.memory_bytes(), b.store.memory_bytes(), "size of memories");
    for (index, (x, y)) in a.exports().into_iter().zip(b.exports()).enumerate() {
        match (x, y) {
            (Extern::Memory(x), Extern::Memory(y)) => {
                assert!(bytes_of(a, x) == bytes_of(b, y), "export {index}: memory");
            }
            (Extern::Global(x), Extern::Global(y)) => {
                let seen = |run: &mut Run, global: Global| {
                    run.store.scope(|store| {
                        let value = global.get(&*store).expect("own store");
                        Seen::new(store, &value)
                    })
                };
                assert_eq!(seen(a, x), seen(b, y), "export {index}: global");
            }
            (Extern::Table(x), Extern::Table(y)) => {
                assert_eq!(elements(a, x), elements(b, y), "export {index}: table");
            }
            _ => {}
        }
    }
}

fn bytes_of(run: &Run, memory: Memory) -> Vec<u8> {
    let ty = memory.ty(&run.store).expect("own store");
    let pages = memory.size(&run.store).expect("own store");
    let mut bytes = vec![0; (pages << ty.page_log2) as usize];
    memory.read(&run.store, 0, &mut bytes).expect("has this size");
    bytes
}

fn elements(run: &mut Run, table: Table) -> Vec<Seen> {
    run.store.scope(|store| {
        let size = table.size(&*store).expect("own store");
        let element = |i| table.get(&*store, i).expect("own store");
        let elements: Vec<Val> = (0..size).filter_map(element).collect();
        elements.iter().map(|value| Seen::new(store, value)).collect()
    })
}

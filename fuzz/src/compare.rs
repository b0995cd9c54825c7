//! Runs one module in several engines that must not differ, and compares all that can be observed. The
//! `run` and `decode` targets call it. Invariant: what the host does depends only on the module and the seed.

use lithe::{
    Caller, Config, Dispatch, Engine, Error, ErrorKind, Extern, ExternType, Features, Func,
    FuncType, Global, Instance, Memory, Module, Result, Store, StoreLimits, Table, Tag, TrapKind,
    Val, ValType,
};

use crate::smith::splitmix;

/// What modules may use. A wait for another thread, which never comes, would take all the time there is.
const FEATURES: Features = Engine::SUPPORTED.difference(Features::THREADS);
/// Fuel for the start function, and for each call.
const FUEL: u64 = 10_000;
/// Exported functions that are called.
const CALLS: usize = 16;
/// Depth of guest calls that the host makes inside a host call.
const REENTRIES: u32 = 3;
/// Bytes of each memory and elements of each table.
const LIMITS: (usize, usize) = (1 << 20, 1000);

/// What host functions know.
#[derive(Default)]
struct Host {
    /// Advances with every decision, so that equal engines see equal hosts.
    random: u64,
    depth: u32,
    memories: Vec<Memory>,
    funcs: Vec<Func>,
}

impl Host {
    fn next(&mut self) -> u64 {
        splitmix(&mut self.random)
    }

    /// Bits that are often at the edge of something.
    fn bits(&mut self) -> u64 {
        const EDGES: [u64; 16] = [
            0,
            1,
            2,
            u64::MAX,
            i64::MIN as u64,
            i64::MAX as u64,
            0x8000_0000,
            0x7fff_ffff,
            0xffff,
            0x1_0000,
            0x7ff8_0000_0000_0000,
            0x7fc0_0000,
            0x3ff0_0000_0000_0000,
            0x3f80_0000,
            0x4330_0000_0000_0000,
            0x8000_0000_0000_0001,
        ];
        match self.next() % 4 {
            0 => self.next(),
            1 => self.next() % 0x1_0000,
            _ => EDGES[(self.next() % 16) as usize],
        }
    }

    /// A value of type `ty`; `None` when the host has none.
    fn value(&mut self, ty: ValType) -> Option<Val> {
        Some(match ty {
            ValType::I32 => Val::I32(self.bits() as i32),
            ValType::I64 => Val::I64(self.bits() as i64),
            ValType::F32 => Val::F32(self.bits() as u32),
            ValType::F64 => Val::F64(self.bits()),
            ValType::V128 => Val::V128(u128::from(self.bits()) << 64 | u128::from(self.bits())),
            ValType::FUNCREF if !self.funcs.is_empty() => {
                let at = self.next() as usize % self.funcs.len();
                Val::FuncRef(Some(self.funcs[at]))
            }
            other => return Val::default_of(other),
        })
    }
}

/// What a call or an instantiation came to.
#[derive(PartialEq, Debug)]
enum End {
    Values(Vec<Seen>),
    /// Kind and frames (function and byte offset).
    Trap(TrapKind, Vec<(u32, u32)>),
    /// What it is and the frames, likewise.
    Exception(String, Vec<(u32, u32)>),
    Limit(String),
}

impl End {
    fn of(error: &Error) -> End {
        if let Some(trap) = error.trap() {
            let frames = trap.frames();
            let mut frames: Vec<(u32, u32)> = frames.iter().map(|f| (f.func, f.offset)).collect();
            // A frame that did not fit stands before its first operation, which fuel is one of.
            if let (TrapKind::StackExhausted, [(_, offset), ..]) = (trap.kind(), &mut frames[..]) {
                *offset = 0;
            }
            return End::Trap(trap.kind(), frames);
        }
        if let Some(exception) = error.exception() {
            let frames = exception.frames();
            let frames = frames.iter().map(|f| (f.func, f.offset)).collect();
            return End::Exception(error.to_string(), frames);
        }
        match error.kind() {
            ErrorKind::Limit => End::Limit(error.to_string()),
            _ => panic!("a valid module with fitting imports: {error}"),
        }
    }

    fn is(&self, kind: TrapKind) -> bool {
        matches!(self, End::Trap(found, _) if *found == kind)
    }
}

/// A value, comparable between stores.
#[derive(PartialEq, Debug)]
enum Seen {
    Bits(u128),
    F32(u32),
    F64(u64),
    Func(Option<FuncType>),
    Extern(String),
    /// Whether it is no null: engines number their exceptions as they like.
    Exn(bool),
}

impl Seen {
    fn new(store: &Store<Host>, value: &Val) -> Seen {
        match value {
            Val::I32(x) => Seen::Bits(u128::from(*x as u32)),
            Val::I64(x) => Seen::Bits(u128::from(*x as u64)),
            Val::F32(bits) => Seen::F32(*bits),
            Val::F64(bits) => Seen::F64(*bits),
            Val::V128(bits) => Seen::Bits(*bits),
            Val::FuncRef(func) => Seen::Func(func.map(|func| func.ty(store).expect("own store"))),
            Val::ExternRef(value) => Seen::Extern(format!("{value:?}")),
            Val::ExnRef(value) => Seen::Exn(value.is_some()),
        }
    }
}

/// A finished run: the ends in order, each with the fuel left, and the store as it is afterwards.
struct Run {
    steps: Vec<(End, Option<u64>)>,
    store: Store<Host>,
    instance: Option<Instance>,
}

/// Runs `bytes` on both dispatch back ends, with fuel and without, and panics where they differ. Gives
/// whether the module was accepted.
pub fn compare(bytes: &[u8], seed: u64) -> bool {
    let load = |fuel, dispatch| {
        let config = Config::new().features(FEATURES).fuel(fuel).dispatch(dispatch);
        let engine = Engine::new(&config);
        Module::new(&engine, bytes).map(|module| (engine, module))
    };
    let Ok((engine, module)) = load(true, Dispatch::Threaded) else { return false };
    let Some(first) = run(&engine, &module, seed, usize::MAX) else { return true };
    let all = first.steps.len();
    // Without fuel only as many steps are safe as ended with fuel.
    let safe = first.steps.iter().take_while(|(end, _)| !end.is(TrapKind::OutOfFuel)).count();
    for (fuel, dispatch, steps) in [(true, Dispatch::Loop, all), (false, Dispatch::Threaded, safe)]
    {
        if steps == 0 {
            continue;
        }
        let (engine, module) = load(fuel, dispatch).expect("accepted before");
        let other = run(&engine, &module, seed, steps).expect("had its imports before");
        for (step, (a, b)) in first.steps.iter().zip(&other.steps).enumerate() {
            assert_eq!(a.0, b.0, "step {step}: threaded with fuel, {dispatch:?} with {fuel}");
            if fuel {
                assert_eq!(a.1, b.1, "step {step}: fuel left");
            }
        }
        if steps == all {
            assert_eq!(all, other.steps.len());
            same_state(&first, &other);
        }
    }
    true
}

/// Instantiates and calls exports in order, at most `steps` of both together. `None` when the host cannot
/// make the imports.
fn run(engine: &Engine, module: &Module, seed: u64, steps: usize) -> Option<Run> {
    let mut store = Store::new(engine, Host { random: seed, ..Host::default() });
    store.set_limits(StoreLimits {
        memory_bytes: LIMITS.0,
        table_elements: LIMITS.1,
        stack_bytes: 1 << 16,
        ..StoreLimits::default()
    });
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
            run.note(End::of(&error));
            return Some(run);
        }
    }
    run.note(End::Values(Vec::new()));
    run.call_exports(steps);
    Some(run)
}

impl Run {
    fn refuel(&mut self) {
        if self.store.engine().counts_fuel() {
            self.store.set_fuel(FUEL).expect("the engine counts fuel");
        }
    }

    fn note(&mut self, end: End) {
        self.steps.push((end, self.store.fuel()));
    }

    fn exports(&self) -> Vec<Extern> {
        let exports = self.instance.map(|instance| instance.exports(&self.store));
        let exports = exports.map(|exports| exports.expect("own store")).unwrap_or_default();
        exports.into_iter().map(|(_, entity)| entity).collect()
    }

    fn call_exports(&mut self, steps: usize) {
        let exports = self.exports();
        let funcs: Vec<Func> = exports.iter().filter_map(|entity| entity.func()).collect();
        self.store.data_mut().memories = exports.iter().filter_map(|e| e.memory()).collect();
        self.store.data_mut().funcs.clone_from(&funcs);
        for func in funcs.into_iter().take(CALLS) {
            if self.steps.len() == steps {
                break;
            }
            self.refuel();
            let Some(end) = call(&mut self.store, func) else { continue };
            self.note(end);
        }
    }
}

/// Calls a function with values of the host's choice; `None` when it has none.
fn call(store: &mut Store<Host>, func: Func) -> Option<End> {
    let ty = func.ty(&*store).expect("own store");
    let args: Vec<Val> =
        ty.params.iter().map(|ty| store.data_mut().value(*ty)).collect::<Option<_>>()?;
    let mut results = vec![Val::I32(0); ty.results.len()];
    Some(match func.call(&mut *store, &args, &mut results) {
        Ok(()) => End::Values(results.iter().map(|value| Seen::new(store, value)).collect()),
        Err(error) => End::of(&error),
    })
}

fn import_of(store: &mut Store<Host>, ty: ExternType) -> Option<Extern> {
    Some(match ty {
        ExternType::Func(ty) => {
            let results = ty.results.clone();
            let host = move |caller: Caller<'_, Host>, _: &[Val], out: &mut [Val]| {
                host_function(caller, &results, out)
            };
            Func::new(store, ty, host).ok()?.into()
        }
        ExternType::Memory(ty) => Memory::new(store, ty).ok()?.into(),
        ExternType::Table(ty) => {
            let init = Val::default_of(ValType::Ref(ty.element))?;
            Table::new(store, ty, init).ok()?.into()
        }
        ExternType::Global(ty) => {
            let value = store.data_mut().value(ty.value)?;
            Global::new(store, ty, value).ok()?.into()
        }
        ExternType::Tag(ty) => Tag::new(store, ty).ok()?.into(),
    })
}

/// What every imported function does: something to the guest's state, then results.
fn host_function(mut caller: Caller<'_, Host>, types: &[ValType], out: &mut [Val]) -> Result<()> {
    let choice = caller.data_mut().next();
    let memories = caller.data().memories.len();
    match choice % 16 {
        0 => return Err(Error::trap_of(TrapKind::Unreachable)),
        1..=3 if memories > 0 => {
            let memory = caller.data().memories[(choice >> 8) as usize % memories];
            // The memory may be at its limit.
            let _ = memory.grow(&mut caller, 1);
        }
        4..=6 if memories > 0 => {
            let memory = caller.data().memories[(choice >> 8) as usize % memories];
            let bytes = memory.data_mut(&mut caller)?;
            if !bytes.is_empty() {
                let at = (choice >> 16) as usize % bytes.len().min(1 << 10);
                bytes[at] ^= choice as u8;
            }
        }
        7..=10 if caller.data().depth < REENTRIES => reenter(&mut caller, choice)?,
        _ => {}
    }
    for (value, ty) in out.iter_mut().zip(types) {
        if let Some(chosen) = caller.data_mut().value(*ty) {
            *value = chosen;
        }
    }
    Ok(())
}

/// Calls the guest from within a host call. Half of the traps inside stop the outer guest too; all do that
/// an engine without fuel would not have.
fn reenter(caller: &mut Caller<'_, Host>, choice: u64) -> Result<()> {
    let funcs = caller.data().funcs.len();
    if funcs == 0 {
        return Ok(());
    }
    let func = caller.data().funcs[(choice >> 8) as usize % funcs];
    let ty = func.ty(&*caller)?;
    let args = ty.params.iter().map(|ty| caller.data_mut().value(*ty));
    let Some(args) = args.collect::<Option<Vec<Val>>>() else { return Ok(()) };
    let mut results = vec![Val::I32(0); ty.results.len()];
    caller.data_mut().depth += 1;
    let result = func.call(&mut *caller, &args, &mut results);
    caller.data_mut().depth -= 1;
    let Err(error) = result else { return Ok(()) };
    let kind = error.trap().map(|trap| trap.kind());
    match kind {
        Some(kind) if kind != TrapKind::OutOfFuel && choice & 1 << 40 != 0 => Ok(()),
        _ => Err(error),
    }
}

/// Compares all exported state.
fn same_state(a: &Run, b: &Run) {
    assert_eq!(a.store.refused_grows(), b.store.refused_grows(), "refused grows");
    assert_eq!(a.store.memory_bytes(), b.store.memory_bytes(), "size of memories");
    for (index, (x, y)) in a.exports().into_iter().zip(b.exports()).enumerate() {
        match (x, y) {
            (Extern::Memory(x), Extern::Memory(y)) => {
                let (x, y) = (x.data(&a.store), y.data(&b.store));
                assert!(x.expect("own store") == y.expect("own store"), "export {index}: memory");
            }
            (Extern::Global(x), Extern::Global(y)) => {
                let (x, y) = (x.get(&a.store), y.get(&b.store));
                let x = Seen::new(&a.store, &x.expect("own store"));
                assert_eq!(
                    x,
                    Seen::new(&b.store, &y.expect("own store")),
                    "export {index}: global"
                );
            }
            (Extern::Table(x), Extern::Table(y)) => {
                let elements = |run: &Run, table: Table| -> Vec<Seen> {
                    let size = table.size(&run.store).expect("own store");
                    let element = |i| table.get(&run.store, i).expect("own store");
                    (0..size).filter_map(element).map(|v| Seen::new(&run.store, &v)).collect()
                };
                assert_eq!(elements(a, x), elements(b, y), "export {index}: table");
            }
            _ => {}
        }
    }
}

//! Random programs, run by the engine with both dispatch back ends, with and without fuel, and by a naive
//! evaluator: results, traps, globals and memory must agree. What differs names the seed. More programs
//! than the usual few are run with `LITHE_RANDOM_PROGRAMS=N`.

mod evaluate;
mod generate;
mod ops;
mod program;

use lithe::{Config, Dispatch, Engine, Linker, Module, Store, Val, ValType};

use evaluate::{Machine, Stop};
use program::{Program, Ty};

/// How many programs are run unless asked otherwise.
const PROGRAMS: u64 = 150;
/// Calls of each function of a program.
const CALLS: usize = 4;
/// More fuel than the evaluator has steps.
const FUEL: u64 = 1 << 40;

/// What a run gave: for each call its results or its trap, then the globals, the memory, and the fuel used.
#[derive(PartialEq, Debug)]
struct Trace {
    calls: Vec<Result<Vec<u128>, String>>,
    globals: Vec<u128>,
    memory: Vec<u8>,
}

/// The calls of a program: function and arguments.
type Calls = Vec<(usize, Vec<u128>)>;

#[test]
fn random_programs_agree_with_the_evaluator() {
    let count = std::env::var("LITHE_RANDOM_PROGRAMS").ok().and_then(|n| n.parse().ok());
    for seed in 0..count.unwrap_or(PROGRAMS) {
        let (program, mut random) = generate::program(seed);
        let text = program.text();
        let (calls, expected) = evaluate_all(&program, &mut random);
        let mut fuel = Vec::new();
        for dispatch in [Dispatch::Auto, Dispatch::Loop] {
            for counted in [false, true] {
                let config = Config::new().dispatch(dispatch).fuel(counted);
                let (found, used) = run(&config, counted, &text, &calls);
                fuel.extend(used);
                for (i, pair) in found.calls.iter().zip(&expected.calls).enumerate() {
                    let call = &calls[i];
                    assert_eq!(pair.0, pair.1, "seed {seed}, {dispatch:?}, {call:?}\n{text}");
                }
                let agree = found == expected;
                assert!(agree, "seed {seed}, {dispatch:?}: globals or memory differ\n{text}");
            }
        }
        assert_eq!(fuel[0], fuel[1], "seed {seed}: the back ends use different fuel\n{text}");
    }
}

/// Evaluates every function some times. Calls that take too long are left out, with their effects.
fn evaluate_all(program: &Program, random: &mut generate::Random) -> (Calls, Trace) {
    let mut machine = Machine::new(program);
    let (mut calls, mut outcomes) = (Calls::new(), Vec::new());
    for index in 0..program.funcs.len() {
        for _ in 0..CALLS {
            let params = program.funcs[index].params.iter();
            let args: Vec<u128> = params.map(|ty| random.value(*ty)).collect();
            let before = machine.clone();
            let outcome = match machine.call(index, &args) {
                Ok(results) => Ok(results),
                Err(Stop::Trap(words)) => Err(words.into()),
                Err(Stop::Steps) => {
                    machine = before;
                    continue;
                }
            };
            calls.push((index, args));
            outcomes.push(outcome);
        }
    }
    (calls, Trace { calls: outcomes, globals: machine.globals, memory: machine.memory })
}

fn run(config: &Config, counted: bool, text: &str, calls: &Calls) -> (Trace, Option<u64>) {
    let engine = Engine::new(config);
    let module = Module::new(&engine, text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut store = Store::new(&engine, ());
    if counted {
        store.set_fuel(FUEL).unwrap();
    }
    let instance = Linker::new(&engine).instantiate(&mut store, &module).unwrap();
    let mut outcomes = Vec::new();
    for (index, args) in calls {
        let func = instance.func(&store, &format!("f{index}")).unwrap();
        let ty = func.ty(&store).unwrap();
        let args: Vec<Val> = args.iter().zip(&ty.params).map(|(x, ty)| value(*ty, *x)).collect();
        let mut results = vec![Val::I32(0); ty.results.len()];
        let outcome = func.call(&mut store, &args, &mut results);
        outcomes.push(match outcome {
            Ok(()) => Ok(results.iter().map(bits).collect()),
            Err(error) => match error.trap() {
                Some(trap) => Err(trap.kind().spec_text().into()),
                None => panic!("{error}\n{text}"),
            },
        });
    }
    let global = |i| instance.global(&store, &format!("g{i}")).unwrap().get(&store).unwrap();
    let globals = (0..Ty::ALL.len()).map(|i| bits(&global(i))).collect();
    let memory = instance.memory(&store, "memory").unwrap().data(&store).unwrap().to_vec();
    (Trace { calls: outcomes, globals, memory }, store.fuel())
}

fn value(ty: ValType, bits: u128) -> Val {
    match ty {
        ValType::I32 => Val::I32(bits as i32),
        ValType::I64 => Val::I64(bits as i64),
        ValType::F64 => Val::F64(bits as u64),
        _ => Val::V128(bits),
    }
}

fn bits(value: &Val) -> u128 {
    match value {
        Val::I32(x) => u128::from(*x as u32),
        Val::I64(x) => u128::from(*x as u64),
        Val::F64(bits) => u128::from(*bits),
        Val::V128(bits) => *bits,
        other => panic!("{other:?} is of no type that programs have"),
    }
}

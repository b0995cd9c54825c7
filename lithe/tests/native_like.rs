//! Native code ends like the interpreter, as far as embedders can see: with the same trap at the same place, and the
//! same fuel left. What the fuzzer found to differ; cases that a script can show are among those of the crate
//! `spec-tests`.

use lithe::{Config, Engine, Instance, Module, Store, Val};

mod ways;

/// A module, and the arguments that its export `f` is called with.
const CASES: &[(&str, &[i32])] = &[
    // The end of a try block without clauses, or with clauses for what is never thrown.
    (
        "(func (export \"f\") (param i32) (try_table (drop (i32.load (local.get 0)))) (nop)
        (drop (i32.load (local.get 0))) (drop (i32.const 1)))",
        &[0, -1],
    ),
    (
        "(func (export \"f\") (param i32)
        (block $out (try_table (catch_all $out) (drop (i32.load (local.get 0))))
          (drop (i32.const 1)) (drop (i32.load (local.get 0))) (drop (i32.const 2)))
        (drop (i32.load (local.get 0))) (drop (i32.const 3)))",
        &[0, -1],
    ),
    (
        "(func (export \"f\") (param i32)
        (loop $again (block $out (try_table (catch_all $out) (catch_all 1) (br 0)) (nop))
          (local.set 0 (i32.add (local.get 0) (i32.const -1))) (br_if $again (local.get 0))))",
        &[1, 100, -1],
    ),
    // The same with the withdrawn encoding, where nothing of the body throws.
    (
        "(func (export \"f\") (param i32)
        try (drop (i32.load (local.get 0))) catch $t br 0 catch_all nop end
        (drop (i32.load (local.get 0))) (drop (i32.const 3)))",
        &[0, -1],
    ),
    (
        "(func (export \"f\") (param i32)
        (block $out try (drop (i32.const 1)) catch_all br $out end (drop (i32.const 2)))
        (drop (i32.load (local.get 0))) (drop (i32.const 3)))",
        &[0, -1],
    ),
    // A branch to a block that has nothing but a trap.
    ("(func (export \"f\") (param i32) (if (local.get 0) (then unreachable)) (nop))", &[0, 1]),
    (
        "(func (export \"f\") (param i32)
        (if (local.get 0) (then (drop (i32.load (local.get 0)))) (else unreachable)))",
        &[0, -1],
    ),
    ("(func (export \"f\") (param i32) (block (br_table 0 1 (local.get 0))) unreachable)", &[0, 1]),
];

/// Fuel for each call, less than the longest one needs.
const FUEL: u64 = 300;

#[test]
fn traps_and_fuel_are_those_of_the_interpreter() {
    let config = Config::new().fuel(true).features(Engine::SUPPORTED);
    let engines = ways::ways(config);
    for (body, args) in CASES {
        let source = format!("(module (tag $t) (memory 1) {body})");
        for arg in *args {
            let ends = engines.each_ref().map(|engine| end(engine, &source, *arg));
            for end in &ends {
                assert_eq!(*end, ends[0], "{arg}: {source}");
            }
        }
    }
}

/// How `f` ends: the error's text and places, and the fuel that is left.
fn end(engine: &Engine, source: &str, arg: i32) -> (String, Vec<(u32, u32)>, Option<u64>) {
    let module = Module::new(engine, source).unwrap_or_else(|error| panic!("{source}: {error}"));
    let mut store = Store::new(engine, ());
    store.set_fuel(FUEL).unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let f = instance.func(&store, "f").unwrap();
    let (text, frames) = match f.call(&mut store, &[Val::I32(arg)], &mut []) {
        Ok(()) => (String::new(), Vec::new()),
        Err(error) => {
            let frames = error.trap().unwrap().frames();
            (error.to_string(), frames.iter().map(|f| (f.func, f.offset)).collect())
        }
    };
    (text, frames, store.fuel())
}

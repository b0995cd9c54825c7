//! Native code ends like the interpreter, as far as embedders can see: with the same trap at the same place, and the
//! same fuel left. What the fuzzer found to differ; cases that a script can show are among those of the crate
//! `spec-tests`.

use lithe::{Caller, Config, Engine, Func, Instance, Module, Store, Val};

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
                let mut end = end.clone();
                if end.0.contains("out of bounds memory access") && end.2 == Some(0) {
                    // A signal takes a part of the fuel with it.
                    end.2 = ends[0].2;
                }
                assert_eq!(end, ends[0], "{arg}: {source}");
            }
        }
    }
}

/// Every kind of way from region to region, with what ends in each: the argument chooses among them.
const WAYS: &str = r#"(module
  (import "" "host" (func $host (param i32) (result i32)))
  (type $unary (func (param i32) (result i32)))
  (tag $odd (param i32))
  (memory 1)
  (table funcref (elem $inner $throws $host))
  (func $inner (param i32) (result i32)
    (if (result i32) (i32.and (local.get 0) (i32.const 1))
      (then (i32.mul (local.get 0) (i32.const 3)))
      (else (if (i32.and (local.get 0) (i32.const 2)) (then (return (i32.const 4)))) (local.get 0))))
  (func $throws (param i32) (result i32)
    (if (i32.and (local.get 0) (i32.const 1)) (then (throw $odd (local.get 0))))
    (i32.add (local.get 0) (i32.const 1)))
  (func $tail (param i32) (result i32)
    (if (i32.le_s (local.get 0) (i32.const 0)) (then (return (i32.const 7))))
    (return_call $tail (i32.sub (local.get 0) (i32.const 3))))
  (func $switch (param i32) (result i32)
    (block $three (block $two (block $one
      (loop $again
        (br_table $one $two $again $three $two (i32.and (local.tee 0 (i32.add (local.get 0) (i32.const 5))) (i32.const 7)))))
      (nop) (return (i32.const 1)))
      (local.set 0 (i32.add (local.get 0) (i32.const 2)))
      (br_if $three (i32.and (local.get 0) (i32.const 8)))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1))))
    (local.get 0))
  (func $catches (param i32) (result i32)
    (block $caught (result i32)
      (try_table (result i32) (catch $odd $caught)
        (call $throws (i32.add (i32.const 2) (call $throws (local.get 0)))))))
  (func (export "f") (param $n i32) (result i32) (local $sum i32) (local $i i32)
    (block $out (loop $more
      (br_if $out (i32.ge_u (local.get $i) (local.get $n)))
      (local.set $sum (i32.add (local.get $sum) (call $switch (local.get $i))))
      (local.set $sum (i32.add (local.get $sum) (call_indirect (type $unary) (local.get $i)
        (select (i32.const 2) (i32.const 0) (i32.and (local.get $i) (i32.const 8))))))
      (if (i32.and (local.get $i) (i32.const 4))
        (then (local.set $sum (i32.xor (local.get $sum) (call $catches (local.get $i)))))
        (else (br_if 0 (i32.and (local.get $i) (i32.const 16)))
              (local.set $sum (i32.sub (local.get $sum) (call $tail (local.get $i))))))
      (i32.store (i32.and (local.get $sum) (i32.const 0xfff)) (local.get $i))
      (memory.fill (i32.const 8) (local.get $i) (i32.and (local.get $i) (i32.const 31)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $more)))
    (if (i32.eqz (i32.and (local.get $n) (i32.const 3))) (then unreachable))
    (memory.fill (local.get $n) (local.get $i) (i32.const 60000))
    (local.get $sum)))"#;

#[test]
fn fuel_ends_where_it_ends_in_the_interpreter() {
    let engines = ways::ways(Config::new().fuel(true).features(Engine::SUPPORTED));
    let modules = engines.each_ref().map(|engine| Module::new(engine, WAYS).unwrap());
    let budgets = (0..400).chain([5000, (1 << 17) - 1, 1 << 17, (1 << 17) + 1, 3 << 17, 1 << 20]);
    for budget in budgets {
        for arg in [0, 1, 2, 3, 5, 30, 1000, 6000, 20_001, 500_000] {
            if budget < 400 && arg > 30 {
                continue;
            }
            let ends = [0, 1, 2, 3].map(|way| {
                let mut store = Store::new(&engines[way], ());
                store.set_fuel(budget).unwrap();
                let host = Func::wrap(&mut store, |mut caller: Caller<'_, ()>, value: i32| {
                    let left = caller.fuel().unwrap();
                    caller.set_fuel(left.saturating_sub(3)).unwrap();
                    value ^ left as i32
                })
                .unwrap();
                let instance = Instance::new(&mut store, &modules[way], &[host.into()]).unwrap();
                let f = instance.typed_func::<i32, i32>(&store, "f").unwrap();
                let end = f.call(&mut store, arg).map_err(|error| error.to_string());
                (end, store.fuel())
            });
            for end in &ends {
                assert_eq!(*end, ends[0], "{budget} {arg}");
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

//! The parts of the engine by themselves: loading, translating, calling, instantiating and executing. Run by
//! `cargo bench -p lithe-benches`; figures stand in `benches/README.md`.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "criterion's macros define public functions")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lithe::{Caller, Engine, Linker, Module, Result, Store, TypedFunc};

/// A module of real code: a command in C with a part of the C library.
const PROGRAM: &[u8] = include_bytes!("../kernels/mix.wasm");

/// Loops with calls, memory and both kinds of numbers, small enough to run many times.
const KERNELS: &str = r#"
(module
  (import "host" "nothing" (func $nothing))
  (memory (export "memory") 1)
  (func (export "empty"))
  (func (export "host") (call $nothing))
  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                     (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "bytes") (param $n i32) (result i32) (local $at i32) (local $sum i32)
    (loop $next
      (i32.store8 (local.get $at) (i32.add (local.get $sum) (local.get $at)))
      (local.set $sum (i32.xor (local.get $sum) (i32.load8_u (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $n))))
    (local.get $sum))
  (func (export "floats") (param $n i32) (result i32) (local $x f64)
    (loop $next
      (local.set $x (f64.add (f64.mul (local.get $x) (f64.const 0.5)) (f64.const 1.25)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $next (local.get $n)))
    (i32.trunc_sat_f64_s (local.get $x))))
"#;

fn load(c: &mut Criterion) {
    let mut group = c.benchmark_group("load");
    let engine = Engine::default();
    let code = Module::new(&engine, PROGRAM).map(|module| module.sections());
    let bytes = code.into_iter().flatten().find(|s| s.name == "functions").map_or(0, |s| s.bytes);
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("validate", |b| b.iter(|| Module::new(&engine, PROGRAM)));
    let module = Module::new(&engine, PROGRAM).expect("the program is valid");
    let funcs: Vec<u32> = (0..module.functions() as u32).collect();
    group.bench_function("translate and print", |b| {
        b.iter(|| funcs.iter().filter_map(|func| module.disassemble(*func).ok()).count())
    });
    group.finish();
}

fn execute(c: &mut Criterion) {
    let engine = Engine::default();
    let module = Module::new(&engine, KERNELS).expect("the kernels are valid");
    let mut linker: Linker<u64> = Linker::new(&engine);
    linker
        .func_wrap("host", "nothing", |mut caller: Caller<'_, u64>| *caller.data_mut() += 1)
        .expect("defined once");
    let mut store = Store::new(&engine, 0);
    let instance = linker.instantiate(&mut store, &module).expect("every import is defined");

    let mut group = c.benchmark_group("call");
    for name in ["empty", "host"] {
        let func: TypedFunc<(), ()> = instance.typed_func(&store, name).expect("exported");
        group.bench_function(name, |b| b.iter(|| func.call(&mut store, ())));
    }
    group.finish();

    let mut group = c.benchmark_group("execute");
    for (name, n) in [("fib", 20), ("bytes", 10_000), ("floats", 10_000)] {
        let func: TypedFunc<i32, i32> = instance.typed_func(&store, name).expect("exported");
        group.bench_with_input(BenchmarkId::new(name, n), &n, |b, n| {
            b.iter(|| -> Result<i32> { func.call(&mut store, *n) })
        });
    }
    group.finish();

    c.bench_function("instantiate", |b| {
        b.iter(|| {
            let mut store = Store::new(&engine, 0);
            linker.instantiate(&mut store, &module).map(|_| ())
        })
    });
}

criterion_group!(benches, load, execute);
criterion_main!(benches);

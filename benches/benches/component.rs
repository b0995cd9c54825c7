//! Components: calls of the host by a guest, of a guest by the host and by another guest, and instantiating. Run by
//! `cargo bench -p lithe-benches --bench component`.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "criterion's macros define public functions")]

use std::fmt::Write;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lithe::{Config, Engine, Result, Store, StoreLimits, Strategy, Traps};
use lithe_component::{Component, GuestBytes, Instance, Linker, TypedFunc};

/// Calls of the host that a guest makes each time.
const CALLS: u32 = 1000;

/// A guest that calls functions of the host and of another guest in a loop.
const CALLER: &str = r#"(component
  (import "number" (func $number (param "n" u32) (result u32)))
  (import "bytes" (func $bytes (param "list" (list u8)) (result u32)))
  (import "view" (func $view (param "list" (list u8)) (result u32)))
  (component $other
    (core module $m (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))
    (core instance $i (instantiate $m))
    (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f"))))
  (instance $other (instantiate $other))
  (component $caller
    (import "number" (func $number (param "n" u32) (result u32)))
    (import "bytes" (func $bytes (param "list" (list u8)) (result u32)))
    (import "view" (func $view (param "list" (list u8)) (result u32)))
    (import "guest" (func $guest (param "n" u32) (result u32)))
    (core module $memory (memory (export "memory") 1))
    (core instance $memory (instantiate $memory))
    (core func $number (canon lower (func $number)))
    (core func $bytes (canon lower (func $bytes) (memory (core memory $memory "memory"))))
    (core func $view (canon lower (func $view) (memory (core memory $memory "memory"))))
    (core func $guest (canon lower (func $guest)))
    (core module $m
      (import "" "number" (func $number (param i32) (result i32)))
      (import "" "bytes" (func $bytes (param i32 i32) (result i32)))
      (import "" "view" (func $view (param i32 i32) (result i32)))
      (import "" "guest" (func $guest (param i32) (result i32)))
      (func (export "empty") (param i32) (result i32) (local.get 0))
      (func (export "number") (param i32) (result i32) (local $x i32)
        (loop $more
          (local.set $x (call $number (local.get $x)))
          (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get $x))
      (func (export "bytes") (param i32) (result i32) (local $x i32)
        (loop $more
          (local.set $x (i32.add (local.get $x) (call $bytes (i32.const 1000) (i32.const 64))))
          (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get $x))
      (func (export "view") (param i32) (result i32) (local $x i32)
        (loop $more
          (local.set $x (i32.add (local.get $x) (call $view (i32.const 1000) (i32.const 64))))
          (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get $x))
      (func (export "guest") (param i32) (result i32) (local $x i32)
        (loop $more
          (local.set $x (call $guest (local.get $x)))
          (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get $x)))
    (core instance $i (instantiate $m (with "" (instance
      (export "number" (func $number)) (export "bytes" (func $bytes))
      (export "view" (func $view)) (export "guest" (func $guest))))))
    (func (export "empty") (param "n" u32) (result u32) (canon lift (core func $i "empty")))
    (func (export "number") (param "n" u32) (result u32) (canon lift (core func $i "number")))
    (func (export "bytes") (param "n" u32) (result u32) (canon lift (core func $i "bytes")))
    (func (export "view") (param "n" u32) (result u32) (canon lift (core func $i "view")))
    (func (export "guest") (param "n" u32) (result u32) (canon lift (core func $i "guest"))))
  (instance $caller (instantiate $caller
    (with "number" (func $number)) (with "bytes" (func $bytes)) (with "view" (func $view))
    (with "guest" (func $other "f"))))
  (export "empty" (func $caller "empty"))
  (export "number" (func $caller "number"))
  (export "bytes" (func $caller "bytes"))
  (export "view" (func $caller "view"))
  (export "guest" (func $caller "guest")))"#;

fn engines() -> [(&'static str, Engine); 2] {
    let native = Config::new().strategy(Strategy::Native).traps(Traps::Signals);
    [
        ("interpreter", Engine::new(&Config::new().strategy(Strategy::Interpreter))),
        ("native", Engine::new(&native)),
    ]
}

fn caller(engine: &Engine) -> Result<(Store<u64>, Instance)> {
    let component = Component::new(engine, CALLER)?;
    let mut linker: Linker<u64> = Linker::new(engine);
    let mut root = linker.root();
    root.func("number", |mut caller, (n,): (u32,)| {
        *caller.data_mut() += 1;
        Ok(n + 1)
    })?;
    root.func("bytes", |_, (list,): (Vec<u8>,)| Ok(list.len() as u32))?;
    root.func("view", |caller, (list,): (GuestBytes,)| {
        let bytes = list.bytes(&caller)?;
        Ok(bytes.len() as u32 + u32::from(bytes.first().copied().unwrap_or(0)))
    })?;
    let mut store = Store::new(engine, 0);
    let instance = linker.instantiate(&mut store, &component)?;
    Ok((store, instance))
}

fn find(store: &mut Store<u64>, instance: Instance, name: &str) -> Result<Call> {
    instance.func(&mut *store, name)?.typed(store)
}

type Call = TypedFunc<(u32,), u32>;

fn calls(c: &mut Criterion) {
    for (name, engine) in engines() {
        let mut group = c.benchmark_group(format!("component calls, {name}"));
        let (mut store, instance) = caller(&engine).expect("the guest is valid");
        let empty = find(&mut store, instance, "empty").expect("it is exported");
        group.bench_function("host calls guest", |b| b.iter(|| empty.call(&mut store, (1,))));
        group.throughput(Throughput::Elements(CALLS.into()));
        for name in ["number", "bytes", "view", "guest"] {
            let func = find(&mut store, instance, name).expect("it is exported");
            group.bench_function(name, |b| b.iter(|| func.call(&mut store, (CALLS,))));
        }
        group.finish();
    }
}

/// A component with three core modules and as many functions of the host.
fn large(count: usize) -> String {
    let mut text = "(component (core module $memory (memory (export \"memory\") 1)
        (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
        (core instance $memory (instantiate $memory))"
        .to_owned();
    let (mut imports, mut exports) = (String::new(), String::new());
    for i in 0..count {
        write!(
            text,
            "(import \"f{i}\" (func $f{i} (param \"text\" string) (result u32)))
             (core func $f{i} (canon lower (func $f{i}) (memory (core memory $memory \"memory\"))))"
        )
        .expect("a string can be written to");
        imports += &format!("(import \"\" \"f{i}\" (func (param i32 i32) (result i32)))");
        exports += &format!("(export \"f{i}\" (func $f{i}))");
    }
    text + &format!(
        "(core module $adapter {imports} (func (export \"g\") (param i32) (result i32) (local.get 0)))
         (core instance $adapter (instantiate $adapter (with \"\" (instance {exports}))))
         (core module $main (import \"env\" \"memory\" (memory 1)) (import \"adapter\" \"g\" (func (param i32) (result i32)))
           (data (i32.const 0) \"data\") (func (export \"run\") (param i32) (result i32) (local.get 0)))
         (core instance $main (instantiate $main (with \"env\" (instance $memory)) (with \"adapter\" (instance $adapter))))
         (func (export \"run\") (param \"n\" u32) (result u32) (canon lift (core func $main \"run\"))))"
    )
}

fn instantiate(c: &mut Criterion) {
    for (name, engine) in engines() {
        let mut group = c.benchmark_group(format!("component instances, {name}"));
        for count in [0, 60] {
            let component = Component::new(&engine, large(count)).expect("it is valid");
            let mut linker: Linker<()> = Linker::new(&engine);
            for i in 0..count {
                let name = format!("f{i}");
                let func = |_: lithe::Caller<'_, ()>, (text,): (String,)| Ok(text.len() as u32);
                linker.root().func(&name, func).expect("defined once");
            }
            let pre = linker.link(&component).expect("nothing is missing");
            group.bench_function(format!("3 modules, {count} functions"), |b| {
                b.iter(|| pre.instantiate(Store::new(&engine, ())))
            });
            group.bench_function(format!("3 modules, {count} functions, spare memories"), |b| {
                b.iter(|| {
                    let mut store = Store::new(&engine, ());
                    store.set_limits(StoreLimits { spares: 1, ..StoreLimits::default() });
                    pre.instantiate(&mut store)
                })
            });
        }
        group.bench_function("store alone", |b| b.iter(|| Store::new(&engine, ())));
        group.finish();
    }
}

criterion_group!(benches, calls, instantiate);
criterion_main!(benches);

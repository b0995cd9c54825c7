//! Loading artifacts from files, and what instantiating adds. Run by `cargo bench -p lithe-benches --bench artifact`;
//! figures stand in `benches/README.md`.
#![allow(missing_docs, reason = "criterion's macros define public functions")]

use std::fmt::Write;
use std::fs::File;

use criterion::{Criterion, criterion_group, criterion_main};
use lithe::{Compilation, Config, Engine, Linker, Module, Store, Strategy, Traps};

/// A module with so many functions, all of them in a table, and none imported.
fn module(functions: usize) -> String {
    let mut text = format!("(module (memory 1) (table {functions} funcref)");
    for func in 0..functions {
        // Writing to a string does not fail, here and below.
        let _ = write!(
            text,
            "(func $f{func} (param i32 i32) (result i32)
               (i32.add (i32.mul (local.get 0) (i32.const {func})) (i32.load (local.get 1))))"
        );
    }
    text += "(elem (i32.const 0)";
    for func in 0..functions {
        let _ = write!(text, " $f{func}");
    }
    text + "))"
}

fn artifacts(c: &mut Criterion) {
    let config = Config::new().strategy(Strategy::Auto).traps(Traps::Signals);
    let engine = Engine::new(&config);
    let folder = std::env::temp_dir().join(format!("lithe-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a scratch directory");
    for functions in [10, 1_000, 50_000] {
        let module = Module::new(&engine, module(functions)).expect("the module is valid");
        let artifact = module.compile(&Compilation::new()).expect("the module compiles");
        let path = folder.join("artifact");
        std::fs::write(&path, &artifact).expect("a file");
        drop((module, artifact));
        // SAFETY: the file was written by the compiler just now, and only this benchmark knows of it.
        let load = || unsafe {
            let file = File::open(&path).expect("the artifact");
            Module::from_artifact_file(&engine, &file, "").expect("the artifact is good")
        };
        let mut group = c.benchmark_group(format!("{functions} functions"));
        group.bench_function("load", |b| b.iter(load));
        group.bench_function("load and read", |b| b.iter(|| load().has_start()));
        let module = load();
        let linker = Linker::new(&engine);
        group.bench_function("instantiate", |b| {
            b.iter(|| {
                let mut store = Store::new(&engine, ());
                linker.instantiate(&mut store, &module).map(|_| ())
            })
        });
        group.finish();
    }
    let _ = std::fs::remove_dir_all(&folder);
}

criterion_group!(benches, artifacts);
criterion_main!(benches);

//! Loading artifacts from files, and what instantiating adds. Run by `cargo bench -p lithe-benches --bench artifact`,
//! with the paths of other modules in `LITHE_BENCH_MODULES` if they are to be measured as well; figures stand in
//! `benches/README.md`.
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

/// Measures one module.
fn measure(c: &mut Criterion, engine: &Engine, name: &str, module: Module) {
    let folder = std::env::temp_dir().join(format!("lithe-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a scratch directory");
    let artifact = module.compile(&Compilation::new()).expect("the module compiles");
    let path = folder.join("artifact");
    std::fs::write(&path, &artifact).expect("a file");
    let megabytes = artifact.len() as f64 / 1e6;
    drop((module, artifact));
    // SAFETY: the file was written by the compiler just now, and only this benchmark knows of it.
    let load = || unsafe {
        let file = File::open(&path).expect("the artifact");
        Module::from_artifact_file(engine, &file, None, "").expect("the artifact is good")
    };
    let mut group = c.benchmark_group(format!("{name}, {megabytes:.1} MB"));
    group.bench_function("load", |b| b.iter(load));
    group.bench_function("load and read", |b| b.iter(|| load().has_start()));
    let module = load();
    let linker = Linker::new(engine);
    let instantiate = || {
        let mut store = Store::new(engine, ());
        linker.instantiate(&mut store, &module).map(|_| ())
    };
    // Programs want imports.
    if instantiate().is_ok() {
        group.bench_function("instantiate", |b| b.iter(instantiate));
    }
    group.finish();
    let _ = std::fs::remove_dir_all(&folder);
}

fn artifacts(c: &mut Criterion) {
    let config = Config::new().strategy(Strategy::Auto).traps(Traps::Signals);
    let engine = Engine::new(&config);
    for functions in [10, 1_000, 50_000] {
        let module = Module::new(&engine, module(functions)).expect("the module is valid");
        measure(c, &engine, &format!("{functions} functions"), module);
    }
    // Any others, such as SQLite from `programs/build.sh`.
    let others = std::env::var_os("LITHE_BENCH_MODULES").unwrap_or_default();
    for path in std::env::split_paths(&others) {
        let bytes = std::fs::read(&path).expect("a module of LITHE_BENCH_MODULES");
        let module = Module::new(&engine, bytes).expect("the module is valid");
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        measure(c, &engine, &name, module);
    }
}

criterion_group!(benches, artifacts);
criterion_main!(benches);

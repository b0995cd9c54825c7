//! Random modules of Binaryen's generator (`fuzz/ttf`): every call prints what it prints in Wasmtime and ends in the
//! same way, on both dispatch back ends and when every allocation collects garbage.

use std::fs;
use std::path::{Path, PathBuf};

use lithe::{
    Caller, Config, Dispatch, Engine, Extern, Features, Linker, Module, Result, Store, StoreLimits,
};

/// What `fuzz/peers.py` writes with `--expected`: for each call a line `# MODULE FUNCTION`, the printed lines, and
/// `= END`.
const EXPECTED: &str = include_str!("../../fuzz/ttf/expected.txt");

/// As in `fuzz/peers.py`.
const BYTES: usize = 64 << 20;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/ttf")
}

fn load(engine: &Engine, path: PathBuf) -> Module {
    let bytes = fs::read(&path).unwrap();
    Module::new(engine, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the imports of all modules are.
struct Support {
    fuzzing: Module,
    externs: Module,
}

/// Calls a function of a module in a store of its own; gives what was printed and how it ended.
fn call(support: &Support, module: &Module, name: &str, stress: bool) -> String {
    let engine = module.engine();
    let mut store = Store::new(engine, String::new());
    store.set_limits(StoreLimits {
        memory_bytes: BYTES,
        heap_bytes: BYTES,
        table_elements: 1000,
        ..StoreLimits::default()
    });
    store.collect_always(stress);
    let result = (|| {
        let mut linker = Linker::new(engine);
        linker.func_wrap("wasi_snapshot_preview1", "fd_write", print)?;
        let fuzzing = linker.instantiate(&mut store, &support.fuzzing)?;
        let externs = linker.instantiate(&mut store, &support.externs)?;
        linker.instance(&mut store, "fuzzing-support", fuzzing)?;
        linker.instance(&mut store, "__fuzz_import", externs)?;
        let instance = linker.instantiate(&mut store, module)?;
        instance.typed_func::<(), ()>(&store, name)?.call(&mut store, ())
    })();
    let end = match result {
        Ok(()) => "returned",
        Err(error) => match error.trap() {
            Some(trap) => trap.kind().message().trim_start_matches("undefined element: "),
            None if error.exception().is_some() => "thrown Wasm exception",
            None => panic!("{name}: {error}"),
        },
    };
    format!("{}= {end}\n", store.into_data())
}

/// `fd_write` as `support.wat` calls it: with one buffer.
fn print(
    mut caller: Caller<'_, String>,
    _fd: i32,
    buffers: i32,
    _count: i32,
    _written: i32,
) -> Result<i32> {
    let Some(Extern::Memory(memory)) = caller.export("memory") else { panic!("no memory") };
    let word = |at: usize| {
        let mut word = [0; 4];
        memory.read(&caller, at, &mut word).map(|()| u32::from_le_bytes(word) as usize)
    };
    let (start, len) = (word(buffers as usize)?, word(buffers as usize + 4)?);
    let mut text = vec![0; len];
    memory.read(&caller, start, &mut text)?;
    caller.data_mut().push_str(&String::from_utf8_lossy(&text));
    Ok(0)
}

fn all_calls(dispatch: Dispatch, stress: bool) {
    let features = Engine::SUPPORTED.difference(Features::LEGACY_EXCEPTIONS);
    let engine = Engine::new(&Config::new().dispatch(dispatch).features(features));
    let support = Support {
        fuzzing: load(&engine, folder().join("support.wat")),
        externs: load(&engine, folder().join("externs.wat")),
    };
    let mut calls = 0;
    for entry in EXPECTED.split("# ").skip(1) {
        let (head, expected) = entry.split_once('\n').unwrap();
        let (file, name) = head.split_once(' ').unwrap();
        let module = load(&engine, folder().join("modules").join(file));
        assert_eq!(call(&support, &module, name, stress), expected, "{head}");
        calls += 1;
    }
    assert!(calls > 100, "only {calls} calls");
}

#[test]
fn random_modules_do_as_in_another_engine() {
    all_calls(Dispatch::Auto, false);
}

#[test]
fn random_modules_do_the_same_in_the_loop() {
    all_calls(Dispatch::Loop, false);
}

#[test]
fn random_modules_do_the_same_when_every_allocation_collects() {
    all_calls(Dispatch::Auto, true);
}

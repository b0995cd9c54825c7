//! Modules as objects, linked and run where they stand.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    fs,
    path::Path,
    process::Command,
};

use lithe::{
    Compilation, Config, Engine, ErrorKind, Instance, LinkedModule, Module, Store, Strategy,
    TrapKind, Traps,
};

unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, symbol: *const c_char) -> *mut c_void;
}

const GUEST: &str = r#"(module $guest
    (memory 1)
    (table 2 funcref)
    (elem (i32.const 0) $double $square)
    (type $unary (func (param i32) (result i32)))
    (func $double (type $unary) (i32.add (local.get 0) (local.get 0)))
    (func $square (type $unary) (i32.mul (local.get 0) (local.get 0)))
    (func (export "apply") (param i32 i32) (result i32)
        (call_indirect (type $unary) (local.get 1) (local.get 0)))
    (func (export "load") (type $unary) (i32.load (local.get 0))))"#;

fn engine(traps: Traps) -> Engine {
    Engine::new(&Config::new().strategy(Strategy::Native).traps(traps))
}

/// A library that was made of an object, and stays loaded.
fn linked(object: &[u8], name: &str) -> &'static LinkedModule {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (object_path, library) = (dir.join(format!("{name}.o")), dir.join(format!("{name}.so")));
    fs::write(&object_path, object).unwrap();
    let linker = Command::new("cc")
        .args(["-shared", "-nostdlib", "-Wl,--fatal-warnings", "-o"])
        .args([&library, &object_path])
        .output()
        .unwrap();
    assert!(linker.status.success(), "{}", String::from_utf8_lossy(&linker.stderr));
    let path = CString::new(library.to_str().unwrap()).unwrap();
    let symbol = CString::new(format!("lithe_{name}")).unwrap();
    symbol_of(&path, &symbol)
}

fn symbol_of(path: &CStr, symbol: &CStr) -> &'static LinkedModule {
    // SAFETY: the library has no code that runs when it is loaded, and is never unloaded.
    unsafe {
        let library = dlopen(path.as_ptr(), 2);
        assert!(!library.is_null());
        dlsym(library, symbol.as_ptr()).cast::<LinkedModule>().as_ref().unwrap()
    }
}

#[test]
fn a_linked_module_runs_where_it_stands() {
    for traps in [Traps::Checks, Traps::Signals] {
        let engine = engine(traps);
        let module = Module::new(&engine, GUEST).unwrap();
        let name = format!("guest_{traps:?}");
        let object = module.compile_object(&Compilation::new(), &name).unwrap();
        drop(module);
        let linked = linked(&object, &name);
        // SAFETY: the object was made just now.
        let module = unsafe { Module::from_linked(&engine, linked, "") }.unwrap();
        assert!(module.native_bytes().is_some_and(|bytes| bytes > 0));
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let apply = instance.typed_func::<(i32, i32), i32>(&mut store, "apply").unwrap();
        assert_eq!(apply.call(&mut store, (0, 21)).unwrap(), 42);
        assert_eq!(apply.call(&mut store, (1, 6)).unwrap(), 36);
        let load = instance.typed_func::<i32, i32>(&mut store, "load").unwrap();
        assert_eq!(load.call(&mut store, 100).unwrap(), 0);
        let error = load.call(&mut store, 65533).unwrap_err();
        let trap = error.trap().unwrap();
        assert_eq!(trap.kind(), TrapKind::MemoryOutOfBounds);
        assert_eq!(trap.frames().len(), 1);
    }
}

#[test]
fn a_linked_module_is_refused_by_an_engine_of_another_kind() {
    let checks = engine(Traps::Checks);
    let module = Module::new(&checks, GUEST).unwrap();
    let object = module.compile_object(&Compilation::new(), "refused").unwrap();
    let linked = linked(&object, "refused");
    // SAFETY: the object was made just now.
    let error = unsafe { Module::from_linked(&engine(Traps::Signals), linked, "") }.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Artifact);
}

#[test]
fn objects_have_names_of_symbols() {
    let module = Module::new(&engine(Traps::Checks), GUEST).unwrap();
    for name in ["", "a-b", "a.b", "a\0"] {
        assert!(module.compile_object(&Compilation::new(), name).is_err());
    }
}

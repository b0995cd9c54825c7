//! Compiles the module to an object, which the program is linked with.

use std::{env, fs, path::Path};

use lithe::{Compilation, Config, Engine, Module, Strategy};

fn main() {
    println!("cargo::rerun-if-changed=src/guest.wat");
    let machine = env::var("CARGO_CFG_TARGET_ARCH").unwrap();
    let object = Path::new(&env::var("OUT_DIR").unwrap()).join("guest.o");
    let engine = Engine::new(&Config::new().strategy(Strategy::Interpreter));
    let module = Module::new(&engine, fs::read("src/guest.wat").unwrap()).unwrap();
    let how = Compilation::new().machine(machine);
    fs::write(&object, module.compile_object(&how, "guest").unwrap()).unwrap();
    println!("cargo::rustc-link-arg-bins={}", object.display());
}

//! Runs a module whose machine code is a part of this program. Nothing is compiled, and no memory is made executable,
//! so this works where a program may not do that.
//!
//! ```text
//! guest.wat --build.rs--> guest.o --linker--> this program
//! ```

use lithe::{Config, Engine, Error, LinkedModule, Linker, Module, Store, Strategy};

unsafe extern "C" {
    /// What `build.rs` made.
    static lithe_guest: LinkedModule;
}

fn main() -> Result<(), Error> {
    let engine = Engine::new(&Config::new().strategy(Strategy::Native));
    // SAFETY: the object was compiled by the same version of Lithe when this program was built.
    let module = unsafe { Module::from_linked(&engine, &lithe_guest, "guest") }?;
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    linker.func_wrap("host", "print", |number: i64| println!("{number}"))?;
    let instance = linker.instantiate(&mut store, &module)?;
    instance.typed_func::<i64, ()>(&mut store, "run")?.call(&mut store, 20)
}

//! The host module `spectest`, which scripts import (specification, `interpreter/README.md`). Its functions
//! print nothing.

use lithe::{
    Error, Features, Global, GlobalType, Limits, Linker, Memory, MemoryType, RefType, Store, Table,
    TableType, Val, ValType,
};

const NAME: &str = "spectest";

/// Base-2 logarithm of the ordinary page size.
const PAGE_LOG2: u8 = 16;

/// Defines the module `spectest`.
pub(crate) fn define(linker: &mut Linker<()>, store: &mut Store<()>) -> Result<(), Error> {
    linker
        .func_wrap(NAME, "print", || {})?
        .func_wrap(NAME, "print_i32", |_: i32| {})?
        .func_wrap(NAME, "print_i64", |_: i64| {})?
        .func_wrap(NAME, "print_f32", |_: f32| {})?
        .func_wrap(NAME, "print_f64", |_: f64| {})?
        .func_wrap(NAME, "print_i32_f32", |_: i32, _: f32| {})?
        .func_wrap(NAME, "print_f64_f64", |_: f64, _: f64| {})?;

    let globals = [
        ("global_i32", ValType::I32, Val::from(666i32)),
        ("global_i64", ValType::I64, Val::from(666i64)),
        ("global_f32", ValType::F32, Val::from(666.6f32)),
        ("global_f64", ValType::F64, Val::from(666.6f64)),
    ];
    for (name, value, init) in globals {
        let global = Global::new(&mut *store, GlobalType { value, mutable: false }, init)?;
        linker.define(NAME, name, global)?;
    }

    for (name, is64) in [("table", false), ("table64", true)] {
        let limits = Limits { min: 10, max: Some(20) };
        let ty = TableType { element: RefType::FUNCREF, limits, is64 };
        let table = Table::new(&mut *store, ty, Val::FuncRef(None))?;
        linker.define(NAME, name, table)?;
    }

    for (name, shared) in [("memory", false), ("shared_memory", true)] {
        if shared && !store.engine().features().contains(Features::THREADS) {
            continue;
        }
        let limits = Limits { min: 1, max: Some(2) };
        let ty = MemoryType { limits, is64: false, shared, page_log2: PAGE_LOG2 };
        linker.define(NAME, name, Memory::new(&mut *store, ty)?)?;
    }
    Ok(())
}

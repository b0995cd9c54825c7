//! Types that the host makes up. Modules bring types that are proven valid; these are checked here, before
//! anything is created. Called by the constructors of entities.

use lithe_types::{Features, FuncType, Limits, MemoryType, TableType, ValType};

use crate::{Engine, Error, Result, store::StoreInner};

/// Parameters or results of a function, as many as a module may declare.
const MAX_VALUES: usize = 1000;

fn bounds(limits: Limits, most: u64, what: &str) -> Result<()> {
    let max = limits.max.unwrap_or(most);
    if limits.min > max {
        return Err(Error::usage(format!("the {what}'s minimum is larger than its maximum")));
    }
    if max > most {
        return Err(Error::usage(format!("a {what} of this type has a size of at most {most}")));
    }
    Ok(())
}

/// Checks the type of a memory for an engine.
pub(crate) fn memory_type(ty: &MemoryType, engine: &Engine) -> Result<()> {
    if ty.shared && !engine.features().contains(Features::THREADS) {
        return Err(Error::usage("the engine's features do not include threads"));
    }
    if ty.page_log2 != 0 && ty.page_log2 != 16 {
        return Err(Error::usage("a memory's pages have 1 or 65536 bytes"));
    }
    if ty.shared && ty.limits.max.is_none() {
        return Err(Error::usage("a shared memory needs a maximum"));
    }
    let bytes: u128 = if ty.is64 { 1 << 64 } else { 1 << 32 };
    let pages =
        (bytes >> ty.page_log2).min(if ty.is64 { u64::MAX.into() } else { u32::MAX.into() });
    bounds(ty.limits, pages as u64, "memory")
}

/// Checks the type of a table.
pub(crate) fn table_type<T>(ty: &TableType, store: &StoreInner<T>) -> Result<()> {
    value_type(ValType::Ref(ty.element), store)?;
    bounds(ty.limits, if ty.is64 { u64::MAX } else { u32::MAX.into() }, "table")
}

/// Checks a value type.
pub(crate) fn value_type<T>(ty: ValType, store: &StoreInner<T>) -> Result<()> {
    match store.rt.registry().knows(ty) {
        true => Ok(()),
        false => Err(Error::usage(format!("the type {ty} refers to a type that does not exist"))),
    }
}

/// Checks a function type.
pub(crate) fn func_type<T>(ty: &FuncType, store: &StoreInner<T>) -> Result<()> {
    if ty.params.len() > MAX_VALUES || ty.results.len() > MAX_VALUES {
        let message = format!("a function has at most {MAX_VALUES} parameters and as many results");
        return Err(Error::usage(message));
    }
    ty.params.iter().chain(&ty.results).try_for_each(|ty| value_type(*ty, store))
}

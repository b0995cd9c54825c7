//! `wasi:random`. Invariant: what a guest asks for at a time is limited, and numbers that need not be secure are secure
//! all the same.

use lithe::{Error, ErrorKind, Result};
use lithe_component::Linker;

use crate::p2::{P2, View, failed, interface};

/// Random bytes that one call gives at most.
pub const MAX_RANDOM_BYTES: u64 = 64 << 20;

fn bytes(p2: &mut P2, len: u64) -> Result<Vec<u8>> {
    if len > MAX_RANDOM_BYTES {
        let words = format!("{len} random bytes at a time; {MAX_RANDOM_BYTES} are the most");
        return Err(Error::new(ErrorKind::Limit, words));
    }
    let mut bytes = vec![0; len as usize];
    p2.ctx.source.fill(&mut bytes, p2.ctx.deadline).map_err(failed)?;
    Ok(bytes)
}

fn number(p2: &mut P2) -> Result<u64> {
    let mut bytes = [0; 8];
    p2.ctx.source.fill(&mut bytes, p2.ctx.deadline).map_err(failed)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Defines the interfaces of `wasi:random`.
pub fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    for (name, get_bytes, get_number) in [
        ("random/random", "get-random-bytes", "get-random-u64"),
        ("random/insecure", "get-insecure-random-bytes", "get-insecure-random-u64"),
    ] {
        let mut random = linker.instance(&interface(name));
        random.func(get_bytes, |mut cx, (len,): (u64,)| bytes(cx.data_mut().p2(), len))?;
        random.func(get_number, |mut cx, (): ()| number(cx.data_mut().p2()))?;
    }
    let mut seed = linker.instance(&interface("random/insecure-seed"));
    seed.func("insecure-seed", |mut cx, (): ()| {
        let p2 = cx.data_mut().p2();
        Ok((number(p2)?, number(p2)?))
    })?;
    Ok(())
}

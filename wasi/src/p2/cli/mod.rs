//! `wasi:cli`: arguments, environment, the end of the program, standard streams and whether they are terminals.
//! Invariant: a guest is told nothing that its grants do not name. Text that is not UTF-8 gets to it with U+FFFD in place
//! of what cannot be told.

mod stdio;
mod terminal;

use lithe::{Error, Result};
use lithe_component::Linker;

use crate::p2::{View, interface};

pub(crate) use stdio::standard_error;

/// Defines the interfaces of `wasi:cli`.
pub fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    let mut environment = linker.instance(&interface("cli/environment"));
    environment.func("get-environment", |mut cx, (): ()| {
        let variable = |variable: &Vec<u8>| {
            let at = variable.iter().position(|byte| *byte == b'=').unwrap_or(variable.len());
            let (name, value) = variable.split_at(at);
            (text(name), text(value.get(1..).unwrap_or_default()))
        };
        Ok(cx.data_mut().p2().ctx.env.iter().map(variable).collect::<Vec<_>>())
    })?;
    environment.func("get-arguments", |mut cx, (): ()| {
        Ok(cx.data_mut().p2().ctx.args.iter().map(|arg| text(arg)).collect::<Vec<_>>())
    })?;
    environment.func("initial-cwd", |_, (): ()| Ok(None::<String>))?;

    let mut exit = linker.instance(&interface("cli/exit"));
    exit.func("exit", |_, (status,): (std::result::Result<(), ()>,)| -> Result<()> {
        Err(Error::exit(status.is_err().into()))
    })?;
    exit.func("exit-with-code", |_, (code,): (u8,)| -> Result<()> {
        Err(Error::exit(code.into()))
    })?;

    stdio::add_to_linker(linker)?;
    terminal::add_to_linker(linker)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

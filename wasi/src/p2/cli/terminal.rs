//! `wasi:cli/terminal-*`: whether standard streams are terminals. Invariant: a stream that the guest was not given is
//! none.

use std::io::IsTerminal;

use lithe::Result;
use lithe_component::{Linker, Resource};

use crate::descriptor::Object;
use crate::p2::{P2, View, interface};

/// `wasi:cli/terminal-input.terminal-input`
struct TerminalInput;
/// `wasi:cli/terminal-output.terminal-output`
struct TerminalOutput;

/// A resource for a standard stream that is a terminal.
fn terminal<R: Send + 'static>(
    p2: &mut P2,
    number: u32,
    resource: R,
) -> Result<Option<Resource<R>>> {
    let is_terminal = p2.ctx.table.get(number).is_ok_and(|descriptor| match &descriptor.object {
        Object::Host(host) => host.inherited_stream().is_some_and(|fd| fd.is_terminal()),
        _ => false,
    });
    is_terminal.then(|| p2.table.push(resource)).transpose()
}

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    let mut input = linker.instance(&interface("cli/terminal-input"));
    input.resource::<TerminalInput>("terminal-input", |mut cx, rep| {
        cx.data_mut().p2().table.remove(Resource::<TerminalInput>::new(rep)).map(drop)
    })?;
    let mut output = linker.instance(&interface("cli/terminal-output"));
    output.resource::<TerminalOutput>("terminal-output", |mut cx, rep| {
        cx.data_mut().p2().table.remove(Resource::<TerminalOutput>::new(rep)).map(drop)
    })?;
    linker
        .instance(&interface("cli/terminal-stdin"))
        .func("get-terminal-stdin", |mut cx, (): ()| {
            terminal(cx.data_mut().p2(), 0, TerminalInput)
        })?;
    linker
        .instance(&interface("cli/terminal-stdout"))
        .func("get-terminal-stdout", |mut cx, (): ()| {
            terminal(cx.data_mut().p2(), 1, TerminalOutput)
        })?;
    linker
        .instance(&interface("cli/terminal-stderr"))
        .func("get-terminal-stderr", |mut cx, (): ()| {
            terminal(cx.data_mut().p2(), 2, TerminalOutput)
        })?;
    Ok(())
}

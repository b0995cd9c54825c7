//! `wasi:cli/stdin`, `stdout` and `stderr`. Invariant: every stream that a guest asks for is the same one, so what one
//! reads another does not read again.

use std::sync::Arc;

use lithe::{Error, Result};
use lithe_component::{Linker, Resource};

use crate::descriptor::{Class, Descriptor, Object, lock};
use crate::p2::io::{
    HostInput, HostOutput, Input, InputStream, Output, OutputStream, StreamFailure, StreamResult,
};
use crate::p2::{P2, Readiness, View, WaitFd, failed, interface};
use crate::{Ctx, Errno, OutputPipe};

/// What a pipe to the host, or nowhere, takes at a time.
const PIECE: usize = 1 << 20;

/// Bytes that the host gives.
struct Given(Arc<Descriptor>);

impl InputStream for Given {
    fn read(&mut self, max: usize) -> StreamResult<Vec<u8>> {
        let Object::Bytes { bytes, read } = &self.0.object else {
            return Err(StreamFailure::Closed);
        };
        let mut read = lock(read);
        let rest = &bytes[*read..];
        if rest.is_empty() {
            return Err(StreamFailure::Closed);
        }
        let piece = &rest[..rest.len().min(max)];
        *read += piece.len();
        Ok(piece.to_vec())
    }

    fn readiness(&mut self) -> Readiness {
        Readiness::Ready
    }
}

/// Bytes that the host takes.
struct Taken(OutputPipe);

impl OutputStream for Taken {
    fn check_write(&mut self) -> StreamResult<usize> {
        // A full pipe is an error of the write that does not fit, not of those before.
        Ok(self.0.room().clamp(1, PIECE))
    }

    fn write(&mut self, bytes: &[u8]) -> StreamResult<()> {
        match self.0.append(bytes) == bytes.len() {
            true => Ok(()),
            // Somebody else has filled it meanwhile.
            false => Err(Errno::Nospc.into()),
        }
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn readiness(&mut self) -> Readiness {
        Readiness::Ready
    }
}

/// Where bytes disappear.
struct Discarded;

impl OutputStream for Discarded {
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PIECE)
    }

    fn write(&mut self, _: &[u8]) -> StreamResult<()> {
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn readiness(&mut self) -> Readiness {
        Readiness::Ready
    }
}

fn standard(ctx: &Ctx, number: u32) -> Result<Arc<Descriptor>> {
    ctx.table.get(number).map_err(|errno| failed(errno.into()))
}

fn input(ctx: &Ctx) -> Result<Input> {
    let descriptor = standard(ctx, 0)?;
    match &descriptor.object {
        Object::Host(host) => {
            let fd = host.inherited_stream();
            let fd = fd.ok_or_else(|| Error::usage("standard input is no stream of the host"))?;
            Ok(Input::new(HostInput::new(WaitFd::Inherited(fd), None)))
        }
        _ => Ok(Input::new(Given(descriptor))),
    }
}

/// The stream behind a standard descriptor: of the process, or of the host's own.
enum Sink {
    Host(HostOutput),
    Pipe(Taken),
    Null(Discarded),
}

fn sink(ctx: &Ctx, number: u32) -> Result<Sink> {
    Ok(match &standard(ctx, number)?.object {
        Object::Host(host) => {
            let fd = host.inherited_stream();
            let fd = fd.ok_or_else(|| Error::usage("standard output is no stream of the host"))?;
            let is_file = host.class() == Class::File;
            Sink::Host(HostOutput::new(WaitFd::Inherited(fd), is_file, ctx.deadline, None))
        }
        Object::Pipe(pipe) => Sink::Pipe(Taken(pipe.clone())),
        _ => Sink::Null(Discarded),
    })
}

fn output(p2: &mut P2, number: u32) -> Result<Resource<Output>> {
    let output = match sink(&p2.ctx, number)? {
        Sink::Host(stream) => Output::new(stream),
        Sink::Pipe(stream) => Output::new(stream),
        Sink::Null(stream) => Output::new(stream),
    };
    p2.table.push(output)
}

/// Writes bytes to standard error, all or as many as it takes.
pub(crate) fn standard_error(ctx: &Ctx, bytes: &[u8]) -> Result<StreamResult<()>> {
    Ok(match sink(ctx, 2)? {
        Sink::Host(mut stream) => stream.write_all(bytes),
        Sink::Pipe(mut stream) => stream.write(bytes),
        Sink::Null(_) => Ok(()),
    })
}

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    linker.instance(&interface("cli/stdin")).func("get-stdin", |mut cx, (): ()| {
        let p2 = cx.data_mut().p2();
        let input = input(&p2.ctx)?;
        p2.table.push(input)
    })?;
    linker
        .instance(&interface("cli/stdout"))
        .func("get-stdout", |mut cx, (): ()| output(cx.data_mut().p2(), 1))?;
    linker
        .instance(&interface("cli/stderr"))
        .func("get-stderr", |mut cx, (): ()| output(cx.data_mut().p2(), 2))?;
    Ok(())
}

//! `incoming-body`, `outgoing-body` and `future-trailers`. Invariant: a body whose guest lets go of it without `finish`
//! is an error to the peer.

use std::sync::Arc;

use lithe::Result;
use lithe_component::{Linker, Resource};
use lithe_wasi::p2::io::{Input, Output, Pollable, subscribe};

use crate::incoming::{BodyStream, FutureTrailers, Shared};
use crate::pipe::{BodyWriter, Pipe};
use crate::types::fields::Block;
use crate::types::{ErrorCode, Fields};
use crate::{HttpView, interface};

/// `wasi:http/types.incoming-body`
pub struct IncomingBody {
    source: Shared,
    streamed: bool,
}

impl IncomingBody {
    pub(crate) fn new(source: Shared) -> IncomingBody {
        source.want();
        IncomingBody { source, streamed: false }
    }
}

/// `wasi:http/types.outgoing-body`
pub struct OutgoingBody {
    pipe: Arc<Pipe>,
    written: bool,
}

impl OutgoingBody {
    pub(crate) fn new(pipe: Arc<Pipe>) -> OutgoingBody {
        OutgoingBody { pipe, written: false }
    }
}

impl Drop for OutgoingBody {
    fn drop(&mut self) {
        self.pipe.fail(ErrorCode::internal("the guest dropped the body without finishing it"));
    }
}

type In = Resource<IncomingBody>;
type Out = Resource<OutgoingBody>;
type Trailers = Resource<FutureTrailers>;

type Got =
    Option<std::result::Result<std::result::Result<Option<Resource<Fields>>, ErrorCode>, ()>>;

pub(super) fn add_to_linker<T: HttpView>(linker: &mut Linker<T>) -> Result<()> {
    let mut types = linker.instance(&interface("types"));
    types.resource::<IncomingBody>("incoming-body", |mut cx, rep| {
        cx.data_mut().p2().table.remove(In::new(rep)).map(drop)
    })?;
    types.resource::<OutgoingBody>("outgoing-body", |mut cx, rep| {
        cx.data_mut().p2().table.remove(Out::new(rep)).map(drop)
    })?;
    types.resource::<FutureTrailers>("future-trailers", |mut cx, rep| {
        cx.data_mut().p2().table.remove(Trailers::new(rep)).map(drop)
    })?;

    types.func("[method]incoming-body.stream", |mut cx, (this,): (In,)| {
        let table = &mut cx.data_mut().p2().table;
        let body = table.at_mut(&this)?;
        if std::mem::replace(&mut body.streamed, true) {
            return Ok(Err(()));
        }
        let stream = Input::new(BodyStream(body.source.clone()));
        table.push_child(stream, &this).map(Ok)
    })?;
    types.func("[static]incoming-body.finish", |mut cx, (this,): (In,)| {
        let table = &mut cx.data_mut().p2().table;
        let body = table.remove(this)?;
        table.push(FutureTrailers::new(body.source))
    })?;
    types.func("[method]future-trailers.subscribe", |mut cx, (this,): (Trailers,)| {
        let pollable: Resource<Pollable> = subscribe(&mut cx.data_mut().p2().table, &this)?;
        Ok(pollable)
    })?;
    types.func("[method]future-trailers.get", |mut cx, (this,): (Trailers,)| {
        let table = &mut cx.data_mut().p2().table;
        let got: Got = match table.at_mut(&this)?.take() {
            None => None,
            Some(Err(())) => Some(Err(())),
            Some(Ok(Err(code))) => Some(Ok(Err(code))),
            Some(Ok(Ok(None))) => Some(Ok(Ok(None))),
            Some(Ok(Ok(Some(map)))) => {
                Some(Ok(Ok(Some(table.push(Fields::immutable(Block::received(map)))?))))
            }
        };
        Ok(got)
    })?;

    types.func("[method]outgoing-body.write", |mut cx, (this,): (Out,)| {
        let table = &mut cx.data_mut().p2().table;
        let body = table.at_mut(&this)?;
        if std::mem::replace(&mut body.written, true) {
            return Ok(Err(()));
        }
        let stream = Output::new(BodyWriter(body.pipe.clone()));
        table.push_child(stream, &this).map(Ok)
    })?;
    types.func(
        "[static]outgoing-body.finish",
        |mut cx, (this, trailers): (Out, Option<Resource<Fields>>)| {
            let table = &mut cx.data_mut().p2().table;
            let trailers = match trailers {
                Some(trailers) => Some(table.remove(trailers)?.into_block()),
                None => None,
            };
            let body = table.remove(this)?;
            Ok(body.pipe.finish(trailers.map(Block::into_map)))
        },
    )?;
    Ok(())
}

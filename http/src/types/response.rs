//! `outgoing-response` and `response-outparam` for handlers; `incoming-response` and `future-incoming-response` for who
//! made a request. Invariant: a request that a handler got is answered once, with an error when the guest lets go of it.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, StatusCode};
use lithe::Result;
use lithe_component::{Linker, Resource};
use lithe_wasi::p2::Readiness;
use lithe_wasi::p2::io::{Pollable, Subscribe, subscribe};

use crate::incoming::Shared;
use crate::outgoing::Exchange;
use crate::pipe::{Kind, Pipe};
use crate::types::ErrorCode;
use crate::types::body::{IncomingBody, OutgoingBody};
use crate::types::fields::{Block, Fields, content_length};
use crate::{HttpView, interface};

/// `wasi:http/types.outgoing-response`
pub struct OutgoingResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: Arc<Block>,
    pub(crate) body: Option<Arc<Pipe>>,
}

/// What a handler said.
pub(crate) enum Answer {
    /// Nothing yet.
    Awaited,
    Given(std::result::Result<OutgoingResponse, ErrorCode>),
    /// It never will.
    Never,
    /// It was given and taken.
    Taken,
}

/// Where a handler's answer goes.
#[derive(Clone)]
pub(crate) struct Slot(Arc<Mutex<Answer>>);

impl Slot {
    pub fn new() -> Slot {
        Slot(Arc::new(Mutex::new(Answer::Awaited)))
    }

    fn give(&self, answer: Answer) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*slot, Answer::Awaited) {
            *slot = answer;
        }
    }

    /// Takes the answer, if there is one.
    pub fn take(&self) -> Answer {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*slot {
            Answer::Awaited => Answer::Awaited,
            _ => std::mem::replace(&mut slot, Answer::Taken),
        }
    }
}

/// `wasi:http/types.response-outparam`
pub struct ResponseOutparam(Slot);

impl ResponseOutparam {
    pub(crate) fn new(slot: Slot) -> ResponseOutparam {
        ResponseOutparam(slot)
    }
}

impl Drop for ResponseOutparam {
    fn drop(&mut self) {
        self.0.give(Answer::Never);
    }
}

/// `wasi:http/types.incoming-response`
pub struct IncomingResponse {
    status: u16,
    headers: Arc<Block>,
    body: Option<Shared>,
}

impl IncomingResponse {
    pub(crate) fn new(status: u16, headers: HeaderMap, body: Shared) -> IncomingResponse {
        IncomingResponse { status, headers: Block::received(headers), body: Some(body) }
    }
}

/// `wasi:http/types.future-incoming-response`
pub struct FutureIncomingResponse {
    exchange: Exchange,
    taken: bool,
}

impl FutureIncomingResponse {
    pub(crate) fn new(exchange: Exchange) -> FutureIncomingResponse {
        FutureIncomingResponse { exchange, taken: false }
    }
}

impl Subscribe for FutureIncomingResponse {
    fn readiness(&mut self) -> Readiness {
        self.exchange.readiness()
    }
}

type In = Resource<IncomingResponse>;
type Out = Resource<OutgoingResponse>;
type Param = Resource<ResponseOutparam>;
type Future = Resource<FutureIncomingResponse>;
type Got = Option<std::result::Result<std::result::Result<In, ErrorCode>, ()>>;

pub(super) fn add_to_linker<T: HttpView>(linker: &mut Linker<T>) -> Result<()> {
    let mut types = linker.instance(&interface("types"));
    types.resource::<IncomingResponse>("incoming-response", |mut cx, rep| {
        cx.data_mut().p2().table.remove(In::new(rep)).map(drop)
    })?;
    types.resource::<OutgoingResponse>("outgoing-response", |mut cx, rep| {
        let response = cx.data_mut().p2().table.remove(Out::new(rep))?;
        if let Some(body) = response.body {
            body.abandon();
        }
        Ok(())
    })?;
    types.resource::<ResponseOutparam>("response-outparam", |mut cx, rep| {
        cx.data_mut().p2().table.remove(Param::new(rep)).map(drop)
    })?;
    types.resource::<FutureIncomingResponse>("future-incoming-response", |mut cx, rep| {
        cx.data_mut().p2().table.remove(Future::new(rep)).map(drop)
    })?;

    types.func("[method]incoming-response.status", |mut cx, (this,): (In,)| {
        Ok(cx.data_mut().p2().table.at(&this)?.status)
    })?;
    types.func("[method]incoming-response.headers", |mut cx, (this,): (In,)| {
        let table = &mut cx.data_mut().p2().table;
        let headers = table.at(&this)?.headers.clone();
        table.push_child(Fields::immutable(headers), &this)
    })?;
    types.func("[method]incoming-response.consume", |mut cx, (this,): (In,)| {
        let table = &mut cx.data_mut().p2().table;
        match table.at_mut(&this)?.body.take() {
            Some(body) => table.push(IncomingBody::new(body)).map(Ok),
            None => Ok(Err(())),
        }
    })?;

    types.func("[method]future-incoming-response.subscribe", |mut cx, (this,): (Future,)| {
        let pollable: Resource<Pollable> = subscribe(&mut cx.data_mut().p2().table, &this)?;
        Ok(pollable)
    })?;
    types.func("[method]future-incoming-response.get", |mut cx, (this,): (Future,)| {
        let table = &mut cx.data_mut().p2().table;
        let future = table.at_mut(&this)?;
        let got: Got = match (future.taken, future.exchange.take()) {
            (true, _) => Some(Err(())),
            (false, None) => None,
            (false, Some(result)) => {
                future.taken = true;
                Some(Ok(match result {
                    Ok(response) => Ok(table.push(response)?),
                    Err(code) => Err(code),
                }))
            }
        };
        Ok(got)
    })?;
    outgoing(linker)
}

fn outgoing<T: HttpView>(linker: &mut Linker<T>) -> Result<()> {
    let mut types = linker.instance(&interface("types"));
    types.func("[constructor]outgoing-response", |mut cx, (headers,): (Resource<Fields>,)| {
        let table = &mut cx.data_mut().p2().table;
        let headers = table.remove(headers)?.into_block();
        table.push(OutgoingResponse { status: StatusCode::OK, headers, body: None })
    })?;
    types.func("[method]outgoing-response.status-code", |mut cx, (this,): (Out,)| {
        Ok(cx.data_mut().p2().table.at(&this)?.status.as_u16())
    })?;
    types.func("[method]outgoing-response.set-status-code", |mut cx, (this, to): (Out, u16)| {
        let response = cx.data_mut().p2().table.at_mut(&this)?;
        // A final response, and of a class that there is.
        let status = StatusCode::from_u16(to).ok().filter(|_| (200..600).contains(&to));
        let Some(status) = status else { return Ok(Err(())) };
        response.status = status;
        Ok(std::result::Result::<(), ()>::Ok(()))
    })?;
    types.func("[method]outgoing-response.headers", |mut cx, (this,): (Out,)| {
        let table = &mut cx.data_mut().p2().table;
        let headers = table.at(&this)?.headers.clone();
        table.push_child(Fields::immutable(headers), &this)
    })?;
    types.func("[method]outgoing-response.body", |mut cx, (this,): (Out,)| {
        let early = cx.data_mut().http().early.clone();
        let table = &mut cx.data_mut().p2().table;
        let response = table.at_mut(&this)?;
        if response.body.is_some() {
            return Ok(Err(()));
        }
        // A length that is none is an error when the response is given.
        let length = content_length(&response.headers).unwrap_or_default();
        let pipe = Pipe::new(Kind::Response, length, &early);
        response.body = Some(pipe.clone());
        table.push(OutgoingBody::new(pipe)).map(Ok)
    })?;
    types.func(
        "[static]response-outparam.set",
        |mut cx, (this, response): (Param, std::result::Result<Out, ErrorCode>)| {
            let table = &mut cx.data_mut().p2().table;
            let response = match response {
                Ok(response) => Ok(table.remove(response)?),
                Err(code) => Err(code),
            };
            table.remove(this)?.0.give(Answer::Given(response));
            Ok(())
        },
    )?;
    types.func(
        "[method]response-outparam.send-informational",
        |mut cx, (this, _status, headers): (Param, u16, Resource<Fields>)| {
            let table = &mut cx.data_mut().p2().table;
            table.at(&this)?;
            table.remove(headers)?;
            let words = "this server sends no informational responses";
            Ok(std::result::Result::<(), ErrorCode>::Err(ErrorCode::internal(words)))
        },
    )?;
    Ok(())
}

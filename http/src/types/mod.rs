//! `wasi:http/types`: what guests hold of requests and responses. Invariant: each message is sent once, each body is taken
//! once, and what a guest was told of a message does not change.

pub(crate) mod body;
mod error;
pub(crate) mod fields;
pub(crate) mod request;
pub(crate) mod response;

use lithe::Result;
use lithe_component::{Linker, Resource, variant};
use lithe_wasi::p2::io::IoError;

pub use crate::incoming::FutureTrailers;
pub use body::{IncomingBody, OutgoingBody};
pub use error::{DnsErrorPayload, ErrorCode, FieldSizePayload, TlsAlertReceivedPayload};
pub use fields::{DEFAULT_MAX_FIELD_BYTES, DEFAULT_MAX_FIELDS, FieldLimits, Fields, HeaderError};
pub use request::{IncomingRequest, OutgoingRequest, RequestOptions};
pub use response::{FutureIncomingResponse, IncomingResponse, OutgoingResponse, ResponseOutparam};

use crate::{HttpView, interface};

/// Bytes of a method's name.
const MAX_METHOD: usize = 64;

variant! {
    /// `method`
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub enum Method {
        "get" Get,
        "head" Head,
        "post" Post,
        "put" Put,
        "delete" Delete,
        "connect" Connect,
        "options" Options,
        "trace" Trace,
        "patch" Patch,
        "other" Other(String),
    }
}

impl Method {
    /// The method of a request.
    pub(crate) fn of(method: &http::Method) -> Method {
        match method.as_str() {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            "CONNECT" => Method::Connect,
            "OPTIONS" => Method::Options,
            "TRACE" => Method::Trace,
            "PATCH" => Method::Patch,
            other => Method::Other(other.into()),
        }
    }

    /// The method to be sent, when it is one.
    pub(crate) fn to_http(&self) -> Option<http::Method> {
        Some(match self {
            Method::Get => http::Method::GET,
            Method::Head => http::Method::HEAD,
            Method::Post => http::Method::POST,
            Method::Put => http::Method::PUT,
            Method::Delete => http::Method::DELETE,
            Method::Connect => http::Method::CONNECT,
            Method::Options => http::Method::OPTIONS,
            Method::Trace => http::Method::TRACE,
            Method::Patch => http::Method::PATCH,
            Method::Other(name) if name.len() > MAX_METHOD => return None,
            Method::Other(name) => http::Method::from_bytes(name.as_bytes()).ok()?,
        })
    }
}

variant! {
    /// `scheme`
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub enum Scheme { "HTTP" Http, "HTTPS" Https, "other" Other(String) }
}

/// Defines `wasi:http/types`.
pub(crate) fn add_to_linker<T: HttpView>(linker: &mut Linker<T>) -> Result<()> {
    fields::add_to_linker(linker)?;
    body::add_to_linker(linker)?;
    request::add_to_linker(linker)?;
    response::add_to_linker(linker)?;
    let mut types = linker.instance(&interface("types"));
    types.func("http-error-code", |mut cx, (error,): (Resource<IoError>,)| {
        Ok(ErrorCode::of(cx.data_mut().p2().table.at(&error)?))
    })?;
    Ok(())
}

//! `incoming-request`, `outgoing-request` and `request-options`. Invariant: what a guest sets is checked when it sets it,
//! so that a request is made of valid parts.

use std::sync::Arc;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery};
use lithe::Result;
use lithe_component::{Linker, Resource};

use crate::incoming::{Shared, Source};
use crate::pipe::{Kind, Pipe};
use crate::types::body::{IncomingBody, OutgoingBody};
use crate::types::fields::{Block, Fields, content_length, strip};
use crate::types::{Method, Scheme};
use crate::{HttpView, interface};

/// Bytes of an authority. Names of hosts have 253 at most.
const MAX_AUTHORITY: usize = 512;

/// `wasi:http/types.incoming-request`
pub struct IncomingRequest {
    method: Method,
    path: Option<String>,
    authority: Option<String>,
    headers: Arc<Block>,
    body: Option<Shared>,
}

impl IncomingRequest {
    pub(crate) fn new(mut head: http::request::Parts, body: Source) -> IncomingRequest {
        let host = head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        let host = host.filter(|host| !host.is_empty());
        let authority = head.uri.authority().map(Authority::as_str).or(host).map(str::to_owned);
        strip(&mut head.headers);
        IncomingRequest {
            method: Method::of(&head.method),
            path: head.uri.path_and_query().map(|path| path.as_str().to_owned()),
            authority,
            headers: Block::received(head.headers),
            body: Some(Shared::new(body)),
        }
    }
}

/// `wasi:http/types.outgoing-request`
pub struct OutgoingRequest {
    pub(crate) method: http::Method,
    pub(crate) path: Option<PathAndQuery>,
    pub(crate) scheme: Option<Scheme>,
    pub(crate) authority: Option<Authority>,
    pub(crate) headers: Arc<Block>,
    pub(crate) body: Option<Arc<Pipe>>,
}

/// `wasi:http/types.request-options`
#[derive(Clone, Copy, Default, Debug)]
pub struct RequestOptions {
    pub(crate) connect: Option<Duration>,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) between_bytes: Option<Duration>,
}

fn path(text: &str) -> Option<PathAndQuery> {
    // One that has no path is for CONNECT, which is no request of guests.
    let path = PathAndQuery::try_from(text).ok()?;
    (text.starts_with('/') || text == "*").then_some(path)
}

fn authority(text: &str) -> Option<Authority> {
    let authority = Authority::try_from(text).ok().filter(|_| text.len() <= MAX_AUTHORITY)?;
    // User information in an authority serves to deceive.
    let port = authority.as_str().strip_prefix(authority.host())?;
    let plain = port.is_empty() || authority.port_u16().is_some();
    (plain && !authority.host().is_empty()).then_some(authority)
}

fn scheme(scheme: &Scheme) -> bool {
    match scheme {
        Scheme::Http | Scheme::Https => true,
        Scheme::Other(name) => {
            !name.is_empty() && http::uri::Scheme::try_from(name.as_str()).is_ok()
        }
    }
}

type Done = std::result::Result<(), ()>;
type In = Resource<IncomingRequest>;
type Out = Resource<OutgoingRequest>;
type Options = Resource<RequestOptions>;

pub(super) fn add_to_linker<T: HttpView>(linker: &mut Linker<T>) -> Result<()> {
    let mut types = linker.instance(&interface("types"));
    types.resource::<IncomingRequest>("incoming-request", |mut cx, rep| {
        cx.data_mut().p2().table.remove(In::new(rep)).map(drop)
    })?;
    types.resource::<OutgoingRequest>("outgoing-request", |mut cx, rep| {
        let request = cx.data_mut().p2().table.remove(Out::new(rep))?;
        if let Some(body) = request.body {
            body.abandon();
        }
        Ok(())
    })?;
    types.resource::<RequestOptions>("request-options", |mut cx, rep| {
        cx.data_mut().p2().table.remove(Options::new(rep)).map(drop)
    })?;

    types.func("[method]incoming-request.method", |mut cx, (this,): (In,)| {
        Ok(cx.data_mut().p2().table.at(&this)?.method.clone())
    })?;
    types.func("[method]incoming-request.path-with-query", |mut cx, (this,): (In,)| {
        Ok(cx.data_mut().p2().table.at(&this)?.path.clone())
    })?;
    types.func("[method]incoming-request.scheme", |mut cx, (this,): (In,)| {
        // The server itself speaks no TLS, and believes nobody else's word.
        cx.data_mut().p2().table.at(&this).map(|_| Some(Scheme::Http))
    })?;
    types.func("[method]incoming-request.authority", |mut cx, (this,): (In,)| {
        Ok(cx.data_mut().p2().table.at(&this)?.authority.clone())
    })?;
    types.func("[method]incoming-request.headers", |mut cx, (this,): (In,)| {
        let table = &mut cx.data_mut().p2().table;
        let headers = table.at(&this)?.headers.clone();
        table.push_child(Fields::immutable(headers), &this)
    })?;
    types.func("[method]incoming-request.consume", |mut cx, (this,): (In,)| {
        let table = &mut cx.data_mut().p2().table;
        match table.at_mut(&this)?.body.take() {
            Some(body) => table.push(IncomingBody::new(body)).map(Ok),
            None => Ok(Err(())),
        }
    })?;
    outgoing(linker)?;
    options(linker)
}

fn outgoing<T: HttpView>(linker: &mut Linker<T>) -> Result<()> {
    let mut types = linker.instance(&interface("types"));
    types.func("[constructor]outgoing-request", |mut cx, (headers,): (Resource<Fields>,)| {
        let table = &mut cx.data_mut().p2().table;
        let headers = table.remove(headers)?.into_block();
        table.push(OutgoingRequest {
            method: http::Method::GET,
            path: None,
            scheme: None,
            authority: None,
            headers,
            body: None,
        })
    })?;
    types.func("[method]outgoing-request.body", |mut cx, (this,): (Out,)| {
        let early = cx.data_mut().http().early.clone();
        let table = &mut cx.data_mut().p2().table;
        let request = table.at_mut(&this)?;
        // What a guest announces wrongly was refused by then.
        let length = content_length(&request.headers).unwrap_or_default();
        if request.body.is_some() {
            return Ok(Err(()));
        }
        let pipe = Pipe::new(Kind::Request, length, &early);
        request.body = Some(pipe.clone());
        table.push(OutgoingBody::new(pipe)).map(Ok)
    })?;
    types.func("[method]outgoing-request.method", |mut cx, (this,): (Out,)| {
        Ok(Method::of(&cx.data_mut().p2().table.at(&this)?.method))
    })?;
    types.func("[method]outgoing-request.set-method", |mut cx, (this, to): (Out, Method)| {
        let request = cx.data_mut().p2().table.at_mut(&this)?;
        let Some(method) = to.to_http() else { return Ok(Err(())) };
        request.method = method;
        Ok(Done::Ok(()))
    })?;
    types.func("[method]outgoing-request.path-with-query", |mut cx, (this,): (Out,)| {
        let path = &cx.data_mut().p2().table.at(&this)?.path;
        Ok(path.as_ref().map(|path| path.as_str().to_owned()))
    })?;
    types.func(
        "[method]outgoing-request.set-path-with-query",
        |mut cx, (this, to): (Out, Option<String>)| {
            let request = cx.data_mut().p2().table.at_mut(&this)?;
            let checked = to.as_deref().map(path);
            if checked == Some(None) {
                return Ok(Err(()));
            }
            request.path = checked.flatten();
            Ok(Done::Ok(()))
        },
    )?;
    types.func("[method]outgoing-request.scheme", |mut cx, (this,): (Out,)| {
        Ok(cx.data_mut().p2().table.at(&this)?.scheme.clone())
    })?;
    types.func(
        "[method]outgoing-request.set-scheme",
        |mut cx, (this, to): (Out, Option<Scheme>)| {
            let request = cx.data_mut().p2().table.at_mut(&this)?;
            if !to.as_ref().is_none_or(scheme) {
                return Ok(Err(()));
            }
            request.scheme = to;
            Ok(Done::Ok(()))
        },
    )?;
    types.func("[method]outgoing-request.authority", |mut cx, (this,): (Out,)| {
        let authority = &cx.data_mut().p2().table.at(&this)?.authority;
        Ok(authority.as_ref().map(|authority| authority.as_str().to_owned()))
    })?;
    types.func(
        "[method]outgoing-request.set-authority",
        |mut cx, (this, to): (Out, Option<String>)| {
            let request = cx.data_mut().p2().table.at_mut(&this)?;
            let checked = to.as_deref().map(authority);
            if checked == Some(None) {
                return Ok(Err(()));
            }
            request.authority = checked.flatten();
            Ok(Done::Ok(()))
        },
    )?;
    types.func("[method]outgoing-request.headers", |mut cx, (this,): (Out,)| {
        let table = &mut cx.data_mut().p2().table;
        let headers = table.at(&this)?.headers.clone();
        table.push_child(Fields::immutable(headers), &this)
    })?;
    Ok(())
}

fn options<T: HttpView>(linker: &mut Linker<T>) -> Result<()> {
    let mut types = linker.instance(&interface("types"));
    types.func("[constructor]request-options", |mut cx, (): ()| {
        cx.data_mut().p2().table.push(RequestOptions::default())
    })?;
    type Field = fn(&mut RequestOptions) -> &mut Option<Duration>;
    let fields: [(&str, Field); 3] = [
        ("connect-timeout", |options| &mut options.connect),
        ("first-byte-timeout", |options| &mut options.first_byte),
        ("between-bytes-timeout", |options| &mut options.between_bytes),
    ];
    for (name, field) in fields {
        let get = format!("[method]request-options.{name}");
        types.func(&get, move |mut cx, (this,): (Options,)| {
            let duration = *field(cx.data_mut().p2().table.at_mut(&this)?);
            let nanoseconds =
                |duration: Duration| duration.as_nanos().try_into().unwrap_or(u64::MAX);
            Ok(duration.map(nanoseconds))
        })?;
        let set = format!("[method]request-options.set-{name}");
        types.func(&set, move |mut cx, (this, to): (Options, Option<u64>)| {
            *field(cx.data_mut().p2().table.at_mut(&this)?) = to.map(Duration::from_nanos);
            Ok(Done::Ok(()))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::MAX_METHOD;

    #[test]
    fn parts_of_addresses_are_checked() {
        for good in ["example.com", "example.com:80", "[::1]:8080", "127.0.0.1"] {
            assert!(authority(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "a b",
            "user@example.com",
            "a:b@c",
            "example.com:99999",
            "example.com:",
            "a/b",
            ":80",
        ] {
            assert!(authority(bad).is_none(), "{bad}");
        }
        assert!(authority(&"a".repeat(MAX_AUTHORITY + 1)).is_none());
        assert!(path(&"/".repeat(1 << 16)).is_none());
        assert!(scheme(&Scheme::Other("a".repeat(64))));
        assert!(!scheme(&Scheme::Other("a".repeat(65))));
        assert!(Method::Other("A".repeat(MAX_METHOD + 1)).to_http().is_none());
        for good in ["/", "/a?b", "*", "/?"] {
            assert!(path(good).is_some(), "{good}");
        }
        for bad in ["", "a", "/a b", "/\r\nx", "http://a/", "?a"] {
            assert!(path(bad).is_none(), "{bad}");
        }
        assert!(!scheme(&Scheme::Other("a b".into())));
        assert!(Method::Other("A B".into()).to_http().is_none());
        assert_eq!(Method::Other("GET".into()).to_http(), Some(http::Method::GET));
    }
}

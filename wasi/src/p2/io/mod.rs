//! `wasi:io`: errors, pollables and streams. Every other interface builds on it. Invariant: a pollable cannot outlive
//! what it asks about, since it is a child of it.

mod host;
mod poll;
mod streams;

use lithe::Result;
use lithe_component::{Linker, Resource};

pub(crate) use host::{HostInput, HostOutput};
pub use poll::{Pollable, Subscribe, subscribe, subscribe_clock, subscribe_until};
pub use streams::{
    Input, InputStream, Output, OutputStream, StreamError, StreamFailure, StreamResult,
};

use crate::p2::{View, interface};

/// `wasi:io/error.error`: why an operation of a stream failed, for people and for the interfaces that know more.
#[derive(Clone, Debug)]
pub struct IoError {
    /// In words.
    pub words: String,
    /// The error number of the host, where it is one.
    pub errno: Option<crate::Errno>,
    /// Of `wasi:http`, where it is one of a body.
    pub http: Option<std::sync::Arc<dyn std::any::Any + Send + Sync>>,
}

impl IoError {
    /// An error in words only.
    pub fn new(words: impl Into<String>) -> IoError {
        IoError { words: words.into(), errno: None, http: None }
    }
}

impl From<crate::Errno> for IoError {
    fn from(errno: crate::Errno) -> IoError {
        IoError { words: errno.to_string(), errno: Some(errno), http: None }
    }
}

impl From<rustix::io::Errno> for IoError {
    fn from(errno: rustix::io::Errno) -> IoError {
        crate::Errno::from(errno).into()
    }
}

/// Defines the interfaces of `wasi:io`.
pub fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    let mut error = linker.instance(&interface("io/error"));
    error.resource::<IoError>("error", |mut cx, rep| {
        cx.data_mut().p2().table.remove(Resource::<IoError>::new(rep)).map(drop)
    })?;
    error.func("[method]error.to-debug-string", |mut cx, (this,): (Resource<IoError>,)| {
        Ok(cx.data_mut().p2().table.at(&this)?.words.clone())
    })?;
    poll::add_to_linker(linker)?;
    streams::add_to_linker(linker)
}

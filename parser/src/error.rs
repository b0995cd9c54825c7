//! Errors of the decoder: bytes that are not the binary form of a module.

use alloc::{boxed::Box, format, string::String};
use core::fmt;

/// Why bytes could not be decoded, and where. One pointer wide.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    offset: u64,
    message: String,
}

/// What kind of decoding error occurred.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are not a module.
    Malformed,
    /// The bytes are a component, which this entry point does not take.
    Component,
    /// The module uses an encoding that Lithe does not know.
    Unsupported,
    /// The module is larger than `limits::MODULE_BYTES`.
    TooLarge,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, offset: u64, message: impl Into<String>) -> Error {
        Error(Box::new(Inner { kind, offset, message: message.into() }))
    }

    pub(crate) fn unsupported(offset: u64, what: impl fmt::Display) -> Error {
        Error::new(ErrorKind::Unsupported, offset, format!("{what} is not a known encoding"))
    }

    /// What kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The byte offset from the start of the module.
    pub fn offset(&self) -> u64 {
        self.0.offset
    }

    /// The sentence without the offset.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl From<wasmparser::Error> for Error {
    fn from(error: wasmparser::Error) -> Error {
        Error::new(ErrorKind::Malformed, error.offset(), error.message())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at offset {:#x})", self.0.message, self.0.offset)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Error {}

//! Why a module has no native code. Every function of this crate that can fail returns it. Invariant: one sentence,
//! and one pointer wide.

use std::fmt;

/// What kind of failure it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The machine that code was asked for is not known.
    UnknownMachine,
    /// The module needs something that the machine does not have or the compiler does not know.
    Unsupported,
    /// The module has vectors and the machine has not.
    NoVectors,
    /// A function or the whole text is larger than the machine's code can be.
    TooLarge,
    /// The artifact could not be written.
    Output,
    /// A mistake in the compiler.
    Internal,
}

/// Why a module has no native code. One pointer wide.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    func: Option<u32>,
    message: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Inner { kind, func: None, message: message.into() }))
    }

    pub(crate) fn in_func(mut self, func: Option<u32>) -> Error {
        self.0.func = self.0.func.or(func);
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The function of the module that could not be compiled.
    pub fn func(&self) -> Option<u32> {
        self.0.func
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(func) = self.0.func {
            write!(f, "function {func}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

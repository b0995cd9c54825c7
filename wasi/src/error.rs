//! [`Error`]: why a [`Ctx`](crate::Ctx) could not be made, in one sentence that names the place.
//!
//! Only the host sees these; guests see [`Errno`](crate::Errno). One pointer wide.

use std::fmt;

/// What kind of grant could not be honored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A granted directory could not be opened.
    Directory,
    /// A granted listener could not be bound or taken over.
    Listener,
    /// An argument or environment variable cannot be passed to a guest.
    Text,
    /// More descriptors were granted than the limit allows.
    Limit,
    /// The text of a rule is not one.
    Rule,
}

/// A grant that could not be honored.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    sentence: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, sentence: String) -> Error {
        Error(Box::new(Inner { kind, sentence }))
    }

    /// The kind of grant that failed.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.sentence)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}, {:?})", self.0.kind, self.0.sentence)
    }
}

impl std::error::Error for Error {}

//! Errors of this crate are those of `lithe`. Invariant: what a guest did wrong is a trap, what the embedder did wrong is
//! not.

use lithe::{Error, TrapKind};

/// The trap of a guest that breaks a rule of the canonical ABI.
pub(crate) fn violation(words: impl Into<String>) -> Error {
    Error::trap_saying(TrapKind::CanonicalAbi, words.into())
}

pub(crate) fn usage(words: impl Into<String>) -> Error {
    Error::usage(words)
}

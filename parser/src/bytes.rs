//! The bytes of a module: owned, or borrowed for ever from read-only storage such as flash. Invariant:
//! nothing else can write them while a module exists.

use alloc::vec::Vec;
use core::ops::Deref;

/// A private, immutable copy of a module's bytes.
pub enum Bytes {
    /// Bytes on the heap that belong to the module.
    Owned(Vec<u8>),
    /// Bytes that never change, such as a module in flash or in the program's own data.
    Static(&'static [u8]),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Owned(bytes) => bytes,
            Bytes::Static(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        Bytes::Owned(bytes)
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Bytes {
        Bytes::Owned(bytes.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for Bytes {
    fn from(bytes: &[u8; N]) -> Bytes {
        Bytes::Owned(bytes.to_vec())
    }
}

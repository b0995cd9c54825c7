//! The bytes of a module: owned, shared with whoever else reads them, or borrowed for ever from read-only storage
//! such as flash. Invariant: nothing else can write them while a module exists.

#[cfg(target_has_atomic = "ptr")]
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Deref;
#[cfg(target_has_atomic = "ptr")]
use core::ops::Range;

/// A private, immutable copy of a module's bytes.
pub enum Bytes {
    /// Bytes on the heap that belong to the module.
    Owned(Vec<u8>),
    /// Bytes that never change, such as a module in flash or in the program's own data.
    Static(&'static [u8]),
    /// A range of bytes that others have too, such as a file that is mapped.
    #[cfg(target_has_atomic = "ptr")]
    Shared(Arc<dyn AsRef<[u8]> + Send + Sync>, Range<usize>),
}

impl Default for Bytes {
    fn default() -> Bytes {
        Bytes::Static(&[])
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Owned(bytes) => bytes,
            Bytes::Static(bytes) => bytes,
            #[cfg(target_has_atomic = "ptr")]
            Bytes::Shared(bytes, range) => {
                (**bytes).as_ref().get(range.clone()).unwrap_or_default()
            }
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

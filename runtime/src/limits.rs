//! What one store may use. Set by the embedder, asked for at every allocation on a guest's behalf.

use alloc::{boxed::Box, format};
use core::fmt;

use lithe_types::limits;

/// Limits of a store. Every limit has a default that ordinary programs do not meet.
#[derive(Clone, Copy, Debug)]
pub struct StoreLimits {
    /// Bytes of each linear memory. Default: no limit beyond the memory's type.
    pub memory_bytes: usize,
    /// Elements of each table. Default: ten million.
    pub table_elements: usize,
    /// Instances. Default: 10 000.
    pub instances: usize,
    /// Memories. Default: 10 000.
    pub memories: usize,
    /// Tables. Default: 10 000.
    pub tables: usize,
    /// Bytes of the value stack. Default: 1 MiB.
    pub stack_bytes: usize,
    /// Bytes of the garbage-collected heap, at most 4 GiB. Fixed by the first object. Default: 4 GiB.
    pub heap_bytes: usize,
    /// What stays mapped when the store ends, for those that come after it: first memories of each module, and stacks of
    /// native code, so many of each. They are emptied first, and keep at most 1 MiB each that was written. Worth it where
    /// a module is instantiated again and again. Default: none.
    pub spares: usize,
}

impl Default for StoreLimits {
    fn default() -> StoreLimits {
        StoreLimits {
            memory_bytes: usize::MAX,
            table_elements: limits::TABLE_ELEMENTS as usize,
            instances: 10_000,
            memories: 10_000,
            tables: 10_000,
            stack_bytes: limits::DEFAULT_STACK_BYTES,
            heap_bytes: limits::HEAP_BYTES as usize,
            spares: 0,
        }
    }
}

/// Something was refused because of a limit of the store or of the machine.
pub struct LimitError(Box<str>);

impl LimitError {
    pub(crate) fn count(what: &str, limit: usize) -> LimitError {
        LimitError(format!("the store's limit of {limit} {what} is reached").into())
    }

    pub(crate) fn size(what: &str, wanted: u128, limit: u128, unit: &str) -> LimitError {
        let message = format!("{what} of {wanted} {unit} exceeds the limit of {limit} {unit}");
        LimitError(message.into())
    }

    pub(crate) fn unguarded() -> LimitError {
        LimitError("native code that traps by signals uses a memory without a guard".into())
    }

    pub(crate) fn no_memory(what: &str, bytes: usize) -> LimitError {
        LimitError(format!("the machine refused {bytes} bytes for {what}").into())
    }
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for LimitError {}

//! Memories that several stores share, each of which may run on a thread of its own.

use std::sync::Arc;

use lithe_runtime as rt;
use lithe_types::MemoryType;

use crate::{Engine, Error, ErrorKind, Result, StoreLimits, check};

/// A linear memory that several stores may refer to at the same time. Cheap to clone; all clones are the same
/// memory. Guests reach it as an import: see [`Linker::define_shared`](crate::Linker::define_shared) and
/// [`Memory::from_shared`](crate::Memory::from_shared).
///
/// No slice of its bytes is ever handed out, since other threads may write them: [`SharedMemory::read`] and
/// [`SharedMemory::write`] copy.
#[derive(Clone)]
pub struct SharedMemory(pub(crate) Arc<rt::SharedMemory>);

impl SharedMemory {
    /// A memory of its minimum size, all zero. The type is shared and declares a maximum, for which address
    /// space is reserved; the engine's features include threads.
    pub fn new(engine: &Engine, ty: MemoryType) -> Result<SharedMemory> {
        check::memory_type(&ty, engine)?;
        if !ty.shared {
            return Err(Error::usage("the type of the memory is not shared"));
        }
        Ok(SharedMemory(Arc::new(rt::SharedMemory::new(
            ty,
            &StoreLimits::default(),
            engine.needs_guards(),
        )?)))
    }

    /// The type as declared.
    pub fn ty(&self) -> MemoryType {
        self.0.ty()
    }

    /// The size in pages. Other threads may grow the memory at any time; it never shrinks.
    pub fn size(&self) -> u64 {
        self.0.pages()
    }

    /// The size in bytes.
    pub fn byte_size(&self) -> usize {
        self.0.size()
    }

    /// Grows by `delta` pages and gives the old size.
    pub fn grow(&self, delta: u64) -> Result<u64> {
        self.0.grow(delta, usize::MAX).ok_or_else(|| {
            Error::new(ErrorKind::Limit, format!("the memory cannot grow by {delta} pages"))
        })
    }

    /// Copies bytes from `offset` on into `buffer`. What other threads write at the same time is seen byte by
    /// byte, before or after.
    pub fn read(&self, offset: usize, buffer: &mut [u8]) -> Result<()> {
        self.0.read(offset, buffer).map_err(|error| Error::usage(error.to_string()))
    }

    /// Copies `bytes` to `offset`.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> Result<()> {
        self.0.write(offset, bytes).map_err(|error| Error::usage(error.to_string()))
    }

    /// Whether both are the same memory.
    pub fn same(&self, other: &SharedMemory) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl std::fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SharedMemory({})", self.ty())
    }
}

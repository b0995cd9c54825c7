//! [`Input`] and [`Output`]: where the standard streams of a guest come from and go to.
//!
//! Part of [`Grants`](crate::Grants). Invariant: a guest never makes the host buffer more than the
//! limit of its [`OutputPipe`], and inherited streams are neither read ahead nor buffered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes an [`OutputPipe`] holds unless told otherwise; further writes fail with `nospc`.
pub const DEFAULT_PIPE_LIMIT: usize = 64 << 20;

/// The standard input of a guest.
#[derive(Clone, Debug, Default)]
pub enum Input {
    /// End of file at once.
    #[default]
    Null,
    /// The standard input of this process.
    Inherit,
    /// These bytes, then end of file.
    Bytes(Arc<[u8]>),
}

impl Input {
    /// An input of fixed bytes.
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Input {
        Input::Bytes(bytes.into())
    }
}

/// The standard output or standard error of a guest.
#[derive(Clone, Debug, Default)]
pub enum Output {
    /// Everything is discarded.
    #[default]
    Null,
    /// The same stream of this process.
    Inherit,
    /// A buffer that the host reads.
    Pipe(OutputPipe),
}

/// A bounded buffer that collects what a guest writes; clones share it.
#[derive(Clone, Debug)]
pub struct OutputPipe {
    bytes: Arc<Mutex<Vec<u8>>>,
    limit: usize,
}

impl OutputPipe {
    /// An empty pipe that holds at most [`DEFAULT_PIPE_LIMIT`] bytes.
    pub fn new() -> OutputPipe {
        OutputPipe::with_limit(DEFAULT_PIPE_LIMIT)
    }

    /// An empty pipe that holds at most `limit` bytes.
    pub fn with_limit(limit: usize) -> OutputPipe {
        OutputPipe { bytes: Arc::default(), limit }
    }

    /// A copy of what has been written so far.
    pub fn contents(&self) -> Vec<u8> {
        self.lock().clone()
    }

    /// Removes and returns what has been written so far, making room for more.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.lock())
    }

    /// How many more bytes fit.
    pub(crate) fn room(&self) -> usize {
        self.limit.saturating_sub(self.lock().len())
    }

    /// Appends as much of `bytes` as fits and returns how much that was.
    pub(crate) fn append(&self, bytes: &[u8]) -> usize {
        let mut buffer = self.lock();
        let fits = bytes.len().min(self.limit.saturating_sub(buffer.len()));
        buffer.extend_from_slice(&bytes[..fits]);
        fits
    }

    // A panic elsewhere cannot leave a byte buffer inconsistent, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for OutputPipe {
    fn default() -> OutputPipe {
        OutputPipe::new()
    }
}

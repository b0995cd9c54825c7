//! Errors of the validator: well-formed modules that break a rule of the specification.

use alloc::{boxed::Box, string::String};
use core::fmt;

/// Which rule was broken, and where. One pointer wide.
pub struct Error(Box<Inner>);

struct Inner {
    offset: u64,
    func: Option<u32>,
    message: String,
    feature: Option<&'static str>,
}

impl Error {
    pub(crate) fn new(error: &wasmparser::Error, func: Option<u32>) -> Error {
        let message = String::from(error.message());
        let feature = error.missing_wasm_feature().and_then(crate::features::name);
        Error(Box::new(Inner { offset: error.offset(), func, message, feature }))
    }

    /// The name of a feature that would make this valid.
    pub fn feature(&self) -> Option<&'static str> {
        self.0.feature
    }

    /// The byte offset from the start of the module.
    pub fn offset(&self) -> u64 {
        self.0.offset
    }

    /// The function whose body is invalid.
    pub fn func(&self) -> Option<u32> {
        self.0.func
    }

    /// The sentence without the offset.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(func) = self.0.func {
            write!(f, "function {func}: ")?;
        }
        write!(f, "{} (at offset {:#x})", self.0.message, self.0.offset)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Error {}

//! What `wave` is in a command that was built without it: no text is a call. Used by `component`. Invariant: says so, and
//! makes nothing up.

use lithe_component::{FuncType, Type, Val};

use crate::built::WIT;

/// A call in WAVE, of which there is none.
pub enum Call {}

impl Call {
    /// Says why no text is a call.
    pub fn parse(_: &str) -> Result<Call, String> {
        Err(WIT.absence.into())
    }

    /// What is called.
    pub fn name(&self) -> &str {
        match *self {}
    }

    /// The arguments.
    pub fn arguments(&self, _: &FuncType) -> Result<Vec<Val>, String> {
        match *self {}
    }
}

/// Whether values of a type can be written.
pub fn has_text(_: &Type) -> bool {
    false
}

/// Says why there is no text for a value.
pub fn text(_: Val) -> Result<String, String> {
    Err(WIT.absence.into())
}

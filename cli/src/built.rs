//! What this command was built without: the features of its crate that take code away from it, and the sentence that a
//! command says which lacks one. Asked wherever one is needed. Invariant: what is missing is told by name.

use crate::report::{FAILED, Report};

/// A part of the command that may be left out.
pub struct Part {
    /// Whether it is there.
    pub there: bool,
    /// The sentence that says it is not.
    pub absence: &'static str,
}

/// The server, and requests of programs.
pub const HTTP: Part = Part {
    there: cfg!(feature = "http"),
    absence: "this lithe was built without HTTP; the feature `http` of lithe-cli brings it",
};

/// The text forms of components: WIT for their types, WAVE for their values.
pub const WIT: Part = Part {
    there: cfg!(feature = "wit"),
    absence: "this lithe was built without WIT and WAVE; the feature `wit` of lithe-cli brings them",
};

impl Part {
    /// Refuses to go on without it.
    pub fn require(&self) -> Result<(), Report> {
        match self.there {
            true => Ok(()),
            false => Err(Report::new(FAILED, "built-without", self.absence)),
        }
    }
}

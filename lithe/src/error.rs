//! The one error type of the embedding API. Invariant: a caller can always tell the guest's fault from its
//! own, and a trap from an error.

use std::fmt;

use lithe_types::{ExternType, TrapKind};

use crate::backtrace::RawFrame;
use crate::store::StoreInner;
use crate::{Exception, ExnRef, Frame};

/// What functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something did not work. One pointer wide.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    offset: Option<u64>,
    missing: Vec<MissingImport>,
    trap: Option<Trap>,
    exception: Option<Exception>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Whose fault an error is, and of what sort.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes or the text are not a module.
    Malformed,
    /// The bytes are a component, not a core module.
    Component,
    /// The module breaks a rule of the specification, or uses a feature that is not enabled.
    Invalid,
    /// Imports are missing or have other types.
    Link,
    /// The guest trapped.
    Trap,
    /// An exception was thrown and no guest caught it.
    Exception,
    /// The guest asked to exit, with this status.
    Exit(i32),
    /// Native code cannot be used, because it is damaged or for another machine, version or configuration, or it cannot
    /// be written.
    Artifact,
    /// The module needs what the machine does not have.
    Machine,
    /// A limit was reached.
    Limit,
    /// A host function failed.
    Host,
    /// The call does not fit: unknown export, wrong types, a handle of another store.
    Usage,
}

/// An import that cannot be satisfied.
#[derive(Clone, Debug)]
pub struct MissingImport {
    /// The module name.
    pub module: String,
    /// The field name.
    pub name: String,
    /// The type that is wanted.
    pub expected: ExternType,
    /// The type of what has that name, when something has.
    pub found: Option<ExternType>,
}

/// A trap with its backtrace.
#[derive(Debug)]
pub struct Trap {
    kind: TrapKind,
    words: Option<Box<str>>,
    pub(crate) frames: Vec<RawFrame>,
}

impl Trap {
    /// Why the guest was stopped.
    pub fn kind(&self) -> TrapKind {
        self.kind
    }

    /// Why, in words.
    pub fn message(&self) -> &str {
        self.words.as_deref().unwrap_or(self.kind.message())
    }

    /// The frames, innermost first, with function names and source positions where the module has them.
    pub fn frames(&self) -> Vec<Frame> {
        crate::backtrace::resolve(&self.frames)
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wasm trap: {}", self.message())
    }
}

impl Error {
    /// An error of this sort, in these words.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            offset: None,
            missing: Vec::new(),
            trap: None,
            exception: None,
            source: None,
        }))
    }

    /// An error of this sort at a byte offset in what was loaded.
    pub fn at(kind: ErrorKind, offset: u64, message: impl Into<String>) -> Error {
        let mut error = Error::new(kind, message);
        error.0.offset = Some(offset);
        error
    }

    /// An error of kind [`ErrorKind::Usage`].
    pub fn usage(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Usage, message)
    }

    pub(crate) fn link(missing: Vec<MissingImport>) -> Error {
        let names: Vec<String> =
            missing.iter().map(|import| format!("{}.{}", import.module, import.name)).collect();
        let message = match names.len() {
            1 => format!("the import {} cannot be satisfied", names[0]),
            count => format!("{count} imports cannot be satisfied: {}", names.join(", ")),
        };
        let mut error = Error::new(ErrorKind::Link, message);
        error.0.missing = missing;
        error
    }

    /// A trap, which a host function may return to stop the guest.
    pub fn trap_of(kind: TrapKind) -> Error {
        let mut error = Error::new(ErrorKind::Trap, format!("wasm trap: {kind}"));
        error.0.trap = Some(Trap { kind, words: None, frames: Vec::new() });
        error
    }

    /// A trap that says more than its kind does.
    pub fn trap_saying(kind: TrapKind, words: impl Into<Box<str>>) -> Error {
        let words = words.into();
        let mut error = Error::new(ErrorKind::Trap, format!("wasm trap: {words}"));
        error.0.trap = Some(Trap { kind, words: Some(words), frames: Vec::new() });
        error
    }

    /// An exception, which a host function may return to throw it: the guests whose calls led to the host
    /// function can catch it.
    pub fn exception_of(exception: ExnRef) -> Error {
        let mut error = Error::new(ErrorKind::Exception, "thrown Wasm exception");
        error.0.exception = Some(Exception::new(exception));
        error
    }

    /// A request to end the program with this status, which a host function may return.
    pub fn exit(status: i32) -> Error {
        let message = format!("the program exited with status {status}");
        Error::new(ErrorKind::Exit(status), message)
    }

    /// An error of a host function in its own words; the guest is stopped.
    pub fn host(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        let source = error.into();
        let mut error = Error::new(ErrorKind::Host, source.to_string());
        error.0.source = Some(source);
        error
    }

    /// Adds the frames of an activation that this error passes through, when it is one that has frames.
    pub(crate) fn pass(&mut self, frames: impl FnOnce() -> Vec<RawFrame>) {
        if let Some(trap) = &mut self.0.trap {
            trap.frames.extend(frames());
        } else if let Some(exception) = &mut self.0.exception {
            exception.frames.extend(frames());
        }
    }

    /// The slot of the exception that this error carries, when it is one of `store` and can still be reached.
    pub(crate) fn slot<T>(&self, store: &StoreInner<T>) -> Option<u64> {
        let exception = self.0.exception.as_ref()?;
        exception.reference().0.slot(store.id, &store.rt).ok()
    }

    /// Makes another reference to the exception the one that this error carries.
    pub(crate) fn replace(&mut self, reference: ExnRef) {
        if let Some(exception) = &mut self.0.exception {
            exception.reference = reference;
        }
    }

    /// Names the tag of an exception that begins to leave the guests of `store`.
    pub(crate) fn describe<T>(&mut self, store: &StoreInner<T>) {
        if let Some(exception) = &self.0.exception
            && exception.frames.is_empty()
            && let Ok(tag) = exception.reference().describe(store)
        {
            self.0.message = format!("thrown Wasm exception with {tag}");
        }
    }

    /// What sort of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The trap, when it is one.
    pub fn trap(&self) -> Option<&Trap> {
        self.0.trap.as_ref()
    }

    /// The exception, when it is one.
    pub fn exception(&self) -> Option<&Exception> {
        self.0.exception.as_ref()
    }

    /// The status, when the guest asked to exit.
    pub fn exit_status(&self) -> Option<i32> {
        match self.0.kind {
            ErrorKind::Exit(status) => Some(status),
            _ => None,
        }
    }

    /// Every import that cannot be satisfied.
    pub fn missing_imports(&self) -> &[MissingImport] {
        &self.0.missing
    }

    /// The byte offset in the module.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The sentence without the offset.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match self.0.offset {
            Some(offset) => write!(f, " (at offset {offset:#x})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<lithe_parser::Error> for Error {
    fn from(error: lithe_parser::Error) -> Error {
        let kind = match error.kind() {
            lithe_parser::ErrorKind::Component => ErrorKind::Component,
            lithe_parser::ErrorKind::TooLarge => ErrorKind::Limit,
            _ => ErrorKind::Malformed,
        };
        Error::at(kind, error.offset(), error.message())
    }
}

impl From<lithe_validator::Error> for Error {
    fn from(error: lithe_validator::Error) -> Error {
        let mut message = match error.func() {
            Some(func) => format!("function {func}: {}", error.message()),
            None => error.message().into(),
        };
        if let Some(name) = error.feature() {
            let known = lithe_types::Features::by_name(name);
            let runs = known.is_ok_and(|set| crate::Engine::SUPPORTED.contains(set));
            message += &match runs {
                true => format!("; the feature {name} is not enabled"),
                false => format!("; this version of Lithe does not execute {name}"),
            };
        }
        Error::at(ErrorKind::Invalid, error.offset(), message)
    }
}

impl From<lithe_runtime::LimitError> for Error {
    fn from(error: lithe_runtime::LimitError) -> Error {
        Error::new(ErrorKind::Limit, error.to_string())
    }
}

impl From<lithe_runtime::HeapError> for Error {
    fn from(error: lithe_runtime::HeapError) -> Error {
        Error::new(ErrorKind::Limit, lithe_types::TrapKind::from(error).message())
    }
}

#[cfg(feature = "native")]
impl From<lithe_compiler::Error> for Error {
    fn from(error: lithe_compiler::Error) -> Error {
        let kind = match error.kind() {
            lithe_compiler::ErrorKind::Unsupported => ErrorKind::Invalid,
            lithe_compiler::ErrorKind::NoVectors => ErrorKind::Machine,
            lithe_compiler::ErrorKind::UnknownMachine => ErrorKind::Usage,
            lithe_compiler::ErrorKind::Output => ErrorKind::Artifact,
            _ => ErrorKind::Limit,
        };
        Error::new(kind, error.to_string())
    }
}

impl From<lithe_interp::Error> for Error {
    fn from(error: lithe_interp::Error) -> Error {
        let kind = match &error {
            lithe_interp::Error::Translate(_) => ErrorKind::Invalid,
            lithe_interp::Error::Limit(_) => ErrorKind::Limit,
            lithe_interp::Error::NotInnermost => ErrorKind::Usage,
        };
        Error::new(kind, error.to_string())
    }
}

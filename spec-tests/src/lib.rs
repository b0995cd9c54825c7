//! Runs WebAssembly script files (`.wast`) on the Lithe runtime, through its embedding API only. The suite
//! of this crate and `lithe wast` call it. Invariant: every directive of a file ends up in exactly one count
//! of its [`Report`].
//!
//! ```text
//! command   files and directories, one report per file and engine, the lines shown to people
//! script    the directives of one file, in order
//! deadline  an end for guests that never return
//! component components: their values, calls and traps
//! value     arguments, and patterns of results
//! thread    threads that a script starts, each with a store of its own
//! spectest  the host module that scripts import
//! known     failures with a reason, kept in a file
//! report    the counts
//! ```
//!
//! ```
//! let script = r#"
//!     (module (func (export "one") (result i32) (i32.const 1)))
//!     (assert_return (invoke "one") (i32.const 1))
//!     (assert_return (invoke "one") (i32.const 2))
//! "#;
//! let report = lithe_spec_tests::run_file("one.wast", script, &Default::default());
//! assert_eq!((report.passed, report.failed.len()), (2, 1));
//! assert_eq!(report.failed[0].to_string(), "one.wast:4: expected i32 2, found i32 1");
//! ```

#![forbid(unsafe_code)]

mod command;
mod component;
mod deadline;
mod known;
mod report;
mod script;
mod spectest;
mod thread;
mod value;

pub use command::{wast_command, wast_files, wast_text};
pub use known::Known;
pub use report::{Failure, Report};
pub use script::{Loader, Options, run_file};

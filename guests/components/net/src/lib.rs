//! Shared by the programs for sockets: how they end.

use std::io;
use std::process::ExitCode;

/// The exit code of a program; an error is printed by its kind, which is the same everywhere.
pub fn end(result: io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed: {:?}", error.kind());
            ExitCode::FAILURE
        }
    }
}

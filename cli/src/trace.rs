//! The host-call log of `--trace`: one line per call on standard error, with arguments by name and the
//! result. Called by `host`. Invariant: a line is written at once, after the call, so lines of the guest's
//! own standard error stand between whole lines.

use lithe_wasi::Errno;
use lithe_wasi::p1::Stop;

use crate::output::complain;

/// Prints a call with its result.
pub fn print(call: &str, result: Result<Errno, Stop>) {
    let result = match result {
        Ok(Errno::Success) => Errno::Success.name().into(),
        Ok(errno) => format!("{} ({errno})", errno.name()),
        Err(Stop::Exit(code)) => format!("exit {code}"),
        Err(Stop::Deadline) => "stopped: the time is up".into(),
        Err(Stop::Trap(message)) => format!("trap: {message}"),
    };
    complain(&format!("{call} = {result}\n"));
}

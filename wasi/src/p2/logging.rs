//! `wasi:logging/logging`: lines on the guest's standard error. Invariant: a message is one line, or is indented beneath
//! its first one, so that none looks like another; and what cannot be written is gone without harm.

use lithe::Result;
use lithe_component::{Linker, variant};

use super::cli::standard_error;
use crate::p2::View;
use crate::p2::io::StreamFailure;

/// The names of this interface.
const NAMES: [&str; 2] = ["wasi:logging/logging", "wasi:logging/logging@0.1.0-draft"];

variant! {
    /// `wasi:logging/logging.level`
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum Level {
        "trace" Trace,
        "debug" Debug,
        "info" Info,
        "warn" Warn,
        "error" Error,
        "critical" Critical,
    }
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Critical => "critical",
        }
    }
}

fn append(line: &mut String, text: &str, newline: &str) {
    for c in text.chars() {
        match c {
            '\n' => line.push_str(newline),
            '\t' => line.push(c),
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
}

/// What a message looks like.
fn line(level: Level, context: &str, message: &str) -> String {
    let mut line = level.name().to_owned();
    if !context.is_empty() {
        line.push(' ');
        append(&mut line, context, " ");
    }
    line.push_str(": ");
    append(&mut line, message.trim_end_matches('\n'), "\n  ");
    line.push('\n');
    line
}

/// Defines `wasi:logging/logging`.
pub fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    for name in NAMES {
        let mut logging = linker.instance(name);
        logging.func("log", |mut cx, (level, context, message): (Level, String, String)| {
            let line = line(level, &context, &message);
            match standard_error(&cx.data_mut().p2().ctx, line.as_bytes())? {
                Err(StreamFailure::Trap(error)) => Err(error),
                _ => Ok(()),
            }
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Level, line};

    #[test]
    fn a_message_is_one_line_or_indented() {
        assert_eq!(line(Level::Info, "db", "ready\n"), "info db: ready\n");
        assert_eq!(line(Level::Warn, "", "a\nerror db: b"), "warn: a\n  error db: b\n");
        assert_eq!(line(Level::Error, "a\nb", "\x1b[2J\r"), "error a b: \\u{1b}[2J\\r\n");
    }
}

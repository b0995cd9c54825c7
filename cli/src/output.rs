//! Writing to standard output and standard error. Called by everything that prints. Invariant: a reader that
//! went away ends the output quietly, and nothing here panics.

use std::io::{self, Write};

use anyhow::{Result, anyhow};

/// Writes to standard output.
pub fn print(text: &str) -> Result<()> {
    let written = Stdout.write_all(text.as_bytes());
    written.map_err(|error| anyhow!("cannot write to standard output: {error}"))
}

/// Standard output without a buffer. What a reader that went away would have read is dropped.
pub struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match rustix::io::write(rustix::stdio::stdout(), bytes) {
            Err(rustix::io::Errno::PIPE) => Ok(bytes.len()),
            result => Ok(result?),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes to standard error. There is nobody to tell when that fails.
pub fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Columns that names in a table take at most before what stands beside them moves.
const MAX_NAME: usize = 40;

/// Names with what they stand for, indented, in two columns.
pub fn table(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(MAX_NAME);
    rows.iter().map(|(name, value)| format!("  {name:width$}  {value}\n")).collect()
}

/// Text that a module chose, fit to be shown: on one line and without control characters.
pub fn visible(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match hidden(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn names_cannot_draw() {
        assert_eq!(visible("a\u{1b}[2J\nb\u{202e}é"), "a\\u{1b}[2J\\nb\\u{202e}é");
    }
}

//! What the embedder is told of requests. Invariant: what a client or a guest chose is shown on one line, without control
//! characters, and what a guest chose not at any length.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http::{Method, Version};
use lithe::Error;

/// A request that has ended.
#[derive(Debug)]
pub struct Access<'r> {
    /// Who made it.
    pub peer: SocketAddr,
    /// Its method.
    pub method: &'r Method,
    /// Its path and query.
    pub path: &'r str,
    /// The version of HTTP.
    pub version: Version,
    /// The status of the answer; none when the client went away before there was one.
    pub status: Option<u16>,
    /// Bytes of the answer's body that were handed to the connection.
    pub bytes: u64,
    /// From its head to the end of the answer and of the guest.
    pub duration: Duration,
}

/// `127.0.0.1:50000 "GET /path HTTP/1.1" 200 6 0.120ms`
impl fmt::Display for Access<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Access { peer, method, path, version, .. } = self;
        // A path has visible ASCII characters only, but a quotation mark would seem to end it.
        let path = path.escape_debug();
        write!(f, "{peer} \"{method} {path} {version:?}\" ")?;
        match self.status {
            Some(status) => write!(f, "{status}")?,
            None => f.write_str("-")?,
        }
        write!(f, " {} {:.3}ms", self.bytes, self.duration.as_secs_f64() * 1e3)
    }
}

/// A guest that ended with an error.
#[derive(Debug)]
pub struct Report<'r> {
    /// The method of the request.
    pub method: &'r Method,
    /// Its path and query.
    pub path: &'r str,
    /// Why the guest ended; nothing when it ended well without an answer, or with an error code instead of one.
    pub error: Option<&'r Error>,
    /// What happened, in a sentence.
    pub words: String,
}

/// Characters of the words of a report that are shown.
const MAX_WORDS: usize = 1000;

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.method, self.path.escape_debug())?;
        for c in self.words.chars().take(MAX_WORDS) {
            match c {
                '"' | '\'' | '\\' => write!(f, "{c}")?,
                c => write!(f, "{}", c.escape_debug())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_write_no_lines_of_their_own() {
        let words = format!("it isn't \"so\"\n127.0.0.1:1 \x1b[2J{}", "x".repeat(1 << 20));
        let report = Report { method: &Method::GET, path: "/", error: None, words };
        let shown = report.to_string();
        assert!(
            shown.starts_with("GET /: it isn't \"so\"\\n127.0.0.1:1 \\u{1b}[2Jx"),
            "{shown:.99}"
        );
        assert!(shown.len() < 2000);
    }
}

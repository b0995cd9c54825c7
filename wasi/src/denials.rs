//! [`Denials`]: what guests tried and were not granted, each with the flag that grants it.
//!
//! Written by the network policy and by calls on files that fail, read by the command when the program has ended.
//! Invariant: a guest decides neither how many entries there are nor how long they are, and nothing here costs a call
//! that succeeds.

use std::ffi::OsStr;
use std::fmt;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags};

use crate::descriptor::{Dir, Grant, lock};
use crate::path::Resolver;
use crate::{Access, Errno};

/// Different denials that are kept; further ones are counted.
const MAX_DENIALS: usize = 100;

/// Characters of a text chosen by a guest that are kept.
const MAX_TEXT: usize = 200;

/// What was denied so far. Clones are the same list, so that one can be read while guests run.
#[derive(Clone, Debug, Default)]
pub struct Denials(Arc<Mutex<Log>>);

#[derive(Debug, Default)]
struct Log {
    known: Vec<Denial>,
    others: u64,
}

/// Something that was tried and not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// What was tried, such as "tcp connection to 10.0.0.1:5432".
    pub attempt: String,
    /// The flag that grants it, when there is one.
    pub grant: Option<String>,
    /// How often.
    pub times: u64,
}

/// "tcp connection to 10.0.0.1:5432, denied 3 times; grant it with --net tcp:10.0.0.1:5432".
impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, denied ", self.attempt)?;
        match self.times {
            1 => f.write_str("once")?,
            times => write!(f, "{times} times")?,
        }
        match &self.grant {
            Some(grant) => write!(f, "; grant it with {grant}"),
            None => f.write_str("; no flag grants it"),
        }
    }
}

impl Denials {
    /// Everything denied so far that was kept, in the order in which it happened first.
    pub fn list(&self) -> Vec<Denial> {
        lock(&self.0).known.clone()
    }

    /// How often something else was denied, after the list was full.
    pub fn others(&self) -> u64 {
        lock(&self.0).others
    }

    /// Counts a denial. The same thing granted by the same flag is one entry, and its first attempt stays.
    fn count(&self, same: impl Fn(&Denial) -> bool, new: impl FnOnce() -> Denial) {
        let mut log = lock(&self.0);
        if let Some(known) = log.known.iter_mut().find(|known| same(known)) {
            known.times = known.times.saturating_add(1);
        } else if log.known.len() < MAX_DENIALS {
            log.known.push(new());
        } else {
            log.others = log.others.saturating_add(1);
        }
    }

    /// Records what the network policy denied.
    pub(crate) fn record(&self, attempt: &str, grant: Option<&str>) {
        self.count(
            |known| known.attempt == attempt,
            || Denial { attempt: attempt.into(), grant: grant.map(str::to_owned), times: 1 },
        );
    }

    /// Records a call on a file beneath `dir` that failed with `errno`, if a grant was the reason. One about writing
    /// stands for all others beneath the same grant. `follow` tells whether a link that is the last part of the path was
    /// to be followed.
    pub(crate) fn record_file(
        &self,
        resolver: Resolver,
        dir: &Dir,
        path: Option<&[u8]>,
        follow: bool,
        errno: Errno,
    ) {
        let grant = &*dir.grant;
        let guest = OsStr::from_bytes(&grant.guest);
        match errno {
            Errno::Rofs | Errno::Xdev if grant.access == Access::ReadOnly => {
                let flag = writable(grant);
                let first = path.map(|path| format!(", first of {}", shown(path)));
                let attempt = format!("change beneath {guest:?}{}", first.unwrap_or_default());
                self.count(
                    |known| known.grant.as_ref() == Some(&flag),
                    || Denial { attempt, grant: Some(flag.clone()), times: 1 },
                );
            }
            Errno::Perm => {
                let Some(path) = path.filter(|path| escapes(resolver, dir, path, follow)) else {
                    return;
                };
                let attempt = format!("{} outside of {guest:?}", shown(path));
                self.record(&attempt, Some("--dir HOST::GUEST for the directory it is in"));
            }
            _ => {}
        }
    }
}

/// The flag that makes a read-only grant writable.
fn writable(grant: &Grant) -> String {
    let mut text = grant.host.as_os_str().to_os_string();
    text.push("::");
    text.push(OsStr::from_bytes(&grant.guest));
    format!("--dir {} without ::ro", quoted(&text.to_string_lossy()))
}

/// A word as shells take it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:@%+=,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// A text that a guest chose, on one line and not too long.
pub(crate) fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * MAX_TEXT)]);
    let short: String = text.chars().take(MAX_TEXT).collect();
    format!("{short:?}")
}

/// Whether a path leads outside of its directory, which is one of the reasons for `perm`. Looked at again because hosts
/// give the same error for other reasons.
fn escapes(resolver: Resolver, dir: &Dir, path: &[u8], follow: bool) -> bool {
    let last = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
    let looked = || resolver.open(dir.as_fd(), path, OFlags::PATH | last, Mode::empty());
    path.starts_with(b"/") || matches!(looked(), Err(Errno::Perm))
}

//! How far compilation is, on a terminal. Called by the compiler's threads. Invariant: nothing is shown unless standard
//! error is a terminal and it takes longer than a moment; what was shown is gone in the end.

use std::io::{IsTerminal, stderr};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::output::complain;

/// What takes less is not worth a line.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two lines.
const STEP: Duration = Duration::from_millis(50);

/// A line that tells how far compilation is.
pub struct Progress {
    file: String,
    begin: Instant,
    /// When the last line was shown; nothing when none shall be.
    last: Mutex<Option<Shown>>,
}

#[derive(Default)]
struct Shown(Option<Instant>);

impl Progress {
    /// For the module in a file.
    pub fn new(path: &Path) -> Progress {
        let last = stderr().is_terminal().then(Shown::default);
        let file = crate::output::visible(&path.display().to_string());
        Progress { file, begin: Instant::now(), last: Mutex::new(last) }
    }

    /// So much of all is done.
    pub fn hear(&self, done: usize, all: usize) {
        // Where another thread shows a line, one is enough.
        let Ok(mut last) = self.last.try_lock() else { return };
        let Some(shown) = &mut *last else { return };
        let now = Instant::now();
        let soon = shown.0.is_some_and(|shown| now.duration_since(shown) < STEP);
        if soon || now.duration_since(self.begin) < PATIENCE {
            return;
        }
        shown.0 = Some(now);
        let percent = done * 100 / all.max(1);
        complain(&format!("\r\x1b[Kcompiling {}: {percent} %", self.file));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let last = self.last.get_mut().ok().and_then(Option::take);
        if last.is_some_and(|shown| shown.0.is_some()) {
            complain("\r\x1b[K");
        }
    }
}

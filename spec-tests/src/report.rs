//! What happened to the directives of a file. The script runner fills it, the command and the suite print
//! it.

use std::fmt;
use std::ops::AddAssign;

/// The directives of one or more files, counted.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many did what they should.
    pub passed: usize,
    /// Those that did not.
    pub failed: Vec<Failure>,
    /// Those that Lithe does not look at.
    pub skipped: Vec<Failure>,
    /// Those that failed as a known failure says, which ends the sentence.
    pub known: Vec<Failure>,
}

/// A directive that did not pass.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The file.
    pub file: String,
    /// The line, from 1 on; 0 stands for the whole file.
    pub line: usize,
    /// What was expected and found.
    pub sentence: String,
    /// How many later directives could not run because of this one.
    pub dependents: usize,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.sentence)?;
        match self.dependents {
            0 => Ok(()),
            1 => f.write_str("; 1 later directive needs it"),
            count => write!(f, "; {count} later directives need it"),
        }
    }
}

impl Report {
    /// How many directives failed, with those that depend on them.
    pub fn failed_count(&self) -> usize {
        count(&self.failed)
    }

    /// How many directives failed as it is known, with those that depend on them.
    pub fn known_count(&self) -> usize {
        count(&self.known)
    }
}

fn count(failures: &[Failure]) -> usize {
    failures.iter().map(|failure| 1 + failure.dependents).sum()
}

/// The counts, in the words that the command's last line has.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (failed, skipped, known) =
            (self.failed_count(), self.skipped.len(), self.known_count());
        write!(f, "{} passed, {failed} failed, {skipped} skipped, {known} known", self.passed)
    }
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Report) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.skipped.extend(other.skipped);
        self.known.extend(other.known);
    }
}

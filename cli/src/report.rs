//! How errors are drawn: a headline and its causes in Wasmtime's form, details beneath, then notes and hints;
//! or one JSON object. Called by `main` with what the verbs return. Invariant: every exit code but the
//! guest's own comes from here.

use std::fmt::Write;
use std::path::Path;

use lithe::{Error, ErrorKind};
use serde_json::{Map, Value, json};

use crate::options::Format;
use crate::output::{complain, visible};

/// The exit code of a load or link error, and of everything that has no other.
pub const FAILED: u8 = 1;
/// The exit code of a usage error.
pub const USAGE: u8 = 2;
/// The exit code of a bug in the command.
pub const BUG: u8 = 70;
/// The exit code of a trap, as of a process that was aborted.
pub const TRAP: u8 = 134;

/// Characters of a line that are shown, where a module or its text has a say in it.
const MAX_COLUMNS: usize = 240;

/// An error that is ready to be shown. One pointer wide.
#[derive(Debug)]
pub struct Report(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: u8,
    kind: &'static str,
    headline: String,
    causes: Vec<String>,
    details: String,
    remarks: Vec<(&'static str, String)>,
    fields: Map<String, Value>,
}

impl Report {
    /// A report with this exit code; `kind` names it for machines.
    pub fn new(code: u8, kind: &'static str, headline: impl Into<String>) -> Report {
        let (causes, remarks) = (Vec::new(), Vec::new());
        let (details, fields) = (String::new(), Map::new());
        let headline = headline.into();
        Report(Box::new(Inner { code, kind, headline, causes, details, remarks, fields }))
    }

    /// Adds a cause, the outermost first.
    pub fn cause(mut self, cause: impl Into<String>) -> Report {
        self.0.causes.push(cause.into());
        self
    }

    /// Adds lines beneath the causes.
    pub fn details(mut self, lines: &str) -> Report {
        self.0.details += lines;
        self
    }

    /// Adds a fact that explains the error.
    pub fn note(mut self, note: impl Into<String>) -> Report {
        self.0.remarks.push(("note", note.into()));
        self
    }

    /// Adds a way out.
    pub fn hint(mut self, hint: impl Into<String>) -> Report {
        self.0.remarks.push(("hint", hint.into()));
        self
    }

    /// Adds a fact for machines.
    pub fn field(mut self, name: &str, value: impl Into<Value>) -> Report {
        self.0.fields.insert(name.into(), value.into());
        self
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        self.0.code
    }

    /// Prints the report on standard error.
    pub fn show(&self, format: Format) {
        complain(&match format {
            Format::Text => self.text(),
            Format::Json => format!("{}\n", self.json()),
        });
    }

    fn text(&self) -> String {
        let mut text = format!("Error: {}\n", self.0.headline.trim_end());
        if !self.0.causes.is_empty() {
            text += "\nCaused by:\n";
        }
        for (i, cause) in self.0.causes.iter().enumerate() {
            let lead = if self.0.causes.len() > 1 { format!("{i:>5}: ") } else { "    ".into() };
            let margin = format!("\n{}", " ".repeat(lead.len()));
            // Writing to a string does not fail, here and below.
            let _ = writeln!(text, "{lead}{}", cause.trim_end().replace('\n', &margin));
        }
        if !self.0.details.trim().is_empty() {
            let _ = writeln!(text, "\n{}", self.0.details.trim_end());
        }
        if !self.0.remarks.is_empty() {
            text += "\n";
        }
        for (kind, remark) in &self.0.remarks {
            let _ = writeln!(text, "{kind}: {remark}");
        }
        text
    }

    fn json(&self) -> Value {
        let remarks = |kind: &str| -> Vec<&str> {
            let remarks = self.0.remarks.iter().filter(|(known, _)| *known == kind);
            remarks.map(|(_, remark)| remark.as_str()).collect()
        };
        let mut object = json!({
            "error": self.0.kind,
            "message": self.0.headline,
            "causes": self.0.causes,
            "notes": remarks("note"),
            "hints": remarks("hint"),
            "exit_code": self.0.code,
        });
        if let Value::Object(object) = &mut object {
            object.extend(self.0.fields.clone());
        }
        object
    }
}

/// Something that did not work for reasons outside of any module, with its causes in one line.
pub fn failed(error: &anyhow::Error) -> Report {
    Report::new(FAILED, "failed", visible(&format!("{error:#}")))
}

/// A program that failed for another reason than a trap.
pub fn program(path: &Path, stage: &str, error: &Error) -> Report {
    Report::new(FAILED, "failed", format!("failed to run main module `{}`", path.display()))
        .field("file", path.display().to_string())
        .cause(stage)
        .cause(visible(&error.to_string()))
}

/// A file that is not a module, or not one that the engine accepts.
pub fn load(path: &Path, error: &Error) -> Report {
    let file = path.display();
    let message = error.to_string().replace("<anon>", &file.to_string());
    // An excerpt of text marks a column, so a tab must stay one character.
    let line = |line: &str| -> String {
        let line: String = line.chars().take(MAX_COLUMNS).collect();
        visible(&line.replace('\t', " "))
    };
    let message: Vec<String> = message.lines().map(line).collect();
    let message = message.join("\n");
    let (kind, headline, hint) = match error.kind() {
        ErrorKind::Component => {
            let headline = format!("`{file}` is a component; a core module is wanted");
            ("component", headline, None)
        }
        ErrorKind::Malformed => {
            ("malformed", format!("`{file}` is not a WebAssembly module: {message}"), None)
        }
        ErrorKind::Invalid => {
            let threads = message.contains("the feature threads is not enabled");
            let hint = "programs that start threads run with --threads; -W threads enables the feature alone";
            ("invalid", format!("`{file}` is not valid: {message}"), threads.then_some(hint))
        }
        ErrorKind::Artifact => {
            let fuel =
                match (message.contains("does not count fuel"), message.contains("counts fuel")) {
                    (true, _) => Some("compile it with --count-fuel"),
                    (_, true) => Some("--fuel N runs code that counts fuel"),
                    _ => None,
                };
            ("precompiled", format!("cannot load `{file}`: {message}"), fuel)
        }
        ErrorKind::Machine => {
            let hint = "`--target riscv64+v` compiles for machines that have them; others run the module in the interpreter";
            ("machine", format!("cannot load `{file}`: {message}"), Some(hint))
        }
        _ => ("load", format!("cannot load `{file}`: {message}"), None),
    };
    let report = Report::new(FAILED, kind, headline)
        .field("file", file.to_string())
        .field("offset", error.offset());
    match hint {
        Some(hint) => report.hint(hint),
        None => report,
    }
}

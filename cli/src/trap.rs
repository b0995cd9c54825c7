//! The report of a trap, or of an exception that nobody caught: Wasmtime's lines in Wasmtime's order, then an
//! excerpt of the source, notes and hints. Called by `run`, and by the watchdog when the guest cannot be
//! stopped. Invariant: the lines that scripts look for do not depend on the engine.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use lithe::{Frame, Location, Trap, TrapKind};
use serde_json::{Value, json};

use crate::excerpt;
use crate::options::Options;
use crate::output::visible;
use crate::report::{Report, TRAP};

/// What is known about the run besides the trap itself.
pub struct Facts<'a> {
    pub file: &'a Path,
    /// What was being done, such as "failed to invoke command default".
    pub stage: &'a str,
    pub options: &'a Options,
    /// How often `memory.grow` was refused.
    pub refused_grows: u32,
}

/// The report of a trap with its frames, innermost first.
pub fn report(facts: &Facts<'_>, trap: &Trap) -> Report {
    let words = visible(trap.message());
    let report =
        stopped(facts, "trap", words.clone(), format!("wasm trap: {words}"), &trap.frames());
    remarks(report, facts, trap.kind())
}

/// The report of a guest that did not come back from the host in time.
pub fn interrupted(facts: &Facts<'_>) -> Report {
    let kind = TrapKind::Interrupt;
    remarks(
        stopped(facts, "trap", kind.to_string(), format!("wasm trap: {kind}"), &[]),
        facts,
        kind,
    )
}

/// The report of an exception that nobody caught: `words` say which.
pub fn exception(facts: &Facts<'_>, words: &str, frames: &[Frame]) -> Report {
    let words = visible(words);
    stopped(facts, "exception", words.clone(), words, frames)
}

/// What both reports share; `value` stands in the field called `what`.
fn stopped(
    facts: &Facts<'_>,
    what: &'static str,
    value: String,
    words: String,
    frames: &[Frame],
) -> Report {
    let file = facts.file.display();
    let mut report =
        Report::new(TRAP, what, format!("failed to run main module `{file}`")).cause(facts.stage);
    if !frames.is_empty() {
        report = report.cause(backtrace(frames));
    }
    report = report
        .cause(words)
        .field("file", file.to_string())
        .field(what, value)
        .field("frames", frames.iter().map(frame).collect::<Vec<Value>>());
    let excerpt = frames.iter().flat_map(|frame| &frame.locations).next();
    if let Some(lines) = excerpt.and_then(|place| excerpt::of(place, facts.file)) {
        report = report.details(&lines);
    }
    report
}

/// The frames as Wasmtime draws them.
fn backtrace(frames: &[Frame]) -> String {
    let mut text = String::from("error while executing at wasm backtrace:");
    for (i, frame) in frames.iter().enumerate() {
        // Writing to a string does not fail, here and below.
        let _ = write!(text, "\n  {i:>3}: {:#8x} - ", frame.offset);
        let module = visible(frame.module.as_deref().unwrap_or("<unknown>"));
        let own = || match &frame.name {
            Some(name) => visible(name),
            None => format!("<wasm function {}>", frame.func),
        };
        if frame.locations.is_empty() {
            let _ = write!(text, "{module}!{}", own());
        }
        let last = frame.locations.len().saturating_sub(1);
        for (i, place) in frame.locations.iter().enumerate() {
            // The outermost location is the function itself, which the module's own name describes best.
            let name = match &place.function {
                Some(name) if i < last => visible(name),
                None if i < last => "<inlined function>".into(),
                _ => own(),
            };
            let lead = if i == 0 { "" } else { "\n              - " };
            let place = visible(&place.to_string());
            let _ = write!(text, "{lead}{module}!{name}\n                    at {place}");
        }
    }
    text
}

fn frame(frame: &Frame) -> Value {
    let location = |place: &Location| {
        json!({
            "function": place.function,
            "file": place.file,
            "line": place.line,
            "column": place.column,
        })
    };
    json!({
        "module": frame.module,
        "function": frame.name,
        "index": frame.func,
        "offset": frame.offset,
        "locations": frame.locations.iter().map(location).collect::<Vec<Value>>(),
    })
}

fn remarks(mut report: Report, facts: &Facts<'_>, kind: TrapKind) -> Report {
    let options = facts.options;
    if facts.refused_grows > 0 {
        let times = match facts.refused_grows {
            1 => "once".into(),
            count => format!("{count} times"),
        };
        let limit = match options.max_memory {
            Some(limit) => format!("by --max-memory {}", size(limit)),
            None => "by the limit that the memory declares".into(),
        };
        report = report.note(format!("memory.grow was refused {times} {limit}"));
    }
    match kind {
        TrapKind::StackExhausted => {
            let stack = size(options.limits.stack_bytes);
            report.hint(format!(
                "the stack of calls was {stack}; give more with --max-stack SIZE if the recursion ends"
            ))
        }
        TrapKind::OutOfFuel => {
            report.note(format!("--fuel {} was used up", options.fuel.unwrap_or_default()))
        }
        TrapKind::Interrupt => match options.timeout {
            Some(limit) => report.note(format!("--timeout {} has passed", duration(limit))),
            None => report,
        },
        TrapKind::Unreachable => report
            .note("programs execute `unreachable` when they abort, often after a message above"),
        _ => report,
    }
}

/// Bytes in the largest unit that divides them.
pub fn size(bytes: usize) -> String {
    let units = [(30, "G"), (20, "M"), (10, "K")];
    let fits = |shift: &u32| bytes > 0 && bytes.trailing_zeros() >= *shift;
    match units.iter().find(|(shift, _)| fits(shift)) {
        Some((shift, unit)) => format!("{}{unit}", bytes >> shift),
        None => bytes.to_string(),
    }
}

/// A duration in seconds, or in milliseconds when it is short.
pub fn duration(duration: Duration) -> String {
    match duration.as_secs_f64() {
        short if short < 1.0 => format!("{}ms", short * 1e3),
        long => format!("{long}s"),
    }
}

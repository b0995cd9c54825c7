//! The statistics of `--stats`: gathered by `run` after the guest ended, printed on standard error. Invariant:
//! nothing is measured unless asked for.

use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lithe::{HeapStats, Module, Store};
use lithe_wasi::p1;
use serde_json::{Map, Value, json};

use crate::engines::{Engines, How};
use crate::options::{Format, Options};
use crate::output::complain;

/// What a run took.
pub struct Stats {
    load: Duration,
    run: Duration,
    /// Used, and given.
    fuel: Option<(u64, u64)>,
    memory: usize,
    heap: HeapStats,
    resident: Option<u64>,
    module_bytes: usize,
    translated: usize,
    /// Bytes of native code.
    native: usize,
    how: Vec<String>,
    complaint: Option<String>,
    calls: Vec<(&'static str, u64)>,
}

impl Stats {
    /// The numbers of a run that is over.
    ///
    /// `counts` are the calls of preview 1, in the order of its table.
    pub fn gather<T>(
        options: &Options,
        store: &Store<T>,
        counts: &[AtomicU64],
        modules: &[&Module],
        load: Duration,
        run: Duration,
    ) -> Stats {
        let calls =
            p1::FUNCTIONS.iter().zip(counts.iter().map(|count| count.load(Ordering::Relaxed)));
        let calls = calls.map(|(function, count)| (function.name, count));
        let left = options.fuel.zip(store.fuel());
        Stats {
            load,
            run,
            fuel: left.map(|(given, left)| (given.saturating_sub(left), given)),
            memory: store.memory_bytes(),
            heap: store.heap_stats(),
            resident: resident(),
            module_bytes: modules.iter().map(|module| module.size()).sum(),
            translated: modules.iter().map(|module| module.translated_bytes()).sum(),
            native: modules.iter().filter_map(|module| module.native_bytes()).sum(),
            how: Vec::new(),
            complaint: None,
            calls: calls.filter(|(_, count)| *count > 0).collect(),
        }
    }

    /// Adds how modules run.
    pub fn how(mut self, engines: &Engines<'_>) -> Stats {
        self.how = engines.how.iter().map(How::to_string).collect();
        self.complaint = engines.complaint.clone();
        self
    }

    /// Prints the numbers on standard error.
    pub fn show(&self, format: Format) {
        complain(&match format {
            Format::Text => self.text(),
            Format::Json => format!("{}\n", self.json()),
        });
    }

    fn text(&self) -> String {
        let mut text = String::from("stats\n");
        let mut row = |what: &str, value: String| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {what:<14} {value}");
        };
        let ms = |time: Duration| format!("{:.3} ms", time.as_secs_f64() * 1e3);
        row(
            "wall time",
            format!("{} (load {}, run {})", ms(self.load + self.run), ms(self.load), ms(self.run)),
        );
        if let Some((used, given)) = self.fuel {
            row("fuel used", format!("{used} of {given}"));
        }
        row("linear memory", format!("{} bytes at peak", self.memory));
        if self.heap.allocated > 0 {
            let HeapStats { allocated, used, .. } = self.heap;
            row("heap", format!("{allocated} bytes allocated, {used} in use at the end"));
            let (pause, longest) = [self.heap.pause, self.heap.longest_pause]
                .map(|pause| ms(Duration::from_nanos(pause)))
                .into();
            let collections = self.heap.collections;
            row("collections", format!("{collections} in {pause}, the longest {longest}"));
        }
        if let Some(resident) = self.resident {
            row("resident", format!("{resident} KiB at peak"));
        }
        for how in &self.how {
            row("code", how.clone());
        }
        if let Some(complaint) = &self.complaint {
            row("no cache", complaint.clone());
        }
        let (bytes, module) = (self.translated, self.module_bytes);
        if self.native > 0 {
            row("native code", format!("{} bytes from a module of {module} bytes", self.native));
        }
        if self.native == 0 || bytes > 0 {
            row("bytecode", format!("{bytes} bytes translated from a module of {module} bytes"));
        }
        row("host calls", self.calls.iter().map(|(_, count)| count).sum::<u64>().to_string());
        for (name, count) in &self.calls {
            row(&format!("  {name}"), count.to_string());
        }
        text
    }

    fn json(&self) -> Value {
        let calls = self.calls.iter().map(|(name, count)| (String::from(*name), json!(count)));
        json!({
            "stats": {
                "load_seconds": self.load.as_secs_f64(),
                "run_seconds": self.run.as_secs_f64(),
                "fuel_used": self.fuel.map(|(used, _)| used),
                "linear_memory_bytes": self.memory,
                "heap": {
                    "allocated_bytes": self.heap.allocated,
                    "used_bytes": self.heap.used,
                    "live_bytes": self.heap.live,
                    "collections": self.heap.collections,
                    "pause_seconds": self.heap.pause as f64 / 1e9,
                    "longest_pause_seconds": self.heap.longest_pause as f64 / 1e9,
                },
                "resident_kib": self.resident,
                "module_bytes": self.module_bytes,
                "bytecode_bytes": self.translated,
                "native_bytes": self.native,
                "code": self.how,
                "no_cache": self.complaint,
                "host_calls": calls.collect::<Map<String, Value>>(),
            }
        })
    }
}

/// What compiling took.
pub struct Compiled {
    pub load: Duration,
    pub compile: Duration,
    pub module_bytes: usize,
    pub artifact_bytes: u64,
}

impl Compiled {
    /// The numbers for people.
    pub fn text(&self) -> String {
        let ms = |time: Duration| format!("{:.3} ms", time.as_secs_f64() * 1e3);
        let mut text = String::from("stats\n");
        let mut row = |what: &str, value: String| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {what:<14} {value}");
        };
        let Compiled { load, compile, module_bytes, artifact_bytes } = self;
        let (all, load, compile) = (ms(*load + *compile), ms(*load), ms(*compile));
        row("wall time", format!("{all} (load {load}, compile {compile})"));
        if let Some(resident) = resident() {
            row("resident", format!("{resident} KiB at peak"));
        }
        row("artifact", format!("{artifact_bytes} bytes from a module of {module_bytes} bytes"));
        text
    }

    /// The numbers for machines.
    pub fn json(&self) -> Value {
        json!({
            "stats": {
                "load_seconds": self.load.as_secs_f64(),
                "compile_seconds": self.compile.as_secs_f64(),
                "resident_kib": resident(),
                "module_bytes": self.module_bytes,
                "artifact_bytes": self.artifact_bytes,
            }
        })
    }
}

/// The peak of resident memory in KiB, as the kernel tells it.
fn resident() -> Option<u64> {
    const LIMIT: usize = 1 << 16;
    let status = crate::load::read(Path::new("/proc/self/status"), LIMIT).ok()?;
    let status = String::from_utf8(status).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

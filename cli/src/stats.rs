//! The statistics of `--stats`: gathered by `run` after the guest ended, printed on standard error. Invariant:
//! nothing is measured unless asked for.

use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lithe::{HeapStats, Module, Store};
use lithe_wasi::p1;
use serde_json::{Map, Value, json};

use crate::host::Host;
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
    calls: Vec<(&'static str, u64)>,
}

impl Stats {
    /// The numbers of a run that is over.
    pub fn gather(
        options: &Options,
        store: &Store<Host>,
        modules: &[&Module],
        load: Duration,
        run: Duration,
    ) -> Stats {
        let counts = store.data().counts.iter().flat_map(|counts| counts.iter());
        let calls = p1::FUNCTIONS.iter().zip(counts.map(|count| count.load(Ordering::Relaxed)));
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
            calls: calls.filter(|(_, count)| *count > 0).collect(),
        }
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
        let (bytes, module) = (self.translated, self.module_bytes);
        row("bytecode", format!("{bytes} bytes translated from a module of {module} bytes"));
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
                "host_calls": calls.collect::<Map<String, Value>>(),
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

//! Threads that a script starts with `(thread ...)` and waits for with `(wait ...)`. Each is an OS thread with a
//! store of its own; what a script shares with it are the shared memories of one module. Invariant: every thread
//! is joined, and its directives are counted like those of the script.

use std::collections::HashMap;
use std::thread::ScopedJoinHandle;

use lithe::{AsContext, Extern, Instance, SharedMemory};
use wast::WastThread;

use crate::{Report, script::Context};

/// Shared memories by the name of the module that exports them, each with the name of the export.
pub(crate) type Given = HashMap<String, Vec<(String, SharedMemory)>>;

/// The shared memories that an instance exports.
pub(crate) fn shared_memories(
    instance: Instance,
    store: impl AsContext,
) -> Result<Vec<(String, SharedMemory)>, String> {
    let exports = instance.exports(&store).map_err(|error| error.to_string())?;
    let memories = exports.into_iter().filter_map(|(name, entity)| match entity {
        Extern::Memory(memory) => Some((name, memory.shared(&store).ok()??)),
        _ => None,
    });
    Ok(memories.collect())
}

/// The threads of a script that were not waited for yet, by name.
#[derive(Default)]
pub(crate) struct Threads<'scope> {
    running: HashMap<String, ScopedJoinHandle<'scope, Report>>,
    /// What happened in those that were, until the script counts it.
    pub joined: Report,
}

impl<'scope> Threads<'scope> {
    /// Starts a thread.
    pub(crate) fn spawn<'env: 'scope>(
        &mut self,
        thread: &mut WastThread<'env>,
        context: Context<'scope, 'env>,
        given: Given,
    ) -> Result<(), String> {
        let directives = std::mem::take(&mut thread.directives);
        let span = thread.span;
        let run = move || {
            let mut report = Report::default();
            if let Err(sentence) = context.run(directives, given, &mut report) {
                report += context.failed(span, sentence);
            }
            report
        };
        let spawned = std::thread::Builder::new().spawn_scoped(context.scope, run);
        let handle = spawned.map_err(|error| format!("the thread cannot be started: {error}"))?;
        match self.running.insert(thread.name.name().into(), handle) {
            None => Ok(()),
            Some(_) => Err(format!("there is a thread ${} already", thread.name.name())),
        }
    }

    /// Waits for the thread called `name`.
    pub(crate) fn join(&mut self, name: &str) -> Result<(), String> {
        let handle = self.running.remove(name);
        let handle = handle.ok_or_else(|| format!("there is no thread ${name}"))?;
        self.joined += handle.join().map_err(|_| format!("the thread ${name} panicked"))?;
        Ok(())
    }

    /// Waits for all threads that are left.
    pub(crate) fn join_all(mut self) -> Report {
        for (_, handle) in self.running.drain() {
            if let Ok(report) = handle.join() {
                self.joined += report;
            }
        }
        self.joined
    }
}

//! What is proven of addresses: that `address + reach` lies within a memory. Memories never shrink, so what is proven
//! holds wherever its proof dominates. Invariant: notes are dropped where control flow joins, back to those that were
//! made before it split.

use std::collections::HashMap;

use cranelift_codegen::ir::Value;

/// A memory and an address.
type Key = (u32, Value);

/// Proofs in force.
#[derive(Default)]
pub(super) struct Bounds {
    reaches: HashMap<Key, u64>,
    /// What each note replaced, in order.
    log: Vec<(Key, Option<u64>)>,
}

impl Bounds {
    /// Whether it is known that so many bytes from an address on are within a memory.
    pub fn proves(&self, memory: u32, address: Value, reach: u64) -> bool {
        self.reaches.get(&(memory, address)).is_some_and(|known| *known >= reach)
    }

    /// From here on it is known.
    pub fn note(&mut self, memory: u32, address: Value, reach: u64) {
        let key = (memory, address);
        let old = self.reaches.insert(key, reach);
        self.log.push((key, old));
    }

    /// How much is known now.
    pub fn mark(&self) -> usize {
        self.log.len()
    }

    /// Forgets what was noted since.
    pub fn back_to(&mut self, mark: usize) {
        for (key, old) in self.log.drain(mark..).rev() {
            match old {
                Some(reach) => self.reaches.insert(key, reach),
                None => self.reaches.remove(&key),
            };
        }
    }
}

//! The half of a composed pair that uses the other's resource in all the ways there are: constructor, methods, static
//! function, borrows in a list, drops, and handles given away.
#![no_std]

extern crate alloc;
use bare as _;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

wit_bindgen::generate!({ path: "../wit", world: "user" });

use example::pair::counters::{Counter, live, total};

export!(User);

struct User;

impl Guest for User {
    /// `Err` if a word is empty.
    fn run(words: Vec<String>) -> Result<String, String> {
        let mut counters: Vec<(String, Counter)> = Vec::new();
        for word in words {
            let at = match counters.iter().position(|(name, _)| *name == word) {
                Some(at) => at,
                None => {
                    counters.push((word.clone(), Counter::new(&word)));
                    counters.len() - 1
                }
            };
            counters[at].1.add(1).map_err(|problem| format!("{problem:?}"))?;
        }

        let mut lines = String::new();
        for (_, counter) in &counters {
            let reading = counter.reading();
            lines += &format!("{} {}\n", reading.name, reading.value);
        }
        let borrowed: Vec<&Counter> = counters.iter().map(|(_, counter)| counter).collect();
        lines += &format!("total {}\n", total(&borrowed));
        let (alive, dropped) = live();
        lines += &format!("live {alive}, dropped {dropped}\n");

        // A counter that cannot be added to tells why, and stays as it was.
        if let Some((_, first)) = counters.first() {
            let value = first.reading().value;
            lines += &format!(
                "{:?}\n",
                first.add(u64::MAX).map_err(|problem| format!("{problem:?} at {value}"))
            );
        }
        while counters.len() > 1 {
            let (one, other) = (counters.remove(0).1, counters.remove(0).1);
            let merged = Counter::merge(one, other).map_err(|problem| format!("{problem:?}"))?;
            let reading = merged.reading();
            lines += &format!("merged {} {}\n", reading.name, reading.value);
            counters.insert(0, (reading.name, merged));
        }
        drop(counters);
        let (alive, dropped) = live();
        lines += &format!("live {alive}, dropped {dropped}\n");
        Ok(lines)
    }
}

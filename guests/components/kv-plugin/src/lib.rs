//! A plugin for the embedding example: it counts words in the store that its host gives it.
#![no_std]

extern crate alloc;
use bare as _;

use alloc::format;
use alloc::string::{String, ToString};

wit_bindgen::generate!({ path: "wit", world: "plugin" });

use example::kv::store;

export!(Plugin);

struct Plugin;

impl Guest for Plugin {
    /// Adds one to the count of each word; answers with `word=count` for each, in the order of the input.
    fn run(input: String) -> String {
        let mut answer = String::new();
        for word in input.split_whitespace() {
            let before = store::get(word).and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
            let count = before.saturating_add(1).to_string();
            store::set(word, &count);
            let space = if answer.is_empty() { "" } else { " " };
            answer += &format!("{space}{word}={count}");
        }
        answer
    }
}

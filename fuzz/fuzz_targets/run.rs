//! Generated modules on both dispatch back ends and as native code, with little room in the heap, much, and a
//! collection at every allocation: values, objects, traps and exceptions with their frames, fuel, memories, globals and
//! tables must be equal.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use lithe_fuzz::{compare::compare, smith};

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok((module, seed)) = smith::module(data) else {
        return Corpus::Reject;
    };
    assert!(compare(&module, seed).is_some(), "a generated module is refused");
    Corpus::Keep
});
